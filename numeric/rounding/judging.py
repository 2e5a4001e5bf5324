"""Judge computed numbers element by element: within the bound, suspicious, beyond it, or neither.

The reference is float64 with its own bound as long as that decides every element; where it does
not, as for a program in float64, Arb balls take its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy

from numeric.rounding import ball_reference, reference
from numeric.rounding.backward import BackwardBound, backward_bound
from numeric.rounding.contract import STATISTICAL, Contract
from numeric.rounding.enclosed import Array, Enclosed
from numeric.rounding.forward import ForwardBound, forward_bound
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Backward, Forward

OUTPUT = "output"
GRADIENTS = {
    "query": "gradient of query",
    "key": "gradient of key",
    "value": "gradient of value",
    "bias": "gradient of bias",
}
HOPELESS = "rounded in this type, numbers this large leave no finite bound"
WITHIN, SUSPICIOUS, BEYOND, UNCERTAIN, UNBOUNDED, UNDEFINED = range(6)
"""Within the bound; beyond what independent rounding explains; certainly beyond the bound; not
enclosed tightly enough to tell; without a finite bound; not a number on both sides."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One tensor, laid out as the caller's: ``codes`` say of each element which of the above."""

    name: str
    actual: Array
    exact: Enclosed
    bound: Array
    codes: Array
    ratio: Array
    causes: tuple[str, ...]

    def count(self, code: int) -> int:
        """How many elements have this code."""
        return int((self.codes == code).sum())

    @property
    def worst(self) -> tuple[int, ...]:
        """The place with the largest error in proportion to its bound; NaN counts as infinite."""
        return tuple(map(int, numpy.unravel_index(int(self.ratio.argmax()), self.ratio.shape)))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Exact values and bounds of one problem, forward and, for an upstream gradient, backward."""

    problem: Problem
    contract: Contract
    forward: Forward
    bound: ForwardBound
    backward: Backward | None = None
    gradient_bound: BackwardBound | None = None

    @property
    def seconds(self) -> float:
        """What the reference cost."""
        return self.forward.seconds + (self.backward.seconds if self.backward else 0.0)

    @property
    def unremarkable(self) -> float:
        """A share of the bound below which no error is suspicious, as a rule of thumb.

        The statistical bound of a sum of m terms is at least L / sqrt(m) of the other.
        """
        query, value = self.problem.query, self.problem.value
        longest = max(query.shape[-2], query.shape[-1], *value.shape[-2:])
        return min(1.0, STATISTICAL / sqrt(longest)) / 2

    def expecting(self) -> Evaluation:
        """Return the bounds for independent roundings of the same problem."""
        loose = self.contract.expecting()
        with numpy.errstate(over="ignore", invalid="ignore"):
            bound = forward_bound(self.problem, self.forward, loose)
            gradients = None
            if self.backward is not None:
                gradients = backward_bound(self.problem, self.forward, bound, self.backward, loose)
        return replace(self, contract=loose, bound=bound, gradient_bound=gradients)


def evaluate(
    problem: Problem, contract: Contract, upstream: Array | None = None, *, balls: bool = False
) -> Evaluation:
    """Return exact values and bounds; ``balls`` asks for Arb's enclosures."""
    source = ball_reference if balls else reference
    forward = source.forward(problem)
    with numpy.errstate(over="ignore", invalid="ignore"):
        bound = forward_bound(problem, forward, contract)
        if upstream is None:
            return Evaluation(problem, contract, forward, bound)
        flat = numpy.asarray(upstream, dtype=numpy.float64).reshape(forward.output.shape)
        backward = source.backward(problem, forward, flat)
        gradients = backward_bound(problem, forward, bound, backward, contract)
        return Evaluation(problem, contract, forward, bound, backward, gradients)


