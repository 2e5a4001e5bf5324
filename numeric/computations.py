"""What is compared: each way to compute a mechanism, and the formula it must agree with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from derive.attention import MECHANISMS
from derive.formula import Mechanism
from derive.written_out import MOST_TOKENS as MOST_WRITTEN_OUT
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
    ``precision``, as numpy arrays, torch tensors or arrays of mpmath numbers, as ``backend`` says.
    Beyond ``most_tokens`` it is not asked.
    """

    name: str
    mechanism: Mechanism
    implementation: str
    precision: Precision
    backend: Backend
    exp_ulp: int
    stages: Callable[[Arrays], Arrays]
    most_tokens: int | None = None


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
            yield lambdified(name, mechanism, "torch", precision)
            for implementation, formula, stages in TORCH_CODE.get(name, ()):
                exp_ulp = EXP_ULP["torch", precision.name]
                yield Computation(
                    name, formula, implementation, precision, "torch", exp_ulp, stages
                )
        yield lambdified(name, mechanism, "mpmath", decimal_digits(DIGITS))


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
        MOST_WRITTEN_OUT,
    )


def _compiled_stages(formula: Mechanism, backend: Backend, given: Arrays) -> Arrays:
    return compiled(formula, input_shapes(given), backend)(given)


