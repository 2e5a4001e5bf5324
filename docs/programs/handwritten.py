"""Attention with a backward pass of its own: right results, wrong gradients."""

import math

import torch


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


def attention(query, key, value):
    """Return softmax(query key' / sqrt(dim)) value."""
    return Handwritten.apply(query, key, value)
