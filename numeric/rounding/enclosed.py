"""Arrays of float64 with a radius: every operation encloses what exact arithmetic would give.

An ``Enclosed`` (value, radius) stands for all arrays x with |x - value| <= radius, element by
element. Each operation returns an enclosure of the exact result for all x in its operands: what
the operands' radii can do, plus the rounding of the float64 operation itself, in any order of a
sum (u = 2**-53, g(m) = m u / (1 - m u), h the smallest subnormal)::

    x + y      r_x + r_y                              + u |value|
    x y        |x| r_y + r_x |y| + r_x r_y            + u |value| + h
    sum x      sum r_x                                + g(m - 1) sum |x|
    x @ y      |x| @ r_y + r_x @ (|y| + r_y)          + g(m) |x| @ |y| + m h
    exp x      value expm1(r_x)                       + 2 ulp
    log x      log1p(r_x / (value - r_x))             + 2 ulp + u
    tanh x     r_x                                    + 2 ulp

Radii are themselves computed in float64, from numbers that are not negative, by at most 2**22
operations each; so the computed radius falls short of the exact one by less than one part in
2**30, and ``up`` makes up for that. That numpy's exp, log and tanh err by at most 2 units in the
last place is taken on trust; a test measures them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

Array = Any
"""A numpy array of float64."""

U = 2.0**-53
H = 2.0**-1074
FUNCTION_ULP = 2
"""Units in the last place by which numpy's float64 exp, log and tanh may err."""

_SLACK = 1 + 2.0**-30


def up(radius: Array) -> Array:
    """Make up for the roundings of a sum of products of numbers that are not negative."""
    return radius * _SLACK + 4 * H


@dataclass(frozen=True, eq=False)
class Enclosed:
    """``value`` and ``radius``, arrays of one shape: |exact - value| <= radius."""

    value: Array
    radius: Array

    @property
    def magnitude(self) -> Array:
        """An upper bound of |exact|."""
        return up(abs(self.value) + self.radius)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of both arrays."""
        return tuple(self.value.shape)

    def __getitem__(self, places: Any) -> Enclosed:
        return Enclosed(self.value[places], self.radius[places])

    def __neg__(self) -> Enclosed:
        return Enclosed(-self.value, self.radius)

    def __add__(self, other: Enclosed) -> Enclosed:
        value = self.value + other.value
        return Enclosed(value, up(self.radius + other.radius + U * abs(value)))

    def __sub__(self, other: Enclosed) -> Enclosed:
        return self + -other

    def __mul__(self, other: Enclosed) -> Enclosed:
        value = self.value * other.value
        own = U * abs(value) + H
        carried = abs(self.value) * other.radius + self.radius * (abs(other.value) + other.radius)
        return Enclosed(value, up(carried + own))

    def __matmul__(self, other: Enclosed) -> Enclosed:
        terms = self.value.shape[-1]
        left, right = abs(self.value), abs(other.value)
        radius = growth(terms) * (left @ right) + terms * H
        if self.radius.any() or other.radius.any():
            radius = radius + left @ other.radius + self.radius @ (right + other.radius)
        return Enclosed(self.value @ other.value, up(radius))

    @property
    def mT(self) -> Enclosed:
        """The last two axes exchanged."""
        return Enclosed(self.value.mT, self.radius.mT)

    def sum(self, axis: int) -> Enclosed:
        """Add along ``axis``, which stays with length 1."""
        terms = self.value.shape[axis]
        own = growth(max(terms - 1, 0)) * abs(self.value).sum(axis, keepdims=True)
        radius = self.radius.sum(axis, keepdims=True) + own
        return Enclosed(self.value.sum(axis, keepdims=True), up(radius))

    def exp(self) -> Enclosed:
        """Return e to the power of each element."""
        own = 2 * U * FUNCTION_ULP
        with numpy.errstate(over="ignore", under="ignore", invalid="ignore"):
            value = numpy.exp(self.value)
            carried = numpy.where(value > 0, value * numpy.expm1(self.radius), 0.0)
            floor = FUNCTION_ULP * H * numpy.exp(self.radius.max(initial=0.0))
        return Enclosed(value, up(carried * (1 + own) * (1 + own) + value * own + floor))

    def log(self) -> Enclosed:
        """Return the natural logarithm of positive numbers; the radius is infinite otherwise."""
        with numpy.errstate(divide="ignore", invalid="ignore"):
            value = numpy.log(self.value)
            least = self.value - self.radius
            carried = numpy.where(
                least > 0, numpy.log1p(self.radius / numpy.maximum(least, H)), numpy.inf
            )
        own = 2 * U * FUNCTION_ULP * abs(value) + H
        return Enclosed(value, up(carried * (1 + 2 * U * FUNCTION_ULP) + own))

    def tanh(self) -> Enclosed:
        """Return hyperbolic tangents; their slope is at most 1."""
        value = numpy.tanh(self.value)
        own = 2 * U * FUNCTION_ULP * abs(value) + FUNCTION_ULP * H
        return Enclosed(value, up(self.radius + own))

    def over(self, other: Enclosed) -> Enclosed:
        """Divide by positive numbers that float64 holds, or by ones enclosed within half of them.

        The radius is infinite where one may be zero.
        """
        value = self.value / other.value
        least = other.value - other.radius
        with numpy.errstate(divide="ignore", invalid="ignore"):
            carried = (self.radius + abs(value) * other.radius) / least
        carried = numpy.where(least > 0, carried, numpy.inf)
        return Enclosed(value, up(carried + 2 * U * abs(value) + H))

    def where(self, chosen: Array) -> Enclosed:
        """Keep the elements that are chosen; the others are exactly zero."""
        return Enclosed(numpy.where(chosen, self.value, 0.0), numpy.where(chosen, self.radius, 0.0))

    def joined(self, owners: Array, count: int) -> Enclosed:
        """Add up the first axis's rows that have one owner, ``count`` owners in all."""
        value = numpy.zeros((count, *self.shape[1:]))
        radius, size = numpy.zeros_like(value), numpy.zeros_like(value)
        numpy.add.at(value, owners, self.value)
        numpy.add.at(radius, owners, self.radius)
        numpy.add.at(size, owners, abs(self.value))
        most = int(numpy.bincount(owners, minlength=count).max())
        return Enclosed(value, up(radius + growth(max(most - 1, 0)) * size))


def exactly(value: Array) -> Enclosed:
    """Enclose numbers that float64 holds."""
    value = numpy.asarray(value, dtype=numpy.float64)
    return Enclosed(value, numpy.zeros_like(value))


def growth(roundings: int) -> float:
    """g(m) = m u / (1 - m u) for float64."""
    return roundings * U / (1 - roundings * U)
