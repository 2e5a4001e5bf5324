"""Scalars are Arb balls: reading a formula over them encloses its exact value, with certainty.

A ball is a midpoint and a radius; every operation of Arb returns a ball that holds the exact
result for all numbers in its operands. So the exact inputs, as quotients of integers, go in, and
what comes out is proved to contain the exact value of each entry, whatever the working precision:
more bits make a ball smaller, never more right.

Source: Johansson 2017, doi 10.1109/TC.2017.2690633; python-flint.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq
from sympy import Rational

from numeric.precision import Precision

Ball = Any
"""A ``flint.arb``; python-flint has no type annotations."""


class Balls:
    """Arb's arithmetic, at the working precision of the moment."""

    def number(self, value: Rational | Fraction) -> Ball:
        return ball(value)

    def add(self, terms: Sequence[Ball]) -> Ball:
        result = terms[0]
        for term in terms[1:]:
            result = result + term
        return result

    def multiply(self, factors: Sequence[Ball]) -> Ball:
        result = factors[0]
        for factor in factors[1:]:
            result = result * factor
        return result

    def divide(self, numerator: Ball, denominator: Ball) -> Ball:
        if denominator == 0:
            raise ZeroDivisionError("a denominator is exactly zero")
        return numerator / denominator

    def exp(self, exponent: Ball) -> Ball:
        return exponent.exp()

    def tanh(self, argument: Ball) -> Ball:
        return argument.tanh()

    def cos(self, angle: Ball) -> Ball:
        return angle.cos()

    def sin(self, angle: Ball) -> Ball:
        return angle.sin()

    def sqrt(self, radicand: Ball) -> Ball:
        return radicand.sqrt()

    def largest(self, values: Sequence[Ball]) -> Ball:
        result = values[0]
        for value in values[1:]:
            result = result.max(value)
        return result


def working_bits(precision: Precision) -> AbstractContextManager[Any]:
    """Carry enough bits to judge ``precision``: twice its own, and 128 for cancellation."""
    manager: AbstractContextManager[Any] = ctx.workprec(2 * precision.bits + 128)
    return manager


def ball(value: Rational | Fraction | int) -> Ball:
    """Enclose an exact rational number."""
    if isinstance(value, Rational):
        return arb(fmpq(int(value.p), int(value.q)))
    return arb(fmpq(value.numerator, value.denominator))


def computed(value: Any) -> Ball:
    """Return the number that a program computed, exactly: numpy, torch, mpmath or Python.

    An infinity or NaN becomes a ball that is not finite.
    """
    return arb(value) if hasattr(value, "_mpf_") else arb(float(value))


def ulp(exact: Ball, precision: Precision) -> Ball:
    """Return one unit in the last place of ``exact``.

    Where the ball lies across a power of two it is the larger neighbour's unit, and for a ball
    that holds zero the unit of its largest magnitude.
    """
    mantissa, exponent = exact.abs_upper().man_exp()
    if mantissa == 0:
        return ball(precision.smallest_subnormal)
    magnitude = int(exponent) + int(mantissa).bit_length() - 1
    return arb((1, precision.ulp_exponent(magnitude)))
