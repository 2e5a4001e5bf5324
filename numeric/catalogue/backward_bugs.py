"""Bugs of backward passes: the output is right, a gradient is not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from sympy import Integer

from derive.options import Options
from numeric.catalogue import flash as steps
from numeric.catalogue import pieces
from numeric.catalogue.case import Case, Program, Sizes
from numeric.catalogue.flash import CORRECT, Saved, Setting, flash

PLAIN = Options(leading=2)
SIZES = Sizes(2, 2, 2, 6, 6, 8, 8)
BLOCK = 4
CAP = Integer(3)


def row_sum_too_early(saved: Saved, upstream: Any) -> Any:
    """Read the output's gradient when only its first half is written."""
    written = torch.arange(upstream.shape[-2])[:, None] < upstream.shape[-2] // 2
    return steps.row_sum(saved, upstream.where(written, 0))


def diagonal_only(weights: Any, by_weight: Any, _: Any) -> Any:
    """Take P (1 - P) for the derivative of the softmax."""
    return by_weight * weights * (1 - weights)


def weights_unmasked(saved: Saved) -> Any:
    """Recompute the weights without the mask."""
    return (saved.capped() - saved.lse).exp()


def softmax_unmasked(saved: Saved) -> Any:
    """Recompute the softmax without mask and window."""
    return saved.capped().softmax(-1)


def weights_causal(saved: Saved) -> Any:
    """Recompute the weights as if all attention were causal."""
    return steps.weights(saved).where(pieces.causal(saved.capped()), 0)


def weights_of_empty_rows(saved: Saved) -> Any:
    """Recompute the weights where a row without keys gives infinity less infinity."""
    return (pieces.hidden(saved.capped(), saved.seen) - saved.lse).exp()


def weights_in_base_two(saved: Saved) -> Any:
    """Take the natural log-sum-exp for one to the base of two."""
    return torch.exp2(saved.capped() / math.log(2) - saved.lse)


def weights_clamped(saved: Saved) -> Any:
    """Recompute the weights from scores held between -8 and 8, from the second sentence on."""
    narrow = saved.capped().clamp(-8, 8)
    second = torch.arange(narrow.shape[0])[:, None, None, None] > 0
    return (narrow.where(second, saved.capped()) - saved.lse).exp()


def values_cut(saved: Saved, upstream: Any) -> Any:
    """Read as many features of the values as the queries have."""
    dim = saved.query.shape[-1]
    return upstream[..., :dim] @ saved.value[..., :dim].mT


def slope_missing(_: Saved) -> int:
    """Leave the derivative of the soft cap out."""
    return 1


def columns_misaligned(weights: Any, upstream: Any) -> Any:
    """Write the last columns of dV, which fill no whole step of four, to wrong places."""
    gradient = steps.value_gradient(weights, upstream)
    whole = gradient.shape[-1] // BLOCK * BLOCK
    return torch.cat([gradient[..., :whole], gradient[..., whole:].roll(1, -1)], -1)


def head_starts_overwritten(weights: Any, upstream: Any) -> Any:
    """Let the padding of each head overwrite the first tokens of dV of the next one."""
    gradient = steps.value_gradient(weights, upstream).clone()
    gradient[:, 1:, : -gradient.shape[-2] % BLOCK] = 0
    return gradient


