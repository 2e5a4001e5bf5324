"""The parts of a page that prove the rounding bound: every step, checked in the build."""

from __future__ import annotations

from functools import cache
from math import frexp
from typing import Any

from markupsafe import Markup

from derive.publish import maths
from derive.publish.block import Request
from derive.publish.rendering import render
from derive.rounding.constants import CONSTANTS
from derive.rounding.proof import CHAPTERS, STEPS

PACKAGE = "numeric.rounding"


def output(_request: Request) -> Markup:
    """Return the theorem for the output."""
    return _theorem("output")


def gradients(_request: Request) -> Markup:
    """Return the theorem for the gradients: of a weight, of the row sum, of a score."""
    return _theorem("weight-error", "row-sum-bound", "score-bound")


def proof(_request: Request) -> Markup:
    """Return all steps, each with its formula, its argument, and what its check found."""
    chapters: list[dict[str, Any]] = []
    first = 1
    for title, steps in CHAPTERS.items():
        rows = [
            {
                "name": step.name,
                "title": step.title,
                "maths": maths.display(step.claim),
                "why": _prose(step.why),
                "checked": found,
                "where": step.where,
            }
            for step, found in zip(steps, _checked()[title], strict=True)
        ]
        chapters.append({"title": title, "first": first, "steps": rows})
        first += len(rows)
    return render("rounding_proof", chapters=chapters, package=PACKAGE)


def constants(_request: Request) -> Markup:
    """Return the table of constants."""
    rows = [
        {
            "where": constant.where,
            "value": constant.value if isinstance(constant.value, str) else _said(constant.value),
            "counts": constant.counts,
        }
        for constant in CONSTANTS
    ]
    return render("rounding_constants", rows=rows, package=PACKAGE)


def _theorem(*names: str) -> Markup:
    claims = {step.name: step.claim for step in STEPS}
    rows = [{"maths": maths.display(claims[name]), "latex": claims[name]} for name in names]
    return render("rounding_theorem", rows=rows)


def _prose(text: str) -> Markup:
    """Typeset what stands between dollar signs; all else is escaped."""
    pieces = text.split("$")
    return Markup("").join(
        maths.inline(piece) if place % 2 else piece for place, piece in enumerate(pieces)
    )


@cache
def _checked() -> dict[str, tuple[str, ...]]:
    """Run every check once: a step that is refuted ends the build."""
    return {title: tuple(step.checked() for step in steps) for title, steps in CHAPTERS.items()}


def _said(number: float) -> str:
    """Write a number as a reader would: powers of two as such."""
    above = number - 1
    for given, before in ((number, ""), (above, "1 + ")):
        mantissa, exponent = _split(given)
        if mantissa == 1 and abs(exponent) > 8:
            return f"{before}2^{exponent}"
    return f"{number:g}"


def _split(number: float) -> tuple[float, int]:
    mantissa, exponent = frexp(number)
    return 2 * mantissa, exponent - 1
