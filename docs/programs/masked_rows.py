"""A query that may see no key: what torch gives for it depends on the way there."""

import functools

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel


def attention(query, key, value, mask):
    """Torch's attention with the fused kernel that it chooses; such a query gets zero."""
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def unfused(query, key, value, mask):
    """The same without a fused kernel: zero."""
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def by_softmax(query, key, value, mask):
    """Minus infinity and a softmax: NaN."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value


def by_smallest_number(query, key, value, mask):
    """The smallest number and a softmax: the mean of all values."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) @ value


@functools.cache
def layer(dim, dtype):
    """Return torch's module with weights that pass queries, keys and values on as they are."""
    made = nn.MultiheadAttention(4 * dim, 2, batch_first=True, dtype=dtype).eval()
    with torch.no_grad():
        made.in_proj_weight.zero_()
        for part, factor in enumerate((2**0.5, 1, 1)):
            rows = slice(4 * dim * part, 4 * dim * part + dim)
            made.in_proj_weight[rows, dim * part : dim * (part + 1)] = factor * torch.eye(dim)
        made.out_proj.weight.copy_(torch.eye(4 * dim))
    return made.requires_grad_(False)


def module(query, key, value, mask, *, fast=True, need_weights=False):
    """Torch's module as self-attention over tokens that hold query, key and value side by side.

    In evaluation without gradients it has a fast path, which gives NaN; without it zero. With
    ``need_weights`` both give NaN. As many queries as keys, one mask for all.
    """
    dim = query.shape[-1]
    tokens = torch.cat([query, key, value, torch.zeros_like(value)], -1).flatten(0, 1)
    hidden = ~mask.view(mask.shape[-2:])
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        output, _ = layer(dim, query.dtype)(
            tokens, tokens, tokens, attn_mask=hidden, need_weights=need_weights
        )
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
    return output[..., :dim].view(query.shape)


def slow_module(query, key, value, mask):
    """The same without the fast path."""
    return module(query, key, value, mask, fast=False)
