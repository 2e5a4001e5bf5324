"""An evaluator of attention and its gradients that rounds as badly as a contract allows.

Values are float64, contracts are of few bits, so that float64's own error does not count. Each
rounding multiplies by 1 + u t, with its own t in [-1, 1], or adds t h / 2 below the normal range.
One evaluation holds many attacks along its first axis, each with roundings of its own: a greedy
attack on one element of one result takes each t as the sign of that result's derivative by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch

from numeric.precision import Precision
from numeric.rounding.contract import Contract, Stored
from numeric.rounding.judging import Evaluation, evaluate
from numeric.rounding.problem import Problem

LOG_TWO = float(numpy.log(2.0))

Tensor = Any
"""A ``torch.Tensor`` of float64."""


@dataclass(frozen=True)
class Order:
    """One of the ways in which a program may evaluate attention.

    Attributes:
        scaled: The scale is applied to the "scores", to the "query", or its root to "both".
        softmax: "eager" divides each weight, "deferred" the output, "logarithmic" subtracts
            log-sum-exp; "online" rescales from block to block; "split" has two parts of the keys,
            which are merged at last.
        row_sum: The gradients' row sum is taken from "weights" or from the "output".
        anew: Weights are computed again from log-sum-exp for the gradients.
        base_two: Exponentials are powers of two, of scores with a factor log2(e).
        fused: A product is added without being rounded.
        scale_first: The scale of the gradients multiplies the scores' gradients.
        narrow_accumulator: What a deferred division divides is stored as outputs are.
        narrow_shift: One stored copy of the scores holds what is left after the shift.
        seed: Of the order of each sum, and of how stored copies are spread over the way.
    """

    scaled: str = "scores"
    softmax: str = "eager"
    row_sum: str = "weights"
    anew: bool = False
    base_two: bool = False
    fused: bool = False
    scale_first: bool = False
    narrow_accumulator: bool = False
    narrow_shift: bool = False
    seed: int = 0


class Roundings:
    """The t of each rounding, in the order in which they come up."""

    def __init__(self, attacks: int, start: Callable[[int, tuple[int, ...]], Tensor]) -> None:
        self.attacks = attacks
        self.start = start
        self.taken: list[Tensor] = []
        self.place = 0
        self.nearest = False
        self.overflowed: set[str] = set()

    def again(self) -> None:
        self.place = 0

    def _next(self, shape: tuple[int, ...]) -> Tensor:
        if self.place == len(self.taken):
            self.taken.append(self.start(self.place, shape).requires_grad_())
        self.place += 1
        return self.taken[self.place - 1]

    def __call__(self, value: Tensor, precision: Precision, factor: float = 1.0) -> Tensor:
        """Round; ``factor`` is the largest relative error in units of u."""
        u, least = float(precision.unit_roundoff), float(precision.smallest_normal)
        half = float(precision.smallest_subnormal) / 2
        if precision.largest is not None and bool((abs(value) > float(precision.largest)).any()):
            self.overflowed.add(precision.name)
        if self.nearest and factor == 1.0:
            return _nearest(value, precision)
        t = self._next((self.attacks, *value.shape[1:]))
        small = abs(value.detach()) < least
        lost = torch.clamp(abs(value.detach()), max=half * factor)
        return torch.where(small, value + t * lost, value * (1 + factor * u * t))

    def add(self, value: Tensor, precision: Precision) -> Tensor:
        """Round a sum: it is exact below the normal range."""
        u, least = float(precision.unit_roundoff), float(precision.smallest_normal)
        if self.nearest:
            return self(value, precision)
        t = self._next((self.attacks, *value.shape[1:]))
        return torch.where(abs(value.detach()) < least, value, value * (1 + u * t))

    def exp(self, exponent: Tensor, contract: Contract, base: float = 1.0) -> Tensor:
        """Return e**exponent (or 2**exponent, with ``base`` log 2) as badly as stated."""
        exact = torch.exp(exponent * base)
        floor = -numpy.inf if contract.exp_floor is None else contract.exp_floor
        near = self(exact, contract.softmax, 2 * contract.exp_ulp)
        least = float(contract.softmax.smallest_normal)
        t = self._next((self.attacks, *exact.shape[1:]))
        lost = (exact.detach() < least) | (exponent.detach() * base < floor)
        return torch.where(lost, exact * (1 + t) / 2, near)

    def learn(self, objective: Tensor, greedy: Tensor) -> None:
        """Move each greedy attack's t to the sign of its derivative."""
        slopes = torch.autograd.grad(objective.sum(), self.taken, allow_unused=True)
        with torch.no_grad():
            for place, slope in enumerate(slopes):
                if slope is None:
                    continue
                chosen = greedy.reshape(-1, *[1] * (slope.ndim - 1)) & (slope != 0)
                moved = torch.where(chosen, slope.sign(), self.taken[place])
                self.taken[place] = moved.detach().requires_grad_()


