"""Inputs that share memory: a graph would read them as independent numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numeric.capture_error import CaptureError


def refuse_shared_memory(tensors: Iterable[tuple[str, Any]], title: str) -> None:
    """Refuse two inputs with an element in one place: as free inputs they would differ."""
    spans = sorted((*_span(tensor), name, tensor) for name, tensor in tensors if tensor.numel())
    reaching: list[tuple[int, str, Any]] = []
    for start, end, name, tensor in spans:
        reaching = [other for other in reaching if other[0] > start]
        for _, other, earlier in reaching:
            if _share_an_element(earlier, tensor):
                raise CaptureError(
                    "aliased",
                    title,
                    " and ".join(sorted((other, name))),
                    "the two inputs share memory, and would be read as independent",
                    "pass clones, or wrap the call in a function of one input",
                )
        reaching.append((end, name, tensor))


def _span(tensor: Any) -> tuple[int, int]:
    """Return the first address of a tensor, and the one behind its last element."""
    reach = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    start = tensor.data_ptr()
    return start, start + (reach + 1) * tensor.element_size()


def _share_an_element(one: Any, other: Any) -> bool:
    """Whether tensors whose spans overlap share an element; columns of one matrix do not."""
    import torch

    if one.element_size() != other.element_size():
        return True
    return bool(torch.isin(_addresses(one), _addresses(other)).any())


def _addresses(tensor: Any) -> Any:
    import torch

    found = torch.zeros((), dtype=torch.int64)
    for size, step in zip(tensor.shape, tensor.stride(), strict=True):
        found = found[..., None] + torch.arange(size) * step
    return (found * tensor.element_size() + tensor.data_ptr()).flatten()
