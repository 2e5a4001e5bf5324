"""Scalars are mpmath numbers of many digits: reading a formula over them gives its value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Any

from mpmath.ctx_mp import MPContext
from sympy import Rational

DIGITS = 50
"""Decimal digits carried by default: enough that a float64 printed from them is the nearest one."""

LARGEST_EXPONENT = 10**15
"""Beyond it e^u raises ``OverflowError``: even the number of its digits is too long to write."""


class Decimal:
    """mpmath's arithmetic at ``digits`` decimal digits, in a context of its own."""

    def __init__(self, digits: int = DIGITS) -> None:
        self.context = MPContext()
        self.context.dps = digits

    def number(self, value: Rational) -> Any:
        return self.context.mpf(value.p) / self.context.mpf(value.q)

    def add(self, terms: Sequence[Any]) -> Any:
        return self.context.fsum(terms)

    def multiply(self, factors: Sequence[Any]) -> Any:
        return reduce(mul, factors)

    def divide(self, numerator: Any, denominator: Any) -> Any:
        return numerator / denominator

    def exp(self, exponent: Any) -> Any:
        if abs(exponent) > LARGEST_EXPONENT:
            raise OverflowError(f"e to the power {self.context.nstr(exponent, 5)}")
        return self.context.exp(exponent)

    def tanh(self, argument: Any) -> Any:
        return self.context.tanh(argument)

    def cos(self, angle: Any) -> Any:
        return self.context.cos(angle)

    def sin(self, angle: Any) -> Any:
        return self.context.sin(angle)

    def sqrt(self, radicand: Any) -> Any:
        return self.context.sqrt(radicand)

    def largest(self, values: Sequence[Any]) -> Any:
        return max(values)
