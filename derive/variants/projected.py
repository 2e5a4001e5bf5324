"""Self-attention with trainable projections: three matrices make queries, keys and values."""

from __future__ import annotations

from dataclasses import replace

from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    c,
    d,
    d_e,
    d_v,
    e,
    i,
    j,
    k,
    n,
    n_q,
    total,
    x,
)
from derive.normaliser import softmax
from derive.scaled_dot_product import W_k, W_q, W_v
from derive.score import scaled_dot_product
from derive.variants.inputs import KEY_WEIGHTS, QUERY_WEIGHTS, VALUE_WEIGHTS, tokens
from derive.variants.multi_head import linear
from derive.variants.scaled_dot_product import VASWANI
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

RASCHKA = Source(
    "Raschka",
    2024,
    "Build a large language model (from scratch)",
    "https://github.com/rasbt/LLMs-from-scratch",
    "section 3.4",
)

PROJECTION = Choice(
    "projection",
    "each row of a matrix is one neuron",
    (
        Stage(Q[i, k], total(W_q[k, e] * x[i, e], e)),
        Stage(K[j, k], total(W_k[k, e] * x[j, e], e)),
        Stage(V[j, c], total(W_v[c, e] * x[j, e], e)),
    ),
)
"""Q[i, k] = sum_e W_q[k, e] x[i, e], with W_q (d, d_e) as torch's ``Linear`` has it; K, V alike."""

MECHANISM = Mechanism(
    "self-attention with trainable projections",
    (PROJECTION, scaled_dot_product(), softmax(), weighted_sum()),
    given=((x, (n, d_e)), (W_q, (d, d_e)), (W_k, (d, d_e)), (W_v, (d_v, d_e))),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="projected",
    title="Self-attention with trainable projections",
    family="Scores",
    summary=(
        "Three matrices, which training moves, make a query, a key and a value of each token. So "
        "what a token asks for need not be what it offers."
    ),
    mechanism=MECHANISM,
    sources=(replace(VASWANI, place="section 3.2.2, one head"), RASCHKA),
    inputs={
        x: tokens(),
        W_q: linear(QUERY_WEIGHTS[:1]),
        W_k: linear(KEY_WEIGHTS[:1]),
        W_v: linear(VALUE_WEIGHTS[:1]),
    },
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
