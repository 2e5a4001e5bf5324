"""The gradient of softmax, derived one rule at a time, as one would on paper."""

from __future__ import annotations

from sympy import Sum, Symbol, exp

from derive.brackets import Equals
from derive.formula import D, a, i, j, l, n_p, n_q, p, s, total
from derive.gradients import gradient_of
from derive.rewriting import distribute, pull_out, rewrite, unfold
from derive.sum_rules import Known, common_factors, pick
from derive.theorems.slope import Slope, entries, functions, products_and_powers, term_by_term
from derive.theorems.theorem import Agreement, Kind, Setting, Theorem, chain
from derive.variants import scaled_dot_product
from derive.variants.variant import Source

DAO = Source(
    "Dao, Fu, Ermon, Rudra and Ré",
    2022,
    "FlashAttention: Fast and memory-efficient exact attention with IO-awareness",
    "https://arxiv.org/abs/2205.14135",
    "appendix B.2",
)

ATTENTION = scaled_dot_product.VARIANT.mechanism
DENOMINATOR, WEIGHT = ATTENTION.stage(D), ATTENTION.stage(a)
abar, sbar = gradient_of(a), gradient_of(s)

ROWS = Known({n_p: n_q})
"""p counts queries here, as i does: it names any row, i the one whose score changes."""

SETTING = Setting((DENOMINATOR, WEIGHT), relations=((n_p, n_q),))

r = Symbol("r", integer=True, positive=True)
"""A row in a sum over all queries."""

ROW_SUM = total(exp(s[p, l]), l)
WEIGHT_BY_SCORE = chain(
    "how a weight changes with a score",
    Slope(a[p, l], s[i, j]),
    Equals(p, i) * a[p, l] * (Equals(l, j) - a[p, j]),
    [
        ("the definition of a", unfold(WEIGHT)),
        ("the derivative of a quotient", products_and_powers),
        (
            "the definition of D, where it changes",
            rewrite(Slope(D[p], s[i, j]), Slope(ROW_SUM, s[i, j])),
        ),
        ("the derivative of a sum is the sum of the derivatives", term_by_term()),
        ("the derivative of an exponential", functions),
        ("a score changes with itself alone", entries),
        ("[p = i] does not depend on the summed key", pull_out),
        ("only key j is left of the sum", pick(ROWS)),
        ("an exponential is a weight times D; D cancels", rewrite(exp(s[i, j]), a[i, j] * D[i])),
        ("common factors stand before the bracket", common_factors),
    ],
    SETTING,
)
SCORE_GRADIENT = chain(
    "the gradient by a score, for any gradient by the weights",
    Slope(Sum(total(abar[r, l] * a[r, l], l), (r, 1, n_q)), s[i, j]),
    a[i, j] * (abar[i, j] - total(a[i, l] * abar[i, l], l)),
    [
        ("the derivative of a sum; abar is held still", term_by_term(abar)),
        ("how a weight changes with a score", rewrite(*WEIGHT_BY_SCORE.goal)),
        ("[r = i] does not depend on the key", pull_out),
        ("only the query's own row is left", pick(ROWS)),
        ("multiply out, one sum for each term", distribute),
        ("only key j is left of the first sum", pick(ROWS)),
        ("a_ij does not depend on the summed key", pull_out),
        ("common factors stand before the bracket", common_factors),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="softmax-backward",
    title="The gradient of softmax: a weight times its own gradient's excess over the row's mean",
    statement=(
        "A weight changes with a score of its own row by a_il ([l = j] - a_ij), and with no other "
        "score. So, whatever gradient abar arrives at the weights, the gradient by a score is a_ij "
        "(abar_ij - sum_l a_il abar_il): the weight times the excess over the row's mean, in which "
        "each gradient counts by its weight."
    ),
    parts=(
        WEIGHT_BY_SCORE,
        SCORE_GRADIENT,
        Agreement("the equation that is derived mechanically", SCORE_GRADIENT, ATTENTION, sbar),
    ),
    kind=Kind.EVERY,
    consequence=(
        "A weight near 0 passes almost no gradient to its score, and the gradients of one row of "
        "scores sum to 0."
    ),
    sources=(DAO,),
    variants=("scaled-dot-product", "dot-product"),
)
