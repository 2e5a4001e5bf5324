"""How a sentence becomes the inputs of a mechanism: its vectors, and a few small printed numbers.

A sentence gives one vector for each token. Queries, keys and values are its products with fixed
matrices whose entries have one decimal, so that every number on a page can be worked by hand and
every input is an exact fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy

from derive.formula import FormulaError

Array = Any
"""A numpy array of fractions."""


@dataclass(frozen=True, eq=False)
class Input:
    """An array that a formula takes, made from a sentence's vectors, shape (n, d), as fractions.

    ``label`` says where it comes from, such as "x W_q"; it is empty for plain numbers, which are
    printed. ``fixed`` tells that the array is the same for every sentence of the same number of
    tokens. ``weights`` is the matrix, or one matrix for each head, that the vectors are multiplied
    with, where there is one.
    """

    label: str
    make: Callable[[Array], Array]
    fixed: bool = False
    weights: Array | None = None


def exact(rows: Any) -> Array:
    """Return nested sequences of decimals in text, or of whole numbers, as an array of fractions.

    ``"1.2 -0.4; 0.3 0.9"`` is a matrix of two rows.
    """
    if isinstance(rows, str):
        lines = [line.split() for line in rows.split(";")]
        rows = lines if len(lines) > 1 else lines[0]
    entries = numpy.array(rows, dtype=object)
    result = numpy.empty(entries.shape, dtype=object)
    for place in numpy.ndindex(*entries.shape):
        number: Any = entries[place]
        result[place] = Fraction(number)
    return result


def tokens() -> Input:
    """Give the sentence's vectors themselves."""
    return Input("x", lambda vectors: vectors)


def numbers(rows: Any) -> Input:
    """Give fixed numbers, as ``exact`` reads them."""
    entries = exact(rows)
    return Input("", lambda _: entries, fixed=True)


def by_length(make: Callable[[int], Any]) -> Input:
    """Give numbers that depend on how many tokens there are, n: ``make(n)`` as ``exact`` reads."""
    return Input("", lambda vectors: exact(make(len(vectors))), fixed=True)


def projected(name: str, weights: Array) -> Input:
    """Give the vectors times a matrix, or times one matrix for each head: (n, d) or (h, n, d)."""
    if weights.ndim == 2:
        return Input(f"x {name}", lambda vectors: product(vectors, weights), weights=weights)
    return Input(
        f"x {name}",
        lambda vectors: numpy.stack([product(vectors, matrix) for matrix in weights]),
        weights=weights,
    )


def product(left: Array, right: Array) -> Array:
    """Return the exact matrix product of two arrays of fractions."""
    if left.shape[1] != right.shape[0]:
        raise FormulaError(f"a vector has {left.shape[1]} numbers, a matrix {right.shape[0]} rows")
    return numpy.array(
        [[sum(map(_times, row, column), Fraction(0)) for column in right.T] for row in left],
        dtype=object,
    )


def _times(left: Fraction, right: Fraction) -> Fraction:
    return left * right


QUERY_WEIGHTS = (
    exact("1.5 -0.6; 0.4 1.2; -0.8 0.9"),
    exact("0.3 1.1; -1.2 0.5; 0.9 -0.7"),
)
"""W_q of two heads, (3, 2) each."""

KEY_WEIGHTS = (
    exact("0.9 0.7; -1.1 0.4; 1.3 -0.5"),
    exact("-0.4 1.0; 1.2 0.6; 0.5 -1.3"),
)
"""W_k of two heads, (3, 2) each."""

VALUE_WEIGHTS = (
    exact("1.0 -0.5; 0.2 0.8; -0.3 1.1"),
    exact("0.6 0.9; -0.7 0.3; 1.2 -0.4"),
)
"""W_v of two heads, (3, 2) each."""


def query(heads: int | None = None, dimensions: int = 2) -> Input:
    """Give queries: x W_q of the first head, or of each of one or two heads."""
    return _one_or_more("W_q", QUERY_WEIGHTS, heads, dimensions)


def key(heads: int | None = None, dimensions: int = 2) -> Input:
    """Give keys, as ``query`` gives queries."""
    return _one_or_more("W_k", KEY_WEIGHTS, heads, dimensions)


def value(heads: int | None = None, dimensions: int = 2) -> Input:
    """Give values, as ``query`` gives queries."""
    return _one_or_more("W_v", VALUE_WEIGHTS, heads, dimensions)


def _one_or_more(name: str, weights: Sequence[Array], heads: int | None, dimensions: int) -> Input:
    if heads is None:
        return projected(name, weights[0][:, :dimensions])
    return projected(name, numpy.stack([matrix[:, :dimensions] for matrix in weights[:heads]]))
