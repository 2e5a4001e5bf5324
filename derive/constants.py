"""What exact number a floating-point constant of a program stands for.

A program holds 0.7071067811865475 where its formula has 1/sqrt(2). Over the reals the two
differ, so a constant is read as the simple number that it is the rounding of, and the reading is
recorded: a claim lists it as an assumption. A constant that is no such rounding keeps its exact
binary value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

FEW_BITS = 12
"""A binary fraction with so few bits after the point is meant as it stands: 0.5, 0.125."""

LARGEST_TERM = 10_000
"""How large numerator and denominator of a recognised root may be.

About 10^8 fractions lie in each binade, each with five floats around it, of 2^52 in all: a float
drawn at random is taken for a root with probability below 1e-6.
"""

SHORT_DECIMAL = 7
"""Significant digits up to which a literal is read as the decimal that was written."""

ROUNDINGS = 2
"""By how many units in the last place a computed root may be off, as sqrt(scale) can be."""


@dataclass(frozen=True)
class ExactNumber:
    """coefficient * radicand^(1/degree) * (ln 2)^logarithms, with radicand > 0.

    ``read_from`` is the float that was recognised; empty where the value is exactly the float's.
    """

    coefficient: Fraction
    radicand: Fraction = Fraction(1)
    degree: int = 1
    logarithms: int = 0
    read_from: str = ""

    @classmethod
    def of(cls, value: Fraction | int) -> ExactNumber:
        """Return a rational number, exactly."""
        return cls(Fraction(value))

    def __str__(self) -> str:
        root = {1: "", 2: f"sqrt({self.radicand})", 4: f"({self.radicand})^(1/4)"}[self.degree]
        logarithm = {0: "", 1: "ln(2)", -1: "1/ln(2)"}[self.logarithms]
        coefficient = "" if self.coefficient == 1 and (root or logarithm) else self.coefficient
        if self.coefficient == -1 and (root or logarithm):
            coefficient = "-"
        return " ".join(str(part) for part in (coefficient, root, logarithm) if part != "")


@lru_cache(maxsize=65536)
def recognised(value: float) -> ExactNumber:
    """Return the exact number that a finite double stands for."""
    exact = Fraction(value)
    if exact.denominator <= 2**FEW_BITS:
        return ExactNumber(exact)
    sign = -1 if value < 0 else 1
    shown = repr(value)
    written = f"{value:.{SHORT_DECIMAL - 1}e}"
    if float(written) == value:
        return ExactNumber(Fraction(written), read_from=shown)
    for logarithms in (0, 1, -1):
        found = _root(abs(value), logarithms)
        if found is not None:
            radicand, degree = found
            coefficient = Fraction(sign)
            if degree == 1:
                coefficient, radicand = sign * radicand, Fraction(1)
            return ExactNumber(coefficient, radicand, degree, logarithms, shown)
    return ExactNumber(exact)


def _root(value: float, logarithms: int) -> tuple[Fraction, int] | None:
    """Find value = radicand^(1/degree) * ln(2)^logarithms up to a few roundings."""
    scaled = value / math.log(2) ** logarithms
    # Multiplying by ln 2 rounds once more on their side and once on ours.
    spacing = Fraction(math.ulp(scaled)) * (ROUNDINGS + 2 * abs(logarithms))
    limit = LARGEST_TERM // (100 if logarithms else 1)
    low, high = Fraction(scaled) - spacing, Fraction(scaled) + spacing
    for degree in (1, 2, 4):
        simple = (Fraction(scaled) ** degree).limit_denominator(limit)
        if degree > 1 and all(_is_square(n) for n in (simple.numerator, simple.denominator)):
            continue
        if degree == 1 and not logarithms and float(simple) != value:
            # A quotient is rounded once: 1.0000000000000002 is another number than 1.
            continue
        if 0 < simple.numerator <= limit and low**degree <= simple <= high**degree:
            return simple, degree
    return None


def _is_square(number: int) -> bool:
    return math.isqrt(number) ** 2 == number
