"""Check every stage of every implementation against certified values and bounds."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from typing import Any

import mpmath
import numpy
from sympy import Indexed, IndexedBase, Pow, exp

from derive.algebras.exact import Exact
from derive.errors import InputError
from derive.evidence import REFUTED, SKIPPED, UNDECIDED, Comparison, Evidence, fingerprint
from derive.examples import BUILT_IN, Example, load
from derive.formula import Mechanism, Q, Stage
from derive.proof_check import check_properties
from derive.worked import MOST_TOKENS
from numeric.bounds import rounding_bounds
from numeric.comparison import compare
from numeric.computing import DIGITS, Computation, computations
from numeric.evaluate import too_long
from numeric.inputs import exact_inputs, rounded_inputs
from numeric.on_demand import OnDemand
from numeric.own_attention import own_computations
from numeric.precision import Precision
from numeric.printed import reproduce

Progress = Callable[[str], None]

STAGE_TITLES = {
    "s": "scores",
    "m": "largest score",
    "D": "denominator",
    "a": "attention weights",
    "z": "context vectors",
}
"""What each stage is called in a table."""

MOST_PRODUCTS_BOUNDED = 10_000
"""How many products of one sentence's scores are bounded: a second's work for each formula."""

PACKAGES = ("attention-derived", "sympy", "numpy", "torch", "mpmath", "python-flint")


def _silent(_: str) -> None:
    """Tell nobody."""


def check(
    example: Example,
    ways: Iterable[Computation] | None = None,
    progress: Progress = _silent,
) -> tuple[Comparison, ...]:
    """Compare each stage of each computation with its certified value and bound.

    ``ways`` is all of ``computations()``, and of the attention that the sentence's file describes,
    unless given. Raises ``InputError`` for a sentence of more
    tokens than are worked.
    """
    if len(example.tokens) > MOST_TOKENS:
        raise InputError(
            example.where,
            "tokens",
            f"{len(example.tokens)} tokens are too many",
            f"at most {MOST_TOKENS} are checked",
        )
    found: list[Comparison] = []
    for way in (*computations(), *own_computations(example)) if ways is None else ways:
        progress(
            f"{example.name}: {way.mechanism.title}, {way.implementation}, {way.precision.name}"
        )
        found += _compare_stages(example, way)
    return tuple(found)


def check_all(
    examples: Sequence[Example] | None = None,
    progress: Progress = _silent,
    command: str = "derive check --all",
) -> Evidence:
    """Run every check for ``examples``, the built-in ones unless given.

    ``progress`` is told each step before it starts.
    """
    start = time.perf_counter()
    chosen = [load(name) for name in BUILT_IN] if examples is None else examples
    comparisons = [row for example in chosen for row in check(example, progress=progress)]
    progress("results published for the sentences")
    reproductions = [row for example in chosen for row in reproduce(example)]
    progress("properties of the formulas")
    return Evidence(
        comparisons=tuple(comparisons),
        reproductions=tuple(reproductions),
        properties=check_properties(),
        fingerprint=fingerprint(),
        versions=versions(),
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - start, 3),
    )


def versions() -> dict[str, str]:
    """Return the versions of everything that the figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _compare_stages(example: Example, way: Computation) -> list[Comparison]:
    rows = compared_rows(example) if Q not in way.mechanism.inputs else None
    reason = too_long(*example.shape) if way.written_out else ""
    undefined = _zero_denominator(example, way.mechanism, rows)
    if undefined is not None:
        reason = f"not defined here: the denominator of row {undefined} is zero"
    if reason:
        return [_without_figures(example, way, SKIPPED, reason)]
    with mpmath.workdps(DIGITS), numpy.errstate(all="ignore"):
        try:
            given = _given(example, way)
        except OverflowError as error:
            return [_without_figures(example, way, UNDECIDED, str(error))]
        try:
            arrays = way.stages(given)
        except ZeroDivisionError:
            reason = "a denominator is rounded to zero"
            return [_without_figures(example, way, UNDECIDED, reason)]
        except InputError as error:
            return [_without_figures(example, way, SKIPPED, f"not worked in numbers: {error}")]
        except (RuntimeError, ValueError, IndexError) as error:
            # torch and numpy say so when arrays of other shapes meet than the formula's.
            reason = f"it cannot be computed: {' '.join(str(error).split())}"
            return [_without_figures(example, way, REFUTED, reason)]
    if not arrays:
        return [_without_figures(example, way, REFUTED, "it computes no stage")]
    expected = _certified(example, way.mechanism, way.precision, way.exp_ulp, rows)
    note = "" if rows is None else f"{len(rows)} of {len(example.tokens)} rows compared"
    return [
        compare(_labels(example, way, base), entries, expected[base], way.precision, note)
        for base, entries in arrays.items()
    ]


