"""General attention: a learned matrix stands between query and key."""

from __future__ import annotations

from dataclasses import replace

from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    array,
    d,
    d_v,
    i,
    j,
    k,
    n,
    n_p,
    n_q,
    p,
    s,
    total,
)
from derive.normaliser import softmax
from derive.variants.dot_product import LUONG
from derive.variants.inputs import numbers, query, tokens, value
from derive.variants.variant import Variant
from derive.weighted_sum import weighted_sum

W = array("W")

SCORE = Choice(
    "score",
    "a matrix between query and key",
    (Stage(s[i, j], total(total(Q[i, k] * W[k, p] * K[j, p], p), k)),),
)
"""s[i, j] = sum_k sum_p Q[i, k] W[k, p] K[j, p]."""

MECHANISM = Mechanism(
    "general attention",
    (SCORE, softmax(), weighted_sum()),
    given=((Q, (n_q, d)), (K, (n, n_p)), (V, (n, d_v)), (W, (d, n_p))),
)

VARIANT = Variant(
    key="general",
    title="General (bilinear) attention",
    family="Scores",
    summary=(
        "A learned matrix W says how strongly each number of a query goes with each number of a "
        "key. Query and key may differ in length; with the identity for W it is the dot product."
    ),
    mechanism=MECHANISM,
    sources=(replace(LUONG, place="section 3.1, general"),),
    inputs={
        Q: query(),
        K: tokens(),
        V: value(),
        W: numbers("0.8 -0.5 1.1; -0.3 0.9 0.4"),
    },
    against="dot-product",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
