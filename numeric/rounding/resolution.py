"""What a check could have seen: the smallest wrong scale, leak and row that it would refute.

A program that is wrong by some amount, and rounds as its contract allows, is surely refuted where
the amount is more than twice the bound. Less may be caught too; this is what is certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from numeric.rounding.enclosed import Array
from numeric.rounding.judging import Evaluation
from numeric.rounding.reference import forward


@dataclass(frozen=True)
class Resolution:
    """The smallest errors that one run surely refutes; ``None`` where it refutes none.

    Attributes:
        scale: Relative error of the scale.
        leak: Weight that a hidden key gets, for the query and key where most is seen.
        any_leak: The same for whichever query and key.
        row: Error of one query's output, in proportion to its largest element, for the query
            where least is seen.
    """

    scale: float | None
    leak: float | None
    any_leak: float | None
    row: float | None

    def better(self, other: Resolution) -> Resolution:
        """Return the smaller of each."""
        return Resolution(
            *(
                min((x for x in pair if x is not None), default=None)
                for pair in (
                    (self.scale, other.scale),
                    (self.leak, other.leak),
                    (self.any_leak, other.any_leak),
                    (self.row, other.row),
                )
            )
        )


BLIND = Resolution(None, None, None, None)
LARGEST = 1.0
MOST_ROWS = 1024
"""Queries whose hidden keys are looked at; evenly spread, where there are more: then nothing is
said of whichever key."""


def resolution(found: Evaluation) -> Resolution:
    """Return what this evaluation resolves."""
    needed = 2 * found.bound.output + 2 * found.forward.output.radius
    return Resolution(_scale(found, needed), *_leak(found, needed), _row(found, needed))


def _scale(found: Evaluation, needed: Array) -> float | None:
    """Take the first-order answer, then look whether that error is in fact seen."""
    at, problem = found.forward, found.problem
    moved = numpy.where(found.bound.visible, at.dot.value, 0.0)
    if at.ratio is not None:
        moved = moved * (1 - at.ratio.value**2)
    weights = at.weights.value
    mean = (weights * moved).sum(-1, keepdims=True)
    slope = abs((weights * (moved - mean)) @ problem.values_seen)
    smallest = _smallest(needed, slope)
    for _ in range(8):
        if smallest is None or smallest > LARGEST:
            return None
        wrong = forward(problem.with_scale(1 + smallest)).output
        if (abs(wrong.value - at.output.value) - wrong.radius > needed).any():
            return smallest
        smallest *= 2
    return None


def _leak(found: Evaluation, needed: Array) -> tuple[float | None, float | None]:
    """A weight w for a hidden key moves the output by w (v - o).

    Returns the least for any hidden key, and the least that shows whichever key it is.
    """
    hidden = ~found.bound.visible
    seen = found.bound.visible.any(-1)
    output, value = found.forward.output.value, found.problem.values_seen
    places = numpy.argwhere(hidden.any(-1) & seen)
    least, whichever = numpy.inf, 0.0
    for head, row in places[:: max(1, len(places) // MOST_ROWS)]:
        apart = abs(value[head][hidden[head, row]] - output[head, row])
        with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
            each = numpy.where(apart > 0, needed[head, row] / apart, numpy.inf).min(-1)
        least, whichever = min(least, float(each.min())), max(whichever, float(each.max()))
    if not len(places):
        return None, None
    return _within(least), _within(whichever) if len(places) <= MOST_ROWS else None


def _within(number: float) -> float | None:
    return number if number <= LARGEST else None


def _row(found: Evaluation, needed: Array) -> float | None:
    output = abs(found.forward.output.value).max(-1)
    least = needed.min(-1)
    usable = numpy.isfinite(least) & (output > 0)
    if not usable.any():
        return None
    worst = float((least[usable] / output[usable]).max())
    return worst if worst <= LARGEST else None


def _smallest(needed: Array, slope: Array) -> float | None:
    with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = numpy.where((slope > 0) & numpy.isfinite(needed), needed / slope, numpy.inf)
    smallest = float(ratio.min())
    return smallest if numpy.isfinite(smallest) else None
