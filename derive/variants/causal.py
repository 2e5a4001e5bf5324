"""The causal mask: no query sees a later token."""

from __future__ import annotations

from dataclasses import replace

from derive.formula import K, Q, V
from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.variants.inputs import key, query, value
from derive.variants.scaled_dot_product import VASWANI
from derive.variants.variant import Variant

VARIANT = Variant(
    key="causal",
    title="Causal mask",
    family="Masks",
    summary=(
        "Query i sees the keys up to its own place, so that what is computed at a token can "
        "predict the next one without having seen it."
    ),
    mechanism=scaled_dot_product_attention(Options(causal="top-left")),
    sources=(replace(VASWANI, place="section 3.2.3"),),
    inputs={Q: query(), K: key(), V: value()},
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
