"""What attention and its gradients are, enclosed: float64 arrays with certified radii.

    s = scale q k^T,  u = c tanh(s / c),  w = u + bias,  P = softmax(w),  o = P v
    dv = P^T g,  dP = g v^T,  D = rowsum(P dP),  dw = P (dP - D),  ds = dw (1 - (u/c)^2)
    dq = scale ds k,  dk = scale ds^T q,  db = dw

for an upstream gradient g. Hidden keys have weight exactly zero. The shift that softmax subtracts
is one float64 number for each query; since it cancels in the quotient, it brings in no error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy

from numeric.rounding.enclosed import Array, Enclosed, exactly
from numeric.rounding.problem import Problem


@dataclass(frozen=True, eq=False)
class Forward:
    """The values on the way to the output.

    ``dot`` is s, ``ratio`` tanh(s / c) where there is a cap, ``scores`` w; ``largest`` (heads, n_q,
    1) a float64 near the largest score that is seen, ``normaliser`` log of the sum of
    exp(w - largest); ``logarithm`` log P, minus infinity where a key is hidden. ``seen`` (heads,
    n_q, n) tells which keys a query sees.
    """

    dot: Enclosed
    ratio: Enclosed | None
    scores: Enclosed
    largest: Array
    normaliser: Enclosed
    logarithm: Enclosed
    weights: Enclosed
    output: Enclosed
    seen: Array
    how: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Backward:
    """The gradients for one upstream gradient, and the values on the way to them."""

    upstream: Array
    weight_gradient: Enclosed
    row_sum: Enclosed
    score_gradient: Enclosed
    dot_gradient: Enclosed
    query: Enclosed
    key: Enclosed
    value: Enclosed
    bias: Enclosed | None
    how: str
    seconds: float


FLOAT64 = "float64 with its own bound"


def forward(problem: Problem) -> Forward:
    """Evaluate in float64, with a radius for every element."""
    started = time.perf_counter()
    query, key, value = exactly(problem.query), problem.keys_seen, problem.values_seen
    dot = problem.scale * (query @ exactly(key).mT)
    scores, ratio = dot, None
    if problem.soft_cap is not None:
        cap = exactly(problem.soft_cap)
        ratio = dot.over(cap).tanh()
        scores = cap * ratio
    if problem.bias is not None:
        scores = scores + exactly(problem.bias)
    visible = numpy.broadcast_to(problem.visible, scores.shape)
    seen = numpy.where(visible, scores.value, -numpy.inf)
    largest = seen.max(-1, keepdims=True)
    largest = numpy.where(numpy.isfinite(largest), largest, 0.0)
    shifted = scores - exactly(largest)
    exponentials = shifted.exp().where(visible)
    total = exponentials.sum(-1)
    empty = ~visible.any(-1, keepdims=True)
    total = Enclosed(numpy.where(empty, 1.0, total.value), total.radius)
    normaliser = total.log()
    logarithm = shifted - normaliser
    weights = logarithm.exp().where(visible)
    logarithm = Enclosed(
        numpy.where(visible, logarithm.value, -numpy.inf),
        numpy.where(visible, logarithm.radius, 0.0),
    )
    weights = with_empty_rows(problem, weights, empty)
    output = weights @ exactly(value)
    seconds = time.perf_counter() - started
    return Forward(
        dot,
        ratio,
        scores,
        largest,
        normaliser,
        logarithm,
        weights,
        output,
        visible,
        FLOAT64,
        seconds,
    )


def backward(problem: Problem, at: Forward, upstream: Array) -> Backward:
    """Evaluate all gradients in float64, with a radius for every element."""
    started = time.perf_counter()
    query, key, value = (
        exactly(array) for array in (problem.query, problem.keys_seen, problem.values_seen)
    )
    given = exactly(upstream)
    weight_gradient = given @ value.mT
    row_sum = (at.weights * weight_gradient).sum(-1)
    score_gradient = at.weights * (weight_gradient - row_sum)
    if problem.empty_rows == "uniform":
        # The plain mean of the values does not depend on the scores.
        score_gradient = score_gradient.where(~problem.empty[..., None])
    dot_gradient = score_gradient
    if at.ratio is not None:
        one = exactly(numpy.ones_like(at.ratio.value))
        dot_gradient = score_gradient * (one - at.ratio * at.ratio)
    count = len(problem.key)
    return Backward(
        upstream=upstream,
        weight_gradient=weight_gradient,
        row_sum=row_sum,
        score_gradient=score_gradient,
        dot_gradient=dot_gradient,
        query=problem.scale * (dot_gradient @ key),
        key=problem.scale * (dot_gradient.mT @ query).joined(problem.shared, count),
        value=(at.weights.mT @ given).joined(problem.shared, count),
        bias=None if problem.bias is None else over_broadcast(problem, score_gradient),
        how=FLOAT64,
        seconds=time.perf_counter() - started,
    )


def with_empty_rows(problem: Problem, weights: Enclosed, empty: Array) -> Enclosed:
    """Give queries that see no key the weights that their contract states."""
    if problem.empty_rows != "uniform" or not empty.any():
        return weights
    n = weights.shape[-1]
    mean = Enclosed(numpy.float64(1 / n), numpy.float64(2.0**-53 / n))
    return Enclosed(
        numpy.where(empty, mean.value, weights.value),
        numpy.where(empty, mean.radius, weights.radius),
    )


def over_broadcast(problem: Problem, gradient: Enclosed) -> Enclosed:
    """Add a gradient of scores up over the axes along which the bias was repeated."""
    shape = (*problem.lead, *gradient.shape[-2:])
    found = Enclosed(gradient.value.reshape(shape), gradient.radius.reshape(shape))
    wanted = (1,) * (len(shape) - len(problem.bias_shape)) + problem.bias_shape
    for axis, (length, full) in enumerate(zip(wanted, shape, strict=True)):
        if length == 1 and full != 1:
            found = found.sum(axis)
    return Enclosed(
        found.value.reshape(problem.bias_shape), found.radius.reshape(problem.bias_shape)
    )
