"""Products of exact constants, and how a factor is written: q kᵀ / sqrt(2), not 0.707 q kᵀ."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from derive.constants import ExactNumber

ONE = ExactNumber.of(1)


def product(left: ExactNumber, right: ExactNumber) -> ExactNumber:
    """Return left times right, its root as simple as it can be."""
    fourth = left.radicand ** (4 // left.degree) * right.radicand ** (4 // right.degree)
    radicand, degree, outside = _simplest(fourth)
    return ExactNumber(
        left.coefficient * right.coefficient * outside,
        radicand,
        degree,
        left.logarithms + right.logarithms,
        left.read_from or right.read_from,
    )


def inverse(number: ExactNumber) -> ExactNumber:
    """Return one over a number that is not zero."""
    return ExactNumber(
        1 / number.coefficient,
        1 / number.radicand,
        number.degree,
        -number.logarithms,
        number.read_from,
    )


def is_one(number: ExactNumber) -> bool:
    """Tell whether a number is 1."""
    return number.coefficient == 1 and number.radicand == 1 and not number.logarithms


def negated(number: ExactNumber) -> ExactNumber:
    """Return minus a number."""
    return product(number, ExactNumber.of(-1))


def _simplest(fourth: Fraction) -> tuple[Fraction, int, Fraction]:
    """Return radicand, degree and rational factor of fourth^(1/4)."""
    half = _root(fourth)
    if half is None:
        return fourth, 4, Fraction(1)
    whole = _root(half)
    return (half, 2, Fraction(1)) if whole is None else (Fraction(1), 1, whole)


def _root(value: Fraction) -> Fraction | None:
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    exact = top * top == value.numerator and bottom * bottom == value.denominator
    return Fraction(top, bottom) if exact else None


def above_and_below(number: ExactNumber) -> tuple[ExactNumber, ExactNumber]:
    """Split the size of a factor into what is multiplied with and what is divided by."""
    size = abs(number.coefficient)
    above, below = Fraction(size.numerator), Fraction(size.denominator)
    root_above, root_below = Fraction(1), Fraction(1)
    if number.degree > 1:
        if number.radicand.numerator == 1:
            root_below = 1 / number.radicand
        else:
            root_above = number.radicand
    return (
        ExactNumber(
            above, root_above, number.degree if root_above != 1 else 1, max(number.logarithms, 0)
        ),
        ExactNumber(
            below, root_below, number.degree if root_below != 1 else 1, max(-number.logarithms, 0)
        ),
    )
