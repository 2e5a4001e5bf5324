"""Relative keys: a learned vector for each distance is added to the key."""

from __future__ import annotations

from fractions import Fraction

from sympy import sqrt

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, d, i, j, k, n, n_q, s, total
from derive.normaliser import softmax
from derive.variants.given import queries_keys_values
from derive.variants.inputs import by_length, key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

R = array("R")

SHAW = Source(
    "Shaw, Uszkoreit and Vaswani",
    2018,
    "Self-attention with relative position representations",
    "https://arxiv.org/abs/1803.02155",
    "section 3.1, equation 4",
)

SCORE = Choice(
    "score",
    "scaled dot product with the key and the vector of its distance",
    (Stage(s[i, j], total(Q[i, k] * (K[j, k] + R[j - i + n, k]), k) / sqrt(d)),),
)
"""s[i, j] = sum_k Q[i, k] (K[j, k] + R[j - i + n, k]) / sqrt(d); row n is the token itself."""

MECHANISM = Mechanism(
    "attention with relative keys",
    (SCORE, softmax(), weighted_sum()),
    given=(*queries_keys_values(), (R, (2 * n - 1, d))),
    relations=((n_q, n),),
)


def _vectors(tokens: int) -> list[list[Fraction]]:
    """A direction that tells before from after, and one that tells near from far."""
    return [
        [Fraction(distance, 5), Fraction(4 - 3 * abs(distance), 10)]
        for distance in range(1 - tokens, tokens)
    ]


VARIANT = Variant(
    key="relative-keys",
    title="Relative keys",
    family="Positions",
    summary=(
        "Each key gains a learned vector for its distance from the query, so that a query can ask "
        "for a place as it asks for a content. Distances beyond a limit share a vector in the "
        "paper; here every distance has its own, and the values stay as they are."
    ),
    mechanism=MECHANISM,
    sources=(SHAW,),
    inputs={Q: query(), K: key(), V: value(), R: by_length(_vectors)},
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "relative-position",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "causal",
        "scores-symmetric",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
