"""Shifted softmax: each row's largest score is taken away first, as frameworks do."""

from __future__ import annotations

from derive.formula import K, Mechanism, Q, V
from derive.normaliser import shifted_softmax
from derive.score import scaled_dot_product
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

MILAKOV = Source(
    "Milakov and Gimelshein",
    2018,
    "Online normalizer calculation for softmax",
    "https://arxiv.org/abs/1805.02867",
    "section 2, algorithm 2",
)

VARIANT = Variant(
    key="shifted-softmax",
    title="Shifted softmax",
    family="Normalisers",
    summary=(
        "The largest score of each row is subtracted before the exponential, so that no exponent "
        "is above zero and nothing overflows. The weights are the same; this is what frameworks "
        "compute."
    ),
    mechanism=Mechanism(
        "scaled dot-product attention, shifted softmax",
        (scaled_dot_product(), shifted_softmax(), weighted_sum()),
    ),
    sources=(MILAKOV,),
    inputs={Q: query(), K: key(), V: value()},
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
