"""Move axes, so that a function of others takes what a formula takes: nothing is computed here.

Where a module makes queries, keys and values by itself and the formula is given them, ``Columns``
stand in the place of its projections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from numeric.implementations.implementation import Program

NO_PROJECTIONS = "its projections identities"
SHORT_VECTORS = "it divides by no less than 1e-12: shorter vectors do not get the length 1"


def first(result: Any) -> Any:
    """Return the first tensor of what a function returns."""
    while isinstance(result, tuple | list):
        result = result[0]
    return result


def batched(function: Callable[..., Any], *, heads: bool = True) -> Program:
    """Call a function of (batch, heads, tokens, dimensions); without ``heads`` there is one."""
    axes = 1 if heads else 2

    def call(*arrays: torch.Tensor) -> Any:
        lead = (None,) * axes
        return first(function(*(array[lead] for array in arrays)))[(0,) * axes]

    return call


def tokens_first(function: Callable[..., Any]) -> Program:
    """Call a function of (batch, tokens, heads, ...) with arrays (heads, tokens, ...)."""

    def call(*arrays: torch.Tensor) -> Any:
        result = first(function(*(array.transpose(0, 1)[None] for array in arrays)))
        return result[0].transpose(0, 1)

    return call


def one_head(program: Program) -> Program:
    """Call a program of arrays with heads first, with arrays that have none."""
    return lambda *arrays: program(*(array[None] for array in arrays))[0]


def merged(*arrays: torch.Tensor) -> torch.Tensor:
    """From (heads, tokens, dimensions) to (1, tokens, columns), one array after another."""
    return torch.cat([array.transpose(0, 1).flatten(1) for array in arrays], -1)[None]


def split(result: Any, heads: int) -> Any:
    """From (1, tokens, columns) to (heads, tokens, dimensions)."""
    return first(result)[0].unflatten(-1, (heads, -1)).transpose(0, 1)


class Columns(torch.nn.Module):
    """In the place of a projection: the columns of the input that hold what it would make."""

    def __init__(self, start: int, count: int) -> None:
        super().__init__()
        self.start, self.count = start, count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the columns."""
        return x.narrow(-1, self.start, self.count)


class Made(torch.nn.Module):
    """In the place of a projection: what it would make, whatever its input is."""

    made: torch.Tensor

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        """Return what was put there."""
        return self.made


def in_columns(module: Any, names: Mapping[str, int], *identities: str) -> Any:
    """Put columns of these widths, one after another, and identities in place of submodules."""
    start = 0
    for name, width in names.items():
        setattr(module, name, Columns(start, width))
        start += width
    for name in identities:
        setattr(module, name, torch.nn.Identity())
    return module.double().eval()


def buckets(biases: torch.Tensor) -> torch.Tensor:
    """Lay out T5's biases of distances -2 to 2, (head, distance), as a table (bucket, head).

    Of eight buckets, 0 is for the token itself, 1 and 2 are for those before it, 5 and 6 for those
    after it.
    """
    before_2, before_1, own, after_1, after_2 = biases.unbind(-1)
    none = torch.zeros_like(own)
    return torch.stack([own, before_1, before_2, none, none, after_1, after_2, none])


@dataclass(frozen=True, eq=False)
class Adapted:
    """A module called in a certain way; its parameters are not inputs of their own.

    ``call`` is passed the module and the formula's arrays.
    """

    module: torch.nn.Module
    call: Callable[..., Any]

    def __call__(self, *arrays: torch.Tensor) -> Any:
        """Return the first tensor of what the call returns."""
        return first(self.call(self.module, *arrays))


def with_parameters(
    module: torch.nn.Module,
    parameters: Mapping[str, torch.Tensor],
    *arguments: Any,
    **keywords: Any,
) -> Any:
    """Call a module with these in place of its parameters and buffers, all that there are."""
    return torch.func.functional_call(module, dict(parameters), arguments, keywords, strict=True)
