"""The stages composed: attention as the two notes have it, and in the general form."""

from __future__ import annotations

from derive.formula import Mechanism, k, x
from derive.normaliser import by_sum, raw, shifted_softmax, softmax
from derive.score import dot_product, scaled_dot_product
from derive.weighted_sum import weighted_sum

_own_score, _own_sum = dot_product(x, x), weighted_sum(x, k)

RAW = Mechanism("attention with raw scores", (_own_score, raw(), _own_sum))
"""z_i = sum_j s_ij x_j: the formula that the first note states in words."""

SUM_NORMALISED = Mechanism("attention normalised by the sum", (_own_score, by_sum(), _own_sum))
"""The first note's first way to make weights that sum to 1."""

SOFTMAX = Mechanism("softmax attention", (_own_score, softmax(), _own_sum))
"""What both notes compute: scores by dot product, softmax weights, weighted sum."""

SHIFTED = Mechanism("softmax attention, shifted", (_own_score, shifted_softmax(), _own_sum))
"""The same as frameworks compute it, each row shifted by its largest score."""

SCALED = Mechanism("scaled softmax attention", (scaled_dot_product(x, x), softmax(), _own_sum))
"""Scores divided by sqrt(d): the next lesson, and where other texts' numbers come from."""

CROSS = Mechanism("attention of queries to keys", (dot_product(), softmax(), weighted_sum()))
"""Queries, keys and values from three different arrays: row and column cannot be confused."""

MECHANISMS: dict[str, Mechanism] = {
    "raw": RAW,
    "sum": SUM_NORMALISED,
    "softmax": SOFTMAX,
    "shifted": SHIFTED,
    "scaled": SCALED,
    "cross": CROSS,
}
"""Every mechanism by the short name that a command or a page uses."""
