"""Scalars for whole programs: Arb balls that decide order where it is certain."""

from __future__ import annotations

from typing import Any

from flint import arb, fmpq

from derive.arrays import Unsupported
from derive.constants import ExactNumber
from numeric.balls import Ball


class NotCertain(ArithmeticError):
    """Two balls overlap where a program asks which is larger; more bits, or other numbers."""


class BallScalars:
    """Arithmetic on enclosures at the working precision of the moment."""

    decides_order = True

    def constant(self, number: ExactNumber) -> Ball:
        value = _ball(number.coefficient)
        if number.degree > 1:
            value *= _ball(number.radicand).root(number.degree)
        if number.logarithms:
            value *= arb.const_log2() ** number.logarithms
        return value

    def add(self, *terms: Ball) -> Ball:
        total = arb(0)
        for term in terms:
            total += term
        return total

    def multiply(self, *factors: Ball) -> Ball:
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return product

    def negate(self, operand: Ball) -> Ball:
        return -operand

    def inverse(self, operand: Ball) -> Ball:
        if operand.contains(0):
            if operand == 0:
                raise ZeroDivisionError("a denominator is exactly zero")
            raise NotCertain("a denominator may be zero")
        return 1 / operand

    def exponential(self, operand: Ball) -> Ball:
        return operand.exp()

    def logarithm(self, operand: Ball) -> Ball:
        return operand.log()

    def square_root(self, operand: Ball) -> Ball:
        return operand.sqrt()

    def apply(self, function: str, *operands: Ball) -> Ball:
        if function == "max":
            return _largest(operands)
        if function == "sigmoid":
            return 1 / (1 + (-operands[0]).exp())
        if function == "abs":
            return abs(operands[0])
        if function == "sign":
            return operands[0].sgn()
        if function in ("tanh", "erf", "sin", "cos"):
            return getattr(operands[0], function)()
        raise Unsupported(function, "no certified enclosure of this function is known here")

    def less(self, left: Ball, right: Ball, *, or_equal: bool) -> bool:
        if left is right or (left.is_exact() and right.is_exact() and left == right):
            return or_equal
        if left.overlaps(right):
            raise NotCertain("two values are too close to tell which is larger")
        return bool(left < right)

    def equal(self, left: Ball, right: Ball) -> bool:
        if left is right or (left.is_exact() and right.is_exact() and left == right):
            return True
        if left.overlaps(right):
            raise NotCertain("two values are too close to tell whether they are equal")
        return False


def _ball(value: Any) -> Ball:
    return arb(fmpq(value.numerator, value.denominator))


def _largest(operands: tuple[Ball, ...]) -> Ball:
    """Return the operand itself where it is certainly the largest, so that it equals itself."""
    best = operands[0]
    for operand in operands[1:]:
        if best is operand:
            continue
        if not best.overlaps(operand):
            best = operand if operand > best else best
        elif not (best.is_exact() and operand.is_exact() and best == operand):
            return _hull(operands)
    return best


def _hull(operands: tuple[Ball, ...]) -> Ball:
    best = operands[0]
    for operand in operands[1:]:
        best = best.max(operand)
    return best
