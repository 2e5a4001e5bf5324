"""Attention of one sentence with itself, composed of what can be chosen about it.

    Q = x W_q, K = x W_k, V = x W_v     or the vectors themselves
    s[i, j] = scale sum_k Q[i, k] K[j, k]
    a[i, j] from row i of s, by softmax or otherwise, over all keys or over those with j <= i
    z[i, c] = sum_j a[i, j] V[j, c]

Each choice is a few equations; whatever is not chosen is left out of the formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal

from sympy import IndexedBase, Mul, Rational, Symbol, exp

from derive.attention import MECHANISMS
from derive.brackets import AtMost
from derive.decimals import Rows, rows_of, values_of
from derive.displayed import Displayed
from derive.formula import (
    Choice,
    D,
    K,
    Largest,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    c,
    d,
    d_e,
    d_v,
    e,
    i,
    j,
    k,
    m,
    n,
    n_q,
    s,
    total,
    x,
)
from derive.normaliser import by_sum, raw, shifted_softmax, softmax
from derive.scaled_dot_product import W_k, W_q, W_v
from derive.score import dot_product, scaled_dot_product
from derive.settings import ROOT, Normaliser
from derive.weighted_sum import weighted_sum

NORMALISERS: tuple[Normaliser, ...] = ("softmax", "sum", "raw", "shifted")
"""How a row of scores becomes a row of weights."""

SMALL = (
    rows_of("1.5 -0.6; 0.4 1.2; -0.8 0.9"),
    rows_of("0.9 0.7; -1.1 0.4; 1.3 -0.5"),
    rows_of("1.0 -0.5; 0.2 0.8; -0.3 1.1"),
)
"""W_q, W_k and W_v of the atlas, three rows each."""


@dataclass(frozen=True)
class Projections:
    """The matrices W_q (d_e, d), W_k (d_e, d) and W_v (d_e, d_v) that multiply each vector."""

    query: Rows
    key: Rows
    value: Rows

    @classmethod
    def small(cls, dimensions: int) -> Projections:
        """Return the matrices of the atlas for vectors of so many ``dimensions``.

        Longer vectors take their three rows again from the first.
        """
        return cls(*(tuple(rows[p % len(rows)] for p in range(dimensions)) for rows in SMALL))

    def rows(self) -> dict[IndexedBase, Rows]:
        """Return each matrix by the name that the formula gives it."""
        return {W_q: self.query, W_k: self.key, W_v: self.value}


@dataclass(frozen=True)
class Composition(Displayed):
    """Which attention a sentence is worked with.

    ``scale`` multiplies every score: ``ROOT``, a number, or nothing. ``causal`` leaves out every
    key after the query. Without ``projections`` each vector is its own query, key and value.
    """

    normaliser: Normaliser = "softmax"
    scale: Fraction | Literal["1/sqrt(d)"] | None = None
    causal: bool = False
    projections: Projections | None = None

    @property
    def mechanism(self) -> Mechanism:
        """The formula, in index form."""
        return composed(self.normaliser, self.scale, self.causal, self.projections is not None)

    def given(self) -> dict[IndexedBase, Any]:
        """Return the matrices that the formula takes beside the vectors, as exact fractions."""
        if self.projections is None:
            return {}
        return {base: values_of(rows) for base, rows in self.projections.rows().items()}


@cache
def composed(
    normaliser: Normaliser,
    scale: Fraction | Symbol | Literal["1/sqrt(d)"] | None = None,
    causal: bool = False,
    projected: bool = False,
) -> Mechanism:
    """Return the formula of one sentence's attention to itself, from the choices made about it.

    A ``scale`` may also be a letter that stands for a number.
    """
    if not projected and not causal:
        name = "scaled" if (normaliser, scale) == ("softmax", ROOT) else normaliser
        if scale is None or name == "scaled":
            return MECHANISMS[name]
    query, key, value = (Q, K, V) if projected else (x, x, x)
    choices = (
        *([_projection()] if projected else ()),
        _score(query, key, scale),
        _normaliser(normaliser, causal=causal),
        weighted_sum(value, c if projected else k),
    )
    said = [
        MECHANISMS[normaliser].title,
        *(["scaled" if scale == ROOT else f"scores times {scale}"] if scale is not None else ()),
        *(["causal"] if causal else ()),
        *(["with projections"] if projected else ()),
    ]
    if not projected:
        return Mechanism(", ".join(said), choices)
    return Mechanism(
        ", ".join(said),
        choices,
        given=((x, (n, d_e)), (W_q, (d_e, d)), (W_k, (d_e, d)), (W_v, (d_e, d_v))),
        relations=((n_q, n),),
    )


def _projection() -> Choice:
    """Q[i, k] = sum_e x[i, e] W_q[e, k];  K, V alike: x W, a row of W for each dimension of x."""
    return Choice(
        "projection",
        "three matrices",
        (
            Stage(Q[i, k], total(x[i, e] * W_q[e, k], e)),
            Stage(K[j, k], total(x[j, e] * W_k[e, k], e)),
            Stage(V[j, c], total(x[j, e] * W_v[e, c], e)),
        ),
    )


def _score(
    query: IndexedBase, key: IndexedBase, scale: Fraction | Symbol | Literal["1/sqrt(d)"] | None
) -> Choice:
    if scale is None:
        return dot_product(query, key)
    if isinstance(scale, str):
        return scaled_dot_product(query, key)
    is_number = isinstance(scale, Fraction)
    factor = Rational(scale.numerator, scale.denominator) if is_number else scale
    equation = Stage(s[i, j], factor * total(query[i, k] * key[j, k], k))
    return Choice("score", f"dot product times {scale}", (equation,))


def _normaliser(name: Normaliser, *, causal: bool) -> Choice:
    if not causal:
        whole = {"softmax": softmax, "sum": by_sum, "raw": raw, "shifted": shifted_softmax}
        return whole[name]()
    allowed = AtMost(j, i)
    if name == "softmax":
        return softmax(allowed=(allowed,))
    if name == "raw":
        equation = Stage(a[i, j], Mul(allowed, s[i, j]))
        return Choice("normalise", "scores of the keys up to the query", (equation,))
    if name == "sum":
        return Choice(
            "normalise",
            "division by the sum over the keys up to the query",
            (
                Stage(D[i], total(Mul(allowed, s[i, j]), j)),
                Stage(a[i, j], Mul(allowed, s[i, j]) / D[i]),
            ),
        )
    # The largest score of the keys that are seen: a larger one that is not would let all vanish.
    weight = Mul(allowed, exp(s[i, j] - m[i]))
    return Choice(
        "normalise",
        "softmax over the keys up to the query, shifted by the largest score",
        (
            Stage(m[i], Largest(s[i, j], (j, 1, i))),
            Stage(D[i], total(weight, j)),
            Stage(a[i, j], weight / D[i]),
        ),
    )
