"""Counterexamples: the smallest shape and the simplest numbers for which a claim fails.

The search tries one token before two and 0 before 1 before -1, reads the formula over intervals
that surely hold the exact values, and counts only a difference that the intervals prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy
from sympy import IndexedBase, Rational

from derive.algebras.exact import Exact, NotRational
from derive.algebras.interval import Interval
from derive.elements import Elements
from derive.formula import Stage

SIMPLE_NUMBERS = tuple(Fraction(text) for text in ("0", "1", "-1", "2", "-2", "1/2"))
"""The numbers tried, simplest first."""


@dataclass(frozen=True)
class Difference:
    """Where a claim fails: what was claimed of which entry, and the two values that differ."""

    entry: str
    claimed: str
    found: str


@dataclass(frozen=True)
class Witness:
    """A concrete input for which a claim is false; ``inputs`` holds exact fractions."""

    inputs: tuple[tuple[str, tuple[tuple[Fraction, ...], ...]], ...]
    difference: Difference

    def __str__(self) -> str:
        given = "; ".join(f"{name} = {_rows(rows)}" for name, rows in self.inputs)
        gap = self.difference
        return f"{given}: {gap.entry} is {gap.found}, not {gap.claimed}"


Arrays = Mapping[IndexedBase, Any]
Shapes = Mapping[IndexedBase, tuple[int, ...]]
Fails = Callable[["Reading"], Difference | None]


class Reading:
    """A formula read at one input: over exact fractions where it is rational, or intervals."""

    def __init__(self, inputs: Arrays) -> None:
        self.inputs = dict(inputs)

    def run(self, stages: Sequence[Stage], **replaced: Any) -> dict[IndexedBase, Any]:
        """Return every array; ``replaced`` gives other values for inputs, by name."""
        given: dict[IndexedBase, Any] = {
            base: replaced.get(str(base), rows) for base, rows in self.inputs.items()
        }
        try:
            return Elements(Exact(), given).run(stages)
        except NotRational:
            interval = Interval()
            convert = numpy.vectorize(lambda v: interval.number(Rational(v)), otypes=[object])
            return Elements(interval, {b: convert(rows) for b, rows in given.items()}).run(stages)


def find_witness(shapes: Sequence[Shapes], fails: Fails) -> Witness:
    """Return the first input, by size and simplicity, for which ``fails`` finds a difference.

    ``shapes`` lists the shapes to try, smallest first. Raises ``LookupError`` when none fails:
    then nothing is known, for the search is not a proof.
    """
    for shape in shapes:
        for inputs in _simple_inputs(shape):
            try:
                difference = fails(Reading(inputs))
            except ZeroDivisionError:
                continue
            if difference is not None:
                rows = tuple(
                    (str(base), tuple(map(tuple, numpy.atleast_2d(entries).tolist())))
                    for base, entries in inputs.items()
                )
                return Witness(rows, difference)
    raise LookupError("no simple input makes the claim fail")


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


def _rows(rows: tuple[tuple[Fraction, ...], ...]) -> str:
    written = ["(" + ", ".join(map(str, row)) + ")" for row in rows]
    return written[0] if len(written) == 1 else "[" + ", ".join(written) + "]"
