"""Polynomial attention: an even power of the score in place of its exponential."""

from __future__ import annotations

from derive.formula import K, Mechanism, Q, V
from derive.normaliser import even_power
from derive.score import dot_product
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

KACHAM = Source(
    "Kacham, Mirrokni and Zhong",
    2024,
    "PolySketchFormer: fast Transformers via sketching polynomial kernels",
    "https://arxiv.org/abs/2310.01655",
)

BUCKMAN = Source(
    "Buckman, Gelada and Zhang",
    2024,
    "Symmetric power transformers",
    "https://manifestai.com/articles/symmetric-power-transformers/",
)

VARIANT = Variant(
    key="power",
    title="Polynomial attention",
    family="Normalisers",
    summary=(
        "A score is raised to an even power, here 2, instead of going through an exponential. A "
        "power of a dot product is a dot product of longer vectors, so the sum over the keys can "
        "be made once for all queries. The 1 in the denominator keeps it from zero."
    ),
    mechanism=Mechanism("polynomial attention", (dot_product(), even_power(2), weighted_sum())),
    sources=(KACHAM, BUCKMAN),
    inputs={Q: query(), K: key(), V: value()},
    against="dot-product",
    holds=(
        "weights-not-negative",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
    ),
    fails=(
        "rows-sum-to-one",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
