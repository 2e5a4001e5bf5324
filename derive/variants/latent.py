"""Multi-head latent attention: all heads' keys and values come from one short vector per token."""

from __future__ import annotations

import numpy
from sympy import sqrt

from derive.brackets import AtMost
from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    array,
    c,
    d,
    d_e,
    d_v,
    e,
    h,
    i,
    j,
    k,
    n,
    n_h,
    n_p,
    n_q,
    p,
    s,
    total,
)
from derive.normaliser import softmax
from derive.variants.given import Given
from derive.variants.inputs import Array, Input, exact, numbers, product, projected, query
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

C, W_uk, W_uv = array("C"), array("W_uk"), array("W_uv")
R_q, R_k = array("R_q"), array("R_k")

DEEPSEEK = Source(
    "DeepSeek-AI",
    2024,
    "DeepSeek-V2: A strong, economical, and efficient mixture-of-experts language model",
    "https://arxiv.org/abs/2405.04434",
    "sections 2.1.2 and 2.1.3",
)

PROJECTION = Choice(
    "projection",
    "keys and values of each head from the latent vector",
    (
        Stage(K[h, j, k], total(C[j, e] * W_uk[h, k, e], e)),
        Stage(V[h, j, c], total(C[j, e] * W_uv[h, c, e], e)),
    ),
)
"""K[h, j, k] = sum_e C[j, e] W_uk[h, k, e];  V[h, j, c] = sum_e C[j, e] W_uv[h, c, e]."""

SCORE = Choice(
    "score",
    "scaled dot product, with a rotary part whose key all heads share",
    (
        Stage(
            s[h, i, j],
            (total(Q[h, i, k] * K[h, j, k], k) + total(R_q[h, i, p] * R_k[j, p], p))
            / sqrt(d + n_p),
        ),
    ),
)
"""s[h, i, j] = (sum_k Q[h, i, k] K[h, j, k] + sum_p R_q[h, i, p] R_k[j, p]) / sqrt(d + n_p)."""

GIVEN: Given = (
    (Q, (n_h, n_q, d)),
    (C, (n, d_e)),
    (W_uk, (n_h, d, d_e)),
    (W_uv, (n_h, d_v, d_e)),
    (R_q, (n_h, n_q, n_p)),
    (R_k, (n, n_p)),
)

MECHANISM = Mechanism(
    "multi-head latent attention",
    (
        PROJECTION,
        SCORE,
        softmax(lead=(h,), allowed=(AtMost(j, i),)),
        weighted_sum(lead=(h,)),
    ),
    given=GIVEN,
    relations=((n_q, n),),
)


def _turned(points: Array) -> Array:
    """Turn the point in row i by i quarters: a rotary embedding whose cosines are exact."""
    turned = []
    for place, (first, second) in enumerate(points, start=1):
        for _ in range(place % 4):
            first, second = -second, first
        turned.append([first, second])
    return exact(turned)


ROTARY_QUERY_WEIGHTS = (exact("0.5 0.2; -0.3 0.6; 0.4 -0.1"), exact("-0.2 0.7; 0.6 0.1; 0.3 0.4"))
ROTARY_KEY_WEIGHTS = exact("0.6 -0.2; 0.1 0.5; -0.4 0.3")

INPUTS = {
    Q: query(heads=2),
    C: projected("W_c", exact("0.8 -0.3; 0.4 0.9; -0.5 0.6")),
    W_uk: numbers([[["0.7", "-0.4"], ["0.2", "0.9"]], [["-0.6", "0.5"], ["1.1", "0.3"]]]),
    W_uv: numbers([[["0.9", "0.1"], ["-0.2", "0.8"]], [["0.4", "-0.7"], ["0.6", "0.5"]]]),
    R_q: Input(
        r"x W_r\text{, each row turned by a quarter more}",
        lambda vectors: numpy.stack(
            [_turned(product(vectors, weights)) for weights in ROTARY_QUERY_WEIGHTS]
        ),
    ),
    R_k: Input(
        r"x W_s\text{, each row turned by a quarter more}",
        lambda vectors: _turned(product(vectors, ROTARY_KEY_WEIGHTS)),
    ),
}

VARIANT = Variant(
    key="latent",
    title="Multi-head latent attention",
    family="Compressed keys and values",
    summary=(
        "For each token one short latent vector is kept, row j of C; each head makes its key and "
        "its value from it. Places come in by a rotary part of query and key, R_q and R_k, given "
        "here as already turned; all heads share R_k. The paper makes queries from a second latent "
        "vector, which is left out here."
    ),
    mechanism=MECHANISM,
    sources=(DEEPSEEK,),
    inputs=INPUTS,
    against="causal",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
