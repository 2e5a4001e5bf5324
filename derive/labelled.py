"""Tensors whose axes carry letters: an operation lines up the axes of one letter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from sympy import Symbol

from derive.constants import ExactNumber
from derive.tensors import Tensor, Tensors
from derive.whole_numbers import Axes, WholeArray


@dataclass(frozen=True, eq=False)
class Labelled:
    """A tensor with a letter for each axis; ``number`` where it is one constant."""

    axes: Axes
    tensor: Tensor[Any]
    number: ExactNumber | None = None

    def length(self, axis: Symbol) -> int:
        """Return the length of an axis."""
        return self.tensor.shape[self.axes.index(axis)]


class LabelledArrays:
    """Arithmetic on labelled tensors, each axis at its full length."""

    def __init__(self, tensors: Tensors[Any]) -> None:
        self.tensors = tensors

    def constant(self, number: ExactNumber) -> Labelled:
        """Return a number, which has no axes."""
        return Labelled((), self.tensors.full((), number), number)

    def lifted(self, whole: WholeArray) -> Labelled:
        """Return whole numbers as numbers of the algebra."""
        return Labelled(whole.axes, self.tensors.lift(whole.entries))

    def aligned(self, labelled: Labelled, axes: Axes) -> Tensor[Any]:
        """Return the tensor with the axes in this order, of length one where there is none."""
        if labelled.axes == axes:
            return labelled.tensor
        order = [labelled.axes.index(t) for t in axes if t in labelled.axes]
        place = tuple(slice(None) if t in labelled.axes else None for t in axes)
        return self.tensors.rearrange(lambda a: a.transpose(order)[place], labelled.tensor)

    def add(self, terms: Sequence[Labelled]) -> Labelled:
        """Return the sum of one or more terms."""
        axes = _union(terms)
        result = self.aligned(terms[0], axes)
        for term in terms[1:]:
            result = self.tensors.add(result, self.aligned(term, axes))
        return Labelled(axes, result)

    def multiply(self, factors: Sequence[Labelled]) -> Labelled:
        """Return the product of one or more factors, the small ones multiplied first."""
        factors = sorted(factors, key=lambda factor: prod(factor.tensor.shape))
        result = factors[0]
        for factor in factors[1:]:
            result = self._product(result, factor)
        return result

    def divide(self, above: Labelled, below: Labelled) -> Labelled:
        """Return a quotient."""
        axes = _union((above, below))
        left, right = self.aligned(above, axes), self.aligned(below, axes)
        return Labelled(axes, self.tensors.divide(left, right))

    def chosen(self, labelled: Labelled, whole: WholeArray) -> Labelled:
        """Return the product with whole numbers; where one is zero the other does not count."""
        axes = _union((labelled, whole))
        if ((whole.entries != 0) & (whole.entries != 1)).any():
            return self.multiply([labelled, self.lifted(whole)])
        if whole.entries.all() and axes == labelled.axes:
            return labelled
        zero = self.tensors.full((), ExactNumber.of(0))
        where = whole.aligned(axes).astype(bool)
        return Labelled(axes, self.tensors.select(where, self.aligned(labelled, axes), zero))

    def total(self, labelled: Labelled, summed: Sequence[Symbol]) -> Labelled:
        """Sum over axes."""
        places = tuple(labelled.axes.index(t) for t in summed)
        if not places:
            return labelled
        rest = tuple(t for t in labelled.axes if t not in summed)
        return Labelled(rest, self.tensors.total(labelled.tensor, places, keep=False))

    def matrix_product(self, left: Labelled, right: Labelled, summed: Sequence[Symbol]) -> Labelled:
        """Sum the product of two over axes that both have; other shared axes stay."""
        shared = tuple(t for t in left.axes if t in right.axes and t not in summed)
        rows = tuple(t for t in left.axes if t not in right.axes)
        columns = tuple(t for t in right.axes if t not in left.axes)
        first = self._matrix(left, shared, rows, tuple(summed))
        second = self._matrix(right, shared, tuple(summed), columns)
        product = self.tensors.matmul(first, second)
        axes = (*shared, *rows, *columns)
        shape = [left.length(t) if t in left.axes else right.length(t) for t in axes]
        return Labelled(axes, self.tensors.rearrange(lambda a: a.reshape(shape), product))

    # Inside

    def _product(self, left: Labelled, right: Labelled) -> Labelled:
        for one, other in ((left, right), (right, left)):
            if one.number == ExactNumber.of(1):
                return other
            if one.number == ExactNumber.of(-1):
                return Labelled(other.axes, self.tensors.negate(other.tensor))
        axes = _union((right, left))
        product = self.tensors.multiply(self.aligned(left, axes), self.aligned(right, axes))
        return Labelled(axes, product)

    def _matrix(self, labelled: Labelled, shared: Axes, rows: Axes, columns: Axes) -> Tensor[Any]:
        groups = [[labelled.length(t) for t in group] for group in (shared, rows, columns)]
        shape = (*groups[0], prod(groups[1]), prod(groups[2]))
        tensor = self.aligned(labelled, (*shared, *rows, *columns))
        return self.tensors.rearrange(lambda a: a.reshape(shape), tensor)


def _union(arrays: Sequence[Labelled | WholeArray]) -> Axes:
    return tuple(dict.fromkeys(t for array in arrays for t in array.axes))