def heads_divided_by_share(saved: Saved, gradient: Any) -> Any:
    """Find the head of keys by the number of query heads that share one."""
    batch, heads = gradient.shape[:2]
    result = gradient.new_zeros(batch, saved.groups, *gradient.shape[2:])
    for head in range(heads):
        result[:, head % (heads // saved.groups)] += gradient[:, head]
    return result


def queries_packed(saved: Saved, by_score: Any) -> Any:
    """Read the queries as if they lay row after row."""
    return by_score.mT @ pieces.packed(saved.query) * saved.scale


def upstream_packed(gradient: Any) -> Any:
    """Read the output's gradient as if it lay row after row."""
    return pieces.wide(pieces.packed(gradient))


def row_sum_packed(saved: Saved, upstream: Any) -> Any:
    """Read the output's gradient so for the row sums alone."""
    return steps.row_sum(saved, pieces.packed(upstream))


class Transposed(torch.autograd.Function):
    """Attention whose backward pass exchanges heads and tokens of keys and values."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
        """Return the right output."""
        ctx.save_for_backward(query, key, value)
        return pieces.mixed(pieces.scores(query, key), value)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        """Differentiate another attention."""
        query, key, value = (x.detach().requires_grad_() for x in ctx.saved_tensors)
        with torch.enable_grad():
            scores = pieces.scores(query, key.transpose(1, 2))
            output = pieces.mixed(scores, value.transpose(1, 2))
            return torch.autograd.grad(output, (query, key, value), upstream)


def transposed_again(query: Any, key: Any, value: Any) -> Any:
    """Exchange heads and tokens of keys and values a second time in the backward pass."""
    return Transposed.apply(query, key, value)


def lse_constant(query: Any, key: Any, value: Any) -> Any:
    """Merge two parts by their log-sum-exp, which has no gradient."""
    scores, middle = pieces.scores(query, key), key.shape[-2] // 2
    halves = (slice(None, middle), slice(middle, None))
    outputs = [scores[..., h].softmax(-1) @ pieces.wide(value[..., h, :]) for h in halves]
    lse = torch.stack([scores[..., h].logsumexp(-1, keepdim=True) for h in halves])
    return (torch.stack(outputs) * lse.detach().softmax(0)).sum(0).to(value.dtype)


def _flash(setting: Setting = steps.PLAIN, /, **step: Any) -> Program:
    """Return attention with one step of its backward pass exchanged."""
    return flash(replace(CORRECT, **step), setting)


CAUSAL = Setting(causal=True)
WINDOW = Setting(causal=True, window=3)

BACKWARD_BUGS = (
    Case(
        "row sum before its gradient is there",
        "Dao-AILab/flash-attention 2481",
        _flash(row_sum=row_sum_too_early),
        PLAIN,
        SIZES,
        backward=True,
    ),
    Case(
        "softmax's derivative without the sum",
        "deeplearning4j/libnd4j 440",
        _flash(softmax_gradient=diagonal_only),
        PLAIN,
        SIZES,
        backward=True,
    ),
    Case(
        "backward pass without the causal mask",
        "triton-lang/triton 7216",
        _flash(CAUSAL, weights=weights_unmasked),
        Options(leading=2, causal="top-left"),
        SIZES,
        backward=True,
    ),
    Case(
        "backward pass always causal",
        "triton-lang/triton 5660",
        _flash(weights=weights_causal),
        PLAIN,
        SIZES,
        backward=True,
    ),
    Case(
        "backward pass without the window",
        "meta-pytorch/MSLK 263",
        _flash(WINDOW, weights=softmax_unmasked),
        Options(leading=2, causal="top-left", window=3),
        SIZES,
        backward=True,
    ),
    Case(
        "soft cap without its derivative",
        "Dao-AILab/flash-attention 2402",
        _flash(Setting(soft_cap=float(CAP)), cap_slope=slope_missing),
        Options(leading=2, soft_cap=CAP),
        SIZES,
        backward=True,
        note="the cap had no backward pass of its own; here it is taken for the identity",
    ),
    Case(
        "gradient of the values misaligned",
        "Dao-AILab/flash-attention 2552",
        _flash(value_gradient=columns_misaligned),
        PLAIN,
        Sizes(2, 2, 2, 6, 6, 8, 6),
        backward=True,
        note="a dimension of the values that the step, here 4, does not divide",
    ),
    Case(
        "gradient of the values overwritten by padding",
        "flagos-ai/FlagGems 898",
        _flash(value_gradient=head_starts_overwritten),
        PLAIN,
        SIZES,
        backward=True,
        note="a number of tokens that the block, here 4, does not divide; two heads",
    ),
    Case(
        "values read as wide as the queries",
        "XunhaoLai/native-sparse-attention-triton 27",
        _flash(weight_gradient=values_cut),
        PLAIN,
        Sizes(2, 2, 2, 6, 6, 5, 8),
        backward=True,
        note="values of a larger dimension",
    ),
    Case(
        "groups of heads divided by the wrong number",
        "XunhaoLai/native-sparse-attention-triton 27",
        _flash(Setting(interleaved=True), gathered=heads_divided_by_share),
        Options(leading=2, grouped="interleaved"),
        Sizes(2, 6, 3, 6, 6, 8, 8),
        backward=True,
        note="another number of groups than of heads in each",
    ),
    Case(
        "weights of unusual scores",
        "NVIDIA/TransformerEngine 3216",
        _flash(weights=weights_clamped),
        PLAIN,
        SIZES,
        backward=True,
        note="two sentences, and scores beyond 8, which normal inputs do not reach; the cause is "
        "not published, this one shows on inputs of the kind that was",
    ),
    Case(
        "weights from a log-sum-exp in the wrong base",
        "meta-pytorch/attention-gym 200",
        _flash(weights=weights_in_base_two),
        PLAIN,
        SIZES,
        backward=True,
    ),
    Case(
        "row without keys gives NaN gradients",
        "pytorch/pytorch 41508",
        _flash(weights=weights_of_empty_rows),
        Options(leading=2, mask=True, empty_rows="zero"),
        SIZES,
        backward=True,
        note="a mask that leaves a query no key",
    ),
    Case(
        "keys and values transposed twice",
        "huggingface/diffusers 14338",
        transposed_again,
        PLAIN,
        Sizes(2, 4, 4, 4, 4, 8, 8),
        backward=True,
        note="as many heads as tokens; with other sizes it does not run",
    ),
    Case(
        "log-sum-exp without a gradient",
        "SHI-Labs/NATTEN 274",
        lse_constant,
        PLAIN,
        SIZES,
        backward=True,
    ),
    Case(
        "strides of the queries assumed for dK",
        "pytorch/pytorch 146377",
        _flash(key_gradient=queries_packed),
        PLAIN,
        SIZES,
        backward=True,
        note="queries that were permuted",
        layout="transposed",
    ),
    Case(
        "strides of the output's gradient assumed",
        "Dao-AILab/flash-attention 355",
        _flash(upstream=upstream_packed),
        PLAIN,
        SIZES,
        backward=True,
        note="a gradient of the output that was permuted",
        layout="transposed",
    ),
    Case(
        "strides assumed in the row sums",
        "flagos-ai/FlagAttention 1",
        _flash(row_sum=row_sum_packed),
        PLAIN,
        SIZES,
        backward=True,
        note="a gradient of the output that was permuted",
        layout="transposed",
    ),
)
"""Programs with the right output and a wrong gradient."""
