"""Dot-product attention: what both notes compute, with queries, keys and values told apart."""

from __future__ import annotations

from dataclasses import replace

from derive.attention import CROSS
from derive.formula import K, Q, V
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant

LUONG = Source(
    "Luong, Pham and Manning",
    2015,
    "Effective approaches to attention-based neural machine translation",
    "https://arxiv.org/abs/1508.04025",
    "section 3.1, dot",
)

VARIANT = Variant(
    key="dot-product",
    title="Dot-product attention",
    family="Scores",
    summary=(
        "A query scores each key by their dot product, and softmax turns the scores into weights. "
        "Both notes compute this, with one vector of each token as query, key and value."
    ),
    mechanism=replace(CROSS, title="dot-product attention"),
    sources=(LUONG,),
    inputs={Q: query(), K: key(), V: value()},
    against="scaled-dot-product",
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
