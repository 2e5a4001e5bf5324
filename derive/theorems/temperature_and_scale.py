"""The scale of dot-product attention is a temperature."""

from __future__ import annotations

from sympy import Integer, sqrt

from derive.formula import K, Q, Stage, d, h, i, j, k, n, n_h, n_q, s, total
from derive.rewriting import unfold
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import scaled_dot_product, temperature
from derive.variants.temperature import T, t

TEMPERED = temperature.VARIANT.mechanism
SCORE, DIVIDED = TEMPERED.stage(s), TEMPERED.stage(t)
GIVEN = ((Q, (n_h, n_q, d)), (K, (n_h, n, d)))

ONE = Stage(T[h], Integer(1), (n_h,))
COLD = Stage(T[h], 1 / sqrt(d), (n_h,))

SCALED = chain(
    "a temperature of 1: scaled scores",
    t[h, i, j],
    s[h, i, j],
    [
        ("the definition of t", unfold(DIVIDED)),
        ("the temperature is 1", unfold(ONE)),
    ],
    Setting((ONE, SCORE, DIVIDED), given=GIVEN),
)
PLAIN = chain(
    "a temperature of 1 / sqrt(d): plain dot products",
    t[h, i, j],
    total(Q[h, i, k] * K[h, j, k], k),
    [
        ("the definition of t", unfold(DIVIDED)),
        ("the definition of s", unfold(SCORE)),
        ("the temperature is 1 / sqrt(d); the roots cancel", unfold(COLD)),
    ],
    Setting((COLD, SCORE, DIVIDED), given=GIVEN),
)

THEOREM = Theorem(
    name="temperature-and-scale",
    title="Scaling scores is a choice of temperature: sqrt(d) on plain dot products",
    statement=(
        "Divided by a temperature of 1, scaled scores stay as they are; divided by 1 / sqrt(d), "
        "they are plain dot products. So scaled dot-product attention is dot-product attention at "
        "the temperature sqrt(d)."
    ),
    parts=(SCALED, PLAIN),
    kind=Kind.EVERY,
    consequence="A lower temperature makes softmax sharper, and leaving out the scale lowers it.",
    sources=(*temperature.VARIANT.sources, *scaled_dot_product.VARIANT.sources),
    variants=("temperature", "scaled-dot-product", "dot-product"),
)
