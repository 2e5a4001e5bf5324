"""A sentence worked in numbers: every array of a mechanism, from the exact decimals."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

from numpy import empty, isfinite, ndindex
from sympy import IndexedBase, Pow, Rational, cos, exp, sin, tanh

from derive.algebras.decimal import LARGEST_EXPONENT, Decimal
from derive.algebras.exact import Exact
from derive.composition import Composition
from derive.decimals import Rows
from derive.displayed import Displayed
from derive.elements import Elements
from derive.errors import InputError
from derive.examples import Example
from derive.formula import FormulaError, K, Mechanism, Q, Stage, V, a, s, x, z
from derive.sizes import sizes
from derive.variants.variant import Variant

MOST_TOKENS = 200
"""The longest sentence that is worked in numbers for all pairs of tokens."""

MOST_PRODUCTS = 200_000
"""The most products of two numbers that all scores may need: some ten seconds of work."""


@dataclass(frozen=True, eq=False)
class Worked(Displayed):
    """The arrays of ``mechanism`` for ``example``.

    Entries are fractions where the mechanism has no exponential and no root, else mpmath numbers
    of 50 digits. ``written`` holds what was written down: the vectors, and matrices if there are.
    """

    example: Example
    mechanism: Mechanism
    arrays: dict[IndexedBase, Any]
    written: Mapping[IndexedBase, Rows]

    def __getitem__(self, base: IndexedBase) -> Any:
        return self.arrays[base]

    def floats(self, base: IndexedBase) -> Any:
        """Return one array as nested lists of the nearest float64 numbers.

        Raises ``InputError`` where an entry is larger than float64 can hold.
        """
        try:
            nearest = self.arrays[base].astype(float)
        except OverflowError:
            nearest = None
        if nearest is None or not isfinite(nearest).all():
            raise _too_large(self.example, base)
        return nearest.tolist()


@cache
def work_out(example: Example, mechanism: Mechanism) -> Worked:
    """Compute every stage of a self-attention ``mechanism`` for ``example``.

    Raises ``InputError`` for a sentence that is too long, for scores whose exponential nobody can
    write down, and for scores that sum to zero where the mechanism divides by that sum.
    """
    _check_size(example)
    return _worked(example, mechanism, {x: example.array()}, {x: example.vectors})


@cache
def work_out_composed(example: Example, composition: Composition) -> Worked:
    """Compute every stage of a composed attention for ``example``.

    Raises ``InputError`` as ``work_out`` does.
    """
    if composition.projections is None:
        return work_out(example, composition.mechanism)
    _check_size(example)
    given = {x: example.array(), **composition.given()}
    written = {x: example.vectors, **composition.projections.rows()}
    return _worked(example, composition.mechanism, given, written)


@cache
def work_out_variant(example: Example, variant: Variant) -> Worked:
    """Compute every stage of a mechanism of the atlas for ``example``, whose vectors it takes.

    Raises ``InputError`` as ``work_out`` does, and for vectors that do not fit its matrices.
    """
    _check_size(example)
    vectors = example.array()
    try:
        given = {base: source.make(vectors) for base, source in variant.inputs.items()}
    except FormulaError as error:
        raise InputError(
            example.where, "vectors", str(error), "give vectors of three numbers, as the atlas has"
        ) from None
    return _worked(example, variant.mechanism, given, {x: example.vectors})


def _worked(
    example: Example,
    mechanism: Mechanism,
    exact: Mapping[IndexedBase, Any],
    written: Mapping[IndexedBase, Rows],
) -> Worked:
    shapes = {base: entries.shape for base, entries in exact.items()}
    # What is rational is exact: a sum of decimals that cancels is zero, and no speck of rounding.
    rational = list(takewhile(_is_rational, mechanism.stages))
    rest = mechanism.stages[len(rational) :]
    try:
        known = sizes(mechanism, shapes)
        given = {base: _converted(entries, Exact()) for base, entries in exact.items()}
        arrays = Elements(Exact(), given, known).run(rational)
        if rest:
            algebra = Decimal()
            given = {base: _converted(entries, algebra) for base, entries in arrays.items()}
            arrays = Elements(algebra, given, known).run(rest)
    except ZeroDivisionError:
        raise InputError(
            example.where,
            "vectors",
            f"{mechanism.title} divides by zero here",
            "the scores of one query sum to zero; use softmax, or other vectors",
        ) from None
    except OverflowError:
        raise InputError(
            example.where,
            "vectors",
            "a score is so large that its exponential cannot be written",
            f"scale the vectors down until every score is below {LARGEST_EXPONENT:.0e}",
        ) from None
    _check_range(example, arrays)
    return Worked(example, mechanism, arrays, written)


def _check_range(example: Example, arrays: Mapping[IndexedBase, Any]) -> None:
    """Refuse what no page, drawing or other program can hold; a denominator may be any number."""
    for base in (Q, K, V, s, a, z):
        if base in arrays and any(abs(value) > sys.float_info.max for value in arrays[base].flat):
            raise _too_large(example, base)


def _too_large(example: Example, base: IndexedBase) -> InputError:
    problem = f"an entry of {base} is larger than float64 can hold"
    return InputError(example.where, "vectors", problem, "scale the vectors down")


def _converted(entries: Any, algebra: Exact | Decimal) -> Any:
    result = empty(entries.shape, dtype=object)
    for place in ndindex(*entries.shape):
        result[place] = algebra.number(Rational(entries[place]))
    return result


def _check_size(example: Example) -> None:
    tokens, dimensions = example.shape
    if tokens > MOST_TOKENS:
        raise InputError(
            example.where,
            "tokens",
            f"{tokens} tokens are too many",
            f"all pairs are worked for at most {MOST_TOKENS}",
        )
    products = tokens * tokens * dimensions
    if products > MOST_PRODUCTS:
        raise InputError(
            example.where,
            "vectors",
            f"{tokens} tokens of {dimensions} dimensions make {products:,} products",
            f"give fewer tokens or dimensions; at most {MOST_PRODUCTS:,} are worked",
        )


def is_rational(mechanism: Mechanism) -> bool:
    """Tell whether a mechanism needs nothing but the four arithmetic operations."""
    return all(map(_is_rational, mechanism.stages))


def _is_rational(stage: Stage) -> bool:
    return not stage.value.has(exp, tanh, cos, sin) and all(
        power.exp.is_Integer for power in stage.value.atoms(Pow)
    )
