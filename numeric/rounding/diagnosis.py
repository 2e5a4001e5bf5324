"""What a wrong program probably computes: known mistakes, tried until one explains the numbers.

Each is the same attention with one thing changed. It explains the numbers where all of them lie
within a few bounds of its exact values; that is a hint, and said to be one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt

import numpy

from numeric.precision import BFLOAT16, FLOAT16, Precision
from numeric.rounding.contract import Contract, Stored
from numeric.rounding.enclosed import Array, Enclosed
from numeric.rounding.forward import forward_bound
from numeric.rounding.problem import Problem
from numeric.rounding.reference import forward

FINITE_MASKS = (-1.0, -10.0, -100.0, -1e4)
"""Numbers that programs add to hidden scores."""

STEPS = 12
"""Steps of Newton's method for a scale that is not known."""

PLAUSIBLE = 0.01
"""A looser contract explains errors that reach this share of its bound; far smaller ones come from
elsewhere."""

MOST_NAMED = 2
"""Mistakes that are named, where several explain the same numbers."""

NEAR = 4.0
"""Bounds within which a mistake explains a number: its own bound may be a little different."""


def diagnosis(problem: Problem, contract: Contract, actual: Array) -> tuple[str, ...]:
    """Name the mistakes that explain the output of a program."""
    found = tuple(name for name, other in _mistakes(problem) if _explains(other, contract, actual))
    return found[:MOST_NAMED] or _other_scale(problem, contract, actual)


def _other_scale(problem: Problem, contract: Contract, actual: Array) -> tuple[str, ...]:
    """Fit the scale by least squares, and see whether that explains the numbers."""
    fitted = problem
    for _ in range(STEPS):
        at = forward(fitted)
        moved = at.dot.value if at.ratio is None else at.dot.value * (1 - at.ratio.value**2)
        weights = at.weights.value
        mean = (weights * moved).sum(-1, keepdims=True)
        slope = (weights * (moved - mean)) @ fitted.values_seen
        size = float((slope * slope).sum())
        if size == 0 or slope.size != actual.size or not numpy.isfinite(actual).all():
            return ()
        apart = actual.reshape(slope.shape) - at.output.value
        step = float((slope * apart).sum()) / size
        fitted = fitted.with_scale(1 + max(min(step, 2.0), -0.9))
    if not _explains(fitted, contract, actual):
        return ()
    return (f"the scale is {fitted.scale.value:.6g}, not {problem.scale.value:.6g}",)


def looser_contracts(contract: Contract, actual: Array) -> Iterator[Contract]:
    """Yield contracts for the same type of numbers that round more, the tightest first.

    That the output was rounded is considered only where every number looks like it.
    """
    output = contract.output
    low = (BFLOAT16, FLOAT16)
    narrower = [p for p in low if p.bits < output.bits] if output.name == "float32" else [output]
    for precision in narrower:
        stored = Stored(precision)
        if precision != output and _holds(precision, actual):
            yield replace(
                contract, name=f"its output rounded to {precision.name}", output=precision
            )
        yield replace(contract, name=f"weights in {precision.name}", weights=stored)
        yield replace(
            contract,
            name=f"scores and weights in {precision.name}",
            scores=Stored(precision, 3),
            weights=stored,
        )
        yield replace(
            contract,
            name=f"softmax in {precision.name}",
            softmax=precision,
            summation=contract.summation or contract.softmax,
            scores=Stored(precision, 4),
            weights=Stored(precision, 3),
        )
        yield replace(
            contract,
            name=f"everything in {precision.name}, sums too",
            accumulation=precision,
            softmax=precision,
            summation=precision,
            scores=Stored(precision, 4),
            weights=Stored(precision, 3),
        )


def _holds(precision: Precision, actual: Array) -> bool:
    """Whether the format holds every number exactly."""
    mantissa, _ = numpy.frexp(actual[numpy.isfinite(actual)])
    scaled = mantissa * 2.0**precision.bits
    return bool((scaled == numpy.round(scaled)).all())


def keeps(problem: Problem, contract: Contract, actual: Array) -> bool:
    """Whether every element lies inside the bound of another contract, some not far below it."""
    apart, bound = _apart(problem, contract, actual)
    usable = numpy.isfinite(bound)
    if not usable.any():
        return False
    ratio = apart[usable] / bound[usable]
    return bool(PLAUSIBLE <= ratio.max() <= 1.0)


