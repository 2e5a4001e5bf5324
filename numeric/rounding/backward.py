r"""A bound on the rounding error of attention's gradients, for any evaluation under a contract.

With an upstream gradient g, a program computes, in some order of each sum,

    dv = P^T g,  dP = g v^T,  D,  dw = P (dP - D),  ds = dw (1 - t^2),  dq = scale ds k, ...

from weights that it kept or computed anew. Let E_x bound the error of x. The weights were divided
by a sum of themselves, so with the x_j and the sums of ``forward``, and L the error of a
recomputed log-sum-exp,

    E_P  = P ((1 + r) exp(x_j + L) sum_l P_l exp(x_l) - 1) + what underflows
    E_dP = g(d_v + 2) |g| |v|^T + stored copies
    E_D  = sum E_P |dP - D| + |D| |sum P^ - 1| + sum (P + E_P) E_dP + sums       from weights
         = sum_c E_o |g| + g(d_v) sum (|o| + E_o) |g|                            from the output
    E_dw = E_P |dP - D| + (P + E_P)(E_dP + E_D + rounding of the difference) + stored copies

The first line holds because sum P exp(x) >= 1 / sum P exp(-x) (Cauchy and Schwarz), and because
1 - 1/t <= t - 1. The first form of D is centred: sum (P^ - P)(dP - D) + D (sum P^ - 1) is exactly
sum P^ dP - D. What follows is linear in dw, and errs accordingly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from numeric.precision import Precision
from numeric.rounding.contract import Contract, Stored, unit
from numeric.rounding.enclosed import Array, Enclosed, exactly, up
from numeric.rounding.forward import FITS_NOT, ForwardBound, logarithm_error
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Backward, Forward, over_broadcast
from numeric.rounding.relative import (
    compounded,
    inverse,
    scaled_underflow,
    stored_growth,
    stored_underflow,
    underflow,
)
from numeric.rounding.scores import SCALING, size_of_scale


@dataclass(frozen=True, eq=False)
class BackwardBound:
    """Bounds of the gradients, laid out as the gradients of ``reference.Backward`` are."""

    query: Array
    key: Array
    value: Array
    bias: Array | None
    causes: dict[str, Array]


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Upper bounds of exact magnitudes and of errors, (heads, n_q, n) but for the row sum."""

    weight: Array
    weight_error: Array
    gradient: Array
    gradient_error: Array
    products: Array
    upstream: Array
    score: Array
    score_error: Array


