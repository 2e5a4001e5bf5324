import math
from fractions import Fraction

import mpmath
import numpy
import pytest
import torch
from flint import arb

from derive.attention import MECHANISMS, SOFTMAX
from derive.elements import Elements
from derive.examples import load
from derive.formula import a, x
from derive.worked import work_out
from numeric.balls import Balls, ball, computed, ulp, working_bits
from numeric.precision import FLOAT32, FLOAT64, decimal_digits


@pytest.mark.parametrize("name", ["raw", "sum", "softmax", "shifted", "scaled"])
@pytest.mark.parametrize("sentence", ["jim-john", "journey"])
def test_balls_hold_the_value_worked_to_50_digits(sentence: str, name: str) -> None:
    example, mechanism = load(sentence), MECHANISMS[name]
    with working_bits(FLOAT64):
        balls = Elements(Balls(), {x: example.array(ball)}).run(mechanism.stages)
        for base, values in work_out(example, mechanism).arrays.items():
            for enclosed, value in zip(balls[base].ravel(), values.ravel(), strict=True):
                if isinstance(value, Fraction):
                    assert enclosed.contains(ball(value))
                else:
                    assert abs(enclosed - computed(value)) < arb(10) ** -48


def test_more_bits_make_a_smaller_ball() -> None:
    example = load("journey")
    radii = []
    for precision in (FLOAT32, FLOAT64, decimal_digits(50)):
        with working_bits(precision):
            entries = Elements(Balls(), {x: example.array(ball)}).run(SOFTMAX.stages)[a]
            radii.append(float(entries[1, 1].rad()))
    assert radii[0] > radii[1] > radii[2] > 0


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        numpy.float32(0.1),
        numpy.float64(5e-324),
        torch.tensor(0.1),
        torch.tensor(0.1, dtype=torch.float64),
    ],
)
def test_computed_numbers_are_taken_exactly(value: object) -> None:
    exact = computed(value)
    assert exact.is_exact()
    assert Fraction(float(value)) == _fraction(exact)  # type: ignore[arg-type]


def test_mpmath_numbers_are_taken_exactly() -> None:
    with mpmath.workdps(50), working_bits(decimal_digits(50)):
        third = mpmath.mpf(1) / 3
        exact = computed(third)
        assert exact.is_exact()
        assert float(abs(exact - ball(Fraction(1, 3)))) < 1e-50


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_stays_so(value: float) -> None:
    assert not computed(value).is_finite()


def test_a_denominator_that_is_exactly_zero_is_refused() -> None:
    with pytest.raises(ZeroDivisionError):
        Balls().divide(arb(1), arb(0))


@pytest.mark.parametrize("value", [1.0, 0.9999, 1.5, 2.0, 3e-45, 1e-40, 1e30, 0.1])
def test_ulp_is_numpys_spacing(value: float) -> None:
    rounded = numpy.float32(value)
    assert float(ulp(arb(float(rounded)), FLOAT32)) == float(numpy.spacing(rounded))


def test_ulp_of_zero_is_the_smallest_subnormal() -> None:
    assert float(ulp(arb(0), FLOAT32)) == 2.0**-149
    assert ulp(arb(0), decimal_digits(20)) == 0


def _fraction(exact: arb) -> Fraction:
    mantissa, exponent = exact.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
