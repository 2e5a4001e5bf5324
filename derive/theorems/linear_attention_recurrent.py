"""Causal linear attention as a recurrence: a state of fixed size in place of all earlier keys."""

from __future__ import annotations

from derive.brackets import AtMost, Below
from derive.formula import (
    D,
    V,
    a,
    array,
    c,
    d,
    d_v,
    i,
    j,
    k,
    n,
    n_q,
    s,
    total,
    z,
)
from derive.rewriting import distribute, pull_out, rewrite, unfold
from derive.sum_rules import (
    Known,
    exchange,
    last_apart,
    pick,
    push_in,
    split_at,
    up_to_one,
)
from derive.theorems.theorem import (
    Kind,
    Recurrence,
    Setting,
    Theorem,
    at_this,
    chain,
    induction,
    supposed,
)
from derive.variants import linear_causal
from derive.variants.linear import F, G
from derive.variants.variant import Source

HUA = Source(
    "Hua, Dai, Liu and Le",
    2022,
    "Transformer quality in linear time",
    "https://arxiv.org/abs/2202.10447",
    "mixed chunk attention",
)

CAUSAL = linear_causal.VARIANT.mechanism
SCORE, WEIGHT, DENOMINATOR, CONTEXT = (CAUSAL.stage(base) for base in (s, a, D, z))
SELF = ((n_q, n),)
EVERY = Known(dict(SELF))

S, u = array("S"), array("u")
STATE = Recurrence(
    S[i, k, c],
    i,
    G[1, k] * V[1, c],
    S[i - 1, k, c] + G[i, k] * V[i, c],
    (n, d, d_v),
)
"""S_i = S_{i-1} + G_i V_i, from nothing."""

SUM = Recurrence(u[i, k], i, G[1, k], u[i - 1, k] + G[i, k], (n, d))
"""u_i = u_{i-1} + G_i, from nothing."""

GIVEN = ((F, (n_q, d)), (G, (n, d)), (V, (n, d_v)))
SETTING = Setting((SCORE, DENOMINATOR, WEIGHT, CONTEXT, STATE, SUM), given=GIVEN, relations=SELF)

STATE_GOAL = total(AtMost(j, i) * G[j, k] * V[j, c], j), S[i, k, c]
STATES = induction(
    "the state",
    i,
    STATE_GOAL,
    [
        ("from 1 on, only 1 is at most 1", up_to_one),
        ("only the first token is left", pick()),
        ("how the state begins, read backwards", rewrite(*reversed(STATE.begins))),
    ],
    [
        ("[j <= i] = [j <= i - 1] + [j = i]", last_apart(i)),
        ("one sum for each", distribute),
        ("of the second, only token i is left", pick(EVERY)),
        ("the statement for i - 1", supposed(STATE_GOAL, i)),
        ("one step of the state, read backwards", at_this(*reversed(STATE.goes_on), i)),
    ],
    SETTING,
)
SUM_GOAL = total(AtMost(j, i) * G[j, k], j), u[i, k]
SUMS = induction(
    "the sum of the features",
    i,
    SUM_GOAL,
    [
        ("from 1 on, only 1 is at most 1", up_to_one),
        ("only the first token is left", pick()),
        ("how the sum begins, read backwards", rewrite(*reversed(SUM.begins))),
    ],
    [
        ("[j <= i] = [j <= i - 1] + [j = i]", last_apart(i)),
        ("one sum for each", distribute),
        ("of the second, only token i is left", pick(EVERY)),
        ("the statement for i - 1", supposed(SUM_GOAL, i)),
        ("one step of the sum, read backwards", at_this(*reversed(SUM.goes_on), i)),
    ],
    SETTING,
)
NUMERATORS = chain(
    "the numerator, from the state",
    total(AtMost(j, i) * s[i, j] * V[j, c], j),
    total(F[i, k] * S[i, k, c], k),
    [
        ("the definition of s", unfold(SCORE)),
        ("all under one sum", push_in),
        ("finite sums may be taken in either order", exchange),
        ("the query's feature does not depend on the key", pull_out),
        ("the state", rewrite(*STATES.goal)),
    ],
    SETTING,
)
DENOMINATORS = chain(
    "the denominator, from the sum of the features",
    D[i],
    total(F[i, k] * u[i, k], k),
    [
        ("the definition of D", unfold(DENOMINATOR)),
        ("the definition of s", unfold(SCORE)),
        ("all under one sum", push_in),
        ("finite sums may be taken in either order", exchange),
        ("the query's feature does not depend on the key", pull_out),
        ("the sum of the features", rewrite(*SUMS.goal)),
    ],
    SETTING,
)
OUTPUT = chain(
    "the output, from the state",
    z[i, c],
    total(F[i, k] * S[i, k, c], k) / total(F[i, k] * u[i, k], k),
    [
        ("the definition of z", unfold(CONTEXT)),
        ("the definition of a", unfold(WEIGHT)),
        ("D_i stands before the sum", pull_out),
        ("the numerator, from the state", rewrite(*NUMERATORS.goal)),
        ("the denominator, from the sum of the features", rewrite(*DENOMINATORS.goal)),
    ],
    SETTING,
)

B = array("B")
"""B[i]: the last token before the chunk of token i; any number at all."""

CHUNKS = chain(
    "a chunk at a time: what stands before it from the state, the rest pair by pair",
    total(AtMost(j, i) * s[i, j] * V[j, c], j),
    total(F[i, k] * total(AtMost(j, i) * AtMost(j, B[i]) * G[j, k] * V[j, c], j), k)
    + total(AtMost(j, i) * Below(B[i], j) * s[i, j] * V[j, c], j),
    [
        ("1 = [j <= B_i] + [B_i < j]: a token is before the chunk or not", split_at(i, B[i])),
        ("one sum for each", distribute),
        (
            "before the chunk: the definition of s",
            at_this(
                AtMost(j, i) * AtMost(j, B[i]) * s[i, j] * V[j, c],
                AtMost(j, i) * AtMost(j, B[i]) * SCORE.value * V[j, c],
            ),
        ),
        ("all under one sum", push_in),
        ("finite sums may be taken in either order", exchange),
        ("the query's feature does not depend on the key", pull_out),
    ],
    Setting(
        (SCORE,),
        given=(*GIVEN, (B, (n,))),
        relations=SELF,
        whole=((B, n),),
        most={d: 1, d_v: 1},
    ),
)

THEOREM = Theorem(
    name="linear-attention-recurrent",
    title="Causal linear attention is a recurrence with a state of fixed size",
    statement=(
        "For any feature maps F of queries and G of keys: the state S_i = S_{i-1} + G_i V_i and "
        "the sum u_i = u_{i-1} + G_i hold all that query i needs of the tokens up to i. Its output "
        "is F_i S_i divided by F_i u_i. The numerator may also be computed chunk by chunk: the "
        "tokens before a chunk through the state, those inside it pair by pair."
    ),
    parts=(STATES, SUMS, NUMERATORS, DENOMINATORS, OUTPUT, CHUNKS),
    kind=Kind.EVERY,
    consequence=(
        "Training can use the parallel form, a product of matrices, and decoding the recurrence, "
        "whose cost for a token does not grow with the text."
    ),
    sources=(*linear_causal.VARIANT.sources, HUA),
    nonzero=(D[i],),
    variants=("linear-causal", "linear"),
)
