"""Scalars are SymPy expressions: reading a formula over them writes its entries out."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Add, Expr, Max, Mul, Rational, cos, exp, sin, sqrt, tanh


class Symbolic:
    """SymPy's own arithmetic, with its automatic simplification (x * x becomes x**2)."""

    def number(self, value: Rational) -> Expr:
        return value

    def add(self, terms: Sequence[Expr]) -> Expr:
        return Add(*terms)

    def multiply(self, factors: Sequence[Expr]) -> Expr:
        return Mul(*factors)

    def divide(self, numerator: Expr, denominator: Expr) -> Expr:
        if denominator.is_zero:
            raise ZeroDivisionError(f"{numerator} is divided by {denominator}")
        return numerator / denominator

    def exp(self, exponent: Expr) -> Expr:
        return exp(exponent)

    def tanh(self, argument: Expr) -> Expr:
        return tanh(argument)

    def cos(self, angle: Expr) -> Expr:
        return cos(angle)

    def sin(self, angle: Expr) -> Expr:
        return sin(angle)

    def sqrt(self, radicand: Expr) -> Expr:
        return sqrt(radicand)

    def largest(self, values: Sequence[Expr]) -> Expr:
        return Max(*values)
