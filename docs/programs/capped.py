"""A soft cap with the bug that flash-attention 4 had in March 2026."""

import math

import torch


def attention(query, key, value, cap=15.0):
    """Bound the scores by the hyperbolic tangent."""
    scores = query @ key.mT / math.sqrt(query.shape[-1]) / cap
    scores = scores * torch.tanh(scores)  # the bug: scores where cap should stand
    return scores.softmax(-1) @ value
