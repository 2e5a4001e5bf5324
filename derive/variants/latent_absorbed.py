"""Latent attention with the maps of keys and values absorbed: queries meet the latent vectors."""

from __future__ import annotations

from sympy import sqrt

from derive.brackets import AtMost
from derive.formula import (
    Choice,
    Mechanism,
    Q,
    Stage,
    a,
    array,
    c,
    d,
    e,
    h,
    i,
    j,
    k,
    n,
    n_p,
    n_q,
    p,
    s,
    total,
    z,
)
from derive.normaliser import softmax
from derive.variants.latent import DEEPSEEK, GIVEN, INPUTS, C, R_k, R_q, W_uk, W_uv
from derive.variants.variant import Variant

P, y = array("P"), array("y")

PROJECTION = Choice(
    "projection",
    "queries mapped to where the latent vectors are",
    (Stage(P[h, i, e], total(Q[h, i, k] * W_uk[h, k, e], k)),),
)
"""P[h, i, e] = sum_k Q[h, i, k] W_uk[h, k, e]."""

SCORE = Choice(
    "score",
    "scaled dot product with the latent vector, and a rotary part",
    (
        Stage(
            s[h, i, j],
            (total(P[h, i, e] * C[j, e], e) + total(R_q[h, i, p] * R_k[j, p], p)) / sqrt(d + n_p),
        ),
    ),
)
"""s[h, i, j] = (sum_e P[h, i, e] C[j, e] + sum_p R_q[h, i, p] R_k[j, p]) / sqrt(d + n_p)."""

WEIGHTED_SUM = Choice(
    "weighted sum",
    "weighted sum of the latent vectors, mapped to values afterwards",
    (
        Stage(y[h, i, e], total(a[h, i, j] * C[j, e], j)),
        Stage(z[h, i, c], total(y[h, i, e] * W_uv[h, c, e], e)),
    ),
)
"""y[h, i, e] = sum_j a[h, i, j] C[j, e];  z[h, i, c] = sum_e y[h, i, e] W_uv[h, c, e]."""

MECHANISM = Mechanism(
    "multi-head latent attention, absorbed",
    (PROJECTION, SCORE, softmax(lead=(h,), allowed=(AtMost(j, i),)), WEIGHTED_SUM),
    given=GIVEN,
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="latent-absorbed",
    title="Multi-head latent attention, absorbed",
    family="Compressed keys and values",
    summary=(
        "The same as latent attention in another order: the map of the keys is applied to the "
        "query, and the map of the values to the weighted sum. No head makes keys or values of its "
        "own: all heads read one latent vector and one rotary key for each token."
    ),
    mechanism=MECHANISM,
    sources=(DEEPSEEK,),
    inputs=INPUTS,
    against="latent",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "relative-position",
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