def _given(example: Example, way: Computation) -> Any:
    if way.backend is None:
        return example
    return rounded_inputs(exact_inputs(way.mechanism, example), way.precision, way.backend)


def compared_rows(example: Example) -> tuple[int, ...] | None:
    """Choose the rows, from 0, whose bounds are worked out; ``None`` means all.

    A long sentence has too many: then its query's row and others spread evenly.
    """
    tokens, dimensions = example.shape
    affordable = max(1, MOST_PRODUCTS_BOUNDED // (tokens * dimensions))
    if tokens <= affordable:
        return None
    spread = range(0, tokens, -(-tokens // affordable))
    return tuple(sorted({example.query, *spread} if affordable > 1 else {example.query}))


@cache
def _zero_denominator(
    example: Example, mechanism: Mechanism, rows: tuple[int, ...] | None
) -> int | None:
    """Find the first of ``rows`` that is divided by exactly zero, and count it from 1.

    Decided in fractions, as far as the formula is rational; an exponential is never zero.
    """
    entries = OnDemand(Exact(), exact_inputs(mechanism, example), mechanism.stages)
    for stage in _rational_stages_up_to_division(mechanism):
        for row in rows or range(entries.arrays[stage.array].shape[0]):
            try:
                entries.rows(stage, (row,))
            except ZeroDivisionError:
                return row + 1
    return None


def _rational_stages_up_to_division(mechanism: Mechanism) -> Sequence[Stage]:
    """Return the stages before the first exp or root, up to the last that divides by an entry."""
    rational = list(takewhile(_is_rational, mechanism.stages))
    while rational and not any(
        power.exp.is_negative and power.base.has(Indexed) for power in rational[-1].value.atoms(Pow)
    ):
        rational.pop()
    return rational


def _is_rational(stage: Stage) -> bool:
    roots = (not power.exp.is_Integer for power in stage.value.atoms(Pow))
    return not stage.value.has(exp) and not any(roots)


@lru_cache(maxsize=1)
def _certified(
    example: Example,
    mechanism: Mechanism,
    precision: Precision,
    exp_ulp: Fraction | int,
    rows: tuple[int, ...] | None,
) -> Mapping[IndexedBase, Any]:
    return rounding_bounds(mechanism, exact_inputs(mechanism, example), precision, exp_ulp, rows)


def _labels(example: Example, way: Computation, base: IndexedBase) -> dict[str, str]:
    return {
        "example": example.name,
        "mechanism": way.name,
        "stage": str(base),
        "title": STAGE_TITLES.get(str(base), str(base)),
        "implementation": way.implementation,
    }


def _without_figures(example: Example, way: Computation, verdict: str, reason: str) -> Comparison:
    return Comparison(
        example=example.name,
        mechanism=way.name,
        stage="",
        title=way.mechanism.title,
        implementation=way.implementation,
        precision=way.precision.name,
        elements=0,
        error_ulp=None,
        bound_ulp=None,
        ratio=None,
        worst=(),
        verdict=verdict,
        reason=reason,
    )
