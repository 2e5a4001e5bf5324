"""Grouped-query attention: some heads of queries share one head of keys and values."""

from __future__ import annotations

from derive.formula import x
from derive.options import Options
from derive.scaled_dot_product import W_k, W_o, W_q, W_v, scaled_dot_product_attention
from derive.variants.inputs import KEY_WEIGHTS, QUERY_WEIGHTS, VALUE_WEIGHTS, exact, numbers, tokens
from derive.variants.multi_head import linear
from derive.variants.variant import Source, Variant

AINSLIE = Source(
    "Ainslie et al.",
    2023,
    "GQA: training generalized multi-query Transformer models from multi-head checkpoints",
    "https://arxiv.org/abs/2305.13245",
    "section 2.2",
)

MORE_QUERY_WEIGHTS = (
    exact("-0.7 0.4; 1.0 0.8; 0.5 -1.2"),
    exact("0.9 -0.1; 0.6 -0.9; -0.4 1.3"),
)
"""W_q of the third and fourth head, (3, 2) each."""

VARIANT = Variant(
    key="grouped-query",
    title="Grouped-query attention",
    family="Heads",
    summary=(
        "Heads of queries form groups, and each group shares one head of keys and values; here "
        "four heads share two. It lies between multi-head attention, where no head shares, and "
        "multi-query attention, where all do."
    ),
    mechanism=scaled_dot_product_attention(
        Options(
            projections="self",
            leading=1,
            grouped="consecutive",
            heads=4,
            kv_heads=2,
            projection_bias=False,
        )
    ),
    sources=(AINSLIE,),
    inputs={
        x: tokens(),
        W_q: linear((*QUERY_WEIGHTS, *MORE_QUERY_WEIGHTS)),
        W_k: linear(KEY_WEIGHTS),
        W_v: linear(VALUE_WEIGHTS),
        W_o: numbers(
            "0.7 -0.2 0.5 0.3 0.1 -0.6 0.4 0.2;"
            "-0.4 0.9 0.1 0.6 -0.3 0.5 0.2 -0.7;"
            "0.2 0.4 -0.8 0.5 0.6 0.3 -0.1 0.8"
        ),
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
