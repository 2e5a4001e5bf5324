"""Run a page's script while the page is made, and compare every number with the exact values.

A number may differ by 1e-12 of itself, or of 1 where it is smaller. Where a score is a sum of
products beyond some thousand, float64 itself cannot keep that: a score that is rounded by one part
in 2^53 is then off by more, and its exponential with it. There a few roundings of the largest such
sum are allowed; so too where a row is divided by a sum of scores that nearly cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy
from sympy import IndexedBase, Rational

from derive.algebras.decimal import Decimal
from derive.composition import Composition, Projections
from derive.decimals import values_of
from derive.elements import Elements
from derive.errors import InputError
from derive.examples import Example
from derive.formula import D, V, a, s, x, z
from derive.publish.node_child import NodeChild, NodeEnded
from derive.publish.script.formulas import formulas_script, switches_of
from derive.settings import ROOT
from derive.worked import Worked, work_out_composed

TOLERANCE = 1e-12
LARGEST_EXPONENT = 700
"""Exponentials of more, and sums of them, are beyond float64."""

SMALLEST, LARGEST = 1e-290, 1e290
"""Numbers beyond, and sums below that scores are divided by, come too close to float64's ends."""

ROUNDINGS = 2.0**-50
"""Eight roundings of float64, relative: those of a score's products and sums, and of its exp."""


class ScriptError(Exception):
    """The script computes something else than the formula; a build that meets it ends."""


@cache
def worked_script() -> str:
    """Return the script that computes: the formulas, and what works them out."""
    assets = files("derive.publish") / "assets"
    return formulas_script() + (assets / "work-out.js").read_text(encoding="utf-8")