def _explains(problem: Problem, contract: Contract, actual: Array) -> bool:
    apart, bound = _apart(problem, contract, actual)
    usable = numpy.isfinite(bound)
    return bool(usable.any() and (apart[usable] <= NEAR * bound[usable]).all())


def _apart(problem: Problem, contract: Contract, actual: Array) -> tuple[Array, Array]:
    """Return the distances from the exact output, and its bounds."""
    at = forward(problem)
    bound = forward_bound(problem, at, contract).output
    if bound.size != actual.size:
        return numpy.zeros(1), numpy.full(1, numpy.inf)
    return abs(at.output.value - actual.reshape(bound.shape)), bound


def _mistakes(problem: Problem) -> Iterator[tuple[str, Problem]]:
    n_q, d = problem.query.shape[-2:]
    n, d_v = problem.value.shape[-2:]
    own = float(problem.scale.value)
    heads = problem.lead[-1] if problem.lead else 1
    for name, factor in (
        ("the scale is left out", 1.0),
        ("the scale is 1/d, not 1/sqrt(d)", 1 / d),
        ("the scale is applied twice", own * own),
        ("the scale is 1/sqrt(heads d), that of the whole model", 1 / sqrt(heads * d)),
        ("the scale is 1/sqrt(d_v)", 1 / sqrt(d_v)),
        ("a scale of one's own is ignored: it is 1/sqrt(d)", 1 / sqrt(d)),
        ("the scale multiplies by sqrt(d)", sqrt(d)),
    ):
        if abs(factor - own) > 1e-9 * abs(own):
            yield name, replace(problem, scale=_exactly(factor))
    rows, columns = numpy.arange(n_q)[:, None], numpy.arange(n)[None, :]
    for name, seen in (
        ("every key is seen: nothing is masked", columns >= 0),
        ("causal from the top left", columns <= rows),
        ("causal from the bottom right", columns <= rows + n - n_q),
        ("a query does not see its own key: the mask is off by one", columns < rows),
        ("a query sees one key too many: the mask is off by one", columns <= rows + 1),
        ("the mask is upside down", columns >= rows),
    ):
        visible = numpy.broadcast_to(seen, problem.visible.shape[-2:])[None]
        if not _same(visible, problem.visible):
            yield name, replace(problem, visible=visible)
    if not problem.visible.all():
        yield "the mask is inverted", replace(problem, visible=~problem.visible)
        for step, name in ((1, "one key fewer"), (-1, "one key more")):
            moved = numpy.roll(problem.visible, step, -1)
            if step > 0:
                moved[..., :1] = False
            yield (
                f"the window begins with {name}",
                replace(
                    problem,
                    visible=problem.visible & moved if step > 0 else problem.visible | moved,
                ),
            )
    if not problem.visible.all():
        everything = numpy.ones_like(problem.visible)
        given = numpy.zeros(1) if problem.bias is None else problem.bias
        dot = forward(replace(problem, soft_cap=None)).dot.value
        for number in FINITE_MASKS:
            for how, hidden in (
                (f"{number:g} is added to hidden scores, not minus infinity", number),
                (f"hidden scores are {number:g}, not minus infinity", number - dot),
            ):
                bias = given + numpy.where(problem.visible, 0.0, hidden)
                yield how, replace(problem, visible=everything, bias=bias)
    if problem.bias is not None:
        yield "the bias is left out", replace(problem, bias=None)
        scaled = problem.bias * own
        yield "the bias is scaled like the scores", replace(problem, bias=scaled)
    if problem.soft_cap is not None:
        yield "the soft cap is left out", replace(problem, soft_cap=None)
    if problem.is_shared:
        kv_heads = problem.kv_lead[-1]
        batch = numpy.arange(len(problem.query)) // heads
        head = numpy.arange(len(problem.query)) % heads
        for name, group in (
            ("heads share keys interleaved, head modulo kv_heads", head % kv_heads),
            ("heads share keys consecutively", head // (heads // kv_heads)),
        ):
            shared = batch * kv_heads + group
            if not numpy.array_equal(shared, problem.shared):
                yield name, replace(problem, shared=shared)
    if problem.key.shape == problem.value.shape:
        yield (
            "keys and values are exchanged",
            replace(problem, key=problem.value, value=problem.key),
        )
    if n > 1:
        yield (
            "the last key is left out",
            replace(problem, visible=problem.visible & (columns < n - 1)),
        )


def _same(one: Array, other: Array) -> bool:
    return bool((one == other).all())


def _exactly(number: float) -> Enclosed:
    return Enclosed(numpy.float64(number), numpy.float64(0.0))
