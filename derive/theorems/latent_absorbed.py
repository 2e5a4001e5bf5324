"""Latent attention: maps of keys and values may be moved to the query and to the result."""

from __future__ import annotations

from derive.formula import K, V, a, c, h, i, j, s, total, z
from derive.rewriting import fold, pull_out, unfold
from derive.sum_rules import exchange, push_in
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import latent, latent_absorbed
from derive.variants.latent import DEEPSEEK, GIVEN
from derive.variants.latent_absorbed import P, y

FULL, ABSORBED = latent.VARIANT.mechanism, latent_absorbed.VARIANT.mechanism

SETTING = Setting(
    (
        *(FULL.stage(base) for base in (K, V)),
        *(ABSORBED.stage(base) for base in (P, s, y, z)),
    ),
    given=GIVEN,
    relations=FULL.relations,
)

SCORES = chain(
    "a score, with the map of keys moved to the query",
    FULL.stage(s).value,
    s[h, i, j],
    [
        ("a key, from the latent vector", unfold(FULL.stage(K))),
        ("all under one sum", push_in),
        ("finite sums may be taken in either order", exchange),
        ("the latent vector does not depend on the dimension of the key", pull_out),
        ("the query, mapped: the definition of P", fold(ABSORBED.stage(P))),
        ("the absorbed score, read backwards", fold(ABSORBED.stage(s))),
    ],
    SETTING,
)
OUTPUTS = chain(
    "an output, with the map of values moved behind the sum",
    total(a[h, i, j] * V[h, j, c], j),
    z[h, i, c],
    [
        ("a value, from the latent vector", unfold(FULL.stage(V))),
        ("all under one sum", push_in),
        ("finite sums may be taken in either order", exchange),
        ("the map does not depend on the key", pull_out),
        ("the weighted sum of latent vectors: the definition of y", fold(ABSORBED.stage(y))),
        ("the absorbed output, read backwards", fold(ABSORBED.stage(z))),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="latent-absorbed",
    title="Latent attention needs no keys and values of the heads: their maps are absorbed",
    statement=(
        "Where keys and values are linear maps of one latent vector per token, their part of a "
        "score is the dot product of the mapped query with the latent vector, and an output is the "
        "map of the weighted sum of latent vectors. Scores and outputs equal what keys and values "
        "give."
    ),
    parts=(SCORES, OUTPUTS),
    kind=Kind.EVERY,
    consequence=(
        "A cache holds one latent vector for each token, and a rotary key where there is one, for "
        "all heads together, instead of a key and a value for each head."
    ),
    sources=(DEEPSEEK,),
    variants=("latent", "latent-absorbed"),
)
