"""Normalisers: how one row of scores becomes one row of attention weights.

Shapes: s and a (n_q, n); the row's denominator D and its largest score m (n_q).
Sources: the two notes; the shifted form is the one that frameworks compute.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, Mul, Symbol, exp

from derive.formula import Choice, D, Stage, a, i, j, largest, m, s, total


def raw() -> Choice:
    """a[i, j] = s[i, j]: the scores themselves, as the first note's formula in words has it."""
    return Choice("normalise", "raw scores", (Stage(a[i, j], s[i, j]),))


def by_sum() -> Choice:
    """D[i] = sum_j s[i, j];  a[i, j] = s[i, j] / D[i]. Defined where D[i] is not zero."""
    return Choice(
        "normalise",
        "division by the sum",
        (
            Stage(D[i], total(s[i, j], j)),
            Stage(a[i, j], s[i, j] / D[i]),
        ),
    )


def softmax(
    scores: IndexedBase = s,
    *,
    lead: tuple[Symbol, ...] = (),
    allowed: tuple[Expr, ...] = (),
) -> Choice:
    """D[i] = sum_j exp(s[i, j]);  a[i, j] = exp(s[i, j]) / D[i].

    ``scores`` is the array that stands for s, ``lead`` are indices before all others, such as h
    for heads. ``allowed`` are factors of i and j that are 1 where query i may see key j, else 0.
    """
    place = (*lead, i, j)
    weight = Mul(*allowed, exp(scores[place]))
    return Choice(
        "normalise",
        "softmax over the keys that a query may see" if allowed else "softmax",
        (
            Stage(D[place[:-1]], total(weight, j)),
            Stage(a[place], weight / D[place[:-1]]),
        ),
    )


def shifted_softmax() -> Choice:
    """m[i] = max_j s[i, j];  D[i] = sum_j exp(s[i, j] - m[i]);  a[i, j] = exp(...) / D[i].

    No exponent is above zero, so nothing overflows. Equal to ``softmax`` (see properties).
    """
    return Choice(
        "normalise",
        "softmax, shifted by the largest score",
        (
            Stage(m[i], largest(s[i, j], j)),
            Stage(D[i], total(exp(s[i, j] - m[i]), j)),
            Stage(a[i, j], exp(s[i, j] - m[i]) / D[i]),
        ),
    )
