"""The attention sink: a learned number for each head takes a part of the weight."""

from __future__ import annotations

from sympy import exp

from derive.formula import K, Mechanism, Q, V, array, h, n_h
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

b = array("b")

OPENAI = Source(
    "OpenAI",
    2025,
    "gpt-oss-120b & gpt-oss-20b model card",
    "https://arxiv.org/abs/2508.10925",
    "section 2.2",
)

XIAO = Source(
    "Xiao et al.",
    2023,
    "Efficient streaming language models with attention sinks",
    "https://arxiv.org/abs/2309.17453",
)

MECHANISM = Mechanism(
    "scaled dot-product attention with a sink",
    (scaled_dot_product(lead=(h,)), softmax(lead=(h,), sink=exp(b[h])), weighted_sum(lead=(h,))),
    given=(*queries_keys_values(n_h), (b, (n_h,))),
)

VARIANT = Variant(
    key="sink",
    title="Attention sink",
    family="Normalisers",
    summary=(
        "Each head has a learned number b, and e^b is added to its denominators, as if there were "
        "one more key with score b and value 0. The weight that this sink takes need not go to a "
        "token that does not matter, such as the first."
    ),
    mechanism=MECHANISM,
    sources=(OPENAI, XIAO),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        b: numbers("-0.5 1.5"),
    },
    against="softmax-plus-one",
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
