"""Whole numbers that choose places: indices, sizes, brackets, masks, as arrays of integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy
from sympy import Add, Expr, Indexed, IndexedBase, Integer, Mod, Mul, Pow, Sum, Symbol, floor

from derive.binding import Lengths
from derive.brackets import AtMost, Bracket
from derive.formula import FormulaError, opened

Integers = numpy.ndarray[Any, numpy.dtype[numpy.int64]]
Axes = tuple[Symbol, ...]


@dataclass(frozen=True, eq=False)
class WholeArray:
    """Integers with a letter for each axis."""

    axes: Axes
    entries: Integers

    def aligned(self, axes: Axes) -> Integers:
        """Return the entries with the axes in this order, of length one where there is none."""
        order = [self.axes.index(t) for t in axes if t in self.axes]
        moved = self.entries.transpose(order)
        return moved[tuple(slice(None) if t in self.axes else None for t in axes)]


@dataclass(frozen=True, eq=False)
class Gather:
    """Pick entries along the first axes of an array, once its axes are in this order.

    The entries get the letters ``axes``: first those of the positions, then those of whole axes.
    """

    axes: Axes
    order: tuple[int, ...]
    positions: tuple[Integers, ...]

    def __call__(self, array: Any) -> Any:
        """Return the entries; it applies to numpy arrays of anything."""
        return array.transpose(self.order)[self.positions]


class WholeNumbers:
    """Evaluate expressions that are made of places, sizes and the integers in ``arrays``."""

    def __init__(self, lengths: Lengths) -> None:
        self.lengths = lengths
        self.arrays: dict[IndexedBase, Integers] = {}
        self._counting: dict[Symbol, int] = {}

    def is_index(self, symbol: object) -> bool:
        """Tell whether a letter is an index here, of the target or of a sum around."""
        return symbol in self._counting

    def length(self, index: Symbol) -> int:
        """Return how far an index counts."""
        return self._counting[index]

    def count_all(self, indices: Sequence[Expr], shape: Sequence[int]) -> bool:
        """Tell whether each is an index that counts as far as the axis is long."""
        pairs = zip(indices, shape, strict=False)
        return len(indices) == len(shape) and all(
            self.is_index(t) and self.length(t) == length for t, length in pairs
        )

    def size(self, symbol: Symbol) -> int | None:
        """Return a size, such as n; None for an index, and where nothing says it."""
        if symbol in self._counting or symbol not in self.lengths:
            return None
        length = self.lengths[symbol]
        return length if isinstance(length, int) else None

    @contextmanager
    def counting(self) -> Iterator[Callable[[Symbol, Expr], None]]:
        """Let indices count as far as is said, within the block; outer letters come back after."""
        outside = dict(self._counting)

        def count(index: Symbol, high: Expr) -> None:
            length = self.lengths.length(high)
            if not isinstance(length, int):
                raise FormulaError(f"nothing says how much {high} is, to which {index} counts")
            self._counting[index] = length

        try:
            yield count
        finally:
            self._counting = outside

    def knows(self, expression: Expr) -> bool:
        """Tell whether an expression is a whole number made of places, sizes and masks."""
        if isinstance(expression, Indexed):
            return expression.base in self.arrays
        if isinstance(expression, Symbol):
            return self.is_index(expression) or self.size(expression) is not None
        if isinstance(expression, floor | Mod):
            return not expression.atoms(Indexed)
        if isinstance(expression, Sum):
            body, index, _, high = opened(expression)
            with self.counting() as count:
                count(index, high if not self.is_index(high) else Integer(self.length(high)))
                return self.knows(body)
        if isinstance(expression, Pow):
            base, exponent = expression.args
            return bool(exponent.is_Integer and exponent.is_nonnegative) and self.knows(base)
        if isinstance(expression, Add | Mul | Bracket):
            return all(self.knows(part) for part in expression.args)
        return bool(expression.is_Integer)

    def value(self, expression: Expr) -> WholeArray:
        """Evaluate an expression that ``knows`` accepts, for all its free indices at once."""
        if isinstance(expression, Symbol) and self.is_index(expression):
            return WholeArray((expression,), numpy.arange(1, self.length(expression) + 1))
        if isinstance(expression, Symbol):
            size = self.size(expression)
            if size is None:
                raise FormulaError(f"nothing says how much {expression} is")
            return WholeArray((), numpy.array(size))
        if expression.is_Integer:
            return WholeArray((), numpy.array(int(expression)))
        if isinstance(expression, Indexed):
            entries = self.arrays[expression.base]
            gather = self.gather(expression, entries.shape)
            return WholeArray(gather.axes, gather(entries))
        if isinstance(expression, Bracket):
            return self._joined(expression.func.compared, expression.args)
        if isinstance(expression, floor):
            return self._joined(numpy.floor_divide, self._fraction(expression.args[0]))
        if isinstance(expression, Mod):
            return self._joined(numpy.mod, expression.args)
        if isinstance(expression, Sum):
            return self._total(expression)
        if isinstance(expression, Pow):
            inner = self.value(expression.base)
            return WholeArray(inner.axes, inner.entries ** int(expression.exp))
        operation = numpy.add if isinstance(expression, Add) else numpy.multiply
        return self._joined(operation, expression.args)

    def gather(self, entry: Indexed, shape: tuple[int, ...]) -> Gather:
        """Return how an array of this shape gets an axis for each free index of an entry."""
        if len(entry.indices) != len(shape):
            raise FormulaError(f"{entry} names {len(entry.indices)} axes, {len(shape)} were given")
        whole: list[int] = []
        chosen: list[int] = []
        for place, index in enumerate(entry.indices):
            alone = sum(index in other.free_symbols for other in entry.indices) == 1
            all_of_it = alone and self.count_all([index], [shape[place]])
            (whole if all_of_it else chosen).append(place)
        positions = [self.value(entry.indices[place]) for place in chosen]
        for position, place in zip(positions, chosen, strict=True):
            if position.entries.min() < 1 or position.entries.max() > shape[place]:
                raise FormulaError(f"{entry} lies outside of its shape {shape}")
        axes = _union(positions)
        return Gather(
            (*axes, *(entry.indices[place] for place in whole)),
            (*chosen, *whole),
            tuple(position.aligned(axes) - 1 for position in positions),
        )

    # Inside

    def _joined(self, operation: Callable[[Any, Any], Any], parts: Sequence[Expr]) -> WholeArray:
        values = [self.value(part) for part in parts]
        axes = _union(values)
        return WholeArray(axes, reduce(operation, [value.aligned(axes) for value in values]))

    def _fraction(self, quotient: Expr) -> tuple[Expr, Expr]:
        sizes = {t: self.size(t) for t in quotient.free_symbols}
        numbers = {t: Integer(length) for t, length in sizes.items() if length is not None}
        above, below = quotient.xreplace(numbers).as_numer_denom()
        return above, below

    def _total(self, expression: Sum) -> WholeArray:
        body, index, _, high = opened(expression)
        with self.counting() as count:
            if self.is_index(high):
                count(index, Integer(self.length(high)))
                body = AtMost(index, high) * body
            else:
                count(index, high)
            inner, length = self.value(body), self.length(index)
        if index not in inner.axes:
            return WholeArray(inner.axes, inner.entries * length)
        axes = tuple(t for t in inner.axes if t != index)
        return WholeArray(axes, inner.entries.sum(axis=inner.axes.index(index)))


def _union(arrays: Sequence[WholeArray]) -> Axes:
    return tuple(dict.fromkeys(t for array in arrays for t in array.axes))