def backward_bound(
    problem: Problem, at: Forward, bound: ForwardBound, found: Backward, contract: Contract
) -> BackwardBound:
    """Return bounds on every element of every gradient."""
    weight, weight_error = _weights(problem, at, bound, contract)
    sizes = _scores(problem, at, bound, found, contract, weight, weight_error)
    dot, dot_error = sizes.score, sizes.score_error
    if at.ratio is not None and bound.scores.ratio is not None:
        dot, dot_error = _through_cap(at.ratio, bound.scores.ratio, problem, contract, sizes)
    scale = size_of_scale(problem)
    count, n, n_q = len(problem.key), problem.key.shape[-2], problem.query.shape[-2]
    key, query = abs(problem.keys_seen), abs(problem.query)
    shares = int(numpy.bincount(problem.shared, minlength=count).max())
    finish = _Finish(contract, scale)

    def joined(rows: Array) -> Array:
        return up(Enclosed(rows, numpy.zeros_like(rows)).joined(problem.shared, count).value)

    # The gradient of a score may be scaled, and stored, before it is multiplied.
    narrow = contract.score_gradients
    once = stored_underflow(narrow) + underflow(contract.softmax)
    lost = max(scale, 1.0) * scaled_underflow(contract)
    dot_sizes = dot + dot_error
    query_bound = finish(
        scale * (dot_error @ key)
        + (lost + once) * key.sum(-2)[..., None, :]
        + lost * dot_sizes.sum(-1)[..., :, None],
        scale * (dot_sizes @ key),
        found.query.magnitude,
        n,
    )
    key_bound = finish(
        joined(
            scale * (dot_error.mT @ query)
            + (lost + once) * query.sum(-2)[..., None, :]
            + lost * dot_sizes.sum(-2)[..., :, None]
        ),
        joined(scale * (dot_sizes.mT @ query)),
        found.key.magnitude,
        n_q * shares,
        split=shares > 1,
    )
    upstream = abs(found.upstream)
    value_bound = finish(
        joined(weight_error.mT @ upstream),
        joined((weight + weight_error).mT @ upstream),
        found.value.magnitude,
        n_q * shares,
        split=shares > 1,
    )
    bias_bound = None
    if found.bias is not None:
        errors = over_broadcast(problem, Enclosed(sizes.score_error, 0 * sizes.score_error)).value
        total = sizes.score + sizes.score_error
        magnitudes = over_broadcast(problem, Enclosed(total, 0 * total)).value
        terms = max(1, total.size // max(errors.size, 1))
        bias_bound = finish(up(errors), up(magnitudes), found.bias.magnitude, terms, split=True)
    causes = _causes(bound, sizes, contract)
    rows, keys = _marked(problem, bound, causes)
    if bias_bound is not None and rows.any():
        bias_bound = numpy.full_like(bias_bound, numpy.inf)
    return BackwardBound(
        numpy.where(rows[..., None], numpy.inf, query_bound),
        numpy.where(keys[..., None], numpy.inf, key_bound),
        numpy.where(keys[..., None], numpy.inf, value_bound),
        bias_bound,
        causes,
    )


@dataclass(frozen=True)
class _Finish:
    """A sum of products that is at last stored."""

    contract: Contract
    scale: float

    def __call__(
        self, carried: Array, magnitudes: Array, exact: Array, terms: int, *, split: bool = False
    ) -> Array:
        """``carried`` is the error of the terms, ``magnitudes`` their sum in absolute value.

        ``split`` says that parts of the sum may be stored before they are added up.
        """
        contract, stored = self.contract, self.contract.stored_gradient
        parts = contract.gradient_parts(terms)
        narrow = contract.score_gradients
        relative = compounded(
            stored_growth(contract.inputs),
            stored_growth(narrow) if contract.in_parts else 0.0,
            contract.growth(terms + SCALING, contract.accumulation),
        )
        error = carried + relative * magnitudes
        lost = underflow(contract.accumulation) + stored_underflow(contract.inputs)
        lost = lost + stored_underflow(narrow)
        error = error + (terms + 4) * lost * (1 + self.scale)
        if split or parts > 1:
            # Each part of the sum is at most ``magnitudes``; heads that share are added up, too.
            growth = compounded(*([stored.growth] * (parts + split)))
            error = error + growth * (magnitudes + error) + (parts + terms) * stored.underflow
        error = error + stored.growth * (exact + error) + stored.underflow * (1 + self.scale)
        error = up(error + 2 * underflow(contract.output))
        error = _stored(contract.gradients, exact, error)
        # The sum may be stored before it is scaled.
        reached = (magnitudes + error) * max(1.0, 1 / self.scale if self.scale else 1.0)
        most = float(contract.output.largest or 0)
        if contract.gradients is not None:
            most = min(most, float(contract.gradients.precision.largest or 0))
        over = ~(reached <= most)
        return numpy.where(over, numpy.inf, error)


def _weights(
    problem: Problem, at: Forward, bound: ForwardBound, contract: Contract
) -> tuple[Array, Array]:
    """Return upper bounds of P and of the error of the weights that the gradients use."""
    n = problem.key.shape[-2]
    relative = compounded(
        stored_growth(contract.weights),
        inverse(contract.sum_growth(n, contract.blocks(n))),
        contract.growth(4, contract.softmax),
    )
    visible = bound.visible
    errors = numpy.where(visible, bound.scores.error, 0.0)
    worst = errors.max(-1, keepdims=True)
    anew: Array = 0.0
    if contract.recomputes or contract.logarithmic or contract.block is not None:
        anew = logarithm_error(at, contract, n, worst, bound.exponent)
    seen = visible.sum(-1, keepdims=True)
    with numpy.errstate(over="ignore", invalid="ignore", divide="ignore"):
        exponential = numpy.where(visible, numpy.exp(at.logarithm.value + at.logarithm.radius), 0.0)
        # The sum of P exp(x) is 1 + sum P expm1(x); what is lost of it counts, too.
        spread = up((exponential * numpy.expm1(bound.exponent)).sum(-1, keepdims=True))
        missing = -numpy.log1p(-numpy.minimum(seen * bound.lost * (1 + spread), 1.0))
        moved = up(bound.exponent + anew + numpy.log1p(spread) + missing + numpy.log1p(relative))
        error = numpy.where(
            moved < 1,
            exponential * numpy.expm1(numpy.minimum(moved, 1.0)),
            numpy.exp(at.logarithm.value + at.logarithm.radius + moved),
        )
        # A weight that is kept is at most 1, but for roundings; one that is computed anew from
        # scores that err otherwise, and a logarithm, may be larger.
        blocks = contract.blocks(n)
        anyhow = numpy.where(contract.recomputes, 2 * errors, 0.0) + anew
        most = numpy.exp(anyhow - blocks * numpy.log1p(-contract.exp_error))
        error = numpy.fmin(error, up(most * (1 + relative)))
        lost = bound.lost * (1 + spread) * (1 + relative) * numpy.exp(missing)
        lost = lost + bound.lost + 2 * stored_underflow(contract.weights)
    lost = lost + 4 * underflow(contract.softmax)
    lost = numpy.fmin(lost, 1 + relative)
    error = numpy.where(visible, up(error + lost), 0.0)
    weight = at.weights.magnitude
    empty = problem.empty[..., None]
    if problem.empty_rows == "uniform" and problem.empty.any():
        own = compounded(relative, 8 * unit(contract.softmax) * (2 * numpy.log(n) + 1))
        least = 2 * stored_underflow(contract.weights) + 4 * underflow(contract.softmax)
        error = numpy.where(empty, up(weight * own + least), error)
    return weight, error


def _scores(
    problem: Problem,
    at: Forward,
    bound: ForwardBound,
    found: Backward,
    contract: Contract,
    weight: Array,
    weight_error: Array,
) -> _Sizes:
    """Return sizes and errors of dP, D and dw."""
    n, d_v = problem.key.shape[-2], problem.value.shape[-1]
    u = unit(contract.softmax)
    narrow = contract.score_gradients
    given, value = abs(found.upstream), abs(problem.values_seen)
    products = up(given @ value.mT)
    exact = found.weight_gradient.magnitude
    relative = compounded(
        stored_growth(contract.inputs, 2),
        # Where the division comes last, the upstream gradient is divided first, and stored.
        stored_growth(narrow) if contract.in_parts else 0.0,
        contract.growth(d_v + 2, contract.accumulation),
    )
    once = scaled_underflow(contract)
    if contract.in_parts:
        once = once + n * (stored_underflow(narrow) + underflow(contract.accumulation))
    reach = given.sum(-1)[..., :, None] + value.sum(-1)[..., None, :]
    error = products * relative
    error = error + (d_v * underflow(contract.accumulation) + once * reach) * (1 + relative)
    error = up(error + stored_growth(narrow) * (exact + error) + stored_underflow(narrow))
    difference = (found.weight_gradient - found.row_sum).magnitude
    computed_weight = up(weight + weight_error)
    row_sum = found.row_sum.magnitude
    drift = weight_error.sum(-1, keepdims=True)
    if not (contract.recomputes or contract.logarithmic or contract.block is not None):
        kept = compounded(
            stored_growth(contract.weights),
            inverse(contract.sum_growth(n, contract.blocks(n))),
            contract.growth(4, contract.softmax),
        )
        lost = n * (stored_underflow(contract.weights) + 2 * underflow(contract.softmax))
        drift = numpy.minimum(drift, kept + lost)
    row_error = up(
        (weight_error * difference).sum(-1, keepdims=True)
        + row_sum * drift
        + (computed_weight * error).sum(-1, keepdims=True)
        + contract.sum_growth(n, 2) * (computed_weight * (exact + error)).sum(-1, keepdims=True)
        + 2 * n * underflow(contract.softmax)
    )
    if contract.recomputes or contract.in_parts:
        output, output_error = at.output.magnitude, bound.output
        sums = compounded(
            stored_growth(contract.inputs),
            stored_growth(narrow),
            contract.growth(d_v + 4, contract.softmax),
        )
        least = 2 * underflow(contract.softmax) + stored_underflow(narrow)
        from_output = up(
            (output_error * given).sum(-1, keepdims=True)
            + sums * ((output + output_error) * given).sum(-1, keepdims=True)
            + stored_underflow(contract.inputs) * (output + output_error).sum(-1, keepdims=True)
            + d_v * least
        )
        row_error = numpy.maximum(row_error, from_output)
    row_error = up(
        row_error + stored_growth(narrow) * (row_sum + row_error) + stored_underflow(narrow)
    )
    apart = difference + error + row_error
    score = up(weight * difference)
    score_error = up(
        weight_error * difference
        + computed_weight * (error + row_error + compounded(u, u, u, u) * apart)
        + 4 * underflow(contract.softmax)
    )
    visible = bound.visible
    if contract.logarithmic:
        # Through a log-sum-exp, of all keys or of some, dw comes as a difference of parts, each as
        # large as P |dP|, and each stored.
        parts = exact + 2 * numpy.where(visible, exact + error, 0.0).max(-1, keepdims=True)
        relative = compounded(stored_growth(narrow), u, u, u, u)
        score_error = up(score_error + relative * computed_weight * parts)
    if contract.differentiates_maximum:
        score_error = _stored(narrow, score, score_error)
        score_error = score_error + _through_maximum(
            problem, at, contract, bound, (weight * products, row_sum, score_error)
        )
    score_error = _stored(narrow, score, score_error)
    return _Sizes(
        weight,
        weight_error,
        exact,
        error,
        products,
        given,
        numpy.where(visible, score, 0.0),
        numpy.where(visible, score_error, 0.0),
    )


def _stored(stored: Stored | None, exact: Array, error: Array) -> Array:
    """Return the error after numbers of this size are stored."""
    return up(error + stored_growth(stored) * (exact + error) + stored_underflow(stored))


def _through_maximum(
    problem: Problem,
    at: Forward,
    contract: Contract,
    bound: ForwardBound,
    parts: tuple[Array, Array, Array],
) -> Array:
    """What reaches the largest score through the shift: zero exactly, a sum of roundings here.

    ``parts`` are sizes of the terms P |g||v|, of the row sum, and the errors of dw. A running
    maximum has the difference of three such sums, two of them over the accumulated output.
    """
    n, d_v = problem.key.shape[-2], problem.value.shape[-1]
    terms, row_sum, score_error = parts
    relative = contract.sum_growth(n, 4 * contract.blocks(n))
    size = terms.sum(-1, keepdims=True) + row_sum
    errors = numpy.where(bound.visible, score_error, 0.0).sum(-1, keepdims=True)
    if contract.block is not None:
        products = 2 * contract.growth(d_v + 2, contract.accumulation)
        products = products + 2 * stored_growth(contract.score_gradients)
        # Any key may be the largest of its block.
        return up((relative + products) * size + 3 * errors * (1 + relative))
    reached = up(relative * size + errors * (1 + relative))
    lowest = at.scores.value - at.scores.radius - bound.scores.error
    lowest = numpy.where(bound.visible, lowest, -numpy.inf).max(-1, keepdims=True)
    highest = at.scores.value + at.scores.radius + bound.scores.error
    return numpy.where(highest >= lowest, reached, 0.0)


def _through_cap(
    exact: Enclosed, ratio_error: Array, problem: Problem, contract: Contract, sizes: _Sizes
) -> tuple[Array, Array]:
    """Multiply by 1 - t^2, with t the hyperbolic tangent that the program has."""
    one = exactly(numpy.ones_like(exact.value))
    ratio = numpy.minimum(exact.magnitude, 1.0)
    slope = numpy.minimum((one - exact * exact).magnitude, 1.0)
    slope_error = up(
        ratio_error * (2 * ratio + ratio_error)
        + compounded(*([unit(contract.softmax)] * 4)) * (1 + (ratio + ratio_error) ** 2)
        + 4 * underflow(contract.softmax)
    )
    own = compounded(*([unit(contract.softmax)] * 4))
    size = up(sizes.score * slope)
    cap = float(problem.soft_cap or 1.0)
    narrow = contract.score_gradients
    error = up(
        sizes.score_error * slope
        + (sizes.score + sizes.score_error) * (slope_error + own * (slope + slope_error))
        + (4 * underflow(contract.softmax) + stored_underflow(narrow)) * (1 + 1 / cap + cap)
    )
    return size, _stored(narrow, size, error)


def _causes(bound: ForwardBound, sizes: _Sizes, contract: Contract) -> dict[str, Array]:
    """Return the queries without a finite bound: those of the output, and overflow here."""
    found = dict(bound.causes)
    reached = 2 * sizes.products.max(-1)
    given = sizes.upstream.max(-1)
    for stored, size in (
        (contract.accumulation, reached),
        (contract.softmax, reached),
        (contract.score_gradients and contract.score_gradients.precision, reached),
        (contract.inputs and contract.inputs.precision, given),
    ):
        if not isinstance(stored, Precision):
            continue
        over = size > float(stored.largest or 0)
        if over.any():
            cause = FITS_NOT.format(stored.name)
            found[cause] = found.get(cause, False) | over
    return found


def _marked(problem: Problem, bound: ForwardBound, causes: dict[str, Array]) -> tuple[Array, Array]:
    """Return the queries (heads, n_q) without a bound, and the keys (kv_heads, n) they reach."""
    rows = numpy.zeros(problem.query.shape[:2], dtype=bool)
    for marked in causes.values():
        rows |= marked
    reached = (bound.visible & rows[..., None]).any(1)
    # The gradient of 0/0 reaches every key that is left out of it.
    reached |= (rows & problem.empty).any(-1)[:, None]
    keys = numpy.zeros(problem.key.shape[:2], dtype=bool)
    numpy.logical_or.at(keys, problem.shared, reached)
    return rows, keys
