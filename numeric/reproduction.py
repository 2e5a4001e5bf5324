"""A published result beside what the same input gives again, in torch and by the derived formula.

Torch's float32 must print the printed digits, and so must the derived value, worked out to 50
digits and rounded. Where more digits were printed than float32 decides, the last ones are the
rounding errors of one machine: there the printed number must lie within the certified bound of
float32 around the exact value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from sympy import IndexedBase
from torch import Tensor

from derive.attention import SOFTMAX
from derive.evidence import REFUTED, REPRODUCED, WITHIN_BOUND, Reproduction
from derive.examples import Example
from derive.formula import Mechanism
from derive.worked import work_out
from numeric.balls import ball, working_bits
from numeric.bounds import rounding_bounds
from numeric.computing import EXP_ULP
from numeric.inputs import exact_inputs
from numeric.precision import FLOAT32

Arrays = Mapping[IndexedBase, Any]
"""Worked arrays by name."""


@dataclass(frozen=True)
class Printed:
    """A published result, word for word in ``text``.

    ``origin`` says where the text stands: in the note, or elsewhere for the same sentence.
    ``run`` takes the inputs through the published ``steps`` and returns what it prints.

    ``derived`` picks the same numbers from arrays of softmax attention, or of ``mechanism``, or
    from those that ``work`` makes of the sentence; random numbers follow from no formula and have
    none. ``every_digit`` marks a text with all digits of its float32 numbers.
    """

    example: str
    title: str
    origin: str
    text: str
    run: Callable[[Tensor], str]
    derived: Callable[[Arrays], Any] | None
    mechanism: Mechanism = SOFTMAX
    every_digit: bool = False
    work: Callable[[Example], Arrays] | None = None
    steps: str = "the note's steps"


def reproductions(printed: Printed, example: Example) -> tuple[Reproduction, ...]:
    """Make one printed result again, by its published steps and by the derived formula."""
    by_torch = printed.run(torch.tensor(example.array(float).tolist()))
    found = [_judged(printed, by_torch, f"{printed.steps}, torch float32", example)]
    if printed.derived is not None:
        exact = [fraction(value) for value in printed.derived(_arrays(printed, example))]
        by_formula = put_numbers(printed.text, exact)
        found.append(_judged(printed, by_formula, "derived, 50 digits, rounded", example))
    return tuple(found)


def _arrays(printed: Printed, example: Example) -> Arrays:
    if printed.work is not None:
        return printed.work(example)
    return work_out(example, printed.mechanism).arrays


def numbers(text: str) -> list[Fraction]:
    """Return the decimals that stand in ``text``, exactly."""
    return [Fraction(number) for number in _NUMBER.findall(text)]


def shown_numbers(values: Tensor) -> str:
    """Return the numbers of a tensor as torch prints them, one after the other."""
    return " ".join(_NUMBER.findall(str(values)))


def put_numbers(text: str, values: Sequence[Fraction]) -> str:
    """Replace the numbers in ``text`` by ``values``, rounded to the decimals that stand there."""
    wanted = len(_NUMBER.findall(text))
    if wanted != len(values):
        return f"{len(values)} numbers instead of {wanted}"
    following = iter(values)
    return _NUMBER.sub(lambda match: _rounded(next(following), match.group()), text)


def fraction(value: Any) -> Fraction:
    """Return a worked value, a fraction or an mpmath number, exactly."""
    if isinstance(value, Fraction):
        return value
    # mpmath keeps the sign apart from the mantissa.
    mantissa, exponent = value.man_exp
    size = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -size if value < 0 else size


_NUMBER = re.compile(r"-?\d+\.\d+")


def _rounded(value: Fraction, like: str) -> str:
    decimals = len(like.partition(".")[2])
    digits = round(value * 10**decimals)
    whole, part = divmod(abs(digits), 10**decimals)
    return f"{'-' if digits < 0 else ''}{whole}.{part:0{decimals}}"


def _judged(printed: Printed, computed: str, implementation: str, example: Example) -> Reproduction:
    verdict, reason = REFUTED, "the numbers differ"
    if _same(computed, printed.text):
        verdict, reason = REPRODUCED, ""
    elif numbers(printed.text) and _same(
        put_numbers(printed.text, numbers(computed)), printed.text
    ):
        verdict, reason = REPRODUCED, "equal to the digits printed"
    elif printed.every_digit and all(
        _within_float32(printed, example, numbers(text)) for text in (printed.text, computed)
    ):
        verdict, reason = WITHIN_BOUND, "the last digits printed are float32's own rounding"
    return Reproduction(
        printed.example,
        printed.title,
        printed.origin,
        printed.text,
        computed,
        implementation,
        verdict,
        reason,
    )


def _same(text: str, other: str) -> bool:
    return text.split() == other.split()


def _within_float32(printed: Printed, example: Example, written: Sequence[Fraction]) -> bool:
    """Tell whether each number is surely within its float32 bound of the exact value."""
    if printed.derived is None:
        return False
    exp_ulp = EXP_ULP["torch", FLOAT32.name]
    given = exact_inputs(printed.mechanism, example)
    with working_bits(FLOAT32):
        expected = printed.derived(rounding_bounds(printed.mechanism, given, FLOAT32, exp_ulp))
        return len(written) == len(expected) and all(
            abs(ball(number) - rounded.exact) <= rounded.error
            for number, rounded in zip(written, expected, strict=True)
        )
