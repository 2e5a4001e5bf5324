"""Numbers of a formula, such as 1/sqrt(d), as exact constants once the sizes are known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sympy import Expr, Integer, Symbol

from derive.constants import ExactNumber


def exact_value(expression: Expr, size: Callable[[Symbol], int | None]) -> ExactNumber | None:
    """Return the value of an expression in sizes alone; None where it is no such number.

    Roots come as a sign and the root of a fraction, as constants of programs are read:
    -1/(2 sqrt 3) is minus the square root of 1/12.
    """
    numbers = {}
    for symbol in expression.free_symbols:
        length = size(symbol) if isinstance(symbol, Symbol) else None
        if length is None:
            return None
        numbers[symbol] = Integer(length)
    value = expression.xreplace(numbers)
    if value.is_Rational:
        return ExactNumber.of(Fraction(int(value.p), int(value.q)))
    if not (value.is_Pow or value.is_Mul) or not value.is_real:
        return None
    for degree in (2, 4):
        power = value**degree
        if power.is_Rational:
            sign = Fraction(-1 if value.is_negative else 1)
            return ExactNumber(sign, Fraction(int(power.p), int(power.q)), degree)
    return None
