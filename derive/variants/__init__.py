"""The atlas: every mechanism by its key, in the order in which pages list them.

To add one, write a file beside the others and name it here.
"""

from __future__ import annotations

from collections.abc import Mapping

from derive.variants import (
    additive,
    alibi,
    bidirectional_window,
    causal,
    cross_attention,
    differential,
    dilated,
    dot_product,
    forgetting,
    gated_linear,
    gated_output,
    general,
    grouped_query,
    latent,
    latent_absorbed,
    linear,
    linear_causal,
    linformer,
    memory,
    multi_head,
    multi_query,
    padding,
    performer,
    pooling,
    power,
    prefix,
    projected,
    query_key_normalised,
    raw_scores,
    relative_bias,
    relative_keys,
    retention,
    rms_normalised,
    rotary_halves,
    rotary_interleaved,
    scaled_dot_product,
    shifted_softmax,
    sigmoid,
    sink,
    sliding_window,
    soft_cap,
    softmax_plus_one,
    state_space,
    sum_normalised,
    talking_heads,
    temperature,
)
from derive.variants.variant import FAMILIES, Variant

_MODULES = (
    raw_scores,
    sum_normalised,
    dot_product,
    scaled_dot_product,
    projected,
    general,
    additive,
    temperature,
    query_key_normalised,
    rms_normalised,
    causal,
    padding,
    prefix,
    sliding_window,
    bidirectional_window,
    dilated,
    multi_head,
    multi_query,
    grouped_query,
    cross_attention,
    talking_heads,
    pooling,
    alibi,
    relative_bias,
    relative_keys,
    rotary_interleaved,
    rotary_halves,
    forgetting,
    linear,
    linear_causal,
    retention,
    state_space,
    gated_linear,
    performer,
    differential,
    linformer,
    latent,
    latent_absorbed,
    memory,
    soft_cap,
    shifted_softmax,
    softmax_plus_one,
    sink,
    sigmoid,
    power,
    gated_output,
)

ATLAS: Mapping[str, Variant] = {
    module.VARIANT.key: module.VARIANT
    for family in FAMILIES
    for module in _MODULES
    if module.VARIANT.family == family
}
"""Every mechanism of the atlas by its key, family after family."""


def by_family() -> tuple[tuple[str, tuple[Variant, ...]], ...]:
    """Return each family that has mechanisms, with these in order."""
    found = (
        (family, tuple(variant for variant in ATLAS.values() if variant.family == family))
        for family in FAMILIES
    )
    return tuple((family, variants) for family, variants in found if variants)
