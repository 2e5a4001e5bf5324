"""The notes' own code as stages: which array each of its steps computes, for every query."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sympy import IndexedBase
from torch import Tensor

from derive.attention import CROSS, RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.formula import D, K, Mechanism, Q, V, a, s, x, z
from derive.normaliser import shifted_softmax
from numeric import reference
from numeric.evaluate import Arrays

Stages = dict[IndexedBase, Tensor]


def shifted(mechanism: Mechanism) -> Mechanism:
    """Return a softmax mechanism in the shifted form, which torch.softmax computes."""
    score, weighted_sum = mechanism.choice("score"), mechanism.choice("weighted sum")
    return Mechanism(f"{mechanism.title}, shifted", (score, shifted_softmax(), weighted_sum))


def raw_by_loops(given: Arrays) -> Stages:
    """Raw scores as weights: s, a (n, n) and z (n, d)."""
    inputs = given[x]
    scores = _each(reference.scores_of_one_query, inputs, inputs)
    return {s: scores, a: scores, z: _each(reference.context_of_one_query, scores, inputs)}


def scores_by_double_loop(given: Arrays) -> Stages:
    """All scores, pair by pair: s (n, n)."""
    return {s: reference.scores_of_all_pairs(given[x])}


def sum_normalised_by_loops(given: Arrays) -> Stages:
    """Weights normalised by the sum: s, a (n, n), D (n) and z (n, d)."""
    inputs = given[x]
    scores = _each(reference.scores_of_one_query, inputs, inputs)
    weights = _each(reference.normalised_by_sum, scores)
    contexts = _each(reference.context_of_one_query, weights, inputs)
    return {s: scores, D: _each(reference.sum_of_scores, scores), a: weights, z: contexts}


def softmax_by_loops(given: Arrays) -> Stages:
    """Softmax by hand: s, a (n, n), D (n) and z (n, d)."""
    inputs = given[x]
    return _softmax_by_hand(_each(reference.scores_of_one_query, inputs, inputs), inputs)


def scaled_by_loops(given: Arrays) -> Stages:
    """Softmax by hand of scaled scores: s, a (n, n), D (n) and z (n, d)."""
    inputs = given[x]
    return _softmax_by_hand(_each(reference.scaled_scores_of_one_query, inputs, inputs), inputs)


def cross_by_loops(given: Arrays) -> Stages:
    """Softmax by hand of queries and keys: s, a (n_q, n), D (n_q) and z (n_q, d_v)."""
    return _softmax_by_hand(_each(reference.scores_of_one_query, given[Q], given[K]), given[V])


def torch_softmax_by_loops(given: Arrays) -> Stages:
    """torch.softmax of each row of scores: s, a (n, n) and z (n, d)."""
    inputs = given[x]
    return _torch_softmax(_each(reference.scores_of_one_query, inputs, inputs), inputs)


def scaled_torch_softmax_by_loops(given: Arrays) -> Stages:
    """torch.softmax of each row of scaled scores: s, a (n, n) and z (n, d)."""
    inputs = given[x]
    return _torch_softmax(_each(reference.scaled_scores_of_one_query, inputs, inputs), inputs)


def by_matrices(given: Arrays) -> Stages:
    """The three matrix lines: s, a (n, n) and z (n, d)."""
    scores = reference.scores_by_matrix(given[x])
    weights = reference.weights_by_matrix(scores)
    return {s: scores, a: weights, z: reference.self_attention(given[x])}


def cross_by_matrices(given: Arrays) -> Stages:
    """The three matrix lines of queries, keys and values: z (n_q, d_v)."""
    return {z: reference.attention(given[Q], given[K], given[V])}


TORCH_CODE: dict[str, tuple[tuple[str, Mechanism, Callable[[Arrays], Stages]], ...]] = {
    "raw": (
        ("torch, loops", RAW, raw_by_loops),
        ("torch, double loop", RAW, scores_by_double_loop),
    ),
    "sum": (("torch, loops", SUM_NORMALISED, sum_normalised_by_loops),),
    "softmax": (("torch, loops", SOFTMAX, softmax_by_loops),),
    "shifted": (
        ("torch, loops", SHIFTED, torch_softmax_by_loops),
        ("torch, matrices", SHIFTED, by_matrices),
    ),
    "scaled": (
        ("torch, loops", SCALED, scaled_by_loops),
        ("torch, loops and torch.softmax", shifted(SCALED), scaled_torch_softmax_by_loops),
    ),
    "cross": (
        ("torch, loops", CROSS, cross_by_loops),
        ("torch, matrices", shifted(CROSS), cross_by_matrices),
    ),
}
"""By the mechanism's short name: the code's name, the formula that it evaluates, and its stages.

torch.softmax evaluates the shifted form, so its rounding is that form's.
"""


def _softmax_by_hand(scores: Tensor, values: Tensor) -> Stages:
    weights = _each(reference.softmax_by_hand, scores)
    contexts = _each(reference.context_of_one_query, weights, values)
    return {s: scores, D: _each(reference.sum_of_exponentials, scores), a: weights, z: contexts}


def _torch_softmax(scores: Tensor, values: Tensor) -> Stages:
    weights = _each(reference.softmax_by_torch, scores)
    return {s: scores, a: weights, z: _each(reference.context_of_one_query, weights, values)}


def _each(step: Callable[..., Tensor], rows: Tensor, *others: Tensor) -> Tensor:
    """Take a step for every row, each row as the query."""
    return torch.stack([step(row, *others) for row in rows])
