"""What is compared: each way to compute a mechanism, and the formula it must agree with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from types import ModuleType
from typing import Any

import mpmath
import numpy
import torch

from derive.attention import MECHANISMS
from derive.code import function
from derive.examples import Example
from derive.formula import Mechanism, x
from derive.worked import work_out, work_out_composed
from numeric.evaluate import Arrays, Backend, compiled, input_shapes
from numeric.precision import FLOAT32, FLOAT64, Precision, decimal_digits
from numeric.torch_stages import TORCH_CODE

DIGITS = 50
"""Decimal digits of the mpmath evaluation."""


@dataclass(frozen=True)
class Computation:
    """One way to compute some stages of ``mechanism`` from its inputs.

    ``name`` is the mechanism's short name, ``exp_ulp`` the error that the implementation's exp is
    trusted to stay within, in units in the last place. ``stages`` takes the inputs, rounded to
    ``precision``, as numpy arrays, torch tensors or arrays of mpmath numbers, as ``backend`` says;
    where ``backend`` is ``None`` it takes the sentence, an ``Example``, itself.
    ``written_out`` says that it writes out every entry, which only a short sentence allows.
    """

    name: str
    mechanism: Mechanism
    implementation: str
    precision: Precision
    backend: Backend | None
    exp_ulp: int
    stages: Callable[[Any], Arrays]
    written_out: bool = False


EXP_ULP: dict[tuple[Backend, str], int] = {
    ("numpy", FLOAT32.name): 3,
    ("numpy", FLOAT64.name): 1,
    ("torch", FLOAT32.name): 1,
    ("torch", FLOAT64.name): 1,
    ("mpmath", decimal_digits(DIGITS).name): 1,
}
"""Error of exp in units in the last place, taken on trust from the sources and measured in a test.

numpy's vectorised float32 exp states 2.52; torch calls MKL's or SLEEF's exp, which state less than
1 and at most 1.0; mpmath aims at less than 1.
"""


def computations() -> Iterator[Computation]:
    """List every way to compute every mechanism that is compared.

    Ways that share a formula, a precision and a trusted exp, and so their bounds, stand together.
    """
    for name, mechanism in MECHANISMS.items():
        for precision in (FLOAT64, FLOAT32):
            yield lambdified(name, mechanism, "numpy", precision)
            yield generated(name, mechanism, "numpy", precision)
            yield lambdified(name, mechanism, "torch", precision)
            yield generated(name, mechanism, "torch", precision)
            yield from torch_code(name, precision)
        yield lambdified(name, mechanism, "mpmath", decimal_digits(DIGITS))
        if mechanism.inputs == (x,):
            yield as_shown(name, mechanism)


def torch_code(name: str, precision: Precision) -> tuple[Computation, ...]:
    """Return the notes' own code for the mechanism called ``name``, the loops first."""
    exp_ulp = EXP_ULP["torch", precision.name]
    return tuple(
        Computation(name, formula, implementation, precision, "torch", exp_ulp, stages)
        for implementation, formula, stages in TORCH_CODE.get(name, ())
    )


def lambdified(
    name: str, mechanism: Mechanism, backend: Backend, precision: Precision
) -> Computation:
    """Return the derived formula, written out and compiled, as a computation of itself."""
    return Computation(
        name,
        mechanism,
        f"derived, {backend}",
        precision,
        backend,
        EXP_ULP[backend, precision.name],
        partial(_compiled_stages, mechanism, backend),
        written_out=True,
    )


def generated(
    name: str, mechanism: Mechanism, backend: Backend, precision: Precision
) -> Computation:
    """Return the array code that is generated from the derived formula, as a computation of it.

    Its ``d ** 0.5`` is C's power function, within a unit in the last place: the rule for a quotient
    allows one rounding more than a division makes, and so covers it.
    """
    return Computation(
        name,
        mechanism,
        f"generated, {backend}",
        precision,
        backend,
        EXP_ULP[backend, precision.name],
        partial(_generated_stages, mechanism, _LIBRARIES[backend]),
    )


def as_shown(name: str, mechanism: Mechanism) -> Computation:
    """Return the numbers that pages and the terminal show of a self-attention ``mechanism``.

    Where they are fractions, each is rounded once to 50 digits. ``stages`` raises ``InputError``
    for a sentence of which no numbers are shown.
    """
    precision = decimal_digits(DIGITS)
    return Computation(
        name,
        mechanism,
        "as shown",
        precision,
        None,
        EXP_ULP["mpmath", precision.name],
        partial(_worked_stages, mechanism),
    )


_LIBRARIES: dict[str, ModuleType] = {"numpy": numpy, "torch": torch}


def _generated_stages(mechanism: Mechanism, library: ModuleType, given: Arrays) -> Arrays:
    arrays = function(mechanism, library)(**{str(base): given[base] for base in given})
    return {stage.array: arrays[str(stage.array)] for stage in mechanism.stages}


def _worked_stages(mechanism: Mechanism, example: Example) -> Arrays:
    if mechanism.inputs == (x,):
        worked = work_out(example, mechanism)
    else:
        worked = work_out_composed(example, example.composition())
    convert = numpy.vectorize(_rounded, otypes=[object])
    return {stage.array: convert(worked[stage.array]) for stage in mechanism.stages}


def _rounded(entry: Any) -> Any:
    if not isinstance(entry, Fraction):
        return entry
    nearest = decimal_digits(DIGITS).round(entry)
    return mpmath.mpf(nearest.numerator) / nearest.denominator


def _compiled_stages(formula: Mechanism, backend: Backend, given: Arrays) -> Arrays:
    return compiled(formula, input_shapes(given), backend)(given)
