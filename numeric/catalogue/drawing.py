"""Random inputs for a case: normal numbers, in the layout that the case asks for."""

from __future__ import annotations

from typing import Any

import torch

from numeric.catalogue.case import Case, Layout

KEPT = 0.7
"""The chance that a random mask lets a query see a key."""


def draw(case: Case, dtype: Any, seed: int) -> tuple[Any, ...]:
    """Return query, key, value, and the bias and the mask that the case has.

    Numbers are drawn in float64 and rounded once, so that every type gets the same ones. A mask
    leaves each query a key, unless the options say what a query without keys gets.
    """
    torch_random = torch.Generator().manual_seed(seed)
    sizes, options = case.shape, case.options

    def normal(*shape: int) -> Any:
        return torch.randn(shape, generator=torch_random, dtype=torch.float64).to(dtype)

    query = normal(sizes.batch, sizes.heads, sizes.queries, sizes.dim)
    key = normal(sizes.batch, sizes.kv_heads, sizes.tokens, sizes.dim)
    value = normal(sizes.batch, sizes.kv_heads, sizes.tokens, sizes.value_dim)
    if case.layout == "expanded":
        key, value = key[:, :1].expand_as(key), value[:, :1].expand_as(value)
    inputs = [laid_out(tensor, case.layout) for tensor in (query, key, value)]
    lengths = {"b": sizes.batch, "h": sizes.heads, "i": sizes.queries, "j": sizes.tokens, "1": 1}
    if options.bias:
        inputs.append(normal(*(lengths[axis] for axis in options.axes("bias"))))
    if options.mask:
        shape = [lengths[axis] for axis in options.axes("mask")]
        mask = torch.rand(shape, generator=torch_random) < KEPT
        if options.empty_rows == "undefined":
            mask[..., 0] = True
        else:
            mask[..., 0, :] = False
        inputs.append(mask)
    return tuple(inputs)


def draw_upstream(case: Case, output: Any, seed: int) -> Any:
    """Return a random gradient of the output, in the layout of the case."""
    torch_random = torch.Generator().manual_seed(seed + 1)
    upstream = torch.randn(output.shape, generator=torch_random, dtype=torch.float64)
    return laid_out(upstream.to(output.dtype), case.layout)


def laid_out(tensor: Any, layout: Layout) -> Any:
    """Return the same numbers in another order of memory."""
    if layout == "transposed":
        return tensor.transpose(1, 2).contiguous().transpose(1, 2)
    return tensor
