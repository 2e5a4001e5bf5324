"""Scaled dot-product attention, from which most others are told apart."""

from __future__ import annotations

from derive.formula import K, Q, V
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant

VASWANI = Source(
    "Vaswani et al.",
    2017,
    "Attention is all you need",
    "https://arxiv.org/abs/1706.03762",
    "section 3.2.1",
)

VARIANT = Variant(
    key="scaled-dot-product",
    title="Scaled dot-product attention",
    family="Scores",
    summary=(
        "Scores are dot products divided by the square root of their number of terms, so that "
        "longer vectors do not sharpen the weights by themselves."
    ),
    mechanism=scaled_dot_product_attention(),
    sources=(VASWANI,),
    inputs={Q: query(), K: key(), V: value()},
    against="dot-product",
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
