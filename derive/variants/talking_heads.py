"""Talking heads: the heads mix their scores before softmax and their weights after it."""

from __future__ import annotations

from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_v,
    g,
    h,
    i,
    j,
    n,
    n_g,
    n_h,
    n_p,
    n_q,
    p,
    s,
    total,
    z,
)
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant

W_s, W_a, t, A = array("W_s"), array("W_a"), array("t"), array("A")

SHAZEER = Source(
    "Shazeer, Lan, Cheng, Ding and Hou",
    2020,
    "Talking-heads attention",
    "https://arxiv.org/abs/2003.02436",
)

MIXED_SCORES = Choice(
    "mixed scores",
    "each head's scores are a mixture of those of all",
    (Stage(t[h, i, j], total(W_s[h, g] * s[g, i, j], g)),),
)

MIXED_WEIGHTS = Choice(
    "mixed weights",
    "each value head's weights are a mixture of those of all heads",
    (Stage(A[p, i, j], total(W_a[p, h] * a[h, i, j], h)),),
)

WEIGHTED_SUM = Choice(
    "weighted sum",
    "weighted sum",
    (Stage(z[p, i, c], total(A[p, i, j] * V[p, j, c], j)),),
)

MECHANISM = Mechanism(
    "talking-heads attention",
    (
        scaled_dot_product(lead=(g,)),
        MIXED_SCORES,
        softmax(t, lead=(h,)),
        MIXED_WEIGHTS,
        WEIGHTED_SUM,
    ),
    given=(
        (Q, (n_g, n_q, d)),
        (K, (n_g, n, d)),
        (V, (n_p, n, d_v)),
        (W_s, (n_h, n_g)),
        (W_a, (n_p, n_h)),
    ),
)

VARIANT = Variant(
    key="talking-heads",
    title="Talking heads",
    family="Heads",
    summary=(
        "Learned matrices mix the scores of all heads before softmax, and the weights of all heads "
        "after it, so that each head's weights can depend on every head's scores. There may be "
        "different numbers of heads for scores, for softmax and for values."
    ),
    mechanism=MECHANISM,
    sources=(SHAZEER,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        W_s: numbers("0.9 -0.4; 0.3 0.8; 0.5 0.6"),
        W_a: numbers("0.7 0.2 0.1; -0.3 0.5 0.8"),
    },
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "context-in-convex-hull",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
