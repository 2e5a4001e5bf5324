"""The lines of code that read sizes off the shapes of given arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sympy import Expr, IndexedBase, Symbol

from derive.coding.pieces import ATOM, PRODUCT, Piece
from derive.formula import FormulaError, Mechanism
from derive.symbolic_shapes import given_shapes


@dataclass(frozen=True)
class _Size:
    """How a size follows: above // below, from other sizes and the shapes of arrays."""

    above: Expr
    below: Expr


def size_lines(
    mechanism: Mechanism,
    needed: Iterable[Symbol],
    name: Callable[[IndexedBase], str],
    written: Callable[[Expr], Piece],
) -> list[str]:
    """Return the lines that compute ``needed`` sizes, each after those that it follows from.

    A size is read off a shape where it stands there alone, else an equation that holds it once is
    solved for it: W_q with n_h d rows, and n_h = 8, tell d.
    """
    found = _solved(mechanism, name)
    missing = set(needed) - found.keys()
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        raise FormulaError(f"{mechanism.title}: no input says how much {names} is")
    wanted, waiting = set[Symbol](), list(needed)
    while waiting:
        size = waiting.pop()
        if size not in wanted:
            wanted.add(size)
            parts = found[size].above.free_symbols | found[size].below.free_symbols
            waiting += parts & found.keys()
    lines = []
    for size, how in found.items():
        if size in wanted:
            text = written(how.above).text
            if how.below != 1:
                below = written(how.below).bracketed(ATOM)
                text = f"{written(how.above).bracketed(PRODUCT)} // {below}"
            lines.append(f"{size} = {text}")
    return lines


def _solved(mechanism: Mechanism, name: Callable[[IndexedBase], str]) -> Mapping[Symbol, _Size]:
    equations = [
        (size, Symbol(f"{name(base)}.shape[{axis}]", integer=True, positive=True))
        for base, shape in given_shapes(mechanism).items()
        for axis, size in enumerate(shape)
    ]
    lengths = {length for _, length in equations}
    # What stands alone in a shape is read there, before any equation is solved.
    equations.sort(key=lambda equation: not equation[0].is_Symbol)
    equations += mechanism.relations
    found: dict[Symbol, _Size] = {}
    waiting = equations
    while True:
        left_over = []
        for left, right in waiting:
            difference = left - right
            unknown = difference.free_symbols - found.keys() - lengths
            if len(unknown) == 1:
                (size,) = unknown
                multiple = difference.expand().coeff(size)
                rest = (difference - multiple * size).expand()
                if size in rest.free_symbols:
                    raise FormulaError(f"{mechanism.title}: {left} = {right} is not linear")
                sign = -1 if multiple.could_extract_minus_sign() else 1
                found[size] = _Size(-sign * rest, sign * multiple)
            elif unknown:
                left_over.append((left, right))
        if len(left_over) == len(waiting):
            return found
        waiting = left_over
