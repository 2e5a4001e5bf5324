"""Which floats are read as roots and decimals, and which keep their binary value."""

import math
from fractions import Fraction

import numpy
import pytest

from derive.constants import ExactNumber, recognised


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "1/2"),
        (0.7071067811865475, "sqrt(1/2)"),
        (0.7071067811865476, "sqrt(1/2)"),
        (0.8408964152537145, "(1/2)^(1/4)"),
        (-0.5773502691896258, "- sqrt(1/3)"),
        (1 / 3, "1/3"),
        (0.1, "1/10"),
        (1e-9, "1/1000000000"),
        (1.4426950408889634, "1/ln(2)"),
        (0.6931471805599453, "ln(2)"),
        (1 / math.sqrt(80), "sqrt(1/80)"),
        (-1e9, "-1000000000"),
    ],
)
def test_a_constant_is_read_as_what_it_stands_for(value, text):
    assert str(recognised(value)) == text


@pytest.mark.parametrize(
    "value",
    [0.70710678, 0.7071067811865, math.cos(1), 0.1 + 1e-13, math.pi, 1 + 2**-52, 1 / 3 + 2**-54],
)
def test_a_constant_that_stands_for_nothing_keeps_its_value(value):
    found = recognised(value)
    assert found == ExactNumber(Fraction(value))
    assert not found.read_from


def test_random_floats_are_not_taken_for_roots():
    numbers = numpy.random.default_rng(0).normal(size=5000)
    assert not any(recognised(float(number)).read_from for number in numbers)


@pytest.mark.parametrize("value", [0.7071067811865475, 0.1, 1 / 7, 1.4426950408889634, 2**0.25])
def test_what_is_read_is_the_float_to_a_few_roundings(value):
    found = recognised(value)
    exact = (
        float(found.coefficient)
        * float(found.radicand) ** (1 / found.degree)
        * math.log(2) ** found.logarithms
    )
    assert abs(exact - value) <= 4 * math.ulp(value)
