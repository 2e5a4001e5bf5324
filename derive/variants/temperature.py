"""A temperature: scores divided by a number that makes the weights sharper or flatter."""

from __future__ import annotations

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, h, i, j, n_h, s
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

T, t = array("T"), array("t")

HINTON = Source(
    "Hinton, Vinyals and Dean",
    2015,
    "Distilling the knowledge in a neural network",
    "https://arxiv.org/abs/1503.02531",
    "section 2, equation 1",
)

TEMPERED = Choice(
    "temperature",
    "division by the head's temperature",
    (Stage(t[h, i, j], s[h, i, j] / T[h]),),
)

MECHANISM = Mechanism(
    "attention with a temperature",
    (scaled_dot_product(lead=(h,)), TEMPERED, softmax(t, lead=(h,)), weighted_sum(lead=(h,))),
    given=(*queries_keys_values(n_h), (T, (n_h,))),
)

VARIANT = Variant(
    key="temperature",
    title="Temperature",
    family="Score modifications",
    summary=(
        "Scores are divided by a positive temperature T, one for each head. Below 1 it sharpens "
        "the weights towards the largest score, above 1 it flattens them towards equal ones. The "
        "source divides the scores of a classifier in this way."
    ),
    mechanism=MECHANISM,
    sources=(HINTON,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        T: numbers("0.5 2"),
    },
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
