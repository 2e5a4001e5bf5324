"""Multi-head attention: several small attentions side by side, merged by a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy

from derive.formula import x
from derive.options import Options
from derive.scaled_dot_product import W_k, W_o, W_q, W_v, scaled_dot_product_attention
from derive.variants.inputs import (
    KEY_WEIGHTS,
    QUERY_WEIGHTS,
    VALUE_WEIGHTS,
    Array,
    Input,
    numbers,
    tokens,
)
from derive.variants.scaled_dot_product import VASWANI
from derive.variants.variant import Variant


def linear(matrices: Sequence[Array]) -> Input:
    """Give matrices of several heads as one, a row for each number that comes out, head by head.

    This is how torch's ``Linear`` has its weights: (heads times d, d_e) from heads of (d_e, d).
    """
    return numbers(numpy.concatenate([matrix.T for matrix in matrices]))


MERGING = numbers("0.7 -0.2 0.5 0.3; -0.4 0.9 0.1 0.6; 0.2 0.4 -0.8 0.5")
"""W_o for two heads of two dimensions each."""

MECHANISM = scaled_dot_product_attention(
    Options(projections="self", leading=1, heads=2, projection_bias=False)
)

VARIANT = Variant(
    key="multi-head",
    title="Multi-head attention",
    family="Heads",
    summary=(
        "Each head makes queries, keys and values of its own from the tokens, in fewer "
        "dimensions, and attends with them; a matrix merges what the heads found. So one token "
        "can attend to several others for different reasons."
    ),
    mechanism=MECHANISM,
    sources=(replace(VASWANI, place="section 3.2.2"),),
    inputs={
        x: tokens(),
        W_q: linear(QUERY_WEIGHTS),
        W_k: linear(KEY_WEIGHTS),
        W_v: linear(VALUE_WEIGHTS),
        W_o: MERGING,
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
