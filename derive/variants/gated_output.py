"""The output gate: each number of the result is multiplied by a sigmoid of the query's token."""

from __future__ import annotations

from sympy import exp

from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    array,
    c,
    d_e,
    d_v,
    e,
    i,
    n_q,
    total,
    x,
    z,
)
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, tokens, value
from derive.variants.variant import Source, Variant

W_g, g, G, o = array("W_g"), array("g"), array("G"), array("o")

QIU = Source(
    "Qiu et al.",
    2025,
    "Gated attention for large language models: non-linearity, sparsity, and attention-sink-free",
    "https://arxiv.org/abs/2505.06708",
    "the gate G1, after the weighted sum",
)

GATE = Choice(
    "output gate",
    "a sigmoid of the query's token times the result",
    (
        Stage(g[i, c], total(x[i, e] * W_g[c, e], e)),
        Stage(G[i, c], 1 / (1 + exp(-g[i, c]))),
        Stage(o[i, c], z[i, c] * G[i, c]),
    ),
)
"""g[i, c] = sum_e x[i, e] W_g[c, e];  G[i, c] = 1 / (1 + exp(-g[i, c]));  o = z G."""

MECHANISM = Mechanism(
    "scaled dot-product attention with an output gate",
    (*scaled_dot_product_attention().choices, GATE),
    given=(*queries_keys_values(), (x, (n_q, d_e)), (W_g, (d_v, d_e))),
)

VARIANT = Variant(
    key="gated-output",
    title="Gated output",
    family="Normalisers",
    summary=(
        "The query's token decides, by a sigmoid between 0 and 1 for each number of the result, "
        "how much of it passes. A token that needs nothing from the others can close the gate, "
        "instead of giving its weight to a token that does not matter."
    ),
    mechanism=MECHANISM,
    sources=(QIU,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        x: tokens(),
        W_g: numbers("1.2 -0.9 0.4; -0.6 1.5 -1.1"),
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
