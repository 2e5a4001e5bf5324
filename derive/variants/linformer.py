"""Linformer: keys and values are mixed into a few rows before any query sees them."""

from __future__ import annotations

from fractions import Fraction

from sympy import exp, sqrt

from derive.formula import (
    Choice,
    D,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    i,
    j,
    k,
    n,
    n_p,
    p,
    s,
    total,
    z,
)
from derive.variants.given import queries_keys_values
from derive.variants.inputs import by_length, key, query, value
from derive.variants.variant import Source, Variant

E, F, K_E, V_F = array("E"), array("F"), array("K_E"), array("V_F")

WANG = Source(
    "Wang, Li, Khabsa, Fang and Ma",
    2020,
    "Linformer: Self-attention with linear complexity",
    "https://arxiv.org/abs/2006.04768",
    "section 4, equation 7",
)

PROJECTION = Choice(
    "projection",
    "tokens mixed into a few rows",
    (
        Stage(K_E[p, k], total(E[p, j] * K[j, k], j)),
        Stage(V_F[p, c], total(F[p, j] * V[j, c], j)),
    ),
)
"""K_E[p, k] = sum_j E[p, j] K[j, k];  V_F[p, c] = sum_j F[p, j] V[j, c]."""

SCORE = Choice(
    "score",
    "scaled dot product with the mixed keys",
    (Stage(s[i, p], total(Q[i, k] * K_E[p, k], k) / sqrt(d)),),
)
"""s[i, p] = sum_k Q[i, k] K_E[p, k] / sqrt(d)."""

NORMALISE = Choice(
    "normalise",
    "softmax over the rows",
    (
        Stage(D[i], total(exp(s[i, p]), p)),
        Stage(a[i, p], exp(s[i, p]) / D[i]),
    ),
)
"""D[i] = sum_p exp(s[i, p]);  a[i, p] = exp(s[i, p]) / D[i]."""

WEIGHTED_SUM = Choice(
    "weighted sum",
    "weighted sum of the mixed values",
    (Stage(z[i, c], total(a[i, p] * V_F[p, c], p)),),
)
"""z[i, c] = sum_p a[i, p] V_F[p, c]."""

MECHANISM = Mechanism(
    "Linformer attention",
    (PROJECTION, SCORE, NORMALISE, WEIGHTED_SUM),
    given=(*queries_keys_values(), (E, (n_p, n)), (F, (n_p, n))),
)


def _halves(tokens: int) -> list[list[Fraction]]:
    """A row for the first half of the tokens, and one for the second."""
    middle = (tokens + 1) // 2
    first = [Fraction(int(place < middle), 5) for place in range(tokens)]
    return [first, [Fraction(1, 5) - share for share in first]]


def _alternating(tokens: int) -> list[list[Fraction]]:
    """A row for every other token, and one for those between."""
    odd = [Fraction(int(place % 2 == 0), 4) for place in range(tokens)]
    return [odd, [Fraction(1, 4) - share for share in odd]]


VARIANT = Variant(
    key="linformer",
    title="Mixed keys and values (Linformer)",
    family="Compressed keys and values",
    summary=(
        "Learned matrices E and F mix the n keys and values into n_p rows, and attention runs over "
        "these rows. The cost grows with n times n_p instead of n squared. The shape of E fixes "
        "the number of tokens, and no row belongs to one token, so there is no causal mask."
    ),
    mechanism=MECHANISM,
    sources=(WANG,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        E: by_length(_halves),
        F: by_length(_alternating),
    },
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
