"""Floating point as the proof models it, in formats of a few bits, where every rounding shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random


@dataclass(frozen=True)
class Format:
    """``bits`` significant bits, rounding to nearest; multiples of 2^least near zero."""

    bits: int
    least: int

    @property
    def unit(self) -> Fraction:
        """The unit roundoff."""
        return Fraction(1, 2**self.bits)

    @property
    def smallest(self) -> Fraction:
        """The smallest positive number."""
        return Fraction(2) ** self.least

    def round(self, exact: Fraction) -> Fraction:
        """Return the nearest number, ties to even."""
        if exact == 0:
            return exact
        exponent = abs(exact.numerator).bit_length() - exact.denominator.bit_length()
        if Fraction(2) ** exponent > abs(exact):
            exponent -= 1
        step = Fraction(2) ** max(exponent - self.bits + 1, self.least)
        return round(exact / step) * step

    def number(self, random: Random, exponents: tuple[int, int] = (-3, 3)) -> Fraction:
        """Draw a number of the format, of either sign."""
        size = random.randint(2 ** (self.bits - 1), 2**self.bits - 1)
        drawn = Fraction(size) * Fraction(2) ** (random.randint(*exponents) - self.bits)
        return random.choice((-1, 1)) * self.round(drawn)

    def total(self, numbers: Sequence[Fraction], random: Random) -> Fraction:
        """Add numbers up in an order drawn at random, each sum rounded."""
        left = list(numbers)
        while len(left) > 1:
            one = left.pop(random.randrange(len(left)))
            other = left.pop(random.randrange(len(left)))
            left.append(self.round(one + other))
        return left[0]


TINY = Format(4, -40)
"""Four bits, and no number near underflow."""

SHALLOW = Format(4, -4)
"""Four bits, and underflow within sight."""