def _nearest(value: Tensor, precision: Precision) -> Tensor:
    _, exponent = torch.frexp(value)
    exponent = exponent.double() - precision.bits
    if precision.least is not None:
        exponent = exponent.clamp(min=precision.least)
    step = torch.exp2(exponent)
    return torch.round(value / step) * step


@dataclass
class Attention:
    """One evaluation of a problem in some order, under a contract, by given roundings."""

    problem: Problem
    contract: Contract
    order: Order
    roundings: Roundings
    upstream: Any
    generator: Any = field(init=False)

    def __call__(self) -> dict[str, Tensor]:
        """Return the output and the gradients, each with the attacks along its first axis."""
        self.roundings.again()
        self.generator = numpy.random.default_rng(self.order.seed)
        p, c = self.problem, self.contract
        self.visible = torch.from_numpy(
            numpy.broadcast_to(p.visible, (len(p.query), *p.visible.shape[1:])).copy()
        )[None]
        empty = ~self.visible.any(-1, keepdim=True)
        # A query that sees no key, and gets the mean, has equal scores.
        self.even = empty & (p.empty_rows == "uniform")
        self.empty = empty & ~self.even
        self.seen = self.visible | self.even
        self.scale = torch.tensor(float(p.scale.value), dtype=torch.float64)
        query, key, value = (
            torch.from_numpy(a)[None] for a in (p.query, p.keys_seen, p.values_seen)
        )
        value = self._copy(value)
        given = self._copy(torch.from_numpy(numpy.asarray(self.upstream))[None])
        query, key = self._scaled_inputs(query, key)
        copies = 0 if c.scores is None else c.scores.times - self.order.narrow_shift
        self.copies = int(self.generator.integers(0, copies + 1)), copies
        scores, ratio = self._scores(query, key)
        found = self._forward(scores, value)
        gradients = self._backward(query, key, value, given, scores, ratio, found)
        return {"output": found["output"], **gradients}

    # -- parts of arithmetic

    def r(self, value: Tensor, precision: Precision) -> Tensor:
        return self.roundings(value, precision)

    def stored(self, value: Tensor, stored: Stored | None, times: int | None = None) -> Tensor:
        if stored is None:
            return value
        for _ in range(stored.times if times is None else times):
            value = self.r(value, stored.precision)
        return value

    def _copy(self, value: Tensor) -> Tensor:
        return self.stored(value, self.contract.inputs)

    def dot(self, one: Tensor, other: Tensor, precision: Precision) -> Tensor:
        """Return one @ other.mT over the last axis, in some order."""
        total = None
        for k in self.generator.permutation(one.shape[-1]):
            product = one[..., :, None, k] * other[..., None, :, k]
            if total is None:
                total = self.r(product, precision)
                continue
            if not self.order.fused:
                product = self.r(product, precision)
            total = self.roundings.add(total + product, precision)
        return total

    def total(self, terms: Tensor, precision: Precision) -> Tensor:
        """Return the sum over the last axis, which stays, in some order."""
        result = None
        for k in self.generator.permutation(terms.shape[-1]):
            term = terms[..., k : k + 1]
            result = term if result is None else self.roundings.add(result + term, precision)
        return result

    # -- forward

    def _scaled_inputs(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        if self.order.scaled == "scores":
            return self._copy(query), self._copy(key)
        self.factor = self.r(self.scale.reshape(1, 1, 1, 1), self.contract.accumulation)
        if self.order.scaled == "both":
            self.factor = self.r(self.factor.sqrt(), self.contract.accumulation)
        key = self._times_scale(key) if self.order.scaled == "both" else self._copy(key)
        return self._times_scale(query), key

    def _times_scale(self, value: Tensor) -> Tensor:
        """Multiply by the factor, and store the product: one of the copies of an input."""
        c = self.contract
        times = 1 if c.inputs is None else c.inputs.times
        value = self.stored(value, c.inputs, times - 1)
        return self.stored(self.r(value * self.factor, c.accumulation), c.inputs, 1)

    def _scores(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor | None]:
        c, p = self.contract, self.problem
        early, copies = self.copies
        scores = self.dot(query, key, c.accumulation)
        if self.order.scaled == "scores":
            scale = self.r(self.scale.reshape(1, 1, 1, 1), c.accumulation)
            scores = self.r(scores * scale, c.accumulation)
        scores = self.stored(scores, c.scores, early)
        ratio = None
        if p.soft_cap is not None:
            ratio = torch.tanh(self.r(scores / p.soft_cap, c.softmax))
            ratio = self.roundings(ratio, c.softmax, 2 * c.tanh_ulp)
            scores = self.r(p.soft_cap * ratio, c.softmax)
        if p.bias is not None:
            scores = self.r(scores + torch.from_numpy(p.bias)[None], c.softmax)
        scores = self.stored(scores, c.scores, copies - early)
        return torch.where(self.even, 0.0, scores), ratio

    def _blocks(self, n: int) -> list[list[slice]]:
        """Return the blocks of keys of each part that is merged at last."""
        c, kind = self.contract, self.order.softmax
        if kind in ("eager", "deferred", "logarithmic") or c.block is None:
            return [[slice(0, n)]]
        if kind == "online":
            return [[slice(k, min(k + c.block, n)) for k in range(0, n, c.block)]]
        middle = c.block * max(1, n // c.block // 2)
        return [
            [slice(k, min(k + c.block, end)) for k in range(start, end, c.block)]
            for start, end in ((0, min(middle, n)), (middle, n))
            if start < end
        ]

    def _forward(self, scores: Tensor, value: Tensor) -> dict[str, Tensor]:
        c, p = self.contract, self.problem
        base = LOG_TWO if self.order.base_two else 1.0
        scores = self._to_base_two(scores)
        hidden = torch.where(self.seen, scores, -torch.inf)
        n = scores.shape[-1]
        adding = c.summation or c.softmax
        parts = [self._part(hidden, value, blocks, base) for blocks in self._blocks(n)]
        m, total, acc, kept = parts[0]
        for other in parts[1:]:
            largest = torch.maximum(m, other[0])
            mine, its = (
                torch.where(x == -torch.inf, 0.0, self._exp(x - largest, base))
                for x in (m, other[0])
            )
            mine, its = (torch.where(self.even, 1.0, x) for x in (mine, its))
            total = self.r(self.r(total * mine, adding) + self.r(other[1] * its, adding), adding)
            a = self.r(acc * mine, c.accumulation) + self.r(other[2] * its, c.accumulation)
            acc, m = self.r(a, c.accumulation), largest
            kept = torch.cat([kept * mine, other[3] * its], -1)
        total = self.r(total, c.softmax) if adding.bits > c.softmax.bits else total
        total = torch.where(self.empty, 1.0, total)
        if self.order.softmax in ("eager", "logarithmic"):
            if self.order.softmax == "eager":
                weights = self._quotient(kept, total)
            else:
                weights = self._from_logarithm(scores, m, total, base)
            weights = self.stored(weights, c.weights)
            output = self.dot(weights, value.mT, c.accumulation)
            acc = output
        else:
            weights = kept if self.divided_first else self._quotient(kept, total)
            if self.order.narrow_accumulator:
                acc = self.r(acc, c.output)
            output = self._quotient(acc, total)
        wide = output
        times = c.output_times - self.order.narrow_accumulator
        for _ in range(max(1, times)):
            output = self.r(output, c.output)
        if p.empty_rows == "zero":
            output = torch.where(self.empty, 0.0, output)
        return {"output": output, "wide": wide, "acc": acc, "weights": weights, "m": m,
                "total": total}  # fmt: skip

    @property
    def divided_first(self) -> bool:
        """Whether the upstream gradient is divided, and the weights are not."""
        return self.order.softmax == "deferred" and not self.order.anew

    def _from_logarithm(self, scores: Tensor, m: Tensor, total: Tensor, base: float) -> Tensor:
        soft = self.contract.softmax
        m = torch.where(self.empty, 0.0, m)
        normaliser = self.r(m + self.roundings(torch.log(total) / base, soft, 2.0), soft)
        exponent = self.r(scores - normaliser, soft)
        weights = self.roundings.exp(exponent, self.contract, base)
        return torch.where(self.seen, weights, 0.0)

    def _exp(self, exponent: Tensor, base: float) -> Tensor:
        exponent = torch.where(torch.isfinite(exponent), exponent, 0.0)
        exponent = self.r(exponent, self.contract.softmax)
        if self.order.narrow_shift:
            exponent = self.stored(exponent, self.contract.scores, 1)
        return self.roundings.exp(exponent, self.contract, base)

    def _part(
        self, scores: Tensor, value: Tensor, blocks: list[slice], base: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        c = self.contract
        adding = c.summation or c.softmax
        m = total = acc = None
        kept = []
        for block in blocks:
            here = scores[..., block]
            seen = self.seen[..., block]
            largest = here.amax(-1, keepdim=True)
            if m is not None:
                largest = torch.maximum(m, largest)
            exponentials = torch.where(seen, self._exp(here - largest, base), 0.0)
            # Equal numbers have one exponential: the errors of an even row cancel.
            exponentials = torch.where(self.even & seen, 1.0, exponentials)
            added = self.total(exponentials, adding)
            kept.append(exponentials)
            if self.order.softmax in ("eager", "logarithmic"):
                return largest, added, added, exponentials
            stored = self.stored(exponentials, c.weights)
            if self.order.softmax == "deferred":
                kept = [stored]
            product = self.dot(stored, value[..., block, :].mT, c.accumulation)
            if m is None:
                m, total, acc = largest, added, product
                continue
            alpha = torch.where(m == -torch.inf, 0.0, self._exp(m - largest, base))
            alpha = torch.where(self.even, 1.0, alpha)
            total = self.r(self.r(total * alpha, adding) + added, adding)
            acc = self.r(self.r(acc * alpha, c.accumulation) + product, c.accumulation)
            kept = [part * alpha for part in kept[:-1]] + kept[-1:]
            m = largest
        return m, total, acc, torch.cat(kept, -1)

    def _quotient(self, numerator: Tensor, denominator: Tensor) -> Tensor:
        soft = self.contract.softmax
        if self.order.fused:
            return self.r(numerator * self.r(1 / denominator, soft), soft)
        return self.r(numerator / denominator, soft)

    # -- backward

    def _backward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        given: Tensor,
        scores: Tensor,
        ratio: Tensor | None,
        found: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        c, p = self.contract, self.problem
        soft, narrow = c.softmax, c.score_gradients
        weights = found["weights"]
        if self.order.anew:
            weights, ratio = self._anew(query, key, found)
        narrow_weights = self.stored(weights, c.weights) if self.order.anew else weights
        narrow_weights = torch.where(self.seen, narrow_weights, 0.0)
        copies = 0 if narrow is None else narrow.times
        early = int(self.generator.integers(0, copies + 1))
        output = found["output"] if self.order.anew else found["wide"]
        row_terms = self.r(output * given, soft)
        if self.divided_first:
            total = found["total"]
            given = self.r(given / total, soft)
            row_terms = self.stored(self.r(row_terms / total, soft), narrow, min(copies, 1))
            if narrow is not None:
                given = self.stored(given, narrow, 1)
                early, copies = 0, copies - 1
        weight_gradient = self.dot(given, value, c.accumulation)
        weight_gradient = self.stored(weight_gradient, narrow, early)
        if self.order.row_sum == "weights":
            terms = self.r(torch.where(self.seen, weights, 0.0) * weight_gradient, soft)
            row_sum = self.total(terms, soft)
        else:
            row_sum = self.total(row_terms, soft)
        difference = self.r(weight_gradient - row_sum, soft)
        gradient = self.r(weights * difference, soft)
        gradient = torch.where(self.visible, gradient, 0.0)
        if c.differentiates_maximum:
            gradient = self._through_maximum(gradient, scores)
        late = copies - early
        before_cap = late if ratio is None else int(self.generator.integers(0, late + 1))
        gradient = self.stored(gradient, narrow, before_cap)
        dot_gradient = gradient
        if ratio is not None:
            slope = self.r(1 - self.r(ratio * ratio, soft), soft)
            dot_gradient = self.stored(self.r(gradient * slope, soft), narrow, late - before_cap)
        results = {
            "query": self._query_gradient(dot_gradient, key),
            "key": self._key_gradient(dot_gradient, query),
            "value": self._joined(self._summed(narrow_weights.mT, given)),
        }
        if p.bias is not None:
            results["bias"] = self._bias_gradient(gradient)
        return results

    def _anew(
        self, query: Tensor, key: Tensor, found: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        scores, ratio = self._scores(query, key)
        if not self.order.base_two:
            return self._from_logarithm(scores, found["m"], found["total"], 1.0), ratio
        soft = self.contract.softmax
        m = torch.where(self.empty, 0.0, found["m"])
        m = self.r(m * self.r(torch.full((1, 1, 1, 1), LOG_TWO).double(), soft), soft)
        logarithm = self.roundings(torch.log(found["total"]), soft, 2.0)
        normaliser = self._to_base_two(self.r(m + logarithm, soft))
        exponent = self.r(self._to_base_two(scores) - normaliser, soft)
        weights = self.roundings.exp(exponent, self.contract, LOG_TWO)
        return torch.where(self.seen, weights, 0.0), ratio

    def _to_base_two(self, exponent: Tensor) -> Tensor:
        if not self.order.base_two:
            return exponent
        soft = self.contract.softmax
        factor = self.r(torch.full((1, 1, 1, 1), 1 / LOG_TWO, dtype=torch.float64), soft)
        return self.r(exponent * factor, soft)

    def _through_maximum(self, gradient: Tensor, scores: Tensor) -> Tensor:
        soft = self.contract.softmax
        hidden = torch.where(self.visible, scores, -torch.inf)
        largest = torch.nn.functional.one_hot(hidden.argmax(-1), hidden.shape[-1]).bool()
        through = self.r(gradient - self.total(gradient, soft), soft)
        gradient = torch.where(largest & self.visible, through, gradient)
        block = self.contract.block
        if self.order.softmax != "online" or block is None or block >= hidden.shape[-1]:
            return gradient
        first = hidden[..., :block]
        largest = torch.nn.functional.one_hot(first.argmax(-1), hidden.shape[-1]).bool()
        one, other = (self.total(gradient[..., :block], soft) for _ in range(2))
        through = self.r(gradient + self.r(one - other, soft), soft)
        return torch.where(largest & self.visible, through, gradient)

    def _finished(self, gradient: Tensor, times: int | None = None) -> Tensor:
        for _ in range(self.contract.gradient_times if times is None else times):
            gradient = self.r(gradient, self.contract.output)
        return gradient

    def _summed(self, one: Tensor, other: Tensor) -> Tensor:
        """Return one @ other, stored after each part of the sum where the contract says so."""
        c = self.contract
        length = one.shape[-1]
        step = length if c.gradient_block is None else c.gradient_block
        total = None
        for start in range(0, length, step):
            terms = slice(start, start + step)
            part = self.dot(one[..., terms], other.mT[..., terms], c.accumulation)
            total = part if total is None else self.r(total + part, c.accumulation)
            if step < length and start + step < length:
                total = self.r(total, c.output)
        return total

    def _query_gradient(self, gradient: Tensor, key: Tensor) -> Tensor:
        c = self.contract
        scaled = self.order.scaled
        if scaled == "scores" and self.order.scale_first:
            gradient = self.r(gradient * self.scale, c.accumulation)
            return self._finished(self._summed(gradient, key))
        product = self._summed(gradient, key)
        factor = self.scale if scaled == "scores" else self.factor
        return self._finished(self.r(product * factor, c.accumulation))

    def _key_gradient(self, gradient: Tensor, query: Tensor) -> Tensor:
        c = self.contract
        if self.order.scaled == "query":
            return self._joined(self._summed(gradient.mT, query))
        if self.order.scaled == "scores" and self.order.scale_first:
            gradient = self.r(gradient * self.scale, c.accumulation)
            return self._joined(self._summed(gradient.mT, query))
        factor = self.scale if self.order.scaled == "scores" else self.factor
        return self._joined(self._summed(gradient.mT, query), factor)

    def _joined(self, rows: Tensor, factor: Tensor | None = None) -> Tensor:
        """Add up the heads that share keys, each stored before, and store the sum."""
        c, p = self.contract, self.problem
        if not p.is_shared:
            rows = rows if factor is None else self.r(rows * factor, c.accumulation)
            return self._finished(rows)
        heads: list[Tensor] = []
        for owner in range(len(p.key)):
            total = None
            for head in numpy.flatnonzero(p.shared == owner):
                row = self.r(rows[:, head], c.output)
                total = row if total is None else self.r(total + row, c.accumulation)
            heads.append(total)
        joined = torch.stack(heads, 1)
        joined = joined if factor is None else self.r(joined * factor, c.accumulation)
        return self._finished(joined)

    def _bias_gradient(self, gradient: Tensor) -> Tensor:
        c, p = self.contract, self.problem
        found = gradient.reshape(gradient.shape[0], *p.lead, *gradient.shape[-2:])
        wanted = (1,) * (found.ndim - 1 - len(p.bias_shape)) + p.bias_shape
        for axis, (length, full) in enumerate(zip(wanted, found.shape[1:], strict=True), 1):
            if length == 1 and full != 1:
                found = self.total(found.movedim(axis, -1), c.accumulation).movedim(-1, axis)
        return self._finished(found.reshape(found.shape[0], *p.bias_shape))


@dataclass(frozen=True)
class Attack:
    """The largest error in proportion to its bound, and where it is."""

    ratio: float
    name: str
    place: tuple[int, ...]
    how: str


PLAIN = ("up", "down", "random", "random", "zero")
"""Attacks that no element is chosen for."""


def attack(
    problem: Problem,
    contract: Contract,
    order: Order,
    upstream: Any,
    *,
    seed: int = 0,
    steps: int = 2,
    targets: int = 60,
    found: Evaluation | None = None,
) -> dict[str, Attack]:
    """Return the worst attack on each result: plain ones, greedy ones, and real rounding."""
    found = found or evaluate(problem, contract, upstream)
    generator = numpy.random.default_rng([seed, order.seed])
    exact, bounds = _expected(found)
    places = [(name, place) for name in exact for place in numpy.ndindex(exact[name].shape[1:])]
    if len(places) > targets:
        chosen = generator.choice(len(places), targets, replace=False)
        places = [places[k] for k in chosen]
    aims = [(*place, sign) for place in places for sign in (1.0, -1.0)]
    attacks = len(PLAIN) + len(aims)

    def start(_: int, shape: tuple[int, ...]) -> Tensor:
        t = torch.zeros(shape, dtype=torch.float64)
        t[0], t[1] = 1.0, -1.0
        t[2:4] = torch.from_numpy(generator.integers(-1, 2, (2, *shape[1:])).astype(float))
        return t

    roundings = Roundings(attacks, start)
    run = Attention(problem, contract, order, roundings, upstream)
    greedy = torch.arange(attacks) >= len(PLAIN)
    worst: dict[str, Attack] = {}
    for step in range(steps + 1):
        results = run()
        _note(worst, results, exact, bounds, "plain" if step == 0 else "greedy")
        if step < steps and aims:
            objective = torch.stack(
                [
                    sign * results[name][(min(row, len(results[name]) - 1), *place)]
                    for row, (name, place, sign) in enumerate(aims, len(PLAIN))
                ]
            )
            if objective.requires_grad:
                roundings.learn(objective, greedy)
    nearest = Roundings(1, start)
    nearest.nearest = True
    nearest.start = lambda _, shape: torch.zeros(shape, dtype=torch.float64)
    _note(worst, Attention(problem, contract, order, nearest, upstream)(), exact, bounds, "nearest")
    return worst


def _expected(found: Evaluation) -> tuple[dict[str, Any], dict[str, Any]]:
    assert found.backward is not None
    assert found.gradient_bound is not None
    exact = {"output": found.forward.output.value[None]}
    bounds = {"output": found.bound.output[None]}
    for name in ("query", "key", "value", "bias"):
        values = getattr(found.backward, name)
        if values is not None:
            exact[name] = values.value[None]
            bounds[name] = getattr(found.gradient_bound, name)[None]
    return exact, bounds


def _note(
    worst: dict[str, Attack],
    results: Mapping[str, Tensor],
    exact: Mapping[str, Any],
    bounds: Mapping[str, Any],
    how: str,
) -> None:
    for name, tensor in results.items():
        values = tensor.detach().numpy()
        error = abs(values - exact[name])
        finite = numpy.isfinite(bounds[name])
        with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # An error below float64's own does not count.
            error = numpy.maximum(error - 2.0**-44 * (abs(exact[name]) + abs(values)), 0.0)
            ratio = numpy.where(finite & (error > 0), error / bounds[name], 0.0)
        ratio = numpy.where(finite & ~numpy.isfinite(values), numpy.inf, ratio)
        place = numpy.unravel_index(int(ratio.argmax()), ratio.shape)
        if name not in worst or ratio[place] > worst[name].ratio:
            at = tuple(int(k) for k in place[1:])
            worst[name] = Attack(float(ratio[place]), name, at, how)
