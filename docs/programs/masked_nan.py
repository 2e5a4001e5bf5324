"""NaN or infinity where no query may look: hidden, it reaches the output all the same."""

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel


def attention(query, key, value, mask):
    """Torch's attention with the fused kernel that it chooses."""
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def unfused(query, key, value, mask):
    """The same without a fused kernel."""
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def by_softmax(query, key, value, mask):
    """Exchange hidden scores for minus infinity: this keeps hidden keys out, not hidden values."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value


def left_out(query, key, value, mask):
    """Leave hidden values out of the sum: nothing hidden reaches the output."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    parts = weights[..., None] * value[..., None, :, :]
    return parts.where(mask[..., None], 0).sum(-2)