@cache
def page_script() -> str:
    """Return all that a page with such a part loads: what computes, and what shows it."""
    assets = files("derive.publish") / "assets"
    return worked_script() + (assets / "step-through.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Run:
    """One formula of the script, and the exact values that it must give."""

    key: str
    given: dict[str, Any]
    expected: Worked


def reachable(own: Composition, dimensions: int) -> tuple[Composition, ...]:
    """Return every attention that a reader of a page can switch to from the page's own.

    Softmax and division by the sum, with and without the page's scale (1/sqrt(d) if it has none),
    mask and matrices (those of the atlas if it has none); and the page's own normaliser.
    """
    return tuple(
        Composition(normaliser, scale, causal, projections)
        for normaliser in dict.fromkeys((own.normaliser, "softmax", "sum"))
        for scale in (None, own.scale or ROOT)
        for causal in (False, True)
        for projections in (None, own.projections or Projections.small(dimensions))
    )


def check_script(
    example: Example, compositions: Iterable[Composition], script: str | None = None
) -> None:
    """Run the script on a sentence for each composition, and compare every array.

    Softmax is run as it is written and shifted by the largest score; the two are equal, and only
    the second is used where an exponential overflows. Raises ``ScriptError``, which names the
    formula, the entry and both values, where a number differs from the exact one.
    """
    runs = [run for composition in compositions for run in _runs(example, composition)]
    request: dict[str, Any] = {
        "source": script or worked_script(),
        "runs": [{"key": run.key, "given": run.given} for run in runs],
    }
    try:
        answer = _child.ask(request)
    except NodeEnded as error:
        raise ScriptError(f"{example.where}: the page's script could not be run. {error}") from None
    if "error" in answer:
        raise ScriptError(f"{example.where}: the page's script fails: {answer['error']}")
    for run, found in zip(runs, answer["results"], strict=True):
        _compare(run, found)


def given(example: Example, composition: Composition) -> dict[str, Any]:
    """Return what the script takes: the vectors, and the matrices and the scale if there are."""
    arrays: dict[str, Any] = {str(x): example.array(float).tolist()}
    if composition.projections is not None:
        for base, rows in composition.projections.rows().items():
            arrays[str(base)] = values_of(rows, float).tolist()
    if switches_of(composition).scale == "factor":
        arrays["beta"] = float(composition.scale or 1)
    return arrays


def _runs(example: Example, composition: Composition) -> list[_Run]:
    try:
        worked = work_out_composed(example, composition)
    except InputError:
        # Its scores sum to zero, or are too large to write: the page says so to who gets there.
        return []
    if not _in_floats(worked):
        return []
    numbers, switches = given(example, composition), switches_of(composition)
    if composition.normaliser != "softmax":
        return [_Run(switches.key, numbers, worked)]
    shifted = _Run(replace(switches, normaliser="shifted").key, numbers, worked)
    plain = _Run(switches.key, numbers, worked)
    return [shifted, plain] if _largest(worked[s]) < LARGEST_EXPONENT else [shifted]


def works_in_floats(example: Example, composition: Composition) -> bool:
    """Tell whether the script can work a sentence: float64 holds every number on the way.

    Raises ``InputError`` where nothing can, as ``work_out_composed`` does.
    """
    return _in_floats(work_out_composed(example, composition))


def _in_floats(worked: Worked) -> bool:
    magnitudes = _magnitudes(worked)
    # An exponential may overflow: then the shifted softmax is worked.
    sizes = [magnitudes[base].max() for base in magnitudes if base != D]
    if not max(map(float, sizes)) < LARGEST:
        return False
    return not _divides(worked) or float(numpy.abs(worked[D].astype(float)).min()) > SMALLEST


def _compare(run: _Run, found: Mapping[str, Any]) -> None:
    worked = run.expected
    magnitudes = _magnitudes(worked)
    allowed = max(TOLERANCE, ROUNDINGS * _condition(worked, magnitudes))
    for stage in worked.mechanism.stages:
        if stage.array == D and run.key.startswith("shifted"):
            continue
        exact, name = worked[stage.array], str(stage.array)
        numbers = numpy.array(found[name], dtype=object)
        if numbers.shape != exact.shape:
            raise _differs(run, name, f"has the shape {numbers.shape}", f"{exact.shape}")
        for place in numpy.ndindex(*exact.shape):
            value: Any = numbers[place]
            known = float(exact[place])
            size = max(1.0, abs(known), float(magnitudes[stage.array][place]))
            if not (isinstance(value, int | float) and abs(value - known) <= allowed * size):
                entry = f"{name}[{', '.join(str(p + 1) for p in place)}]"
                raise _differs(run, entry, f"is {value!r}", f"{known!r}")


def _differs(run: _Run, what: str, found: str, expected: str) -> ScriptError:
    mechanism, example = run.expected.mechanism, run.expected.example
    return ScriptError(
        f"{example.where}: the script of {mechanism.title} is wrong: {what} {found} in it, and "
        f"{expected} by the formula"
    )


def _magnitudes(worked: Worked) -> dict[IndexedBase, Any]:
    """Return, for each entry of each array, the sum of the sizes of what it is a sum of."""
    stages = worked.mechanism.stages
    linear = stages[: 1 + next(p for p, stage in enumerate(stages) if stage.array == s)]
    algebra = Decimal()
    sizes = {
        base: values_of(rows, lambda value: algebra.number(Rational(abs(value))))
        for base, rows in worked.written.items()
    }
    of = Elements(algebra, sizes)
    found = {base: array.astype(float) for base, array in of.run(linear).items()}
    for stage in stages[len(linear) :]:
        found[stage.array] = numpy.abs(worked[stage.array].astype(float))
    with numpy.errstate(over="ignore", invalid="ignore"):
        found[z] = found[a] @ found.get(V, found[x])
    return found


def _condition(worked: Worked, magnitudes: Mapping[IndexedBase, Any]) -> float:
    """Return how many times a rounding of a score can come back in a weight."""
    condition = max(1.0, float(magnitudes[s].max()))
    if _divides(worked):
        seen = numpy.where(worked[a].astype(float) != 0, magnitudes[s], 0.0).sum(axis=1)
        condition *= max(1.0, float((seen / numpy.abs(worked[D].astype(float))).max()))
    return condition


def _divides(worked: Worked) -> bool:
    """Tell whether a row of scores is divided by its sum."""
    return worked.mechanism.choice("normalise").title.startswith("division")


def _largest(array: Any) -> float:
    return float(numpy.abs(array.astype(float)).max())


_child = NodeChild(lambda: (Path(__file__).with_name("script_child.js"),))
