"""Scalars are exact fractions: reading a formula without exp over them is exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from sympy import Rational


class NotRational(ArithmeticError):
    """A formula whose value is no fraction: it holds exp or a square root."""


class Fractions:
    """Python's fractions. Whether a sum is zero is decided here, not guessed from its size."""

    def number(self, value: Rational | Fraction) -> Fraction:
        return value if isinstance(value, Fraction) else Fraction(int(value.p), int(value.q))

    def add(self, terms: Sequence[Fraction]) -> Fraction:
        return sum(terms, Fraction(0))

    def multiply(self, factors: Sequence[Fraction]) -> Fraction:
        return prod(factors, start=Fraction(1))

    def divide(self, numerator: Fraction, denominator: Fraction) -> Fraction:
        return numerator / denominator

    def exp(self, exponent: Fraction) -> Fraction:
        raise NotRational(f"exp({exponent}) is no fraction")

    def sqrt(self, radicand: Fraction) -> Fraction:
        raise NotRational(f"the square root of {radicand} may be no fraction")

    def largest(self, values: Sequence[Fraction]) -> Fraction:
        return max(values)
