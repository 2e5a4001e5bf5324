"""Raw scores as weights: the first note's formula in words."""

from __future__ import annotations

from derive.formula import K, Mechanism, Q, V
from derive.normaliser import raw
from derive.score import dot_product
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

VON_OSWALD = Source(
    "von Oswald et al.",
    2023,
    "Transformers learn in-context by gradient descent",
    "https://arxiv.org/abs/2212.07677",
    "linear self-attention",
)

VARIANT = Variant(
    key="raw-scores",
    title="Raw scores",
    family="Scores",
    summary=(
        "Each value counts as much as its score, which may be any number. It is the first note's "
        "formula in words, and the linear self-attention of later papers: without a normaliser "
        "the result grows with the scores and with the number of tokens."
    ),
    mechanism=Mechanism("attention with raw scores", (dot_product(), raw(), weighted_sum())),
    sources=(VON_OSWALD,),
    inputs={Q: query(), K: key(), V: value()},
    against="dot-product",
    holds=(
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
    ),
    fails=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
