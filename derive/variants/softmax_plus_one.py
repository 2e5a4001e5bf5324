"""Softmax plus one: a row of weights may sum to less than 1, down to almost nothing."""

from __future__ import annotations

from derive.formula import K, Mechanism, Q, V
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

MILLER = Source(
    "Miller",
    2023,
    "Attention is off by one",
    "https://www.evanmiller.org/attention-is-off-by-one.html",
)

VARIANT = Variant(
    key="softmax-plus-one",
    title="Softmax plus one",
    family="Normalisers",
    summary=(
        "The denominator has 1 added to it, as if there were one more key with score 0 and value "
        "0. A head that finds nothing can then add almost nothing, where softmax has to share out "
        "the whole weight."
    ),
    mechanism=Mechanism(
        "scaled dot-product attention, softmax plus one",
        (scaled_dot_product(), softmax(sink=1), weighted_sum()),
    ),
    sources=(MILLER,),
    inputs={Q: query(), K: key(), V: value()},
    holds=(
        "weights-not-negative",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
    ),
    fails=(
        "rows-sum-to-one",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
        "gradient-rows-sum-to-zero",
    ),
)
