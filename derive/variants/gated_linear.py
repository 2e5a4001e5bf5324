"""Gated linear attention: a decay for each token and key dimension, which the text decides."""

from __future__ import annotations

from sympy import exp

from derive.brackets import AtMost
from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    d,
    i,
    j,
    k,
    l,
    n,
    n_q,
    s,
    total,
)
from derive.variants.given import queries_keys_values
from derive.variants.inputs import exact, key, projected, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

f, G = array("f"), array("G")

YANG = Source(
    "Yang, Wang, Shen, Panda and Kim",
    2023,
    "Gated linear attention Transformers with hardware-efficient training",
    "https://arxiv.org/abs/2312.06635",
    "section 4.1",
)

GATES = Choice(
    "features",
    "sums of the logarithms of the gates",
    (Stage(G[i, k], total(AtMost(l, i) * f[l, k], l), (n, d)),),
)
"""G[i, k] = sum of f[l, k] over l <= i."""

SCORE = Choice(
    "score",
    "dot product, each dimension with the gates between the two tokens",
    (Stage(s[i, j], total(Q[i, k] * K[j, k] * exp(G[i, k] - G[j, k]), k)),),
)
"""s[i, j] = sum_k Q[i, k] K[j, k] exp(G[i, k] - G[j, k])."""

CAUSAL = Choice(
    "normalise",
    "no normaliser: the scores of the keys that a query may see",
    (Stage(a[i, j], AtMost(j, i) * s[i, j]),),
)
"""a[i, j] = [j <= i] s[i, j]."""

MECHANISM = Mechanism(
    "gated linear attention",
    (GATES, SCORE, CAUSAL, weighted_sum()),
    given=(*queries_keys_values(), (f, (n, d))),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="gated-linear",
    title="Gated linear attention",
    family="Linear attention",
    summary=(
        "Each token has a gate between 0 and 1 for each dimension of the keys, of which f is the "
        "logarithm; a loop multiplies the rows of its state by the token's gates before it adds "
        "the token. So the text decides what is kept and what is forgotten, dimension by dimension."
    ),
    mechanism=MECHANISM,
    sources=(YANG,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        f: projected("W_f", exact("-0.1 -0.9; -0.8 -0.1; -0.2 -0.3")),
    },
    against="state-space",
    holds=(
        "causal",
        "relative-position",
        "uniform-when-hot",
    ),
    fails=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "scores-symmetric",
        "query-scale-invariant",
        "scores-bounded",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
