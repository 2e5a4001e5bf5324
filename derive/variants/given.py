"""Queries, keys and values as a mechanism takes them, with their shapes in letters."""

from __future__ import annotations

from sympy import Expr, IndexedBase, Symbol

from derive.formula import K, Q, V, d, d_v, n, n_q

Given = tuple[tuple[IndexedBase, tuple[Expr, ...]], ...]


def queries_keys_values(*lead: Symbol) -> Given:
    """Return Q (n_q, d), K (n, d) and V (n, d_v), with the axes ``lead`` before each."""
    return ((Q, (*lead, n_q, d)), (K, (*lead, n, d)), (V, (*lead, n, d_v)))
