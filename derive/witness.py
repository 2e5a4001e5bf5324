"""Counterexamples: the smallest shape and the simplest numbers for which a claim fails.

The search tries one token before two and 0 before 1 before -1, reads the formula over intervals
that surely hold the exact values, and counts only a difference that the intervals prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy
from sympy import Expr, IndexedBase, Rational, Symbol

from derive.algebras.exact import Exact, NotRational
from derive.algebras.interval import Interval
from derive.elements import Elements
from derive.formula import Stage

SIMPLE_NUMBERS = tuple(Fraction(text) for text in ("0", "1", "-1", "2", "-2", "1/2"))
"""The numbers tried, simplest first."""


Rows = tuple[Any, ...]
"""A row of fractions, or a tuple of such tuples: one level for each axis."""


@dataclass(frozen=True)
class Difference:
    """Where a claim fails: what was claimed of which entry, and the two values that differ."""

    entry: str
    claimed: str
    found: str


@dataclass(frozen=True)
class Witness:
    """A concrete input for which a claim is false; ``inputs`` holds exact fractions, nested."""

    inputs: tuple[tuple[str, Rows], ...]
    difference: Difference

    def __str__(self) -> str:
        given = "; ".join(f"{name} = {_rows(rows)}" for name, rows in self.inputs)
        gap = self.difference
        return f"{given}: {gap.entry} is {gap.found}, not {gap.claimed}"


Arrays = Mapping[IndexedBase, Any]
Shapes = Mapping[IndexedBase, tuple[int, ...]]
Fails = Callable[["Reading"], Difference | None]


class Reading:
    """A formula read at one input: over exact fractions where it is rational, or intervals.

    ``sizes`` are those that the inputs' shapes do not tell.
    """

    def __init__(self, inputs: Arrays, sizes: Mapping[Symbol, int] | None = None) -> None:
        self.inputs = dict(inputs)
        self.sizes = dict(sizes or {})

    def run(self, stages: Sequence[Stage], **replaced: Any) -> dict[IndexedBase, Any]:
        """Return every array; ``replaced`` gives other values for inputs, by name."""
        given = {base: replaced.get(str(base), rows) for base, rows in self.inputs.items()}
        return self.going_on(given, stages)

    def going_on(self, arrays: Arrays, stages: Sequence[Stage]) -> dict[IndexedBase, Any]:
        """Return ``arrays`` and what the stages make of them."""
        try:
            return self._elements(arrays).run(stages)
        except NotRational:
            return self._over_intervals(arrays).run(stages)

    def value(self, arrays: Arrays, expression: Expr, where: Mapping[Symbol, int]) -> Any:
        """Return an expression's value at a place, from arrays that ``run`` has returned."""
        return self._elements(arrays).value(expression, where)

    def _elements(self, arrays: Arrays) -> Elements[Any]:
        entries = (entry for rows in arrays.values() for entry in rows.flat)
        if all(isinstance(entry, Fraction | int) for entry in entries):
            return Elements(Exact(), arrays, self.sizes)
        return self._over_intervals(arrays)

    def _over_intervals(self, arrays: Arrays) -> Elements[Any]:
        interval = Interval()

        def convert(entry: Any) -> Any:
            exact = isinstance(entry, Fraction | int)
            return interval.number(Rational(entry)) if exact else entry

        as_intervals = numpy.vectorize(convert, otypes=[object])
        given = {base: as_intervals(rows) for base, rows in arrays.items()}
        return Elements(interval, given, self.sizes)


def find_witness(shapes: Sequence[Shapes], fails: Fails) -> Witness:
    """Return the first input, by size and simplicity, for which ``fails`` finds a difference.

    ``shapes`` lists the shapes to try, smallest first. Raises ``LookupError`` when none fails:
    then nothing is known, for the search is not a proof.
    """
    inputs = (given for shape in shapes for given in _simple_inputs(shape))
    return first_witness(map(Reading, inputs), fails)


def first_witness(readings: Iterable[Reading], fails: Fails) -> Witness:
    """Return the first reading for which ``fails`` finds a difference, or ``LookupError``."""
    for reading in readings:
        difference = difference_at(reading, fails)
        if difference is not None:
            return Witness(tuple(_written(reading.inputs)), difference)
    raise LookupError("no simple input makes the claim fail")


def difference_at(reading: Reading, fails: Fails) -> Difference | None:
    """Return the difference that ``fails`` finds; none where something is divided by zero."""
    try:
        return fails(reading)
    except ZeroDivisionError:
        return None


def entries_of(array: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield each place of an array, counted from 1, and its entry."""
    for place in numpy.ndindex(*array.shape):
        yield tuple(p + 1 for p in place), array[place]


def entry_name(base: IndexedBase, place: Sequence[int]) -> str:
    """Name an entry as the pages do: a_12."""
    return f"{base}_{''.join(map(str, place))}"


def first_difference(base: IndexedBase, before: Any, after: Any) -> Difference | None:
    """Return the first entry of an array that surely differs in ``after``, where there is one."""
    for (place, left), (_, right) in zip(entries_of(before), entries_of(after), strict=True):
        if surely_different(left, right):
            return Difference(entry_name(base, place), shown(left), shown(right))
    return None


def surely_different(left: Any, right: Any) -> bool:
    """Tell whether two fractions differ, or two intervals do not meet."""
    return surely_below(left, right) or surely_below(right, left)


def surely_below(left: Any, right: Any) -> bool:
    """Tell whether every number that ``left`` may be is below every number ``right`` may be."""
    return bool(_end(left, "b") < _end(right, "a"))


def shown(value: Any) -> str:
    """Write a fraction exactly, an interval to the digits it is sure of."""
    if isinstance(value, Fraction | int):
        return str(value)
    if value.a == value.b == int(value.mid):
        return str(int(value.mid))
    return f"{float(value.mid):.6g}..."


def _end(value: Any, which: str) -> Any:
    end = getattr(value, which, None)
    return value if end is None else end


def _simple_inputs(shapes: Shapes) -> Iterator[dict[IndexedBase, Any]]:
    sizes = {base: int(numpy.prod(shape)) for base, shape in shapes.items()}
    choices = product(range(len(SIMPLE_NUMBERS)), repeat=sum(sizes.values()))
    for choice in sorted(choices, key=lambda ranks: (max(ranks), sum(ranks), ranks)):
        numbers = iter(SIMPLE_NUMBERS[rank] for rank in choice)
        inputs = {}
        for base, shape in shapes.items():
            entries = numpy.empty(shape, dtype=object)
            for place in numpy.ndindex(*shape):
                entries[place] = next(numbers)
            inputs[base] = entries
        yield inputs


def _written(inputs: Arrays) -> Iterator[tuple[str, Rows]]:
    for base, entries in inputs.items():
        yield str(base), _nested(numpy.atleast_2d(entries).tolist())


def _nested(rows: Any) -> Any:
    return tuple(map(_nested, rows)) if isinstance(rows, list) else rows


def _rows(rows: Any) -> str:
    if not isinstance(rows, tuple):
        return str(rows)
    written = [_rows(row) for row in rows]
    if not isinstance(rows[0], tuple):
        return f"({', '.join(written)})"
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"
