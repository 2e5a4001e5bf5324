"""Attention with keys permuted by hand: right as written, wrong when torch 2.13 compiles it."""

import functools
import math

import torch


def eager(query, key, value):
    """Permute tokens and heads as projections need it; the keys straight into the transpose."""
    scores = query.permute(0, 2, 1, 3) @ key.permute(0, 2, 3, 1)
    scores = scores * (1 / math.sqrt(query.shape[-1]))
    return scores.softmax(-1) @ value.permute(0, 2, 1, 3)


@functools.cache
def compiled():
    """Return the compiled function; the first call compiles."""
    return torch.compile(eager)


def attention(query, key, value):
    """Return softmax(query key' / sqrt(dim)) value, compiled; axes are sentence, head, token.

    Wrong, without a word, where there are as many tokens as heads; with other sizes it may refuse
    to compile (pytorch issue 195320).
    """
    return compiled()(*(x.transpose(1, 2).contiguous() for x in (query, key, value)))
