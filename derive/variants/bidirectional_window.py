"""The window on both sides: a query sees the tokens near to it, earlier and later ones."""

from __future__ import annotations

from derive.brackets import Below
from derive.formula import K, Mechanism, Q, V, i, j, n, n_q
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, query, value
from derive.variants.sliding_window import BELTAGY
from derive.variants.variant import Variant
from derive.weighted_sum import weighted_sum

WINDOW = 2
"""Keys at this distance or further are hidden."""

MECHANISM = Mechanism(
    "scaled dot-product attention in a window on both sides",
    (
        scaled_dot_product(),
        softmax(allowed=(Below(i - WINDOW, j), Below(j, i + WINDOW))),
        weighted_sum(),
    ),
    given=queries_keys_values(),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="bidirectional-window",
    title="Window on both sides",
    family="Masks",
    summary=(
        "Query i sees the keys less than 2 places away, before and after it. It serves texts that "
        "are read as a whole, at a cost that grows with n times the window."
    ),
    mechanism=MECHANISM,
    sources=(BELTAGY,),
    inputs={Q: query(), K: key(), V: value()},
    against="sliding-window",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
