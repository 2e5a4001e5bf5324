"""Scalars are intervals that surely hold the exact value: two that do not meet surely differ."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add, mul
from typing import Any

from mpmath.ctx_iv import MPIntervalContext
from sympy import Rational


class Interval:
    """mpmath's outward-rounded interval arithmetic at ``digits`` decimal digits."""

    def __init__(self, digits: int = 30) -> None:
        self.context = MPIntervalContext()
        self.context.dps = digits

    def number(self, value: Rational) -> Any:
        return self.context.mpf(int(value.p)) / self.context.mpf(int(value.q))

    def add(self, terms: Sequence[Any]) -> Any:
        return reduce(add, terms)

    def multiply(self, factors: Sequence[Any]) -> Any:
        return reduce(mul, factors)

    def divide(self, numerator: Any, denominator: Any) -> Any:
        if 0 in denominator:
            raise ZeroDivisionError(f"the denominator {denominator} may be zero")
        return numerator / denominator

    def exp(self, exponent: Any) -> Any:
        return self.context.exp(exponent)

    def tanh(self, argument: Any) -> Any:
        """1 - 2 / (e^(2 u) + 1), in which the argument stands once: no width is added."""
        return 1 - 2 / (self.context.exp(2 * argument) + 1)

    def cos(self, angle: Any) -> Any:
        return self.context.cos(angle)

    def sin(self, angle: Any) -> Any:
        return self.context.sin(angle)

    def sqrt(self, radicand: Any) -> Any:
        return self.context.sqrt(radicand)

    def largest(self, values: Sequence[Any]) -> Any:
        low, high = max(v.a for v in values), max(v.b for v in values)
        return self.context.mpf([low, high])
