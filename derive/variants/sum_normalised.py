"""Scores divided by their sum: the first note's first way to make weights that sum to 1."""

from __future__ import annotations

from derive.formula import K, Mechanism, Q, V
from derive.normaliser import by_sum
from derive.score import dot_product
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

TSAI = Source(
    "Tsai et al.",
    2019,
    "Transformer dissection: a unified understanding of Transformer's attention via the lens of "
    "kernel",
    "https://arxiv.org/abs/1908.11775",
    "with the linear kernel",
)

VARIANT = Variant(
    key="sum-normalised",
    title="Scores divided by their sum",
    family="Scores",
    summary=(
        "Each score is divided by the sum of its row, so that the weights sum to 1. It is the "
        "first note's first way to normalise. Where scores have both signs, weights may be "
        "negative or above 1, and where a row of scores sums to zero they are not defined."
    ),
    mechanism=Mechanism(
        "attention normalised by the sum", (dot_product(), by_sum(), weighted_sum())
    ),
    sources=(TSAI,),
    inputs={Q: query(), K: key(), V: value()},
    against="raw-scores",
    holds=(
        "rows-sum-to-one",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "query-scale-invariant",
    ),
    fails=(
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
