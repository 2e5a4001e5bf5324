"""Bugs in the softmax: overflow, blocks, merging, types."""

from __future__ import annotations

import math
from typing import Any

import torch

from derive.options import Options
from numeric.catalogue import pieces
from numeric.catalogue.case import Case, Sizes

PLAIN = Options(leading=2)
CAUSAL = Options(leading=2, causal="top-left")
SIZES = Sizes(2, 2, 2, 6, 6, 8, 8)
BLOCK = 4
UNEVEN = Sizes(2, 2, 2, 6, 10, 8, 8)
RISING = Sizes(2, 2, 2, 6, 12, 8, 8)


def no_maximum(query: Any, key: Any, value: Any) -> Any:
    """Exponentiate the scores as they are."""
    weights = pieces.scores(query, key).exp()
    return (weights @ pieces.wide(value) / weights.sum(-1, keepdim=True)).to(value.dtype)


def epsilon(query: Any, key: Any, value: Any) -> Any:
    """Add 1e-6 to the denominator."""
    scores = pieces.scores(query, key)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    total = weights.sum(-1, keepdim=True) + 1e-6
    return (weights @ pieces.wide(value) / total).to(value.dtype)


def over_queries(query: Any, key: Any, value: Any) -> Any:
    """Take the softmax over the queries."""
    weights = pieces.scores(query, key).softmax(-2)
    return (weights @ pieces.wide(value)).to(value.dtype)


def in_bfloat16(query: Any, key: Any, value: Any) -> Any:
    """Take the softmax in bfloat16."""
    scores = pieces.scores(query, key)
    weights = scores.bfloat16().softmax(-1).to(scores.dtype)
    return (weights @ pieces.wide(value)).to(value.dtype)


def in_float32(query: Any, key: Any, value: Any) -> Any:
    """Take the softmax in float32, whatever the type of the inputs is."""
    scores = pieces.scores(query, key)
    weights = scores.softmax(-1, dtype=torch.float32).to(scores.dtype)
    return (weights @ pieces.wide(value)).to(value.dtype)


def sum_in_float16(query: Any, key: Any, value: Any) -> Any:
    """Add up the denominator in the type of the inputs: from 2048 on, adding 1 changes nothing."""
    scores = pieces.scores(query, key)
    weights = (scores - scores.amax(-1, keepdim=True)).exp().to(query.dtype)
    total = torch.zeros_like(weights[..., :1])
    for token in range(weights.shape[-1]):
        total = total + weights[..., token : token + 1]
    return ((weights / total) @ value).to(value.dtype)


def accumulated_in_float16(query: Any, key: Any, value: Any) -> Any:
    """Add up both products in the type of the inputs."""
    scores = _product(query, key.mT) * query.shape[-1] ** -0.5
    return _product(scores.softmax(-1), value)


def _product(left: Any, right: Any) -> Any:
    total = torch.zeros_like(left[..., :1] * right[..., :1, :])
    for place in range(left.shape[-1]):
        total = total + left[..., place : place + 1] * right[..., place : place + 1, :]
    return total


def divided_each_block(query: Any, key: Any, value: Any) -> Any:
    """Divide by the running sum after every block and not once at the end."""
    largest, total, result = _start(query, value)
    scores = pieces.scores(query, key)
    for keys in pieces.blocks(key.shape[-2], BLOCK):
        larger = torch.maximum(largest, scores[..., keys].amax(-1, keepdim=True))
        weights, rescale = (scores[..., keys] - larger).exp(), (largest - larger).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        result = (result * rescale + weights @ pieces.wide(value[..., keys, :])) / total
        largest = larger
    return result.to(value.dtype)


def rescale_skipped(query: Any, key: Any, value: Any) -> Any:
    """Keep the old maximum where the new one is little larger, after weighing by the new one."""
    largest, total, result = _start(query, value)
    scores = pieces.scores(query, key)
    for keys in pieces.blocks(key.shape[-2], BLOCK):
        larger = torch.maximum(largest, scores[..., keys].amax(-1, keepdim=True))
        weights = (scores[..., keys] - larger).exp()
        kept = larger - largest <= math.log(256)
        rescale = (largest - larger).exp().where(~kept, 1)
        total = total * rescale + weights.sum(-1, keepdim=True)
        result = result * rescale + weights @ pieces.wide(value[..., keys, :])
        largest = largest.where(kept, larger)
    return (result / total).to(value.dtype)


def maximum_of_block(query: Any, key: Any, value: Any) -> Any:
    """Let each block have its own maximum and forget the largest so far."""
    largest, total, result = _start(query, value)
    scores = pieces.scores(query, key)
    for keys in pieces.blocks(key.shape[-2], BLOCK):
        own = scores[..., keys].amax(-1, keepdim=True)
        weights, rescale = (scores[..., keys] - own).exp(), (largest - own).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        result = result * rescale + weights @ pieces.wide(value[..., keys, :])
        largest = own
    return (result / total).to(value.dtype)


def maximum_of_hidden_block(query: Any, key: Any, value: Any) -> Any:
    """Start from the last block; where it is hidden, let its maximum be zero from then on."""
    largest, total, result = _start(query, value)
    scores = pieces.scores(query, key)
    scores = pieces.hidden(scores, pieces.causal(scores))
    for keys in reversed(pieces.blocks(key.shape[-2], BLOCK)):
        larger = torch.maximum(largest, scores[..., keys].amax(-1, keepdim=True))
        larger = larger.where(larger > -torch.inf, 0)
        weights, rescale = (scores[..., keys] - larger).exp(), (largest - larger).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        result = result * rescale + weights @ pieces.wide(value[..., keys, :])
        largest = larger
    return (result / total.where(total > 0, 1)).to(value.dtype)


