"""Attention with a backward pass by hand, in the steps that flash-attention has.

The forward pass keeps the output and the log-sum-exp of each row; the backward pass recomputes the
weights P from these, and with D = rowsum(O * dO) finds dS = P * (dO V' - D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from numeric.catalogue import pieces
from numeric.catalogue.case import Program


@dataclass(frozen=True)
class Setting:
    """What the forward pass computes."""

    causal: bool = False
    window: int | None = None
    soft_cap: float | None = None
    interleaved: bool = False


@dataclass(frozen=True)
class Saved:
    """What the forward pass leaves to the backward pass; query heads have keys and values each."""

    setting: Setting
    query: Any
    key: Any
    value: Any
    seen: Any
    output: Any
    lse: Any
    groups: int

    @property
    def scale(self) -> float:
        """1/sqrt(dim)."""
        return float(self.query.shape[-1] ** -0.5)

    def capped(self) -> Any:
        """Return the scores before masking."""
        scores = (self.query @ self.key.mT) * self.scale
        cap = self.setting.soft_cap
        return scores if cap is None else cap * torch.tanh(scores / cap)


Step = Callable[..., Any]


def weights(saved: Saved) -> Any:
    """Return P = exp(S - LSE), 0 where a key is hidden."""
    return (saved.capped() - saved.lse).exp().where(saved.seen, 0)


def row_sum(saved: Saved, upstream: Any) -> Any:
    """Return D = rowsum(O * dO)."""
    return (saved.output * upstream).sum(-1, keepdim=True)


def weight_gradient(saved: Saved, upstream: Any) -> Any:
    """Return dP = dO V'."""
    return upstream @ saved.value.mT


def softmax_gradient(given_weights: Any, by_weight: Any, row_sums: Any) -> Any:
    """Return dS = P * (dP - D)."""
    return given_weights * (by_weight - row_sums)


def cap_slope(saved: Saved) -> Any:
    """Return 1 - tanh(S / cap)^2."""
    cap = saved.setting.soft_cap
    return 1 if cap is None else 1 - (saved.capped() / cap) ** 2


def query_gradient(saved: Saved, by_score: Any) -> Any:
    """Return dQ = dS K / sqrt(dim)."""
    return by_score @ saved.key * saved.scale


def key_gradient(saved: Saved, by_score: Any) -> Any:
    """Return dK = dS' Q / sqrt(dim)."""
    return by_score.mT @ saved.query * saved.scale


def value_gradient(given_weights: Any, upstream: Any) -> Any:
    """Return dV = P' dO."""
    return given_weights.mT @ upstream


def gathered(saved: Saved, gradient: Any) -> Any:
    """Sum over the query heads that share a head of keys and values."""
    batch, heads = gradient.shape[:2]
    times = heads // saved.groups
    if saved.setting.interleaved:
        return gradient.view(batch, times, saved.groups, *gradient.shape[2:]).sum(1)
    return gradient.view(batch, saved.groups, times, *gradient.shape[2:]).sum(2)


@dataclass(frozen=True)
class Backward:
    """The steps of the backward pass."""

    weights: Step = weights
    row_sum: Step = row_sum
    weight_gradient: Step = weight_gradient
    softmax_gradient: Step = softmax_gradient
    cap_slope: Step = cap_slope
    query_gradient: Step = query_gradient
    key_gradient: Step = key_gradient
    value_gradient: Step = value_gradient
    gathered: Step = gathered
    upstream: Step = pieces.wide

    def __call__(self, saved: Saved, gradient: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of query, key and value."""
        upstream = self.upstream(gradient)
        given_weights = self.weights(saved)
        by_score = self.softmax_gradient(
            given_weights, self.weight_gradient(saved, upstream), self.row_sum(saved, upstream)
        )
        by_score = by_score * self.cap_slope(saved)
        return (
            self.query_gradient(saved, by_score),
            self.gathered(saved, self.key_gradient(saved, by_score)),
            self.gathered(saved, self.value_gradient(given_weights, upstream)),
        )


class Flash(torch.autograd.Function):
    """Attention with the given backward pass."""

    @staticmethod
    def forward(
        ctx: Any, query: Any, key: Any, value: Any, mask: Any, setting: Setting, backward: Backward
    ) -> Any:
        """Return the output and keep it and the log-sum-exp; a row without keys gives zero."""
        ctx.setting, ctx.passes, ctx.dtype = setting, backward, query.dtype
        times = query.shape[1] // key.shape[1]
        ctx.groups = key.shape[1]
        query, key, value = pieces.wide(query), pieces.wide(key), pieces.wide(value)
        if setting.interleaved:
            key, value = key.repeat(1, times, 1, 1), value.repeat(1, times, 1, 1)
        else:
            key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
        saved = Saved(setting, query, key, value, None, None, None, ctx.groups)
        scores = saved.capped()
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool) if mask is None else mask
        if setting.causal:
            seen = seen & pieces.causal(scores, window=setting.window)
        scores = pieces.hidden(scores, seen)
        lse = scores.logsumexp(-1, keepdim=True)
        output = (scores - lse).exp().where(seen, 0) @ value
        ctx.save_for_backward(query, key, value, seen, output, lse)
        return output.to(ctx.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """Return the gradients that the given backward pass finds."""
        query, key, value, seen, output, lse = ctx.saved_tensors
        saved = Saved(ctx.setting, query, key, value, seen, output, lse, ctx.groups)
        found = (result.to(ctx.dtype) for result in ctx.passes(saved, gradient))
        return *found, None, None, None


CORRECT = Backward()
PLAIN = Setting()


def flash(backward: Backward = CORRECT, setting: Setting = PLAIN) -> Program:
    """Return attention with a backward pass by hand."""

    def attention(query: Any, key: Any, value: Any, mask: Any = None) -> Any:
        return Flash.apply(query, key, value, mask, setting, backward)

    return attention
