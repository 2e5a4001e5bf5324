"""The backward pass block by block: a block of keys needs its own keys and what was stored."""

from __future__ import annotations

from sympy import exp, sqrt

from derive.brackets import Equals
from derive.formula import K, Q, Stage, V, a, array, c, d, i, j, k, m, n, n_p, p, s, total, z
from derive.gradients import gradient_of
from derive.rewriting import fold, pull_out, rewrite, split_exponentials, unfold
from derive.sum_rules import Known, exchange, pick
from derive.theorems.gradients_by_hand import BY_KEY, BY_QUERY, BY_VALUE, BY_WEIGHT, CONTEXT
from derive.theorems.online_softmax import P
from derive.theorems.row_sum_trick import ROW_SUM
from derive.theorems.softmax_backward import DAO, DENOMINATOR, SCORE_GRADIENT, WEIGHT
from derive.theorems.theorem import Kind, Setting, Theorem, chain

abar, sbar, zbar, Qbar = map(gradient_of, (a, s, z, Q))
D_m, R = array("D_m"), array("R")
"""What the forward pass stored: the shifted denominator, and the row sum R."""

STORED = Stage(D_m[i], total(exp(s[i, j] - m[i]), j))
ROW = Stage(R[i], total(zbar[i, c] * z[i, c], c))
BY_WEIGHTS = Stage(abar[i, j], BY_WEIGHT.goal[1])

REBUILT = chain(
    "a weight, rebuilt from what was stored",
    exp(s[i, j] - m[i]) / D_m[i],
    a[i, j],
    [
        ("the stored denominator", unfold(STORED)),
        ("e^(u + v) = e^u e^v", split_exponentials),
        ("the shift does not depend on the key, so it cancels", pull_out),
        ("the definition of D, read backwards", fold(DENOMINATOR)),
        ("the definition of a, read backwards", fold(WEIGHT)),
    ],
    Setting((DENOMINATOR, WEIGHT, STORED)),
)
SCORES = chain(
    "the gradient by a score, from the key's own numbers and the stored row sum",
    SCORE_GRADIENT.goal[1],
    a[i, j] * (total(V[j, c] * zbar[i, c], c) - R[i]),
    [
        ("the row sum from the output", rewrite(*ROW_SUM.goal)),
        ("the stored row sum, read backwards", fold(ROW)),
        ("the gradient by a weight", unfold(BY_WEIGHTS)),
    ],
    Setting((CONTEXT, BY_WEIGHTS, ROW)),
)
QUERIES = chain(
    "the gradient by a query, added up block by block",
    total(total(Equals(p, P[j]) * K[j, k] * sbar[i, j], j), p) / sqrt(d),
    BY_QUERY.goal[1],
    [
        ("finite sums may be taken in either order", exchange),
        ("the key's part does not depend on the block", pull_out),
        ("each key is in one block", pick(Known(whole={P: n_p}))),
    ],
    Setting(given=((P, (n,)),), whole=((P, n_p),)),
)

THEOREM = Theorem(
    name="tiled-backward",
    title="The backward pass needs no row of weights: blocks of keys are done one by one",
    statement=(
        "With the shift m, the denominator D_m and the row sum R stored for each query, the weight "
        "of a key and the gradient by its score need no other key. So the gradients by the keys "
        "and values of a block, which are sums over the queries, read only that block, and the "
        "gradient by a query is the sum of what the blocks contribute."
    ),
    parts=(REBUILT, SCORES, BY_KEY, BY_VALUE, QUERIES),
    kind=Kind.EVERY,
    consequence=(
        "Weights are computed again instead of being stored: memory grows with n, not n², at the "
        "price of one more product of queries and keys."
    ),
    sources=(DAO,),
    variants=("scaled-dot-product",),
)
