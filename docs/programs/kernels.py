"""Attention programs to verify: one that is right, and bugs that were really made."""

import math

import torch
from torch.nn import functional


def fused(query, key, value):
    """Torch's own attention, causal."""
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def online(query, key, value, block=2):
    """Causal attention that sees the keys in blocks, as fused kernels do."""
    tokens, dim = query.shape[-2:]
    largest = query.new_full((*query.shape[:-1], 1), -torch.inf)
    total = torch.zeros_like(largest)
    result = torch.zeros_like(query)
    for start in range(0, tokens, block):
        keys = torch.arange(start, min(start + block, tokens))
        hidden = keys > torch.arange(tokens)[:, None]
        scores = query @ key[..., keys, :].mT / math.sqrt(dim)
        scores = scores.masked_fill(hidden, -torch.inf)
        larger = torch.maximum(largest, scores.amax(-1, keepdim=True))
        weights = (scores - larger).exp()
        rescale = (largest - larger).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        result = result * rescale + weights @ value[..., keys, :]
        largest = larger
    return result / total


def capped(query, key, value, cap=15.0):
    """Scores bounded by the hyperbolic tangent, as flash-attention 4 had it in March 2026."""
    scores = query @ key.mT / math.sqrt(query.shape[-1]) / cap
    scores = scores * torch.tanh(scores)  # the bug: scores where cap should stand
    return scores.softmax(-1) @ value


def leaking(query, key, value):
    """Causal by a large negative number, as many models have it."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -50.0).softmax(-1) @ value


class Handwritten(torch.autograd.Function):
    """Attention with a backward pass of its own."""

    @staticmethod
    def forward(ctx, query, key, value):
        """Return softmax(query key' / sqrt(dim)) value."""
        weights = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
        ctx.save_for_backward(query, key, value, weights)
        return weights @ value

    @staticmethod
    def backward(ctx, upstream):
        """Return the three gradients; the bug: no row sum is taken off."""
        query, key, value, weights = ctx.saved_tensors
        scores = weights * (upstream @ value.mT) / math.sqrt(query.shape[-1])
        return scores @ key, scores.mT @ query, weights.mT @ upstream


def handwritten(query, key, value):
    """Attention whose gradients are wrong where its results are right."""
    return Handwritten.apply(query, key, value)
