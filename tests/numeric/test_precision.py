from fractions import Fraction

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numeric.precision import FLOAT32, FLOAT64, Precision, decimal_digits

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_rounding_to_float32_is_numpys(value: float) -> None:
    with numpy.errstate(over="ignore"):
        expected = numpy.float32(value)
    if numpy.isinf(expected):
        with pytest.raises(OverflowError, match="beyond the range of float32"):
            FLOAT32.round(Fraction(value))
    else:
        assert FLOAT32.round(Fraction(value)) == Fraction(float(expected))


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**12))
def test_rounding_to_float64_is_pythons(value: Fraction) -> None:
    assert FLOAT64.round(value) == Fraction(float(value))


def test_decimals_are_rounded_once() -> None:
    # Just above the midpoint of two float32 numbers, by less than a float64 can tell.
    value = 1 + Fraction(1, 2**24) + Fraction(1, 2**60)
    assert FLOAT32.round(value) == 1 + Fraction(1, 2**23)
    assert numpy.float32(float(value)) == 1


@pytest.mark.parametrize(("precision", "kind"), [(FLOAT32, "float32"), (FLOAT64, "float64")])
def test_the_limits_are_numpys(precision: Precision, kind: str) -> None:
    limits = numpy.finfo(kind)
    assert precision.smallest_normal == Fraction(float(limits.smallest_normal))
    assert precision.smallest_subnormal == Fraction(float(limits.smallest_subnormal))
    assert precision.largest == Fraction(float(limits.max))
    assert 2 * precision.unit_roundoff == Fraction(float(limits.eps))


@pytest.mark.parametrize(("precision", "kind"), [(FLOAT32, "float32"), (FLOAT64, "float64")])
@pytest.mark.parametrize("magnitude", [-1040, -140, -126, -3, 0, 1, 100])
def test_units_in_the_last_place_are_numpys(
    precision: Precision, kind: str, magnitude: int
) -> None:
    spacing = numpy.spacing(numpy.asarray(2.0**magnitude, dtype=kind))
    assert 2.0 ** precision.ulp_exponent(magnitude) == float(spacing)


def test_decimal_digits_have_no_limits() -> None:
    precision = decimal_digits(50)
    assert precision.bits > 50 * 3.32
    assert precision.smallest_subnormal == 0
    assert precision.largest is None
    assert precision.round(Fraction(10) ** 5000) > 0
