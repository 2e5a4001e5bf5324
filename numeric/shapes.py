"""Other shapes of the same inputs: one shape proves one shape.

A mistake that needs five tokens is not seen at three, and a witness is read best at the smallest
shape. Which axis is which is told by its place from the end and its length: inputs that agree in
both change together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOKENS = (1, 2, 3, 5)
"""Few tokens, and an odd number beyond a power of two."""

TOKEN_AXIS = -2
SMALL = (1, 2, 3, 4)


@dataclass(frozen=True)
class ExampleInputs:
    """Example inputs by name; ``variable`` names those whose shape may be changed."""

    values: Mapping[str, Any]
    variable: tuple[str, ...]

    def length(self, axis: int) -> int | None:
        """Return the length of an axis of the first input that has it."""
        for name in self.variable:
            if self.values[name].ndim >= -axis:
                return int(self.values[name].shape[axis])
        return None

    def tied_to(self, axis: int) -> list[str]:
        """Name the tensors of fixed values that have this axis's length: a mask of all scores."""
        own = self.length(axis)
        return [
            name
            for name, value in self.values.items()
            if name not in self.variable and own in tuple(getattr(value, "shape", ()))[-2:]
        ]

    def resized(self, axis: int, own: int, length: int) -> ExampleInputs:
        """Return inputs with another length in place of ``own`` on an axis."""
        import torch

        changed = dict(self.values)
        for name in self.variable:
            shape = [*self.values[name].shape]
            if len(shape) >= -axis and shape[axis] == own:
                shape[axis] = length
                changed[name] = torch.zeros(shape, dtype=self.values[name].dtype)
        return ExampleInputs(changed, self.variable)


def token_counts(own: int, boundaries: Sequence[int]) -> list[int]:
    """Return the numbers of tokens to try, ``own`` and the sides of each boundary among them."""
    around = {n for edge in boundaries for n in (edge - 1, edge, edge + 1)}
    return sorted({n for n in (*TOKENS, *around, own) if n > 0})


def smaller(inputs: ExampleInputs) -> Iterator[tuple[int, int, int]]:
    """Yield reductions to attempt, as axis, present length and new length; outer axes first."""
    deepest = max((inputs.values[name].ndim for name in inputs.variable), default=0)
    for axis in range(-deepest, 0):
        lengths = {
            int(inputs.values[name].shape[axis])
            for name in inputs.variable
            if inputs.values[name].ndim >= -axis
        }
        for own in sorted(lengths, reverse=True):
            for length in SMALL:
                if length < own:
                    yield axis, own, length
