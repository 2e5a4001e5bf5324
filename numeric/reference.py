"""Attention as the two notes write it: first one query in loops, then all of them as matrices.

Each function is one step of a note, in torch. Vectors stand in rows: ``inputs`` has shape (n, d),
one row for each token. Every result has the type of the inputs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def scores_of_one_query(query: Tensor, keys: Tensor) -> Tensor:
    """Score the query against each key, one dot product at a time: (d), (n, d) -> (n)."""
    scores = torch.empty(keys.shape[0], dtype=keys.dtype)
    for j, key in enumerate(keys):
        scores[j] = torch.dot(query, key)
    return scores


def scaled_scores_of_one_query(query: Tensor, keys: Tensor) -> Tensor:
    """Divide the scores by the square root of the number of dimensions: (d), (n, d) -> (n)."""
    return scores_of_one_query(query, keys) / math.sqrt(query.shape[0])


def sum_of_scores(scores: Tensor) -> Tensor:
    """Add up the scores of one query: (n) -> ()."""
    return scores.sum()


def normalised_by_sum(scores: Tensor) -> Tensor:
    """Divide the scores by their sum, so that they sum to 1: (n) -> (n)."""
    return scores / scores.sum()


def sum_of_exponentials(scores: Tensor) -> Tensor:
    """Add up the exponentials of the scores of one query: (n) -> ()."""
    return torch.exp(scores).sum()


def softmax_by_hand(scores: Tensor) -> Tensor:
    """Divide the exponential of each score by the sum of all of them: (n) -> (n)."""
    return torch.exp(scores) / torch.exp(scores).sum()


def softmax_by_torch(scores: Tensor) -> Tensor:
    """Let torch do it, along the innermost dimension; it shifts by the largest score first."""
    return torch.softmax(scores, dim=-1)


def context_of_one_query(weights: Tensor, values: Tensor) -> Tensor:
    """Accumulate the value vectors, each times its weight: (n), (n, d) -> (d)."""
    context = torch.zeros(values.shape[-1], dtype=values.dtype)
    for j, value in enumerate(values):
        context += weights[j] * value
    return context


def scores_of_all_pairs(inputs: Tensor) -> Tensor:
    """Score every token against every token, one dot product at a time: (n, d) -> (n, n)."""
    n = inputs.shape[0]
    scores = torch.empty(n, n, dtype=inputs.dtype)
    for i, x_i in enumerate(inputs):
        for j, x_j in enumerate(inputs):
            scores[i, j] = torch.dot(x_i, x_j)
    return scores


def scores_by_matrix(inputs: Tensor) -> Tensor:
    """Score every token against every token at once: (n, d) -> (n, n)."""
    return inputs @ inputs.T


def weights_by_matrix(scores: Tensor) -> Tensor:
    """Turn each row of scores into weights that sum to 1: (n, n) -> (n, n)."""
    return torch.softmax(scores, dim=-1)


def contexts_by_matrix(weights: Tensor, inputs: Tensor) -> Tensor:
    """Sum the value vectors by weight, for all queries at once: (n, n), (n, d) -> (n, d)."""
    return weights @ inputs


def self_attention(inputs: Tensor) -> Tensor:
    """Give each token its context vector, in three matrix lines: (n, d) -> (n, d)."""
    scores = inputs @ inputs.T
    weights = torch.softmax(scores, dim=-1)
    return weights @ inputs


def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of queries to keys: (n_q, d), (n, d), (n, d_v) -> (n_q, d_v)."""
    scores = queries @ keys.T
    weights = torch.softmax(scores, dim=-1)
    return weights @ values
