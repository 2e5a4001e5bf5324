"""Attention with trainable weights, as a book goes on from the second note's sentence.

Raschka, Build a Large Language Model (From Scratch), 2024, chapter 3, from section 3.4 on; each
function is one of its steps, in torch. Vectors stand in rows, as in ``reference``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def projected(inputs: Tensor, neurons: Tensor) -> Tensor:
    """Map each token linearly, each neuron a row of weights: (n, e), (d, e) -> (n, d)."""
    return inputs @ neurons.T


def scaled_weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Scale the scores by the square root of d, then softmax: (n_q, d), (n, d) -> (n_q, n)."""
    scores = queries @ keys.T
    return torch.softmax(scores / keys.shape[-1] ** 0.5, dim=-1)


def masked_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """Put minus infinity where a key comes later than its query: (n, d), (n, d) -> (n, n)."""
    scores = queries @ keys.T
    later = torch.ones(scores.shape).triu(diagonal=1).bool()
    return scores.masked_fill(later, -torch.inf)


def causal_weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Scale masked scores, then softmax: a weight on a later key is 0: (n, d), (n, d) -> (n, n)."""
    return torch.softmax(masked_scores(queries, keys) / keys.shape[-1] ** 0.5, dim=-1)


def earlier_weights(all_weights: Tensor) -> Tensor:
    """Set the weights of later keys to 0, with no change to the others: (n, n) -> (n, n)."""
    return all_weights * torch.ones_like(all_weights).tril()


def causal_by_renormalising(all_weights: Tensor) -> Tensor:
    """Set the weights of later keys to 0 and divide each row by its sum: (n, n) -> (n, n)."""
    earlier = earlier_weights(all_weights)
    return earlier / earlier.sum(dim=-1, keepdim=True)
