"""The padding mask: tokens that only fill up a batch are hidden from all."""

from __future__ import annotations

from derive.formula import K, Q, V
from derive.options import Options
from derive.scaled_dot_product import M, scaled_dot_product_attention
from derive.variants.inputs import by_length, key, query, value
from derive.variants.variant import Source, Variant

TORCH = Source(
    "PyTorch",
    2025,
    "torch.nn.MultiheadAttention",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html",
    "key_padding_mask",
)


def _all_but_two(tokens: int) -> list[int]:
    """Hide the last two tokens, but never the first."""
    return [int(place < max(1, tokens - 2)) for place in range(tokens)]


VARIANT = Variant(
    key="padding",
    title="Padding mask",
    family="Masks",
    summary=(
        "M is 1 for a real token and 0 for one that only makes the sentences of a batch equally "
        "long; torch marks the latter instead. No query sees a key that is padding; here the last "
        "two tokens are taken for padding."
    ),
    mechanism=scaled_dot_product_attention(Options(mask="j")),
    sources=(TORCH,),
    inputs={Q: query(), K: key(), V: value(), M: by_length(_all_but_two)},
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
