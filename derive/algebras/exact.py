"""Scalars are fractions: the exact value of a formula that has no exponential and no root."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import NoReturn

from sympy import Rational


class NotRational(ArithmeticError):
    """The value is not a fraction; read the formula over another algebra."""


class Exact:
    """Rational arithmetic. Dividing by zero raises ``ZeroDivisionError``."""

    def number(self, value: Rational) -> Fraction:
        return Fraction(int(value.p), int(value.q))

    def add(self, terms: Sequence[Fraction]) -> Fraction:
        return sum(terms, Fraction(0))

    def multiply(self, factors: Sequence[Fraction]) -> Fraction:
        return prod(factors, start=Fraction(1))

    def divide(self, numerator: Fraction, denominator: Fraction) -> Fraction:
        return numerator / denominator

    def exp(self, exponent: Fraction) -> NoReturn:
        raise NotRational(f"exp({exponent})")

    def tanh(self, argument: Fraction) -> NoReturn:
        raise NotRational(f"tanh({argument})")

    def cos(self, angle: Fraction) -> NoReturn:
        raise NotRational(f"cos({angle})")

    def sin(self, angle: Fraction) -> NoReturn:
        raise NotRational(f"sin({angle})")

    def sqrt(self, radicand: Fraction) -> NoReturn:
        raise NotRational(f"sqrt({radicand})")

    def largest(self, values: Sequence[Fraction]) -> Fraction:
        return max(values)
