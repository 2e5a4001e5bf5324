"""Floating-point formats: how finely each one rounds, and where its range ends."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from mpmath.libmp import dps_to_prec


@dataclass(frozen=True)
class Precision:
    """A binary format with ``bits`` significant bits, rounding to nearest.

    ``least`` is the exponent of the smallest positive (subnormal) number 2**least, and every number
    of magnitude 2**greatest or more overflows; ``None`` where the exponent has no limit.
    """

    name: str
    bits: int
    least: int | None = None
    greatest: int | None = None

    @property
    def unit_roundoff(self) -> Fraction:
        """Rounding changes x by at most u |x| in the normal range: u = 2**-bits."""
        return Fraction(1, 2**self.bits)

    @property
    def smallest_subnormal(self) -> Fraction:
        """The distance between neighbours nearest to zero; 0 where the exponent has no limit."""
        return Fraction(0) if self.least is None else _power_of_two(self.least)

    @property
    def smallest_normal(self) -> Fraction:
        """The smallest positive number that has all its significant bits."""
        return self.smallest_subnormal * (1 << self.bits - 1)

    @property
    def largest(self) -> Fraction | None:
        """The largest finite number, or ``None`` where there is none."""
        if self.greatest is None:
            return None
        return (1 - self.unit_roundoff) * _power_of_two(self.greatest)

    def ulp_exponent(self, magnitude: int) -> int:
        """Return e such that 2**e is one unit in the last place of numbers from 2**magnitude on.

        A unit in the last place is the distance from a number to its next neighbour.
        """
        exponent = magnitude - self.bits + 1
        return exponent if self.least is None else max(exponent, self.least)

    def round(self, value: Fraction) -> Fraction:
        """Return the number of this format nearest to ``value``, ties to even.

        Raises ``OverflowError`` where that would be infinite. Rounding once matters: decimal to
        float64 to float32 rounds twice, and can miss the nearest float32.
        """
        if value == 0:
            return value
        magnitude = abs(value.numerator).bit_length() - value.denominator.bit_length()
        if _power_of_two(magnitude) > abs(value):
            magnitude -= 1
        step = _power_of_two(self.ulp_exponent(magnitude))
        rounded = round(value / step) * step
        if self.largest is not None and abs(rounded) > self.largest:
            raise OverflowError(f"{float(value):.3g} is beyond the range of {self.name}")
        return rounded


FLOAT16 = Precision("float16", 11, -24, 16)
BFLOAT16 = Precision("bfloat16", 8, -133, 128)
TFLOAT32 = Precision("tfloat32", 11, -136, 128)
"""What tensor cores keep of a float32 when TF32 is allowed."""
FLOAT32 = Precision("float32", 24, -149, 128)
FLOAT64 = Precision("float64", 53, -1074, 1024)

PRECISIONS = {p.name: p for p in (FLOAT16, BFLOAT16, TFLOAT32, FLOAT32, FLOAT64)}
"""Binary formats by the name that torch gives them."""


def _power_of_two(exponent: int) -> Fraction:
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def decimal_digits(digits: int) -> Precision:
    """Return mpmath's format with ``digits`` decimal digits."""
    return Precision(f"{digits} digits", dps_to_prec(digits))
