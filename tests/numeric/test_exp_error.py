"""The errors of exp that the bounds take on trust, measured on this machine."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy
import pytest
import torch
from flint import arb

from numeric.balls import computed, ulp, working_bits
from numeric.computing import DIGITS, EXP_ULP
from numeric.precision import FLOAT32, FLOAT64, decimal_digits

Function = Callable[[Any], Any]

ELEMENTWISE: dict[str, Function] = {
    "numpy": numpy.exp,
    "torch": lambda exponents: torch.exp(torch.from_numpy(exponents)).numpy(),
}


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_float32_exp(library: str) -> None:
    random = numpy.random.default_rng(0)
    exponents = numpy.concatenate(
        [random.uniform(low, high, 400_000) for low, high in [(-103, 88.7), (-1, 1), (-20, 20)]]
    ).astype("float32")
    error = _units_off(ELEMENTWISE[library](exponents), exponents)
    assert error.max() <= EXP_ULP[library, "float32"]  # type: ignore[index]


@pytest.mark.parametrize("size", [1, 3, 8, 16, 37])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_float32_exp_of_short_arrays(library: str, size: int) -> None:
    # Vectorised kernels treat what does not fill a register by another path.
    random = numpy.random.default_rng(size)
    for _ in range(300):
        exponents = random.uniform(-30, 30, size).astype("float32")
        error = _units_off(ELEMENTWISE[library](exponents), exponents)
        assert error.max() <= EXP_ULP[library, "float32"]  # type: ignore[index]


@pytest.mark.parametrize("width", [2, 8, 16, 37, 200])
def test_float32_exp_inside_torch_softmax(width: int) -> None:
    # Beside one score of 0, all others are so low that the denominator is 1 in float32.
    random = numpy.random.default_rng(width)
    exponents = random.uniform(-87, -18, 20_000).astype("float32")
    scores = torch.full((20_000, width), -1e4)
    scores[:, 0] = 0
    scores[:, 1] = torch.from_numpy(exponents)
    weights = torch.softmax(scores, dim=-1)[:, 1].numpy()
    assert _units_off(weights, exponents).max() <= EXP_ULP["torch", "float32"]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_float64_exp(library: str) -> None:
    random = numpy.random.default_rng(1)
    exponents = numpy.concatenate(
        [random.uniform(low, high, 4_000) for low, high in [(-745, 709), (-1, 1), (-20, 20)]]
    )
    found = ELEMENTWISE[library](exponents)
    with working_bits(FLOAT64):
        worst = max(
            abs(computed(value) - arb(float(exponent)).exp())
            / ulp(arb(float(exponent)).exp(), FLOAT64)
            for value, exponent in zip(found, exponents, strict=True)
        )
    assert worst <= EXP_ULP[library, "float64"]  # type: ignore[index]


def test_mpmath_exp() -> None:
    precision = decimal_digits(DIGITS)
    random = numpy.random.default_rng(2)
    with mpmath.workdps(DIGITS), working_bits(precision):
        for exponent in random.uniform(-50, 50, 3_000):
            exact = arb(float(exponent)).exp()
            error = abs(computed(mpmath.exp(mpmath.mpf(float(exponent)))) - exact)
            assert error <= EXP_ULP["mpmath", precision.name] * ulp(exact, precision)


def _units_off(found: Any, exponents: Any) -> Any:
    """Return errors in float32's units in the last place; float64's exp is exact beside them."""
    exact = numpy.exp(exponents.astype("float64"))
    unit = 2.0 ** numpy.maximum(numpy.floor(numpy.log2(exact)) - FLOAT32.bits + 1, -149)
    # A result below the normal range may be flushed to zero.
    return numpy.where(
        exact < float(FLOAT32.smallest_normal), 0, abs(found.astype("float64") - exact) / unit
    )