def maximum_from_a_floor(query: Any, key: Any, value: Any) -> Any:
    """Let the maximum start from -50000, which stands for minus infinity."""
    scores = pieces.scores(query, key)
    largest = scores.amax(-1, keepdim=True).clamp(min=-5e4)
    weights = (scores - largest).exp()
    total = weights.sum(-1, keepdim=True)
    return (weights @ pieces.wide(value) / total.where(total > 0, 1)).to(value.dtype)


def merged_in_base_two(query: Any, key: Any, value: Any) -> Any:
    """Merge two parts by a log-sum-exp to the base of two as if it were natural."""
    scores, middle = pieces.scores(query, key), key.shape[-2] // 2
    halves = (slice(None, middle), slice(middle, None))
    outputs = [scores[..., h].softmax(-1) @ pieces.wide(value[..., h, :]) for h in halves]
    lse = [scores[..., h].logsumexp(-1, keepdim=True) / math.log(2) for h in halves]
    return (torch.stack(outputs) * torch.stack(lse).softmax(0)).sum(0).to(value.dtype)


def last_block_dropped(query: Any, key: Any, value: Any) -> Any:
    """See whole blocks of keys only."""
    whole = key.shape[-2] // BLOCK * BLOCK
    return pieces.mixed(pieces.scores(query, key[..., :whole, :]), value[..., :whole, :])


def last_block_of_zeros(query: Any, key: Any, value: Any) -> Any:
    """Fill the last block of keys with zeros, whose weight is not zero."""
    missing = -key.shape[-2] % BLOCK
    key = torch.nn.functional.pad(key, (0, 0, 0, missing))
    value = torch.nn.functional.pad(value, (0, 0, 0, missing))
    return pieces.mixed(pieces.scores(query, key), value)


def _start(query: Any, value: Any) -> tuple[Any, Any, Any]:
    """Return the running maximum, sum and result before the first block."""
    largest = pieces.wide(query).new_full((*query.shape[:-1], 1), -torch.inf)
    return largest, torch.zeros_like(largest), largest.new_zeros(*query.shape[:-1], value.shape[-1])


SOFTMAX_BUGS = (
    Case(
        "no maximum subtracted",
        "NVIDIA/FasterTransformer 43",
        no_maximum,
        PLAIN,
        SIZES,
        note="scores beyond 88, in float64 beyond 709",
    ),
    Case(
        "epsilon in the denominator",
        "OpenNMT/CTranslate2 1468",
        epsilon,
        PLAIN,
        SIZES,
        note="numbers of more than 16 bits: below, the epsilon is less than a rounding",
        dtypes=("float64", "float32"),
    ),
    Case(
        "softmax over the queries",
        "labmlai/annotated_deep_learning_paper_implementations 146",
        over_queries,
        PLAIN,
        SIZES,
    ),
    Case("softmax in bfloat16", "apple/axlearn 18", in_bfloat16, PLAIN, SIZES, contract="fused"),
    Case(
        "softmax of float64 in float32",
        "huggingface/transformers 48459",
        in_float32,
        PLAIN,
        SIZES,
        dtypes=("float64",),
    ),
    Case(
        "denominator in float16",
        "huggingface/candle 3727",
        sum_in_float16,
        PLAIN,
        Sizes(1, 1, 1, 1, 2304, 4, 4),
        note="more than 2048 tokens with nearly equal scores",
        dtypes=("float16", "bfloat16"),
        contract="fused",
    ),
    Case(
        "products accumulated in float16",
        "pytorch/pytorch 176559",
        accumulated_in_float16,
        PLAIN,
        Sizes(1, 2, 2, 8, 64, 64, 8),
        dtypes=("float16",),
        contract="fused",
    ),
    Case(
        "divided after every block",
        "1bit-MONSTER/1bit-MONSTER 495",
        divided_each_block,
        PLAIN,
        RISING,
    ),
    Case(
        "rescaling skipped",
        "ROCm/rocm-libraries 7194",
        rescale_skipped,
        PLAIN,
        RISING,
        note="the more, the more the largest score grows from block to block",
    ),
    Case(
        "maximum of the block alone",
        "tile-ai/tilelang 1148",
        maximum_of_block,
        PLAIN,
        RISING,
        note="scores that fall by 88 from block to block, in float64 by 709",
    ),
    Case(
        "maximum of a hidden block",
        "Dao-AILab/flash-attention 2082",
        maximum_of_hidden_block,
        CAUSAL,
        Sizes(2, 2, 2, 8, 8, 8, 8),
        note="all scores of a row below -104, in float64 below -745",
    ),
    Case(
        "maximum from a floor",
        "flashinfer-ai/flashinfer 4267",
        maximum_from_a_floor,
        PLAIN,
        SIZES,
        note="all scores of a row below -50104",
    ),
    Case(
        "merged in the wrong base", "lightseekorg/tokenspeed 571", merged_in_base_two, PLAIN, SIZES
    ),
    Case(
        "last block of keys dropped",
        "jax-ml/jax 27224",
        last_block_dropped,
        PLAIN,
        UNEVEN,
        note="a number of tokens that the block, here 4, does not divide",
    ),
    Case(
        "last block filled with zeros",
        "flashinfer-ai/flashinfer 5090",
        last_block_of_zeros,
        PLAIN,
        UNEVEN,
        note="a number of tokens that the block, here 4, does not divide",
    ),
)
