"""The weighted sum: each query's context vector, a sum of value vectors by attention weight."""

from __future__ import annotations

from sympy import IndexedBase, Symbol

from derive.formula import Choice, Stage, V, a, c, i, j, total, z


def weighted_sum(
    value: IndexedBase = V, dimension: Symbol = c, *, lead: tuple[Symbol, ...] = ()
) -> Choice:
    """z[i, c] = sum_j a[i, j] value[j, c].

    Shapes: a (n_q, n), value (n, d_v), z (n_q, d_v). ``dimension`` is the letter that counts the
    columns of ``value``; ``lead`` are indices before all others, such as h for heads.
    """
    product = a[(*lead, i, j)] * value[(*lead, j, dimension)]
    equation = Stage(z[(*lead, i, dimension)], total(product, j))
    return Choice("weighted sum", "weighted sum", (equation,))
