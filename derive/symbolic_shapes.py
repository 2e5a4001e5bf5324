"""Shapes in letters: how long each axis of each array is, before any number is known.

Sizes that a mechanism declares equal, such as n_q = n, are called by one letter.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, Integer, Symbol

from derive.binding import Lengths
from derive.formula import Mechanism

Shape = tuple[Expr, ...]


def same_sizes(mechanism: Mechanism) -> dict[Symbol, Expr]:
    """Return the sizes that are called by another's letter, such as n_q = n."""
    return {symbol: value for symbol, value in mechanism.relations if value.is_Symbol}


def given_shapes(mechanism: Mechanism) -> dict[IndexedBase, Shape]:
    """Return the shapes of the arrays that are given, equal sizes by one letter."""
    same = same_sizes(mechanism)
    return {
        base: tuple(size.xreplace(same) for size in mechanism.shapes[base])
        for base in mechanism.inputs
    }


def lengths_in_letters(mechanism: Mechanism) -> Lengths:
    """Return the shape of every array in letters, and what equal sizes are called."""
    lengths = Lengths(given_shapes(mechanism)).assume(same_sizes(mechanism))
    return lengths.learn(mechanism.stages)


def symbolic_shapes(mechanism: Mechanism) -> dict[IndexedBase, Shape]:
    """Return the shape of every array in letters, equal sizes by one letter."""
    lengths = lengths_in_letters(mechanism)
    return {base: tuple(map(expression, shape)) for base, shape in lengths.shapes.items()}


def expression(length: int | Expr) -> Expr:
    """Return a length as an expression, whether it is known as a number or in letters."""
    return length if isinstance(length, Expr) else Integer(length)
