"""The lines of a worked sentence: each entry's name, formula in names and numbers, and value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_05UP, ROUND_HALF_EVEN
from decimal import Context as DecimalContext
from decimal import Decimal as Written
from fractions import Fraction
from functools import cached_property
from typing import Any

from mpmath import nstr
from sympy import IndexedBase

from derive.decimals import texts_of
from derive.formula import Stage, i
from derive.publish.notation import Notation
from derive.publish.writing import WrittenOut, name_of, names, phrases
from derive.worked import Worked
from derive.written_out import positions

DIGITS = 4
"""Decimals shown unless asked otherwise: as many as torch prints."""

FARTHEST = 10_000
"""The largest power of two whose number is written out to see whether a decimal is exactly it.

Only exponentials come farther, and no decimal is one; e to the -10^10 would fill gigabytes.
"""


@dataclass(frozen=True)
class Line:
    """One entry of a stage: ``name = in_names = in_numbers = value``; positions count from 1.

    ``put_in`` stands before the numbers and ``comes_to`` before the value: an equals sign where the
    numbers shown are exact, a sign of approximation where they are rounded.
    """

    position: tuple[int, ...]
    name: str
    in_names: str
    in_numbers: str
    value: str
    put_in: str
    comes_to: str

    def worked(self, value: str | None = None) -> str:
        """Return the numbers put in and what they come to; ``value`` may be set off by markup."""
        shown = self.value if value is None else value
        if self.in_numbers == self.value:
            return self.put_in + shown
        return self.put_in + self.in_numbers + self.comes_to + shown


class Lines:
    """Write the entries of a worked sentence in one notation, rounded to ``digits`` decimals."""

    def __init__(self, worked: Worked, symbols: Notation, numbers: Notation, digits: int = DIGITS):
        self.worked, self.digits = worked, digits
        self.symbols, self.numbers = symbols, numbers

    # Of a long sentence only numbers are shown, and nothing of this is needed.

    @cached_property
    def _given(self) -> dict[IndexedBase, Any]:
        """Every array as it is put into a line: as it was written, or rounded."""
        worked, numbers = self.worked, self.numbers
        bases = [*worked.mechanism.inputs, *(stage.array for stage in worked.mechanism.stages)]
        return {
            base: texts_of(worked.written[base], numbers.decimal)
            if base in worked.written
            else phrases(worked[base], lambda value: numbers.decimal(self.rounded(value)))
            for base in bases
        }

    @cached_property
    def _in_names(self) -> WrittenOut:
        named = {base: names(base, rows.shape, self.symbols) for base, rows in self._given.items()}
        return WrittenOut(self.symbols, named)

    @cached_property
    def _in_numbers(self) -> WrittenOut:
        return WrittenOut(self.numbers, self._given)

    @cached_property
    def _exact(self) -> set[IndexedBase]:
        """The arrays whose every entry is what is shown of it."""
        return {
            base
            for base in self._given
            if base in self.worked.written
            or all(is_exact(value, self.digits) for value in self.worked[base].flat)
        }

    def rounded(self, value: Any) -> str:
        """Round one value to the digits shown."""
        return rounded(value, self.digits)

    def row(self, stage: Stage, query: int) -> list[Line]:
        """Return the lines of every entry that belongs to one query (counted from 0)."""
        places = positions(self.worked[stage.array].shape)
        if i in stage.target.indices:
            axis = stage.target.indices.index(i)
            places = [place for place in places if place[axis] == query + 1]
        return [self.line(stage, place) for place in places]

    def line(self, stage: Stage, position: Sequence[int]) -> Line:
        """Return the line of one entry."""
        value = self.worked[stage.array][tuple(p - 1 for p in position)]
        shown = self.rounded(value)
        equals, about = self.symbols.equals, self.symbols.about
        in_names = self._in_names.write(stage, position)
        in_numbers = self._in_numbers.write(stage, position)
        # What a mask leaves out is zero whatever the numbers are: nothing is put in.
        left_out = in_numbers == in_names
        exact = left_out or self._exact >= stage.reads
        return Line(
            position=tuple(position),
            name=name_of(stage.array, position, self.symbols),
            in_names=in_names,
            in_numbers=shown if left_out else in_numbers,
            value=shown,
            put_in=equals if exact else about,
            comes_to=equals if exact and is_exact(value, self.digits) else about,
        )

    def value(self, base: IndexedBase, position: Sequence[int]) -> str:
        """Return one entry's value, rounded."""
        return self.rounded(self.worked[base][tuple(p - 1 for p in position)])


def rounded(value: Any, digits: int) -> str:
    """Round an exact or many-digit number to ``digits`` decimals, half to even.

    Very large and very small numbers come in scientific notation with as many digits.
    """
    if isinstance(value, Fraction):
        # This rounding keeps a digit that tells the second rounding which side a tie is on.
        context = DecimalContext(prec=60, rounding=ROUND_05UP)
        written = context.divide(Written(value.numerator), Written(value.denominator))
    else:
        written = Written(nstr(value, 45, min_fixed=0, max_fixed=0))
    if written and not -digits <= written.adjusted() < 9:
        return f"{written:.{digits}e}"
    step = Written(1).scaleb(-digits)
    shown = written.quantize(step, rounding=ROUND_HALF_EVEN, context=DecimalContext(prec=80))
    return f"{shown:f}"


def is_exact(value: Any, digits: int) -> bool:
    """Tell whether a number is what ``rounded`` shows of it, as far as it is known."""
    if isinstance(value, Fraction):
        return value == Fraction(rounded(value, digits))
    # mpmath keeps the sign apart from the mantissa.
    mantissa, exponent = value.man_exp
    if abs(exponent) > FARTHEST:
        return False
    shown = Fraction(rounded(value, digits))
    size = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    known = -size if value < 0 else size
    return abs(known - shown) <= abs(shown) * Fraction(1, 10**40)
