"""Decimals as they are written: the exact value, and the text with its zeros."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy

from derive.errors import InputError
from derive.visible import quoted

LARGEST_EXPONENT = 150
"""Decimals beyond 1e150 or below 1e-150 are refused: float64 cannot hold their products."""


@dataclass(frozen=True)
class Number:
    """A decimal as written: its exact value and the text, trailing zeros kept."""

    value: Fraction
    text: str


Rows = tuple[tuple[Number, ...], ...]
"""A matrix of decimals, row by row."""


def read_decimal(text: str, where: str, key: str) -> Fraction:
    """Return the exact value of a decimal as written, such as ``-0.10`` or ``2.5e-3``."""
    remedy = "write a decimal such as 0.25, -3 or 1e-2"
    try:
        if not text.isascii() or len(text) > 60 or "_" in text:
            raise InvalidOperation
        # YAML writes infinity and NaN with a dot: .inf, -.inf, .nan
        number = Decimal(re.sub(r"\.(?=inf|nan)", "", text.strip(), flags=re.IGNORECASE))
    except InvalidOperation:
        raise InputError(where, key, f"{quoted(text)} is not a number", remedy) from None
    if not number.is_finite():
        raise InputError(where, key, f"{text} is not a finite number", remedy)
    if number and abs(number.adjusted()) > LARGEST_EXPONENT:
        raise InputError(
            where, key, f"{text} is too large or too small", "stay between 1e-150 and 1e150"
        )
    return Fraction(number)


def rows_of(texts: str) -> Rows:
    """Return the matrix that ``"1.2 -0.4; 0.3 0.9"`` writes: two rows of two decimals."""
    return tuple(
        tuple(Number(Fraction(text), text) for text in row.split()) for row in texts.split(";")
    )


def values_of(rows: Sequence[Sequence[Number]], convert: Any = lambda value: value) -> Any:
    """Return the exact values as an object array, each put through ``convert``."""
    return _filled(rows, lambda number: convert(number.value))


def texts_of(rows: Sequence[Sequence[Number]], convert: Any = lambda text: text) -> Any:
    """Return what is written as an object array, each text put through ``convert``."""
    return _filled(rows, lambda number: convert(number.text))


def _filled(rows: Sequence[Sequence[Number]], entry: Any) -> Any:
    entries = numpy.empty((len(rows), len(rows[0])), dtype=object)
    for place in numpy.ndindex(*entries.shape):
        entries[place] = entry(rows[place[0]][place[1]])
    return entries
