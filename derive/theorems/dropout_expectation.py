"""Inverted dropout of weights: the mean of the output is the output without dropout."""

from __future__ import annotations

from sympy import Integer, Symbol

from derive.brackets import Equals
from derive.formula import V, a, array, c, i, j, l, n_q, total, z
from derive.rewriting import fold, pull_out, rewrite
from derive.sum_rules import common_factors, multiply_out, pick, square_of_sum
from derive.theorems.expectation import Distribution, Expectation, linear
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants.variant import Source
from derive.weighted_sum import weighted_sum

SRIVASTAVA = Source(
    "Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov",
    2014,
    "Dropout: a simple way to prevent neural networks from overfitting",
    "https://jmlr.org/papers/v15/srivastava14a.html",
    "section 10",
)

B = array("B")
"""B[i, j] is 1 where the weight is kept, else 0."""

r = Symbol("r", positive=True)
"""The probability that a weight is kept, 1 - p where p is the rate of dropout."""

(CONTEXT,) = weighted_sum().stages
SETTING = Setting(
    (CONTEXT,),
    random=((Distribution(B, ((Integer(1), r), (Integer(0), 1 - r))),),),
    parameters=frozenset({r}),
    most={n_q: 2},
)

CHANGE = B[i, j] / r - 1
OTHER_CHANGE = B[i, l] / r - 1

MEAN = chain(
    "the mean of the output",
    Expectation(total(a[i, j] * B[i, j] / r * V[j, c], j)),
    z[i, c],
    [
        ("the mean of a sum is the sum of the means; only B is by chance", linear(B)),
        ("a weight is kept with probability r, which cancels", rewrite(Expectation(B[i, j]), r)),
        ("the definition of z, read backwards", fold(CONTEXT)),
    ],
    SETTING,
)
COVARIANCE = chain(
    "how two weights change together",
    Expectation(CHANGE * OTHER_CHANGE),
    Equals(j, l) * (1 / r - 1),
    [
        ("multiply out", multiply_out),
        ("the mean of a sum is the sum of the means", linear(B)),
        (
            "two weights are kept independently; with itself a weight is kept with probability r",
            rewrite(Expectation(B[i, j] * B[i, l]), r**2 + Equals(j, l) * (r - r**2)),
        ),
        ("each is kept with probability r", rewrite(Expectation(B[i, j]), r)),
        ("multiply out: what does not depend on the pair cancels", multiply_out),
        ("put the bracket outside", common_factors),
    ],
    SETTING,
)
VARIANCE = chain(
    "the variance of the output",
    Expectation(total(CHANGE * a[i, j] * V[j, c], j) ** 2),
    (1 / r - 1) * total(a[i, j] ** 2 * V[j, c] ** 2, j),
    [
        ("a sum times itself is a sum over pairs", square_of_sum),
        ("the mean of a sum is the sum of the means; only B is by chance", linear(B)),
        ("how two weights change together", rewrite(*COVARIANCE.goal)),
        ("only pairs of the same key are left", pick()),
        ("what does not depend on the key stands before the sum", pull_out),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="dropout-expectation",
    title="Dropout of weights leaves the mean output as it is",
    statement=(
        "Keep each weight with probability r, independently, and divide what is kept by r. The "
        "mean output is the output without dropout. Its variance is (1/r - 1) times the sum of "
        "the squares of the terms a_ij V_jc."
    ),
    parts=(MEAN, COVARIANCE, VARIANCE),
    kind=Kind.EVERY,
    consequence=(
        "A model that was trained with dropout runs without it and without a correction of the "
        "weights. While it trains, a row of weights sums to 1 on average only."
    ),
    sources=(SRIVASTAVA,),
    nonzero=(r,),
)
