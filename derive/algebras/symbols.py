"""Scalars are SymPy expressions in named entries: what a program computes, written out.

Exponentials get names of their own, so that SymPy neither merges the exponents of a product nor
writes a long one many times; ``exponentials`` says what they are.
"""

from __future__ import annotations

from typing import Any

from sympy import (
    Abs,
    Add,
    Expr,
    Function,
    Integer,
    Max,
    Min,
    Mul,
    Pow,
    Rational,
    Symbol,
    cos,
    erf,
    exp,
    log,
    sign,
    sin,
    sqrt,
    tanh,
)

from derive.constants import ExactNumber

FUNCTIONS: dict[str, Any] = {
    "abs": Abs,
    "cos": cos,
    "erf": erf,
    "max": Max,
    "min": Min,
    "sigmoid": Function("sigmoid"),
    "sign": sign,
    "sin": sin,
    "tanh": tanh,
}
"""The functions that have a name."""

LESS, EQUAL = Function("less"), Function("equal")
"""1 where the first is less than, or equal to, the second; else 0."""


def entry_symbol(name: str, place: tuple[int, ...]) -> Symbol:
    """Return the symbol of one element, positions counted from 1: q_{1,2}."""
    if not place:
        return Symbol(name)
    return Symbol(f"{name}_{{{','.join(str(index + 1) for index in place)}}}")


class SymbolScalars:
    """SymPy's arithmetic, with a name for each different exponential."""

    decides_order = False

    def __init__(self) -> None:
        self._named: dict[Expr, Symbol] = {}

    def exponentials(self) -> list[tuple[Symbol, Expr]]:
        """Return the name and the value of each exponential, in order of appearance."""
        return [(name, exp(operand)) for operand, name in self._named.items()]

    def needed(self, expression: Expr) -> set[Symbol]:
        """Return the named exponentials that an expression is made of, through all of them."""
        operands = {name: operand for operand, name in self._named.items()}
        found: set[Symbol] = set()
        waiting = [expression]
        while waiting:
            new = (waiting.pop().free_symbols & operands.keys()) - found
            found |= new
            waiting += [operands[name] for name in new]
        return found

    def constant(self, number: ExactNumber) -> Expr:
        def rational(value: Any) -> Expr:
            return Rational(value.numerator, value.denominator)

        root = Pow(rational(number.radicand), Rational(1, number.degree))
        return rational(number.coefficient) * root * log(Integer(2)) ** number.logarithms

    def add(self, *terms: Expr) -> Expr:
        return Add(*terms)

    def multiply(self, *factors: Expr) -> Expr:
        return Mul(*factors)

    def negate(self, operand: Expr) -> Expr:
        return -operand

    def inverse(self, operand: Expr) -> Expr:
        if operand.is_zero:
            raise ZeroDivisionError("a denominator is zero")
        return 1 / operand

    def exponential(self, operand: Expr) -> Expr:
        if operand.is_zero:
            return Integer(1)
        if operand not in self._named:
            self._named[operand] = Symbol(f"e_{{{len(self._named) + 1}}}", positive=True)
        return self._named[operand]

    def logarithm(self, operand: Expr) -> Expr:
        return log(operand)

    def square_root(self, operand: Expr) -> Expr:
        return sqrt(operand)

    def apply(self, function: str, *operands: Expr) -> Expr:
        return FUNCTIONS[function](*operands)

    def less(self, left: Expr, right: Expr, *, or_equal: bool) -> Expr:
        return 1 - LESS(right, left) if or_equal else LESS(left, right)

    def equal(self, left: Expr, right: Expr) -> Expr:
        return EQUAL(left, right)
