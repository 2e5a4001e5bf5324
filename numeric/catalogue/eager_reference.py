"""Attention as a few lines of torch, in the type of its inputs or widened."""

from __future__ import annotations

import math
from typing import Any

import torch

from derive.options import Options
from numeric.catalogue.case import Case, Program


def reference(case: Case, *, reordered: bool = False) -> Program:
    """Return the program that the case is meant to be, in the type of its inputs.

    ``reordered`` scales the keys and not the scores: the same in exact arithmetic.
    """

    def attention(query: Any, key: Any, value: Any, *given: Any) -> Any:
        key, value = spread(case.options, query, key), spread(case.options, query, value)
        weights, seen = _weights(case.options, query, key, given, reordered)
        return _filled(case.options, weights @ value, seen)

    return attention


def upcast_reference(case: Case, dtype: Any = torch.float64) -> Program:
    """Return the same in a wider type, in which hidden keys and values take no part.

    Not even NaN in them reaches the output: a hidden value is left out of the sum, and not
    multiplied by zero.
    """

    def attention(query: Any, key: Any, value: Any, *given: Any) -> Any:
        query, key, value = (tensor.to(dtype) for tensor in (query, key, value))
        given = tuple(x if x.dtype == torch.bool else x.to(dtype) for x in given)
        key, value = spread(case.options, query, key), spread(case.options, query, value)
        weights, seen = _weights(case.options, query, key, given, reordered=False)
        counted = seen | ~seen.any(-1, keepdim=True)
        parts = (weights[..., None] * value[..., None, :, :]).where(counted[..., None], 0)
        return _filled(case.options, parts.sum(-2), seen)

    return attention


def spread(options: Options, query: Any, tensor: Any) -> Any:
    """Repeat the heads of keys or values, so that each query head has one."""
    times = query.shape[1] // tensor.shape[1]
    if options.grouped == "consecutive":
        return tensor.repeat_interleave(times, 1)
    return tensor.repeat(1, times, 1, 1) if options.grouped else tensor


def visible(options: Options, queries: int, tokens: int, given: tuple[Any, ...] = ()) -> Any:
    """Return which keys each query may see, by the mask and by the options."""
    last = torch.arange(queries)[:, None]
    if options.causal == "bottom-right":
        last = last + tokens - queries
    keys = torch.arange(tokens)
    seen = keys <= last if options.causal else torch.ones(queries, tokens, dtype=torch.bool)
    if options.window:
        seen = seen & (keys > last - options.window)
    return seen & given[-1] if options.mask else seen


def scale_of(options: Options, dim: int) -> float:
    """Return what the scores are multiplied by."""
    return 1 / math.sqrt(dim) if options.scale is None else float(options.scale)


def _weights(
    options: Options, query: Any, key: Any, given: tuple[Any, ...], reordered: bool
) -> tuple[Any, Any]:
    """Return the weights, those of a query without keys all equal, and which keys are seen."""
    scale = scale_of(options, query.shape[-1])
    scores = query @ (key * scale).mT if reordered else (query @ key.mT) * scale
    if options.soft_cap is not None:
        cap = float(options.soft_cap)
        scores = cap * torch.tanh(scores / cap)
    if options.bias:
        scores = scores + given[0]
    queries, tokens = scores.shape[-2:]
    seen = visible(options, queries, tokens, given)
    empty = ~seen.any(-1, keepdim=True)
    scores = scores.masked_fill(~seen, -torch.inf).masked_fill(empty, 0)
    return scores.softmax(-1), seen


def _filled(options: Options, output: Any, seen: Any) -> Any:
    """Give queries without keys what the options say."""
    if options.empty_rows == "uniform":
        return output
    filling = 0 if options.empty_rows == "zero" else torch.nan
    return output.where(seen.any(-1, keepdim=True), filling)
