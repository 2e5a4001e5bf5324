"""Matrices of exact numbers as LaTeX, and how an input of a mechanism is written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from sympy import IndexedBase

from derive.publish.notation import Latex
from derive.publish.writing import general


def matrix_latex(entries: Any) -> str:
    """Write an array of fractions of one or two axes as a row or a matrix."""
    rows = entries if entries.ndim == 2 else [entries]
    body = r" \\ ".join(" & ".join(decimal_text(value) for value in row) for row in rows)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"


def decimal_text(value: Fraction) -> str:
    """Write a fraction as the decimal that it is, or as a quotient where it is none."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if denominator != 1:
        sign = "-" if value < 0 else ""
        return rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    return f"{float(value):.{digits}f}" if digits < 10 else f"{float(value):.6g}"


def name_latex(base: IndexedBase) -> str:
    """Write the name of an array, such as W_q."""
    return Latex().entry(str(base), []).text


def size_latex(size: Any) -> str:
    """Write a length in letters, such as n_q or 2 n - 1."""
    return general(size)
