"""Numbers are doubles: the plain value of a program or a formula, as numpy computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from derive.arrays import Places, Rearrangement, Unsupported
from derive.constants import ExactNumber

Doubles = numpy.ndarray[Any, numpy.dtype[numpy.float64]]


def _sigmoid(x: Doubles) -> Doubles:
    # Of the two forms, the one whose exponential does not overflow.
    smaller = numpy.exp(-numpy.abs(x))
    result: Doubles = numpy.where(x >= 0, 1, smaller) / (1 + smaller)
    return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": numpy.abs,
    "cos": numpy.cos,
    "erf": numpy.vectorize(math.erf, otypes=[numpy.float64]),
    "max": numpy.maximum,
    "min": numpy.minimum,
    "sigmoid": _sigmoid,
    "sign": numpy.sign,
    "sin": numpy.sin,
    "tanh": numpy.tanh,
}
"""The functions that have a name."""


class FloatArrays:
    """numpy's arithmetic in double precision."""

    decides_order = True

    def constants(self, numbers: Sequence[ExactNumber], places: Places) -> Doubles:
        values = numpy.array([_nearest(number) for number in numbers], dtype=numpy.float64)
        return values[places]

    def rearranged(self, how: Rearrangement, *arrays: Doubles) -> Doubles:
        moved: Doubles = how(*arrays)
        return moved

    def reduced(self, how: Rearrangement, array: Doubles) -> Doubles:
        sums: Doubles = how(array)
        return sums

    def add(self, left: Doubles, right: Doubles) -> Doubles:
        return left + right

    def negate(self, array: Doubles) -> Doubles:
        return -array

    def multiply(self, left: Doubles, right: Doubles) -> Doubles:
        return left * right

    def matmul(self, left: Doubles, right: Doubles) -> Doubles:
        product: Doubles = left @ right
        return product

    def inverse(self, array: Doubles) -> Doubles:
        if not numpy.all(array):
            raise ZeroDivisionError("a denominator is zero")
        return 1 / array

    def exp(self, array: Doubles) -> Doubles:
        result: Doubles = numpy.exp(array)
        return result

    def log(self, array: Doubles) -> Doubles:
        result: Doubles = numpy.log(array)
        return result

    def sqrt(self, array: Doubles) -> Doubles:
        result: Doubles = numpy.sqrt(array)
        return result

    def function(self, name: str, *arrays: Doubles) -> Doubles:
        if name not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            raise Unsupported(name, f"floats have no function of this name; they have {known}")
        result: Doubles = FUNCTIONS[name](*arrays)
        return result

    def largest(self, array: Doubles, present: Places) -> Doubles:
        result: Doubles = numpy.where(present, array, -numpy.inf).max(axis=-1)
        return result

    def less(self, left: Doubles, right: Doubles, *, or_equal: bool) -> Places:
        result: Places = left <= right if or_equal else left < right
        return result

    def equal(self, left: Doubles, right: Doubles) -> Places:
        result: Places = left == right
        return result


def _nearest(number: ExactNumber) -> float:
    """Return the number as a double, off by a few roundings where it is a root."""
    root = float(number.radicand) ** (1 / number.degree)
    return float(float(number.coefficient) * root * math.log(2) ** number.logarithms)
