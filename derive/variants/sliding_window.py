"""The sliding window: a query sees itself and the few tokens before it."""

from __future__ import annotations

from derive.formula import K, Q, V
from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant

JIANG = Source(
    "Jiang et al.",
    2023,
    "Mistral 7B",
    "https://arxiv.org/abs/2310.06825",
    "section 2",
)

BELTAGY = Source(
    "Beltagy, Peters and Cohan",
    2020,
    "Longformer: the long-document Transformer",
    "https://arxiv.org/abs/2004.05150",
    "section 3.1",
)

VARIANT = Variant(
    key="sliding-window",
    title="Sliding window",
    family="Masks",
    summary=(
        "Query i sees the last 3 keys up to its own place. The cost grows with n times the "
        "window instead of n squared; what lies further back reaches a token through several "
        "layers."
    ),
    mechanism=scaled_dot_product_attention(Options(causal="top-left", window=3)),
    sources=(JIANG, BELTAGY),
    inputs={Q: query(), K: key(), V: value()},
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
