r"""A bound on the rounding error of attention's output, for any evaluation that keeps a contract.

For one query: exact scores w_j, weights P_j, output o = sum_j P_j v_j; delta_j bounds the error of
a score (``scores``). A program has e_j = exp(w_j - m) exp(x) (1 + y) + z for some shift m, one for
all keys, and

    |x + log(1 + y)| <= x_j = delta_j + u (max w - w_j + delta_j + max delta) - B log(1 - eps)
    |z| <= omega = B lost

with B blocks: a running maximum only grows, so its steps and the last shift add up to
max w - w_j. For the weights e_j / sum e, exactly divided, the sum of P_j (v_j - o) is zero, so

    |sum_j e_j v_j / sum e - o| <= (sum_j (P_j expm1(x_j) + omega) |v_j - o|) / sum_j P_j exp(-x_j)

and never more than max |v_j - o|, for these weights are not negative and add up to one. What is
left is relative, in each term: stored weights, products, sums, rescaling, the division; the output
is stored; what underflows is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from numeric.precision import Precision
from numeric.rounding.contract import STATISTICAL, Contract, unit
from numeric.rounding.enclosed import Array, up
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Forward
from numeric.rounding.relative import (
    compounded,
    inverse,
    stored_growth,
    stored_underflow,
    underflow,
)
from numeric.rounding.scores import ScoreError, score_error, size_of_scale

ELEMENTS = 2**19
"""How many numbers of the three-dimensional array |v_j - o_i| stand in memory at once."""

FITS_NOT = "a result may overflow {}"


@dataclass(frozen=True, eq=False)
class ForwardBound:
    """Bounds for one evaluation.

    ``output`` (heads, n_q, d_v) bounds the output's error, infinite where ``causes`` says why.
    ``exponent`` is x_j; ``upper`` bounds P exp(x), ``lower`` (heads, n_q, 1) the sum of the
    program's exponentials from below; ``lost`` (heads, n_q, 1) is omega.
    """

    output: Array
    causes: dict[str, Array]
    scores: ScoreError
    exponent: Array
    upper: Array
    lower: Array
    lost: Array
    visible: Array


def forward_bound(problem: Problem, at: Forward, contract: Contract) -> ForwardBound:
    """Return the bound on every element of the output."""
    n, value = problem.key.shape[-2], problem.values_seen
    visible = numpy.broadcast_to(problem.visible, at.scores.shape)
    blocks = contract.blocks(n)
    scores = score_error(problem, at, contract)
    error = numpy.where(visible, scores.error, 0.0)
    worst = error.max(-1, keepdims=True)
    exponent = _exponent(at, contract, visible, error, worst, blocks)
    logarithm = at.logarithm.value, at.logarithm.radius
    with numpy.errstate(over="ignore", invalid="ignore"):
        upper = up(numpy.exp(logarithm[0] + (logarithm[1] + exponent)))
        # Each piece that is lost is multiplied by the factors that follow.
        pieces = blocks * contract.exp_lost * (1 - contract.exp_error) ** -blocks
        lost = up(pieces * numpy.exp(worst))
        lower = numpy.exp(logarithm[0] - (logarithm[1] + exponent)).sum(-1, keepdims=True)
        missing = numpy.minimum(visible.sum(-1, keepdims=True) * lost, 1.0)
        lower = numpy.maximum(lower * (1 - 2.0**-30) - missing, 0.0)
        grown = _grown(at, exponent, upper)
    lower = numpy.where(problem.empty[..., None], 1.0, lower)
    with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = _spread(at, contract, numpy.where(visible, grown + lost, 0.0), lower, value)
        sizes = _sizes(at, contract, numpy.where(visible, upper + lost, 0.0), lower, value)
    relative: Array = _relative(contract, n, blocks)
    if contract.logarithmic or contract.block is not None:
        # Keys that were split among threads are merged by their log-sum-exp.
        moved = logarithm_error(at, contract, n, worst, exponent)
        with numpy.errstate(over="ignore"):
            relative = up(numpy.expm1(numpy.log1p(relative) + moved))
    with numpy.errstate(invalid="ignore"):
        own = (relative + stored_growth(contract.inputs) * (1 + relative)) * sizes
    total = spread + numpy.where(sizes == 0, 0.0, own)
    total = total + 4 * _lost(contract, n, blocks, visible, value)
    total = _with_empty_rows(problem, contract, total)
    stored = contract.stored_output
    total = up(total + stored.growth * (at.output.magnitude + total) + stored.underflow)
    if contract.output.name == "float64":
        total = total + 2.0**-1074
    causes = _causes(problem, at, contract, scores, visible, value, total)
    for rows in causes.values():
        total = numpy.where(rows[..., None], numpy.inf, total)
    return ForwardBound(total, causes, scores, exponent, upper, lower, lost, visible)


def _exponent(
    at: Forward, contract: Contract, visible: Array, error: Array, worst: Array, blocks: int
) -> Array:
    """Return x_j; zero where a key is hidden.

    The difference from the maximum is rounded, and its product with the logarithm of the base. In
    blocks, the shift of a block is multiplied by that logarithm in one place and not in another.
    """
    largest = at.largest + numpy.where(visible, at.scores.radius, 0.0).max(-1, keepdims=True)
    distance = largest - at.scores.value + at.scores.radius + error + worst
    twice = compounded(unit(contract.softmax), unit(contract.softmax))
    relative = twice
    if contract.in_parts and contract.scores is not None:
        relative = relative + contract.scores.growth
        error = error + contract.scores.underflow
    exponent = error + relative * numpy.maximum(distance, 0.0)
    if contract.block is not None:
        sizes = numpy.maximum(abs(at.largest), at.scores.magnitude) + error + worst
        exponent = exponent + twice * sizes
    exponent = up(exponent - blocks * numpy.log1p(-contract.exp_error))
    return numpy.where(visible, exponent, 0.0)


def _grown(at: Forward, exponent: Array, upper: Array) -> Array:
    """Return P expm1(x), by exp where x is large: zero times infinity has no place here."""
    small = exponent < 1
    moved = numpy.expm1(numpy.where(small, exponent, 0.0))
    return up(numpy.where(small, at.weights.magnitude * moved, upper))


def _spread(at: Forward, contract: Contract, kept: Array, lower: Array, value: Array) -> Array:
    """Return sum_j kept_j |v_j - o| / lower, or the largest |v_j - o| where that is less."""
    shape = at.output.shape
    spread = numpy.empty(shape)
    around = up(at.output.radius)
    heads, n_q, n = kept.shape
    together = _ties(at) if contract.statistical else None
    step = max(1, ELEMENTS // max(n * shape[-1], 1))
    centre = at.output.value
    for head in range(heads):
        # How far any value is from the centre, seen or not: where the sum is well below, nothing
        # is gained by asking which are seen.
        least, most = value[head].min(0), value[head].max(0)
        for start in range(0, n_q, step):
            rows = slice(start, start + step)
            middle = centre[head, rows]
            apart = value[head][None] - middle[:, None, :]
            numpy.abs(apart, out=apart)
            weight = kept[head, rows]
            linear = numpy.einsum("ij,ijc->ic", weight, apart)
            if together is not None:
                squares = numpy.einsum("ij,ijc->ic", weight**2, apart**2)
                quadratic = numpy.sqrt(together[head, rows, None] * squares)
                linear = numpy.minimum(linear, STATISTICAL * quadratic)
            linear = linear + weight.sum(-1, keepdims=True) * around[head, rows]
            quotient = up(linear / lower[head, rows])
            extent = numpy.maximum(most - middle, middle - least)
            near = ~(quotient < extent / 8)
            if near.any():
                seen = at.seen[head, rows]
                if not seen.all():
                    apart[~seen] = 0.0
                extent = apart.max(1)
                # Where the quotient is not a number, the limits of a mean are all there is.
                quotient = numpy.fmin(quotient, up(extent + around[head, rows]))
            spread[head, rows] = quotient
    return spread


def _sizes(at: Forward, contract: Contract, weights: Array, lower: Array, value: Array) -> Array:
    """Return sum_j weights_j |v_j| / lower, or the largest |v_j| where that is less."""
    sizes = weights @ abs(value)
    if contract.statistical:
        squares = numpy.sqrt(_ties(at)[..., None] * (weights**2 @ value**2))
        sizes = numpy.fmin(sizes, STATISTICAL * squares)
    return numpy.fmin(up(sizes / lower), abs(value).max(-2, keepdims=True))


def _ties(at: Forward) -> Array:
    """Return how many keys of a query at most have the same weight: they round alike."""
    ordered = numpy.sort(at.weights.value, axis=-1)
    same = numpy.isclose(ordered[..., 1:], ordered[..., :-1], rtol=1e-3, atol=0.0)
    most = numpy.ones(ordered.shape[:-1])
    run = numpy.ones(ordered.shape[:-1])
    for place in range(same.shape[-1]):
        run = numpy.where(same[..., place], run + 1, 1)
        most = numpy.maximum(most, run)
    return most


def logarithm_error(
    at: Forward, contract: Contract, n: int, worst: Array, exponent: Array
) -> Array:
    """Return how far a log-sum-exp may be off, beside the errors of what is summed.

    It is the shift, the logarithm of a sum that itself errs, and their sum, each rounded, with a
    change of base; then it is subtracted from a score, and the exponential of the difference errs
    once more. The sum's exponentials are not those of the weights: their differences from the
    maximum round anew, in the mean by at most log n. Where it is an operation of its own, it is
    stored like a score.
    """
    own = inverse(contract.sum_growth(n, contract.blocks(n))) - numpy.log1p(-contract.exp_error)
    sizes = abs(at.largest) + at.normaliser.magnitude + worst + exponent.max(-1, keepdims=True)
    moved = own + 8 * unit(contract.softmax) * (sizes + numpy.log(n) + 1)
    if contract.logarithmic and contract.scores is not None:
        moved = moved + contract.scores.growth * sizes + contract.scores.underflow
    return up(moved)


def _relative(contract: Contract, n: int, blocks: int) -> float:
    """Return the relative error of a term: weight stored, product, sums, rescaling, division."""
    return compounded(
        stored_growth(contract.weights),
        contract.growth(n + blocks, contract.accumulation),
        contract.growth(2, contract.softmax),
        inverse(contract.sum_growth(n, blocks)),
    )


def _lost(contract: Contract, n: int, blocks: int, visible: Array, value: Array) -> Array:
    """Return what underflows: stored weights, products, rescaled sums."""
    seen = visible.astype(numpy.float64) @ abs(value)
    weights = stored_underflow(contract.weights) + 2 * underflow(contract.softmax)
    values = stored_underflow(contract.inputs)
    return up(weights * seen + values + (n * (blocks + 1) + 2) * underflow(contract.accumulation))


def _with_empty_rows(problem: Problem, contract: Contract, total: Array) -> Array:
    """A query that sees no key: exactly zero, or a plain mean of n values, for exp(0) is 1."""
    empty = problem.empty
    if not empty.any() or problem.empty_rows == "undefined":
        return total
    if problem.empty_rows == "zero":
        return numpy.where(empty[..., None], 0.0, total)
    value, n = problem.values_seen, problem.key.shape[-2]
    blocks = contract.blocks(n)
    relative = compounded(
        _relative(contract, n, blocks),
        contract.growth(4, contract.softmax),
        stored_growth(contract.inputs),
    )
    if contract.logarithmic or contract.block is not None:
        relative = compounded(relative, 8 * unit(contract.softmax) * (2 * numpy.log(n) + 1))
    sizes = abs(value).sum(-2, keepdims=True)
    lost = (stored_underflow(contract.weights) + 2 * underflow(contract.softmax)) * sizes
    lost = lost + stored_underflow(contract.inputs) + (n + 2) * underflow(contract.accumulation)
    return numpy.where(empty[..., None], up(relative * sizes / n + 4 * lost), total)


def _causes(
    problem: Problem,
    at: Forward,
    contract: Contract,
    scores: ScoreError,
    visible: Array,
    value: Array,
    total: Array,
) -> dict[str, Array]:
    """Return the queries (heads, n_q) without a finite bound, by the reason."""
    found: dict[str, Array] = {}
    if problem.tainted is not None:
        found["an input that the query sees is not finite"] = problem.tainted
    if problem.empty_rows == "undefined":
        found["the query sees no key, and nothing states what it gets"] = problem.empty
    reached = 2 * numpy.where(visible, scores.largest, 0.0).max(-1)
    scale = max(size_of_scale(problem), 1.0)
    largest = numpy.maximum(abs(problem.keys_seen).max(-1) * scale, abs(value).max(-1))
    given = numpy.maximum(
        abs(problem.query).max(-1) * scale, (visible * largest[:, None, :]).max(-1)
    )
    summed = numpy.maximum(2 * (visible @ abs(value)).max(-1), 2 * visible.sum(-1))
    for stored, sizes in (
        (contract.accumulation, (reached, given, summed)),
        (contract.softmax, (reached,)),
        (contract.scores and contract.scores.precision, (reached,)),
        (contract.inputs and contract.inputs.precision, (given, reached)),
        (contract.in_parts and contract.output, (summed,)),
        (contract.output, ((at.output.magnitude + total).max(-1),)),
    ):
        if not isinstance(stored, Precision):
            continue
        over = numpy.zeros(reached.shape, dtype=bool)
        for size in sizes:
            # Where a bound is infinite, it is not overflow that is to blame.
            over = over | (numpy.isfinite(size) & (size > float(stored.largest or 0)))
        cause = FITS_NOT.format(stored.name)
        found[cause] = found.get(cause, False) | over
    return {cause: rows for cause, rows in found.items() if rows.any()}
