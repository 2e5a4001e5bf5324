"""Sigmoid attention: each weight by its own score alone."""

from __future__ import annotations

from math import log

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, h, i, j, n_h, s
from derive.normaliser import sigmoid
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import by_length, key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

b, t = array("b"), array("t")

RAMAPURAM = Source(
    "Ramapuram et al.",
    2024,
    "Theory, analysis, and best practices for sigmoid self-attention",
    "https://arxiv.org/abs/2409.04431",
    "section 2",
)

BIAS = Choice(
    "bias",
    "one number for each head, added to each score",
    (Stage(t[h, i, j], s[h, i, j] + b[h]),),
)

MECHANISM = Mechanism(
    "sigmoid attention",
    (scaled_dot_product(lead=(h,)), BIAS, sigmoid(t, lead=(h,)), weighted_sum(lead=(h,))),
    given=(*queries_keys_values(n_h), (b, (n_h,))),
)


def _minus_logarithm(tokens: int) -> list[str]:
    return [f"{-log(tokens):.2f}"] * 2


VARIANT = Variant(
    key="sigmoid",
    title="Sigmoid attention",
    family="Normalisers",
    summary=(
        "The sigmoid of a score is its weight, whatever the other scores are, so that no row has "
        "to be summed. A number b for each head makes up for many keys, whose weights would add up "
        "to much: the paper takes minus the logarithm of n, here to two decimals."
    ),
    mechanism=MECHANISM,
    sources=(RAMAPURAM,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        b: by_length(_minus_logarithm),
    },
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
