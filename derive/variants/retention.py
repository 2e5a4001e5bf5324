"""Retention: causal linear attention without a normaliser, with a constant decay for each head."""

from __future__ import annotations

from sympy import exp

from derive.brackets import AtMost
from derive.formula import Choice, K, Mechanism, Q, Stage, V, a, array, h, i, j, n, n_h, n_q, s
from derive.score import dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

g = array("g")

SUN = Source(
    "Sun et al.",
    2023,
    "Retentive network: A successor to Transformer for large language models",
    "https://arxiv.org/abs/2307.08621",
    "section 2.1, equations 5 and 6",
)

DECAY = Choice(
    "normalise",
    "no normaliser: a constant decay per token of distance",
    (Stage(a[h, i, j], AtMost(j, i) * exp(g[h] * (i - j)) * s[h, i, j]),),
)
"""a[h, i, j] = [j <= i] exp(g[h] (i - j)) s[h, i, j]: gamma^(i - j) s with g = log gamma."""

MECHANISM = Mechanism(
    "retention",
    (dot_product(lead=(h,)), DECAY, weighted_sum(lead=(h,))),
    given=(*queries_keys_values(n_h), (g, (n_h,))),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="retention",
    title="Retention (RetNet)",
    family="Linear attention",
    summary=(
        "A score is multiplied by the head's decay for each token of distance, and nothing divides "
        "by the row's sum, so a loop with one matrix as its state computes it. The number g is "
        "the logarithm of the decay. The paper also turns queries and keys by their place, and "
        "normalises each head's result afterwards; both are left out here."
    ),
    mechanism=MECHANISM,
    sources=(SUN,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        g: numbers("-0.1 -0.7"),
    },
    against="linear-causal",
    holds=(
        "causal",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
    ),
    fails=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "query-scale-invariant",
        "scores-bounded",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
