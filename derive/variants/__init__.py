"""The atlas: every mechanism by its key, in the order in which pages list them.

To add one, write a file beside the others and name it here.
"""

from __future__ import annotations

from collections.abc import Mapping

from derive.variants import additive, alibi, causal, dot_product, scaled_dot_product
from derive.variants.variant import FAMILIES, Variant

_MODULES = (
    dot_product,
    scaled_dot_product,
    additive,
    causal,
    alibi,
)

ATLAS: Mapping[str, Variant] = {
    module.VARIANT.key: module.VARIANT
    for family in FAMILIES
    for module in _MODULES
    if module.VARIANT.family == family
}
"""Every mechanism of the atlas by its key, family after family."""
