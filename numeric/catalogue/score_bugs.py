"""Bugs in the scores: scales, soft caps, biases."""

from __future__ import annotations

import math
from typing import Any

import torch
from sympy import Integer, Rational

from derive.options import Options
from numeric.catalogue import pieces
from numeric.catalogue.case import Case, Sizes

PLAIN = Options(leading=2)
CAP = Integer(3)
CAPPED = Options(leading=2, soft_cap=CAP)
SIZES = Sizes(2, 2, 2, 6, 6, 8, 8)


def scale_ignored(query: Any, key: Any, value: Any) -> Any:
    """Scale by 1/sqrt(dim) where a scale was given."""
    return pieces.mixed(pieces.scores(query, key), value)


def scale_missing(query: Any, key: Any, value: Any) -> Any:
    """Leave out 1/sqrt(dim)."""
    return pieces.mixed(pieces.scores(query, key, 1), value)


def scale_of_model(query: Any, key: Any, value: Any) -> Any:
    """Divide by the root of all heads' dimensions together."""
    width = query.shape[1] * query.shape[-1]
    return pieces.mixed(pieces.scores(query, key, 1 / math.sqrt(width)), value)


def scale_of_padding(query: Any, key: Any, value: Any) -> Any:
    """Pad the heads to a multiple of eight and divide by the root of that."""
    padded = -(-query.shape[-1] // 8) * 8
    return pieces.mixed(pieces.scores(query, key, 1 / math.sqrt(padded)), value)


def scale_twice(query: Any, key: Any, value: Any) -> Any:
    """Scale the queries, and then the scores."""
    return pieces.mixed(pieces.scores(query, key, 1 / query.shape[-1]), value)


def scale_inverted(query: Any, key: Any, value: Any) -> Any:
    """Divide by 1/sqrt(dim)."""
    return pieces.mixed(pieces.scores(query, key, math.sqrt(query.shape[-1])), value)


def scale_of_weights(query: Any, key: Any, value: Any) -> Any:
    """Scale what the softmax gives."""
    output = pieces.mixed(pieces.scores(query, key, 1), value)
    return output / math.sqrt(query.shape[-1])


def key_permuted(query: Any, key: Any, value: Any) -> Any:
    """Take the axes of heads and tokens of the keys for one another."""
    return pieces.mixed(pieces.scores(query, key.transpose(1, 2)), value)


def product_in_float16(query: Any, key: Any, value: Any) -> Any:
    """Keep the products in the type of the inputs and scale them afterwards."""
    scores = (query @ key.mT) * query.shape[-1] ** -0.5
    return pieces.mixed(pieces.wide(scores), value)


def cap_formula(query: Any, key: Any, value: Any) -> Any:
    """Multiply the hyperbolic tangent by the score and not by the cap."""
    scores = pieces.scores(query, key) / float(CAP)
    return pieces.mixed(scores * torch.tanh(scores), value)


def cap_missing(query: Any, key: Any, value: Any) -> Any:
    """Accept a cap and not apply it."""
    return pieces.mixed(pieces.scores(query, key), value)


def cap_after_mask(query: Any, key: Any, value: Any) -> Any:
    """Cap after masking: minus infinity becomes minus the cap."""
    scores = pieces.scores(query, key)
    masked = pieces.hidden(scores, pieces.causal(scores))
    return pieces.mixed(float(CAP) * torch.tanh(masked / float(CAP)), value)


def cap_after_bias(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """Cap the sum of score and bias."""
    scores = pieces.scores(query, key) + pieces.wide(bias)
    return pieces.mixed(float(CAP) * torch.tanh(scores / float(CAP)), value)


def cap_overflow(query: Any, key: Any, value: Any) -> Any:
    """Write the hyperbolic tangent with two exponentials, which overflow."""
    scores = pieces.scores(query, key) / float(CAP)
    up, down = scores.exp(), (-scores).exp()
    return pieces.mixed(float(CAP) * (up - down) / (up + down), value)


def bias_scaled(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """Scale the bias along with the products."""
    scores = pieces.wide(query) @ pieces.wide(key).mT + pieces.wide(bias)
    return pieces.mixed(scores * query.shape[-1] ** -0.5, value)


def bias_subtracted(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """Take the bias with the wrong sign."""
    return pieces.mixed(pieces.scores(query, key) - pieces.wide(bias), value)


SCORE_BUGS = (
    Case(
        "scale ignored",
        "pytorch/pytorch 174049",
        scale_ignored,
        Options(leading=2, scale=Rational(1, 2)),
        SIZES,
    ),
    Case("scale missing", "mlc-ai/mlc-llm 3426", scale_missing, PLAIN, SIZES),
    Case(
        "scale of the model's width",
        "FrancescoSaverioZuppichini/ViT 1",
        scale_of_model,
        PLAIN,
        SIZES,
        note="two heads or more",
    ),
    Case(
        "scale of the padded head",
        "intel/ipex-llm 12619",
        scale_of_padding,
        PLAIN,
        Sizes(2, 2, 2, 6, 6, 5, 5),
        note="a dimension that is padded: here one that eight does not divide",
    ),
    Case("scale applied twice", "AI-Hypercomputer/maxtext 3138", scale_twice, PLAIN, SIZES),
    Case("scale inverted", "AI-Hypercomputer/maxtext 1370", scale_inverted, PLAIN, SIZES),
    Case(
        "scale after the softmax",
        "FrancescoSaverioZuppichini/ViT 2",
        scale_of_weights,
        PLAIN,
        SIZES,
    ),
    Case(
        "permuted key matched as plain",
        "pytorch/pytorch 195320",
        key_permuted,
        PLAIN,
        Sizes(2, 4, 4, 4, 4, 8, 8),
        note="as many heads as tokens; with other sizes it does not run",
    ),
    Case(
        "product overflows before it is scaled",
        "ultralytics/ultralytics 24990",
        product_in_float16,
        PLAIN,
        SIZES,
        note="products beyond 65504, which scaling would bring back",
        dtypes=("float16",),
        contract="fused",
    ),
    Case("soft cap's formula", "Dao-AILab/flash-attention 2396", cap_formula, CAPPED, SIZES),
    Case("soft cap dropped", "sgl-project/sgl-kernel-xpu 491", cap_missing, CAPPED, SIZES),
    Case(
        "soft cap after the mask",
        "onnx/onnx 7865",
        cap_after_mask,
        Options(leading=2, causal="top-left", soft_cap=CAP),
        SIZES,
    ),
    Case(
        "soft cap after the bias",
        "emmtrix/emx-onnx-cgen 731",
        cap_after_bias,
        Options(leading=2, soft_cap=CAP, bias=True),
        SIZES,
    ),
    Case(
        "soft cap overflows",
        "vllm-project/vllm 56578",
        cap_overflow,
        CAPPED,
        SIZES,
        note="scores beyond 88 times the cap, in float64 709 times",
    ),
    Case(
        "bias scaled",
        "tenstorrent/tt-metal 55337",
        bias_scaled,
        Options(leading=2, bias=True),
        SIZES,
    ),
    Case(
        "bias subtracted",
        "meta-pytorch/attention-gym 86",
        bias_subtracted,
        Options(leading=2, bias=True),
        SIZES,
    ),
)
