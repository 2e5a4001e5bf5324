"""The dilated mask: a query sees every second token back."""

from __future__ import annotations

from sympy import Mod

from derive.brackets import AtMost, Equals
from derive.formula import K, Mechanism, Q, V, i, j, n, n_q
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, query, value
from derive.variants.sliding_window import BELTAGY
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

CHILD = Source(
    "Child, Gray, Radford and Sutskever",
    2019,
    "Generating long sequences with sparse Transformers",
    "https://arxiv.org/abs/1904.10509",
    "strided attention, its second head",
)

STRIDE = 2

MECHANISM = Mechanism(
    "scaled dot-product attention to every second key",
    (
        scaled_dot_product(),
        softmax(allowed=(AtMost(j, i), Equals(Mod(i - j, STRIDE), 0))),
        weighted_sum(),
    ),
    given=queries_keys_values(),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="dilated",
    title="Dilated (strided) mask",
    family="Masks",
    summary=(
        "Query i sees its own key, the one two places before, and so on: every second key back. "
        "That is about half of the scores of a causal mask. In the papers other heads or layers "
        "see what this one skips; Longformer has such gaps in a window."
    ),
    mechanism=MECHANISM,
    sources=(CHILD, BELTAGY),
    inputs={Q: query(), K: key(), V: value()},
    against="causal",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
