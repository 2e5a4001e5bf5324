"""Arrays of any scalars: every operation goes element by element to the scalars' own arithmetic.

Scalars may be instructions of a recorded program, SymPy expressions or Arb balls. It is slow and
general; residues and floats have vectorised arrays of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy

from derive.arrays import Places, Rearrangement
from derive.constants import ExactNumber

Scalar = Any
Elements = numpy.ndarray[Any, numpy.dtype[numpy.object_]]


class Scalars(Protocol):
    """Arithmetic on single numbers."""

    decides_order: bool

    def constant(self, number: ExactNumber) -> Scalar:
        """Return an exact constant."""

    def add(self, *terms: Scalar) -> Scalar:
        """Return the sum of the terms; of none it is zero."""

    def multiply(self, *factors: Scalar) -> Scalar:
        """Return the product of one or more factors."""

    def negate(self, operand: Scalar) -> Scalar:
        """Return minus the operand."""

    def inverse(self, operand: Scalar) -> Scalar:
        """Return one over the operand; of zero, raise ``ZeroDivisionError``."""

    def exponential(self, operand: Scalar) -> Scalar:
        """Return e to the power of the operand."""

    def logarithm(self, operand: Scalar) -> Scalar:
        """Return the natural logarithm."""

    def square_root(self, operand: Scalar) -> Scalar:
        """Return the square root."""

    def apply(self, function: str, *operands: Scalar) -> Scalar:
        """Return a named function; "max" takes any number of operands."""

    def less(self, left: Scalar, right: Scalar, *, or_equal: bool) -> Any:
        """Return a boolean where order is decided, else a scalar that stands for 0 or 1."""

    def equal(self, left: Scalar, right: Scalar) -> Any:
        """Return a boolean where order is decided, else a scalar that stands for 0 or 1."""


class ElementwiseArrays:
    """Arrays whose elements are scalars of ``scalars``."""

    def __init__(self, scalars: Scalars) -> None:
        self.scalars = scalars
        self.decides_order = scalars.decides_order

    def constants(self, numbers: Sequence[ExactNumber], places: Places) -> Elements:
        values = numpy.empty(len(numbers), dtype=object)
        values[:] = [self.scalars.constant(number) for number in numbers]
        return _array(values[places])

    def rearranged(self, how: Rearrangement, *arrays: Elements) -> Elements:
        return _array(how(*arrays))

    def reduced(self, how: Rearrangement, array: Elements) -> Elements:
        """Collect the terms of each sum first, so that each is one sum of many terms."""
        terms = how(_each(_Terms.of, array))
        return _each(self._summed, _array(terms))

    def _summed(self, terms: _Terms | int) -> Scalar:
        # A place that no term was scattered to holds numpy's own zero.
        return self.scalars.add(*(terms.terms if isinstance(terms, _Terms) else ()))

    def add(self, left: Elements, right: Elements) -> Elements:
        return _each(self.scalars.add, left, right)

    def negate(self, array: Elements) -> Elements:
        return _each(self.scalars.negate, array)

    def multiply(self, left: Elements, right: Elements) -> Elements:
        return _each(self.scalars.multiply, left, right)

    def matmul(self, left: Elements, right: Elements) -> Elements:
        add, multiply = self.scalars.add, self.scalars.multiply
        shape = (*left.shape[:-1], right.shape[-1])
        product = numpy.empty(shape, dtype=object)
        columns = numpy.swapaxes(right, -1, -2)
        for place in numpy.ndindex(*shape):
            *lead, row, column = place
            pairs = zip(left[(*lead, row)], columns[(*lead, column)], strict=True)
            product[place] = add(*(multiply(a, b) for a, b in pairs))
        return product

    def inverse(self, array: Elements) -> Elements:
        return _each(self.scalars.inverse, array)

    def exp(self, array: Elements) -> Elements:
        return _each(self.scalars.exponential, array)

    def log(self, array: Elements) -> Elements:
        return _each(self.scalars.logarithm, array)

    def sqrt(self, array: Elements) -> Elements:
        return _each(self.scalars.square_root, array)

    def function(self, name: str, *arrays: Elements) -> Elements:
        return _each(lambda *operands: self.scalars.apply(name, *operands), *arrays)

    def largest(self, array: Elements, present: Places) -> Elements:
        result = numpy.empty(array.shape[:-1], dtype=object)
        for place in numpy.ndindex(*result.shape):
            values = list(array[place][present[place]])
            result[place] = values[0] if len(values) == 1 else self.scalars.apply("max", *values)
        return result

    def less(self, left: Elements, right: Elements, *, or_equal: bool) -> Any:
        answers = _each(lambda a, b: self.scalars.less(a, b, or_equal=or_equal), left, right)
        return answers.astype(bool) if self.decides_order else answers

    def equal(self, left: Elements, right: Elements) -> Any:
        answers = _each(self.scalars.equal, left, right)
        return answers.astype(bool) if self.decides_order else answers


class _Terms:
    """Terms that are still to be added up."""

    __slots__ = ("terms",)

    def __init__(self, terms: tuple[Scalar, ...]) -> None:
        self.terms = terms

    @classmethod
    def of(cls, scalar: Scalar) -> _Terms:
        return cls((scalar,))

    def __add__(self, other: _Terms) -> _Terms:
        return _Terms(self.terms + other.terms)

    def __radd__(self, other: Any) -> _Terms:
        # numpy starts some sums with the integer zero.
        return self if isinstance(other, int) else NotImplemented


def _array(value: Any) -> Elements:
    """Return an array: numpy takes the only element out of an array without axes."""
    if isinstance(value, numpy.ndarray):
        return value
    array = numpy.empty((), dtype=object)
    array[()] = value
    return array


def _each(function: Any, *arrays: Elements) -> Elements:
    result = numpy.empty(arrays[0].shape, dtype=object)
    flat = [array.ravel() for array in arrays]
    result.ravel()[:] = [function(*parts) for parts in zip(*flat, strict=True)]
    return result
