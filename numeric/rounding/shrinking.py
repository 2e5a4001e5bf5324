"""Hypothesis looks for inputs that fail, and for the simplest that do: whole numbers, few tokens.

It draws shapes and small whole numbers, most of them zero, and shrinks what fails. Where no small
inputs fail, the failing ones are cut to as few tokens as still fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import hypothesis
import numpy
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.extra.numpy import arrays

from derive.options import Options
from numeric.rounding.designed import HIDDEN_NAN, Drawn, Shapes, held
from numeric.rounding.enclosed import Array

SETTINGS = hypothesis.settings(
    max_examples=400,
    database=None,
    deadline=None,
    derandomize=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
SEARCHED = 100
"""How many small inputs are tried where the designed ones show nothing."""

MOST_TOKENS, MOST_DIMENSIONS = 6, 3
FACTORS = (1, 8, 64)
"""What whole numbers are multiplied by: some failures need large scores."""

Test = Callable[[Drawn], Any]


class Subject(Protocol):
    """What is needed of a checked program."""

    @property
    def options(self) -> Options:
        """The options of its formula."""

    @property
    def dtype(self) -> Any:
        """The type of its numbers."""


def simplest(
    shapes: Shapes, subject: Subject, failing: Drawn, fails: Test, seed: int, *, any_shape: bool
) -> Drawn | None:
    """Return the simplest inputs found for which ``fails`` returns something; None if none are.

    Without ``any_shape`` all have the given shapes: for programs that are compiled for each.
    """
    chosen = _shapes(shapes) if any_shape else st.just(shapes)
    try:
        return hypothesis.find(
            _inputs(chosen, subject, failing.layout, failing.family == HIDDEN_NAN),
            lambda drawn: fails(drawn) is not None,
            settings=SETTINGS,
            random=random.Random(seed),
        )
    except NoSuchExample:
        return _fewest_tokens(shapes, failing, fails) if any_shape else None


def searched(shapes: Shapes, subject: Subject, fails: Test, seed: int) -> Drawn | None:
    """Look for small inputs that fail where no designed ones do; None if none are found."""
    try:
        return hypothesis.find(
            _inputs(_shapes(shapes), subject, "contiguous", False),
            lambda drawn: fails(drawn) is not None,
            settings=hypothesis.settings(SETTINGS, max_examples=SEARCHED),
            random=random.Random(seed),
        )
    except NoSuchExample:
        return None


@st.composite
def _inputs(draw: Any, chosen: Any, subject: Subject, layout: str, hidden_nan: bool) -> Drawn:
    small = draw(chosen)
    factor = draw(st.sampled_from(FACTORS))

    def whole(shape: tuple[int, ...], times: int) -> Array:
        numbers = draw(arrays(numpy.int64, shape, elements=st.integers(-3, 3), fill=st.just(0)))
        return held(times * numbers.astype(numpy.float64), subject.dtype)

    drawn = {
        "query": whole(small.query, factor),
        "key": whole(small.key, 1),
        "value": whole(small.value, 1),
    }
    if small.bias is not None:
        drawn["bias"] = whole(small.bias, 1)
    if small.mask is not None:
        mask = draw(arrays(numpy.bool_, small.mask, fill=st.just(True)))
        if subject.options.empty_rows == "undefined":
            mask[..., 0] = True
        if hidden_nan:
            mask[..., -1] = False
        drawn["mask"] = mask
    if hidden_nan:
        for name in ("key", "value"):
            drawn[name][..., -1, :] = numpy.nan
    upstream = whole((*small.query[:-1], small.value[-1]), 1)
    family = f"whole numbers, {HIDDEN_NAN}" if hidden_nan else "whole numbers"
    return Drawn(f"{family}, shrunk", drawn, upstream, layout)


@st.composite
def _shapes(draw: Any, shapes: Shapes) -> Shapes:
    """Draw shapes as small as the axes allow; equal lengths stay equal where they mean the same."""
    n = draw(st.integers(1, min(MOST_TOKENS, shapes.key[-2])))
    same = shapes.query[-2] == shapes.key[-2]
    n_q = n if same else draw(st.integers(1, min(MOST_TOKENS, shapes.query[-2])))
    d = draw(st.integers(1, min(MOST_DIMENSIONS, shapes.query[-1])))
    equal = shapes.value[-1] == shapes.query[-1]
    d_v = d if equal else draw(st.integers(1, min(MOST_DIMENSIONS, shapes.value[-1])))
    lead, kv_lead = shapes.query[:-2], shapes.key[:-2]
    if lead:
        groups = draw(st.integers(1, kv_lead[-1]))
        share = lead[-1] // kv_lead[-1]
        outer = tuple(draw(st.integers(1, length)) for length in lead[:-1])
        lead, kv_lead = (*outer, groups * share), (*outer, groups)
    scores = (*lead, n_q, n)
    return Shapes(
        (*lead, n_q, d),
        (*kv_lead, n, d),
        (*kv_lead, n, d_v),
        _within(shapes.bias, scores),
        _within(shapes.mask, scores),
    )


def _within(shape: tuple[int, ...] | None, scores: tuple[int, ...]) -> tuple[int, ...] | None:
    if shape is None:
        return None
    last = scores[len(scores) - len(shape) :]
    return tuple(1 if own == 1 else new for own, new in zip(shape, last, strict=True))


def _fewest_tokens(shapes: Shapes, failing: Drawn, fails: Test) -> Drawn | None:
    for tokens in range(1, shapes.key[-2]):
        if tokens > MOST_TOKENS and tokens & (tokens - 1):
            continue
        small = shapes.with_tokens(tokens)
        cut = {
            name: array[tuple(slice(length) for length in getattr(small, name))]
            for name, array in failing.arrays.items()
        }
        upstream = failing.upstream[..., : small.query[-2], :]
        drawn = replace(
            failing,
            family=f"{failing.family}, the first {tokens} tokens",
            arrays={name: numpy.ascontiguousarray(array) for name, array in cut.items()},
            upstream=numpy.ascontiguousarray(upstream),
        )
        if fails(drawn) is not None:
            return drawn
    return None
