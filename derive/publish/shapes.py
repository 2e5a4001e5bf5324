"""The shape of every array of a mechanism in letters."""

from __future__ import annotations

from sympy import Expr, IndexedBase, Integer

from derive.binding import Lengths
from derive.formula import Mechanism


def symbolic_shapes(mechanism: Mechanism) -> dict[IndexedBase, tuple[Expr, ...]]:
    """Return the shape of every array, the given ones first; n_q = n and the like are put in."""
    same = {size: value for size, value in mechanism.relations if value.is_Symbol}
    given = {
        base: tuple(size.xreplace(same) for size in mechanism.shapes[base])
        for base in mechanism.inputs
    }
    lengths = Lengths(given).assume(same).learn(mechanism.stages)
    return {
        base: tuple(Integer(size) if isinstance(size, int) else size for size in shape)
        for base, shape in lengths.shapes.items()
    }
