"""The score of two tokens: their lengths, and the cosine of the angle between them."""

from __future__ import annotations

from derive.formula import i, j, n, n_q
from derive.geometry import COSINE, LENGTH, SCORE, r, score_by_angle
from derive.theorems.theorem import Chain, Kind, Setting, Theorem

ANGLE = Chain(
    "two lengths and a cosine",
    score_by_angle(),
    Setting((SCORE, LENGTH, COSINE), relations=((n_q, n),)),
)

THEOREM = Theorem(
    name="dot-product-is-angle",
    title="A dot product is two lengths times the cosine of an angle",
    statement=(
        "The score of two tokens is the product of the lengths of their vectors and of the cosine "
        "of the angle between them."
    ),
    parts=(ANGLE,),
    kind=Kind.EVERY,
    consequence=(
        "Of two keys at the same angle to a query, less than a right angle, the longer one scores "
        "higher, whatever it means. Vectors of one length are compared by direction alone."
    ),
    nonzero=(r[i], r[j]),
    variants=("dot-product", "query-key-normalised"),
)
