"""A stage as a matrix product, found in its index form and confirmed by SymPy's own product."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import (
    Dummy,
    Expr,
    Indexed,
    IndexedBase,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    Sum,
    Symbol,
    Transpose,
)
from sympy.matrices.expressions.matexpr import MatrixElement

from derive.binding import same
from derive.formula import UPPER_LIMIT, Stage, opened


def matrix_product(stage: Stage) -> MatrixExpr | None:
    """Return the matrix product that ``stage`` computes, or None where it is not one.

    sum_k x[i, k] x[j, k] is x x^T: the summed index comes last in the first factor, and last in
    the second too, which is therefore transposed. The product that is returned has, by SymPy's
    own definition of a matrix product, the entries that the stage states.
    """
    if not isinstance(stage.value, Sum) or len(stage.target.indices) != 2:
        return None
    row, column = stage.target.indices
    body, summed, _, last = opened(stage.value)
    factors = Mul.make_args(body)
    if len(factors) != 2 or not all(isinstance(f, Indexed) and f.rank == 2 for f in factors):
        return None
    sizes = {summed: last, **UPPER_LIMIT}
    left, right = sorted(factors, key=lambda factor: row not in factor.indices)
    if set(left.indices) != {row, summed} or set(right.indices) != {summed, column}:
        return None
    product = MatMul(
        _matrix(left, sizes, upright=left.indices == (row, summed)),
        _matrix(right, sizes, upright=right.indices == (summed, column)),
    )
    return product if same(index_form(product, row, column), stage.value) else None


def index_form(product: MatrixExpr, row: Symbol, column: Symbol) -> Expr:
    """Return the entry that SymPy's matrix product has, in our index form, which counts from 1."""
    entry = product[row - 1, column - 1]
    if isinstance(entry, Sum):
        body, index, low, high = opened(entry)
        one_based = Dummy(index.name, integer=True, positive=True)
        entry = Sum(body.xreplace({index: one_based - 1}), (one_based, low + 1, high + 1))
    return entry.replace(
        lambda part: isinstance(part, MatrixElement),
        lambda part: IndexedBase(part.parent.name, real=True)[part.i + 1, part.j + 1],
    )


def _matrix(factor: Indexed, sizes: Mapping[Symbol, Expr], *, upright: bool) -> MatrixExpr:
    rows, columns = (sizes[index] for index in factor.indices)
    matrix = MatrixSymbol(str(factor.base), rows, columns)
    return matrix if upright else Transpose(matrix)
