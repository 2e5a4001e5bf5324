"""What an array of numbers is: the interface that every algebra implements, residue or ball.

A program is read once, by ``derive.aten``; what its numbers are, the algebra says. An algebra
knows finite numbers alone. Infinities, and zeros that are zero for structural reasons, are the
business of ``derive.tensors``, which is the same for all algebras.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy

from derive.constants import ExactNumber

Data = TypeVar("Data")
Places = numpy.ndarray[Any, numpy.dtype[Any]]
Rearrangement = Callable[..., Any]
"""A function of numpy arrays that moves, repeats, joins or replaces elements, never computes."""


def choosing(places: Places) -> Rearrangement:
    """Return the rearrangement that takes the first array at ``places``, the second elsewhere."""
    return lambda left, right: numpy.where(places, left, right)


class Unsupported(Exception):
    """An operation, or a use of one, that has no meaning here; the claim is undecided.

    Leaving it out silently would make the result another program's.
    """

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"{operation}: {reason}")
        self.operation, self.reason = operation, reason


class ArrayAlgebra(Protocol[Data]):
    """Arrays of finite numbers. Binary operations take arrays of one shape."""

    decides_order: bool
    """Whether numbers are compared as real numbers; where not, a comparison is a free number."""

    def constants(self, numbers: Sequence[ExactNumber], places: Places) -> Data:
        """Return the array that has ``numbers[places[p]]`` at each place p."""

    def rearranged(self, how: Rearrangement, *arrays: Data) -> Data:
        """Apply a rearrangement to whole arrays, in all their components alike."""

    def reduced(self, how: Rearrangement, array: Data) -> Data:
        """Apply a linear function with coefficients 0 and 1: sums, running sums, scattered sums."""

    def add(self, left: Data, right: Data) -> Data:
        """Return left + right, element by element."""

    def negate(self, array: Data) -> Data:
        """Return minus each element."""

    def multiply(self, left: Data, right: Data) -> Data:
        """Return left * right, element by element."""

    def matmul(self, left: Data, right: Data) -> Data:
        """Return the matrix products over the last two axes; leading axes are the same."""

    def inverse(self, array: Data) -> Data:
        """Return one over each element; where one is zero, raise ``ZeroDivisionError``."""

    def exp(self, array: Data) -> Data:
        """Return e to the power of each element."""

    def log(self, array: Data) -> Data:
        """Return the natural logarithm of each element."""

    def sqrt(self, array: Data) -> Data:
        """Return the square root of each element."""

    def function(self, name: str, *arrays: Data) -> Data:
        """Return ``name`` of each element: tanh, sigmoid, erf, maximum ..."""

    def largest(self, array: Data, present: Places) -> Data:
        """Return the largest over the last axis, of the elements where ``present`` holds.

        At least one of each row is present.
        """

    def less(self, left: Data, right: Data, *, or_equal: bool) -> Any:
        """Return where left < right (or <=): booleans, or free numbers that stand for 0 and 1."""

    def equal(self, left: Data, right: Data) -> Any:
        """Return where left = right: booleans, or free numbers that stand for 0 and 1."""
