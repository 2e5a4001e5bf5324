"""Normalisers: how one row of scores becomes one row of attention weights.

Shapes: s and a (n_q, n); the row's denominator D and its largest score m (n_q).
Sources: the two notes; the shifted form is the one that frameworks compute. The others have their
sources with the mechanisms of the atlas that use them.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, Mul, Symbol, exp

from derive.formula import Choice, D, FormulaError, Stage, a, i, j, largest, m, s, total


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
    sink: Expr | int = 0,
) -> Choice:
    """D[i] = sum_j exp(s[i, j]);  a[i, j] = exp(s[i, j]) / D[i].

    ``scores`` is the array that stands for s, ``lead`` are indices before all others, such as h
    for heads. ``allowed`` are factors of i and j that are 1 where query i may see key j, else 0.
    ``sink`` is a positive term that D[i] has besides those of the keys: its part of the weight
    goes to no key.
    """
    place = (*lead, i, j)
    weight = Mul(*allowed, exp(scores[place]))
    title = "softmax over the keys that a query may see" if allowed else "softmax"
    return Choice(
        "normalise",
        f"{title}, with a part of the weight for no key" if sink else title,
        (
            Stage(D[place[:-1]], sink + total(weight, j)),
            Stage(a[place], weight / D[place[:-1]]),
        ),
    )


def sigmoid(scores: IndexedBase = s, *, lead: tuple[Symbol, ...] = ()) -> Choice:
    """a[i, j] = 1 / (1 + exp(-s[i, j])): each key's weight is its own, whatever the others are."""
    place = (*lead, i, j)
    weight = 1 / (1 + exp(-scores[place]))
    return Choice("normalise", "sigmoid of each score", (Stage(a[place], weight),))


def even_power(degree: int) -> Choice:
    """D[i] = 1 + sum_j s[i, j]^p;  a[i, j] = s[i, j]^p / D[i], for an even degree p.

    An even power is never negative, so that D[i] is at least 1.
    """
    if degree < 2 or degree % 2:
        raise FormulaError(f"degree {degree}: write an even number from 2 on")
    weight = s[i, j] ** degree
    return Choice(
        "normalise",
        f"power {degree} over 1 and the sum of powers",
        (
            Stage(D[i], 1 + total(weight, j)),
            Stage(a[i, j], weight / D[i]),
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
