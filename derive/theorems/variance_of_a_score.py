"""Why scores are divided by the square root of d: it keeps their variance at 1."""

from __future__ import annotations

from sympy import Integer, Rational, sqrt

from derive.brackets import Equals
from derive.formula import K, Q, c, d, i, j, k, n, n_q, total
from derive.rewriting import rewrite
from derive.sum_rules import count_terms, pick, square_of_sum
from derive.theorems.expectation import Distribution, Expectation, independent, linear
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import scaled_dot_product

SIGN = ((Integer(1), Rational(1, 2)), (Integer(-1), Rational(1, 2)))
SKEWED = ((Integer(2), Rational(1, 5)), (Rational(-1, 2), Rational(4, 5)))
"""Two laws of mean 0 and variance 1, on which the second check tries every step."""

SETTING = Setting(
    random=(
        (Distribution(Q, SIGN), Distribution(K, SIGN)),
        (Distribution(Q, SKEWED), Distribution(K, SIGN)),
        (Distribution(Q, SKEWED), Distribution(K, SKEWED)),
    ),
    most={n_q: 1, n: 1},
)

SCORE = total(Q[i, k] * K[j, k], k)

MEAN = chain(
    "the mean of a dot product",
    Expectation(SCORE),
    Integer(0),
    [
        ("the mean of a sum is the sum of the means", linear(Q, K)),
        ("query and key are independent: the mean of a product splits", independent(Q, K)),
        ("each entry of a query has mean 0", rewrite(Expectation(Q[i, k]), Integer(0))),
        ("a sum of zeros", count_terms),
    ],
    SETTING,
)
VARIANCE = chain(
    "the variance of a dot product",
    Expectation(SCORE**2),
    d,
    [
        ("a sum times itself is a sum over pairs", square_of_sum),
        ("the mean of a sum is the sum of the means", linear(Q, K)),
        ("query and key are independent", independent(Q, K)),
        (
            "two entries of a query are independent with mean 0 and variance 1",
            rewrite(Expectation(Q[i, k] * Q[i, c]), Equals(k, c)),
        ),
        ("so are two entries of a key", rewrite(Expectation(K[j, k] * K[j, c]), Equals(k, c))),
        ("only pairs of the same dimension are left", pick()),
        ("d times 1", count_terms),
    ],
    SETTING,
)
SCALED = chain(
    "the variance of a scaled dot product",
    Expectation((SCORE / sqrt(d)) ** 2),
    Integer(1),
    [
        ("a number stands before the mean", linear(Q, K)),
        ("the variance of the dot product", rewrite(*VARIANCE.goal)),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="variance-of-a-score",
    title=(
        "A dot product of independent entries has variance d; divided by sqrt(d) it has variance 1"
    ),
    statement=(
        "Let all entries of a query and of a key be independent, each with mean 0 and variance 1. "
        "Their dot product has mean 0 and variance d, and divided by the square root of d it has "
        "variance 1."
    ),
    parts=(MEAN, VARIANCE, SCALED),
    kind=Kind.EVERY,
    consequence=(
        "Without the scale, scores grow with the number of dimensions and softmax gets sharper: "
        "nearly all weight can fall on one key, and the gradients by the scores then nearly "
        "vanish."
    ),
    sources=scaled_dot_product.VARIANT.sources,
    variants=("scaled-dot-product", "dot-product"),
)
