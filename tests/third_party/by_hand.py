"""Attention as its papers write it, to compare modules with."""

from __future__ import annotations

import math
from typing import Any

import torch


def attention(query, key, value, *, scale=None, cap=None, bias=None, seen=None) -> Any:
    """softmax(scale Q K^T + bias) V; where ``seen`` is false there is no weight.

    Heads of queries that follow each other share one head of keys and values.
    """
    shared = query.shape[-3] // key.shape[-3]
    key, value = (x.repeat_interleave(shared, -3) for x in (key, value))
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    if bias is not None:
        scores = scores + bias
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    return torch.softmax(scores, -1) @ value


def causal(queries: int, keys: int | None = None) -> Any:
    return torch.ones(queries, keys or queries, dtype=torch.bool).tril()


def split(x: Any, heads: int) -> Any:
    """From tokens, features to heads, tokens, features of each head; a batch stays in front."""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def merged(x: Any) -> Any:
    return x.transpose(-2, -3).flatten(-2)


def turned(x: Any, cosine: Any, sine: Any) -> Any:
    """Rotary positions, in halves, with tables of the full width."""
    left, right = x.chunk(2, -1)
    return x * cosine + torch.cat([-right, left], -1) * sine


def root_mean_square(x: Any, weight: Any, epsilon: float) -> Any:
    return weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon)
