"""Scores: how strongly a query and a key match, one number for each pair.

The inner product is the first note's "attention value of two words". Sources: the two notes;
Vaswani et al. 2017, section 3.2.1, for the division by the square root of d.
"""

from __future__ import annotations

from sympy import IndexedBase, Symbol, sqrt

from derive.formula import Choice, K, Q, Stage, d, i, j, k, s, total


def dot_product(
    query: IndexedBase = Q, key: IndexedBase = K, *, lead: tuple[Symbol, ...] = ()
) -> Choice:
    """s[i, j] = sum_k query[i, k] key[j, k].

    Shapes: query (n_q, d), key (n, d), s (n_q, n). With one array for both, every pair of tokens
    of one sentence is scored. ``lead`` are indices that stand before those of all three, such as
    h for heads.
    """
    product = query[(*lead, i, k)] * key[(*lead, j, k)]
    equation = Stage(s[(*lead, i, j)], total(product, k))
    return Choice("score", "dot product", (equation,))


def scaled_dot_product(
    query: IndexedBase = Q, key: IndexedBase = K, *, lead: tuple[Symbol, ...] = ()
) -> Choice:
    """s[i, j] = sum_k query[i, k] key[j, k] / sqrt(d). Shapes as in ``dot_product``."""
    product = query[(*lead, i, k)] * key[(*lead, j, k)]
    equation = Stage(s[(*lead, i, j)], total(product, k) / sqrt(d))
    return Choice("score", "scaled dot product", (equation,))
