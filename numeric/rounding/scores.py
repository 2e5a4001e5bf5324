"""How far the scores of a program may be from the exact ones.

    delta = |scale| sum_k |q_k| |k_k| ((1 + u_in)^2c (1 + g(d + 8)) - 1)   dot product, scaled
          + tanh and its factors                                             soft cap
          + ((1 + u)^3 - 1) max(|s|, |w|, |B|)                               bias added, in base 2
          + ((1 + u_s)^c - 1) |w|                                             stored copies
          + underflow

d + 8: d - 1 sums and a product; the scale's root, on the query and on the key, each computed in
two roundings and multiplied; and the change of base of an exponential to the base of 2. The cap's
slope at s is 1 / cosh(s / c)^2, at most its value where the argument is least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from numeric.rounding.contract import Contract, unit
from numeric.rounding.enclosed import Array, up
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Forward
from numeric.rounding.relative import (
    compounded,
    scaled_underflow,
    stored_growth,
    stored_underflow,
    underflow,
)

SCALING = 8
"""Roundings of a term of a sum of products that come from the scale and from the base."""


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
    scale = size_of_scale(problem)
    query, key = abs(problem.query), abs(problem.keys_seen)
    d = query.shape[-1]
    sizes = query @ key.mT
    relative = compounded(
        stored_growth(contract.inputs, 2), contract.growth(d + SCALING, contract.accumulation)
    )
    # Query and key may be scaled before they are multiplied, and underflow then; what is lost is
    # multiplied by the other, and by whatever rounds later.
    reach = query.sum(-1)[..., :, None] + key.sum(-1)[..., None, :]
    lost = d * underflow(contract.accumulation) * (1 + scale)
    once = scaled_underflow(contract)
    lost = lost + max(scale, 1.0) * once * (reach + d * once)
    error = up(scale * sizes * relative + lost * (1 + relative))
    largest = up(sizes * max(scale, 1.0) * (1 + relative))
    magnitude = at.dot.magnitude
    own = unit(contract.softmax)
    ratio = None
    if at.ratio is not None and problem.soft_cap is not None:
        cap = problem.soft_cap
        error = up(error + _copies(contract, magnitude + error, scale))
        moved = up(
            error / cap
            + compounded(own, own, own) * (magnitude + error) / cap
            + underflow(contract.softmax)
        )
        least = numpy.maximum(abs(at.dot.value) - at.dot.radius, 0.0) / cap - moved
        ratio = up(_slope(least) * moved)
        size = numpy.minimum(at.ratio.magnitude + ratio, 1.0)
        ratio = up(
            ratio
            + 2 * own * contract.tanh_ulp * size
            + (2 * contract.tanh_ulp + 2) * underflow(contract.softmax)
        )
        ratio = up(ratio + stored_growth(contract.scores) * (at.ratio.magnitude + ratio))
        ratio = up(ratio + stored_underflow(contract.scores))
        size = at.ratio.magnitude + ratio
        error = up(cap * ratio + compounded(*([own] * 4)) * cap * size)
        error = error + 2 * underflow(contract.softmax)
        magnitude = cap * at.ratio.magnitude
    if problem.bias is not None:
        bias = abs(problem.bias)
        magnitude = numpy.maximum(magnitude, at.scores.magnitude)
        error = up(
            error
            + compounded(own, own, own) * (numpy.maximum(magnitude, bias) + error)
            + stored_growth(contract.inputs) * bias
            + stored_underflow(contract.inputs)
        )
    error = up(error + _copies(contract, magnitude + error, scale))
    return ScoreError(error, ratio, numpy.maximum(largest, up(magnitude + error)))


def size_of_scale(problem: Problem) -> float:
    """Return an upper bound of |scale|."""
    return abs(float(problem.scale.value)) * (1 + 2.0**-50)


def _copies(contract: Contract, sizes: Array, scale: float) -> Array:
    """Return what stored copies of numbers of these sizes lose, before the scale or after it."""
    if contract.scores is None:
        return numpy.zeros_like(sizes)
    return contract.scores.growth * sizes + contract.scores.underflow * (1 + scale)


def _slope(argument: Array) -> Array:
    """Return an upper bound of the slope of tanh from |argument| on."""
    with numpy.errstate(over="ignore"):
        return numpy.minimum(1.0, (1 + 2.0**-40) / numpy.cosh(numpy.maximum(argument, 0.0)) ** 2)
