"""Cross-attention: the queries come from one text, the keys and values from another."""

from __future__ import annotations

from dataclasses import replace

from derive.formula import x
from derive.options import Options
from derive.scaled_dot_product import W_k, W_o, W_q, W_v, scaled_dot_product_attention, y
from derive.variants.additive import BAHDANAU
from derive.variants.inputs import KEY_WEIGHTS, QUERY_WEIGHTS, VALUE_WEIGHTS, Array, Input
from derive.variants.multi_head import MERGING, linear
from derive.variants.scaled_dot_product import VASWANI
from derive.variants.variant import Variant


def _last(vectors: Array) -> Array:
    """Return the last third of the tokens, at least one: the text that asks."""
    return vectors[-max(1, len(vectors) // 3) :]


def _before(vectors: Array) -> Array:
    """Return the tokens before the last third: the text that is asked."""
    return vectors[: -max(1, len(vectors) // 3)]


VARIANT = Variant(
    key="cross-attention",
    title="Cross-attention",
    family="Heads",
    summary=(
        "Queries come from one text, x, and keys and values from another, y, as in a translation "
        "that looks back at its source. Here the last third of the sentence attends to what "
        "stands before it."
    ),
    mechanism=scaled_dot_product_attention(
        Options(projections="cross", leading=1, heads=2, projection_bias=False)
    ),
    sources=(replace(VASWANI, place="section 3.2.3"), replace(BAHDANAU, place="section 3.1")),
    inputs={
        x: Input(r"\text{last third of } x", _last),
        y: Input(r"\text{first two thirds of } x", _before),
        W_q: linear(QUERY_WEIGHTS),
        W_k: linear(KEY_WEIGHTS),
        W_v: linear(VALUE_WEIGHTS),
        W_o: MERGING,
    },
    against="multi-head",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "query-scale-invariant",
        "scores-bounded",
    ),
)
