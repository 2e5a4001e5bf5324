r"""A bound on the rounding error of attention's gradients, for any evaluation under a contract.

With an upstream gradient g, a program computes, in some order of each sum,

    dv = P^T g,  dP = g v^T,  D,  dw = P (dP - D),  ds = dw (1 - t^2),  dq = scale ds k, ...

from weights that it kept or computed anew. Let E_x bound the error of x. The weights were divided
by a sum of themselves, so with the x_j and the sums of ``forward``, and L the error of a
recomputed log-sum-exp,

    E_P  = P ((1 + r) exp(x_j + L) sum_l P_l exp(x_l) - P + what underflows
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

from numeric.rounding.contract import Contract, unit
from numeric.rounding.enclosed import Array, Enclosed, up
from numeric.rounding.forward import FITS_NOT, ForwardBound
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Backward, Forward, over_broadcast
from numeric.rounding.scores import (
    SCALING,
    compounded,
    stored_growth,
    stored_underflow,
    underflow,
)


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
        dot, dot_error = _through_cap(at.ratio, bound.scores.ratio, contract, sizes)
    scale = abs(float(problem.scale.value)) * (1 + 2.0**-50)
    count, n, n_q = len(problem.key), problem.key.shape[-2], problem.query.shape[-2]
    key, query = abs(problem.keys_seen), abs(problem.query)
    shares = int(numpy.bincount(problem.shared, minlength=count).max())
    finish = _Finish(contract, scale)

    def joined(rows: Array) -> Array:
        return up(Enclosed(rows, numpy.zeros_like(rows)).joined(problem.shared, count).value)

    query_bound = finish(
        scale * (dot_error @ key), scale * ((dot + dot_error) @ key), found.query.magnitude, n
    )
    key_bound = finish(
        joined(scale * (dot_error.mT @ query)),
        joined(scale * ((dot + dot_error).mT @ query)),
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
        relative = compounded(
            stored_growth(contract.inputs), contract.growth(terms + SCALING, contract.accumulation)
        )
        error = carried + relative * magnitudes
        error = error + (terms + 4) * underflow(contract.accumulation) * (1 + self.scale)
        if split or parts > 1:
            # Each part of the sum is at most ``magnitudes``; heads that share are added up, too.
            growth = compounded(*([stored.growth] * (parts + split)))
            error = error + growth * (magnitudes + error) + (parts + terms) * stored.underflow
        error = error + stored.growth * (exact + error) + stored.underflow * (1 + self.scale)
        error = up(error + 2 * underflow(contract.output))
        over = exact + error > float(contract.output.largest or 0)
        return numpy.where(over, numpy.inf, error)


def _weights(
    problem: Problem, at: Forward, bound: ForwardBound, contract: Contract
) -> tuple[Array, Array]:
    """Return upper bounds of P and of the error of the weights that the gradients use."""
    n = problem.key.shape[-2]
    blocks = contract.blocks(n)
    u = unit(contract.softmax)
    below = contract.sum_growth(n, blocks)
    relative = compounded(
        stored_growth(contract.weights), below / (1 - below), contract.growth(4, contract.softmax)
    )
    visible = bound.visible
    largest, normaliser = abs(at.largest), at.normaliser.magnitude
    anew: Array = 0.0
    if contract.recomputes:
        # log-sum-exp: the shift, the logarithm of a sum that itself errs, and their sum, stored.
        anew = below / (1 - below) - numpy.log1p(-contract.exp_error)
        anew = anew + 4 * u * (largest + normaliser + 1)
    with numpy.errstate(over="ignore", invalid="ignore"):
        exponential = numpy.where(visible, numpy.exp(at.logarithm.value + at.logarithm.radius), 0.0)
        # The sum of P exp(x) is 1 + sum P expm1(x).
        spread = up((exponential * numpy.expm1(bound.exponent)).sum(-1, keepdims=True))
        moved = up(bound.exponent + anew + numpy.log1p(spread) + numpy.log1p(relative))
        error = numpy.where(
            moved < 1,
            exponential * numpy.expm1(numpy.minimum(moved, 1.0)),
            numpy.exp(at.logarithm.value + at.logarithm.radius + moved),
        )
    lost = 2 * bound.lost + 2 * stored_underflow(contract.weights) + 4 * underflow(contract.softmax)
    error = numpy.where(visible, up(error + lost), 0.0)
    weight = at.weights.magnitude
    empty = problem.empty[..., None]
    if problem.empty_rows == "uniform" and problem.empty.any():
        mean = weight * relative + lost
        error = numpy.where(empty, up(mean), error)
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
    given, value = abs(found.upstream), abs(problem.values_seen)
    products = up(given @ value.mT)
    exact = found.weight_gradient.magnitude
    relative = compounded(
        stored_growth(contract.inputs, 2), contract.growth(d_v + 2, contract.accumulation)
    )
    narrow = contract.score_gradients
    error = products * relative + d_v * underflow(contract.accumulation)
    error = error + stored_growth(narrow) * (exact + error) + stored_underflow(narrow)
    if contract.inputs is not None:
        error = error + contract.inputs.underflow * (
            given.sum(-1)[..., :, None] + value.sum(-1)[..., None, :]
        )
    error = up(error)
    difference = (found.weight_gradient - found.row_sum).magnitude
    computed_weight = up(weight + weight_error)
    row_sum = found.row_sum.magnitude
    drift = weight_error.sum(-1, keepdims=True)
    if not contract.recomputes:
        below = contract.sum_growth(n, contract.blocks(n))
        kept = compounded(
            stored_growth(contract.weights),
            below / (1 - below),
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
    if contract.recomputes:
        output, output_error = at.output.magnitude, bound.output
        from_output = up(
            (output_error * given).sum(-1, keepdims=True)
            + compounded(stored_growth(contract.inputs), contract.growth(d_v + 2, contract.softmax))
            * ((output + output_error) * given).sum(-1, keepdims=True)
            + 2 * d_v * underflow(contract.softmax)
        )
        row_error = numpy.maximum(row_error, from_output)
    if narrow is not None:
        row_error = row_error + stored_growth(narrow) * (row_sum + row_error) + narrow.underflow
    apart = difference + error + row_error
    score = up(weight * difference)
    score_error = up(
        weight_error * difference
        + computed_weight * (error + row_error + compounded(u, u, u, u) * apart)
        + 4 * underflow(contract.softmax)
    )
    if contract.differentiates_maximum:
        score_error = score_error + _through_maximum(
            problem, at, contract, bound, weight, exact, row_sum, score_error
        )
    score_error = up(
        score_error + stored_growth(narrow) * (score + score_error) + stored_underflow(narrow)
    )
    visible = bound.visible
    return _Sizes(
        weight,
        weight_error,
        exact,
        error,
        products,
        numpy.where(visible, score, 0.0),
        numpy.where(visible, score_error, 0.0),
    )


def _through_maximum(
    problem: Problem,
    at: Forward,
    contract: Contract,
    bound: ForwardBound,
    weight: Array,
    exact: Array,
    row_sum: Array,
    score_error: Array,
) -> Array:
    """What reaches the largest score through the shift: zero exactly, a sum of roundings here."""
    n = problem.key.shape[-2]
    relative = contract.sum_growth(n, 4 * contract.blocks(n))
    terms = (weight * (exact + row_sum)).sum(-1, keepdims=True)
    errors = numpy.where(bound.visible, score_error, 0.0).sum(-1, keepdims=True)
    reached = up(relative * terms + errors * (1 + relative))
    if contract.block is not None:
        return reached  # any key may be the largest of its block
    lowest = at.scores.value - at.scores.radius - bound.scores.error
    lowest = numpy.where(bound.visible, lowest, -numpy.inf).max(-1, keepdims=True)
    highest = at.scores.value + at.scores.radius + bound.scores.error
    return numpy.where(highest >= lowest, reached, 0.0)


def _through_cap(
    exact: Enclosed, ratio_error: Array, contract: Contract, sizes: _Sizes
) -> tuple[Array, Array]:
    """Multiply by 1 - t^2, with t the hyperbolic tangent that the program has."""
    ratio = numpy.minimum(exact.magnitude, 1.0)
    slope = numpy.minimum(1.0, up(1 - (abs(exact.value) - exact.radius).clip(0) ** 2))
    slope_error = up(
        ratio_error * (2 * ratio + ratio_error)
        + 4 * unit(contract.softmax) * (1 + (ratio + ratio_error) ** 2)
    )
    own = compounded(*([unit(contract.softmax)] * 4))
    size = up(sizes.score * slope)
    narrow = contract.score_gradients
    error = up(
        sizes.score_error * slope
        + (sizes.score + sizes.score_error) * slope_error
        + own * (sizes.score + sizes.score_error) * (slope + slope_error)
    )
    error = up(error + stored_growth(narrow) * (size + error) + stored_underflow(narrow))
    return size, error


def _causes(bound: ForwardBound, sizes: _Sizes, contract: Contract) -> dict[str, Array]:
    """Return the queries without a finite bound: those of the output, and overflow here."""
    found = dict(bound.causes)
    places = [contract.accumulation, contract.softmax]
    if contract.score_gradients is not None:
        places.append(contract.score_gradients.precision)
    for precision in dict.fromkeys(places):
        over = (sizes.products * 2 > float(precision.largest or 0)).any(-1)
        if over.any():
            cause = FITS_NOT.format(precision.name)
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
