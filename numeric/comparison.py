"""Judge computed numbers against exact values and bounds, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy

from derive.evidence import REFUTED, UNDECIDED, WITHIN_BOUND, Comparison
from numeric.balls import Ball, computed, ulp, working_bits
from numeric.precision import Precision


def compare(
    labels: dict[str, str], found: Any, expected: Any, precision: Precision, note: str = ""
) -> Comparison:
    """Compare an array of computed numbers with an array of ``bounds.Rounded``.

    An element passes when its error is certainly no larger than its bound, and is refuted when it
    certainly is larger. Where neither is certain, no finite bound being the usual cause, the whole
    stage is undecided, unless another element refutes it. Elements whose expected value is ``None``
    are left out. ``labels`` names the comparison, ``note`` says what was left out.
    """
    if tuple(found.shape) != expected.shape:
        reason = f"the shape is {tuple(found.shape)}, not {expected.shape}"
        return _verdict(labels, precision, expected.size, REFUTED, reason)
    with working_bits(precision):
        return _compare(labels, found, expected, precision, note)


def _compare(
    labels: dict[str, str], found: Any, expected: Any, precision: Precision, note: str
) -> Comparison:
    elements = 0
    worst, worst_error, worst_bound, ratio = (1,) * expected.ndim, -1.0, 0.0, 0.0
    refuted = undecided = ""
    for place in numpy.ndindex(*expected.shape):
        rounded = expected[place]
        if rounded is None:
            continue
        elements += 1
        index, value = tuple(p + 1 for p in place), computed(found[place])
        error = abs(value - rounded.exact)
        if not rounded.error.is_finite():
            undecided = undecided or f"{_element(index)} has no finite bound: {rounded.cause}"
            continue
        if not error.is_finite():
            refuted = refuted or f"{_element(index)} is {found[place]}, but its bound is finite"
            continue
        unit = ulp(rounded.exact, precision)
        error_ulp, bound_ulp = _in_units(error, unit), _in_units(rounded.error, unit)
        if error_ulp > worst_error:
            worst, worst_error, worst_bound = index, error_ulp, bound_ulp
        if error != 0:
            ratio = max(ratio, _upper(error / rounded.error) if rounded.error != 0 else math.inf)
        if error > rounded.error:
            exact = rounded.exact.str(20, radius=False)
            refuted = refuted or (
                f"{_element(index)} is {found[place]}, exactly {exact}: "
                f"{error_ulp:.3g} units in the last place off, bound {bound_ulp:.3g}"
            )
        elif not error <= rounded.error:
            undecided = undecided or f"{_element(index)} is not enclosed tightly enough to tell"
    if refuted:
        verdict, reason = REFUTED, refuted
    elif undecided:
        verdict, reason = UNDECIDED, undecided
    else:
        verdict, reason = WITHIN_BOUND, note
    figures = (worst_error, worst_bound, ratio) if worst_error >= 0 else (math.inf,) * 3
    return _verdict(labels, precision, elements, verdict, reason, figures, worst)


def _verdict(
    labels: dict[str, str],
    precision: Precision,
    elements: int,
    verdict: str,
    reason: str,
    figures: tuple[float, float, float] = (math.inf, math.inf, math.inf),
    worst: tuple[int, ...] = (),
) -> Comparison:
    error, bound, ratio = (figure if math.isfinite(figure) else None for figure in figures)
    return Comparison(
        **labels,
        precision=precision.name,
        elements=elements,
        error_ulp=error,
        bound_ulp=bound,
        ratio=ratio,
        worst=worst,
        verdict=verdict,
        reason=reason,
    )


def _element(index: tuple[int, ...]) -> str:
    return f"element [{', '.join(map(str, index))}]"


def _in_units(value: Ball, unit: Ball) -> float:
    if value == 0:
        return 0.0
    return _upper(value / unit) if unit != 0 else math.inf


def _upper(value: Ball) -> float:
    return float(value.upper())
