"""Sizes found from shapes: how many heads, tokens and dimensions the given arrays have.

An array is declared with a shape in letters, such as W_q with (n_h d, d_e); the shape of the
array that is given, (512, 512), and n_h = 8 then say that d is 64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sympy import Expr, IndexedBase, Integer, S, Symbol

from derive.formula import FormulaError, Mechanism

Equation = tuple[Expr, Expr, str]
"""Two sides, and what says so."""


def sizes(mechanism: Mechanism, shapes: Mapping[IndexedBase, Sequence[int]]) -> dict[Symbol, int]:
    """Return every size of a mechanism's inputs as a number; a contradiction is refused."""
    equations: list[Equation] = [
        (symbol, value, f"{mechanism.title} has {symbol} = {value}")
        for symbol, value in mechanism.relations
    ]
    for base in mechanism.inputs:
        if base not in shapes:
            raise FormulaError(f"{mechanism.title}: no array was given for {base}")
        declared, shape = mechanism.shapes[base], tuple(shapes[base])
        if len(declared) != len(shape):
            raise FormulaError(
                f"{base} has {len(shape)} axes, {mechanism.title} takes "
                f"({', '.join(map(str, declared))})"
            )
        context = f"{base} has shape {shape}"
        equations += [
            (axis, Integer(length), context) for axis, length in zip(declared, shape, strict=True)
        ]
    return _solved(equations)


def _solved(equations: Iterable[Equation]) -> dict[Symbol, int]:
    """Solve equations that have one unknown factor each, in whatever order that takes."""
    known: dict[Symbol, Integer] = {}
    waiting = list(equations)
    while waiting:
        left_over = []
        for left, right, context in waiting:
            difference = (left.xreplace(known), right.xreplace(known))
            unknown = sorted(set().union(*(side.free_symbols for side in difference)), key=str)
            if not unknown:
                if difference[0] != difference[1]:
                    raise FormulaError(f"{context}, so {left} = {right} does not hold")
            elif len(unknown) == 1:
                known[unknown[0]] = _divided(*difference, unknown[0], context)
            else:
                left_over.append((left, right, context))
        if len(left_over) == len(waiting):
            break
        waiting = left_over
    return {symbol: int(value) for symbol, value in known.items()}


def _divided(left: Expr, right: Expr, symbol: Symbol, context: str) -> Integer:
    """Solve left = right, which holds ``symbol`` times a number, and numbers."""
    difference = (left - right).expand()
    multiple = difference.coeff(symbol)
    value = (multiple * symbol - difference) / multiple if multiple else S.Zero
    if not value.is_Integer or not value.is_positive:
        raise FormulaError(f"{context}, so no whole {symbol} gives {left} = {right}")
    return value