def judge(
    problem: Problem,
    contract: Contract,
    actual: Mapping[str, Any],
    upstream: Array | None = None,
) -> tuple[Evaluation, tuple[Judged, ...]]:
    """Judge the output and whatever gradients are given, by their names in ``GRADIENTS``.

    Returns the exact values with their bounds, and one ``Judged`` for each tensor.
    """
    balls = contract.output.name == "float64"
    found = evaluate(problem, contract, upstream, balls=balls)
    judged = _judged(found, actual)
    if not balls and any(one.count(UNCERTAIN) for one in judged):
        found = evaluate(problem, contract, upstream, balls=True)
        judged = _judged(found, actual)
    if any(_remarkable(one, found.unremarkable) for one in judged):
        judged = _with_suspicion(judged, _judged(found.expecting(), actual))
    return found, judged


def _remarkable(one: Judged, share: float) -> bool:
    return bool(((one.codes == WITHIN) & (one.ratio > share)).any())


def _with_suspicion(judged: tuple[Judged, ...], expected: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """Mark what lies within its bound and beyond what independent roundings explain."""
    return tuple(
        replace(
            one,
            codes=numpy.where(
                (one.codes == WITHIN) & (other.codes == BEYOND), SUSPICIOUS, one.codes
            ),
        )
        for one, other in zip(judged, expected, strict=True)
    )


def _judged(found: Evaluation, actual: Mapping[str, Any]) -> tuple[Judged, ...]:
    return tuple(_judge_one(found, name, values) for name, values in actual.items())


def _judge_one(found: Evaluation, name: str, actual: Any) -> Judged:
    actual = numpy.asarray(actual, dtype=numpy.float64)
    if name == OUTPUT:
        exact, bound = found.forward.output, found.bound.output
        causes = found.bound.causes
    else:
        part = next(key for key, title in GRADIENTS.items() if title == name)
        exact = getattr(found.backward, part)
        bound = getattr(found.gradient_bound, part)
        causes = {} if found.gradient_bound is None else found.gradient_bound.causes
    shape = _shape(found.problem, name, exact)
    if actual.shape != shape:
        raise ValueError(f"{name} has the shape {actual.shape}, not {shape}")
    exact = Enclosed(exact.value.reshape(shape), exact.radius.reshape(shape))
    bound = bound.reshape(shape)
    codes, ratio = _codes(actual, exact, bound)
    if name == OUTPUT and found.problem.empty_rows == "undefined":
        empty = numpy.broadcast_to(found.problem.empty.reshape(*shape[:-1], 1), shape)
        codes = numpy.where(empty & numpy.isnan(actual), UNDEFINED, codes)
    without = (tuple(causes) or (HOPELESS,)) if (codes == UNBOUNDED).any() else ()
    return Judged(name, actual, exact, bound, codes, ratio, without)


def _shape(problem: Problem, name: str, exact: Enclosed) -> tuple[int, ...]:
    if name == GRADIENTS["bias"]:
        return problem.bias_shape
    shared = name in (GRADIENTS["key"], GRADIENTS["value"])
    return (*(problem.kv_lead if shared else problem.lead), *exact.shape[-2:])


def _codes(actual: Array, exact: Enclosed, bound: Array) -> tuple[Array, Array]:
    with numpy.errstate(invalid="ignore", over="ignore", divide="ignore"):
        distance = abs(actual - exact.value)
        # The distance itself is rounded once.
        least = distance * (1 - 2.0**-52) - exact.radius
        most = distance * (1 + 2.0**-52) + exact.radius
        codes = numpy.where(most <= bound, WITHIN, UNCERTAIN)
        codes = numpy.where(least > bound, BEYOND, codes)
        codes = numpy.where(~numpy.isfinite(actual), BEYOND, codes)
        codes = numpy.where(numpy.isfinite(bound), codes, UNBOUNDED)
        exact_zero = (distance == 0) & (exact.radius == 0)
        ratio = numpy.where(exact_zero, 0.0, distance / numpy.where(bound > 0, bound, 2.0**-1074))
    ratio = numpy.where(numpy.isfinite(actual), ratio, numpy.inf)
    return codes, numpy.where(codes == UNBOUNDED, -1.0, ratio)
