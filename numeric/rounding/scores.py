"""How far the scores of a program may be from the exact ones.

    delta = |scale| sum_k |q_k| |k_k| ((1 + u_in)^2c (1 + g(d + 6)) - 1)   dot product, scaled
          + tanh and its factors                                             soft cap
          + u |w|                                                             bias added
          + ((1 + u_s)^c - 1) |w|                                             stored copies
          + underflow

d + 6: d - 1 sums and a product; the scale's own rounding and its product, on the query and on the
key; and the change of base of an exponential to the base of 2. The cap's slope at s is
1 / cosh(s / c)^2, at most its value where |s| is least.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log1p

import numpy

from numeric.precision import Precision
from numeric.rounding.contract import Contract, Stored, unit
from numeric.rounding.enclosed import Array, up
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Forward

SCALING = 6


@dataclass(frozen=True, eq=False)
class ScoreError:
    """``error`` bounds |computed - exact| of each score (heads, n_q, n).

    ``ratio`` bounds the error of tanh(s / c), ``largest`` (heads, n_q, n) the largest intermediate
    result, which decides overflow.
    """

    error: Array
    ratio: Array | None
    largest: Array


def score_error(problem: Problem, at: Forward, contract: Contract) -> ScoreError:
    """Return the bound for every score, hidden ones included."""
    scale = abs(float(problem.scale.value)) * (1 + 2.0**-50)
    d = problem.query.shape[-1]
    sizes = abs(problem.query) @ abs(problem.keys_seen).mT
    relative = compounded(
        stored_growth(contract.inputs, 2), contract.growth(d + SCALING, contract.accumulation)
    )
    lost = d * underflow(contract.accumulation) * (1 + scale)
    if contract.inputs is not None:
        lost = lost + contract.inputs.underflow * scale * (
            abs(problem.query).sum(-1)[..., :, None] + abs(problem.keys_seen).sum(-1)[..., None, :]
        )
    error = scale * sizes * relative + lost
    largest = up(sizes * max(scale, 1.0) * (1 + relative))
    magnitude = at.dot.magnitude
    ratio = None
    arithmetic = contract.softmax
    own = unit(arithmetic)
    if at.ratio is not None and problem.soft_cap is not None:
        cap = problem.soft_cap
        steep = _slope(at, error, cap)
        if contract.scores is not None:
            # Each stored copy may be the score or what is handed to tanh.
            error = error + contract.scores.growth * (magnitude + error) + _lost(contract, scale)
        ratio = up(steep * (error / cap + 2 * own * (magnitude + error) / cap))
        size = numpy.minimum(at.ratio.magnitude + ratio, 1.0)
        ratio = up(ratio + (2 * own * contract.tanh_ulp) * size + underflow(arithmetic))
        if contract.scores is not None:
            ratio = up(ratio + contract.scores.growth * size + contract.scores.underflow)
        error = up(cap * ratio + 2 * own * cap * size + underflow(arithmetic))
        magnitude = cap * at.ratio.magnitude
    if problem.bias is not None:
        error = up(error + own * (at.scores.magnitude + error))
        magnitude = numpy.maximum(magnitude, at.scores.magnitude)
    if contract.scores is not None:
        error = error + contract.scores.growth * (magnitude + error) + _lost(contract, scale)
    return ScoreError(up(error), ratio, numpy.maximum(largest, up(magnitude + error)))


def _slope(at: Forward, error: Array, cap: float) -> Array:
    least = numpy.maximum(abs(at.dot.value) - at.dot.radius - error, 0.0) / cap
    with numpy.errstate(over="ignore"):
        return numpy.minimum(1.0, (1 + 2.0**-40) / numpy.cosh(least) ** 2)


def _lost(contract: Contract, scale: float) -> float:
    return 0.0 if contract.scores is None else contract.scores.underflow * (1 + scale)


def compounded(*relative: float) -> float:
    """Return the relative error of a product of factors that each err by this much."""
    return expm1(sum(map(log1p, relative))) * (1 + 2.0**-40)


def stored_growth(stored: Stored | None, times: int = 1) -> float:
    """Return the relative error of ``times`` factors that were each stored."""
    return 0.0 if stored is None else compounded(*([stored.growth] * times))


def stored_underflow(stored: Stored | None) -> float:
    """Return what a stored number may lose below the normal range."""
    return 0.0 if stored is None else stored.underflow


def underflow(precision: Precision) -> float:
    """Return half of the smallest subnormal number, as float64 holds it (at least its own)."""
    return max(float(precision.smallest_subnormal) / 2, 2.0**-1074)
