"""Causal attention that sees the keys in blocks, as fused kernels do."""

import math

import torch


def attention(query, key, value, block=2):
    """Return softmax(query key' / sqrt(dim)) value, each query up to its own key."""
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
