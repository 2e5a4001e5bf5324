"""Multi-query attention: all heads of queries share one key and one value for each token."""

from __future__ import annotations

from sympy import sqrt

from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    c,
    d,
    d_e,
    d_f,
    d_v,
    e,
    h,
    i,
    j,
    k,
    n,
    n_h,
    s,
    total,
    x,
    z,
)
from derive.scaled_dot_product import W_k, W_o, W_q, W_v
from derive.variants import multi_head
from derive.variants.inputs import KEY_WEIGHTS, QUERY_WEIGHTS, VALUE_WEIGHTS, tokens
from derive.variants.multi_head import MERGING, linear
from derive.variants.variant import Source, Variant

SHAZEER = Source(
    "Shazeer",
    2019,
    "Fast Transformer decoding: one write-head is all you need",
    "https://arxiv.org/abs/1911.02150",
    "section 3",
)

PROJECTION = Choice(
    "projection",
    "linear maps of each token: a query for each head, one key and one value for all",
    (
        multi_head.MECHANISM.stage(Q),
        Stage(K[j, k], total(x[j, e] * W_k[k, e], e)),
        Stage(V[j, c], total(x[j, e] * W_v[c, e], e)),
    ),
)

SCORE = Choice(
    "score",
    "scaled dot product",
    (Stage(s[h, i, j], total(Q[h, i, k] * K[j, k], k) / sqrt(d)),),
)

WEIGHTED_SUM = Choice(
    "weighted sum",
    "weighted sum",
    (Stage(z[h, i, c], total(a[h, i, j] * V[j, c], j)),),
)

MECHANISM = Mechanism(
    "multi-query attention",
    (
        PROJECTION,
        SCORE,
        multi_head.MECHANISM.choice("normalise"),
        WEIGHTED_SUM,
        multi_head.MECHANISM.choice("output projection"),
    ),
    given=(
        (x, (n, d_e)),
        (W_q, (n_h * d, d_e)),
        (W_k, (d, d_e)),
        (W_v, (d_v, d_e)),
        (W_o, (d_f, n_h * d_v)),
    ),
    relations=multi_head.MECHANISM.relations,
)

VARIANT = Variant(
    key="multi-query",
    title="Multi-query attention",
    family="Heads",
    summary=(
        "Each head has its own queries, but all share one key and one value for each token. A "
        "model that writes token by token then keeps and reads n_h times fewer keys and values."
    ),
    mechanism=MECHANISM,
    sources=(SHAZEER,),
    inputs={
        x: tokens(),
        W_q: linear(QUERY_WEIGHTS),
        W_k: linear(KEY_WEIGHTS[:1]),
        W_v: linear(VALUE_WEIGHTS[:1]),
        W_o: MERGING,
    },
    against="multi-head",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
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
