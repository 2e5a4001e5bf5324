"""Rotary position embeddings as published: neighbouring dimensions make a pair."""

from __future__ import annotations

from derive.formula import p
from derive.variants.rotary import INPUTS, SU, rotary_attention
from derive.variants.variant import Variant

VARIANT = Variant(
    key="rotary-interleaved",
    title="Rotary embeddings, neighbouring pairs",
    family="Positions",
    summary=(
        "Dimensions 2p - 1 and 2p of each query and key are a point in the plane, which is turned "
        "by an angle in proportion to the token's place. A score then depends on the difference of "
        "the two places, and nothing is added to the tokens. The paper takes the angles "
        "10000^(-2(p - 1)/d)."
    ),
    mechanism=rotary_attention("neighbouring pairs", 2 * p - 1, 2 * p),
    sources=(SU,),
    inputs=INPUTS,
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
