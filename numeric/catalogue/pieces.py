"""What the programs of the catalogue share: scores, masks, sums in at least float32."""

from __future__ import annotations

import math
from typing import Any

import torch


def wide(tensor: Any) -> Any:
    """Return the tensor in float32 if it has 16 bits: kernels accumulate in that."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def scores(query: Any, key: Any, scale: float | None = None) -> Any:
    """Return query key' times the scale, 1/sqrt(dim) unless given."""
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    return (wide(query) @ wide(key).mT) * scale


def mixed(logits: Any, value: Any) -> Any:
    """Return softmax(logits) value, rounded to the type of the values at the end."""
    return (logits.softmax(-1) @ wide(value)).to(value.dtype)


def causal(logits: Any, *, window: int | None = None, bottom_right: bool = False) -> Any:
    """Return which keys a query may see: those up to its own, of these the last ``window``."""
    queries, tokens = logits.shape[-2:]
    last = torch.arange(queries)[:, None] + (tokens - queries if bottom_right else 0)
    keys = torch.arange(tokens)
    seen = keys <= last
    return seen & (keys > last - window) if window else seen


def hidden(logits: Any, seen: Any) -> Any:
    """Return the logits with those of unseen keys at minus infinity."""
    return logits.masked_fill(~seen, -torch.inf)


def blocks(tokens: int, size: int) -> list[slice]:
    """Return the keys in blocks; the last one may be shorter."""
    return [slice(start, min(start + size, tokens)) for start in range(0, tokens, size)]


def packed(tensor: Any) -> Any:
    """Read the tensor's memory as if it lay row after row, whatever its strides are.

    What is beyond the end of the memory starts again at its beginning.
    """
    memory = tensor.as_strided(
        (tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0
    )
    places = torch.arange(tensor.numel()) % memory.numel()
    return memory[places].view(tensor.shape)
