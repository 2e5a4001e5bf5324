"""Differential attention: the weights are those of one softmax less a share of another's."""

from __future__ import annotations

import numpy
from sympy import exp, sqrt

from derive.formula import (
    Choice,
    Mechanism,
    Stage,
    V,
    a,
    array,
    d,
    d_v,
    h,
    i,
    j,
    k,
    n,
    n_h,
    n_q,
    s,
    total,
)
from derive.variants.inputs import KEY_WEIGHTS, QUERY_WEIGHTS, numbers, projected, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

Q_1, K_1, Q_2, K_2 = array("Q_1"), array("K_1"), array("Q_2"), array("K_2")
D_1, D_2, a_1, a_2 = array("D_1"), array("D_2"), array("a_1"), array("a_2")
t, m = array("t"), array("m")

YE = Source(
    "Ye et al.",
    2024,
    "Differential Transformer",
    "https://arxiv.org/abs/2410.05258",
    "section 2.1, equation 1",
)

SCORES = Choice(
    "score",
    "two scaled dot products",
    (
        Stage(s[h, i, j], total(Q_1[h, i, k] * K_1[h, j, k], k) / sqrt(d)),
        Stage(t[h, i, j], total(Q_2[h, i, k] * K_2[h, j, k], k) / sqrt(d)),
    ),
)
"""s[h, i, j] = sum_k Q_1[h, i, k] K_1[h, j, k] / sqrt(d);  t likewise from Q_2 and K_2."""

NORMALISE = Choice(
    "normalise",
    "the difference of two softmaxes",
    (
        Stage(D_1[h, i], total(exp(s[h, i, j]), j)),
        Stage(D_2[h, i], total(exp(t[h, i, j]), j)),
        Stage(a_1[h, i, j], exp(s[h, i, j]) / D_1[h, i]),
        Stage(a_2[h, i, j], exp(t[h, i, j]) / D_2[h, i]),
        Stage(a[h, i, j], a_1[h, i, j] - m[h] * a_2[h, i, j]),
    ),
)
"""a[h, i, j] = a_1[h, i, j] - m[h] a_2[h, i, j], the softmax of s and that of t."""

MECHANISM = Mechanism(
    "differential attention",
    (SCORES, NORMALISE, weighted_sum(lead=(h,))),
    given=(
        (Q_1, (n_h, n_q, d)),
        (K_1, (n_h, n, d)),
        (Q_2, (n_h, n_q, d)),
        (K_2, (n_h, n, d)),
        (V, (n_h, n, d_v)),
        (m, (n_h,)),
    ),
)

VARIANT = Variant(
    key="differential",
    title="Differential attention",
    family="Normalisers",
    summary=(
        "Each head has two sets of queries and keys, and its weights are the softmax of the first "
        "scores less m times the softmax of the second. Weight that both put on the same keys is "
        "reduced; weights may be negative, and a row sums to 1 - m. Left out here: the paper "
        "learns one m, its lambda, for a layer, and normalises each head's result."
    ),
    mechanism=MECHANISM,
    sources=(YE,),
    inputs={
        Q_1: projected("W_{q1}", numpy.stack(QUERY_WEIGHTS)),
        K_1: projected("W_{k1}", numpy.stack(KEY_WEIGHTS)),
        Q_2: projected("W_{q2}", numpy.stack(QUERY_WEIGHTS[::-1])),
        K_2: projected("W_{k2}", numpy.stack(KEY_WEIGHTS[::-1])),
        V: value(heads=2),
        m: numbers("0.2 0.8"),
    },
    holds=(
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
