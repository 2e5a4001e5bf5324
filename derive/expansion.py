"""The two forms of a formula, index form and written out, compared by SymPy's own expansion.

Our interpreter writes entries out; SymPy's ``doit`` expands sums by code that shares nothing with
it. Both must give the same entries.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from derive.derivation import SMALL_SHAPES, DerivationError
from derive.formula import Mechanism, Stage
from derive.written_out import positions, with_named_pieces


def expanded_by_sympy(stage: Stage, position: tuple[int, ...], sizes: dict[Symbol, int]) -> Expr:
    """Expand one entry of ``stage``, at a position that counts from 1, with SymPy's ``doit``."""
    numbers = dict(zip(stage.target.indices, map(Integer, position), strict=True))
    numbers.update({size: Integer(length) for size, length in sizes.items()})
    return stage.value.xreplace(numbers).doit()


def compare_forms(mechanism: Mechanism) -> int:
    """Compare every entry of every stage at small shapes; return how many were compared.

    Raises ``DerivationError`` naming the first entry that differs.
    """
    compared = 0
    for sizes in SMALL_SHAPES:
        shapes = {base: [sizes[n] for n in mechanism.shapes[base]] for base in mechanism.inputs}
        written = with_named_pieces(mechanism, shapes)
        for stage in mechanism.stages:
            entries = written[stage.array]
            for place, ours in zip(positions(entries.shape), entries.flat, strict=True):
                if ours != expanded_by_sympy(stage, place, sizes):
                    raise DerivationError(f"{stage.array}{list(place)} at {sizes}: {ours} differs")
                compared += 1
    return compared
