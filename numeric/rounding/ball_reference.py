"""What attention and its gradients are, enclosed by Arb balls: for judging float64 itself.

The formulas are those of ``reference``; each entry is a ball of 128 bits, handed on as the float64
nearest to its middle, with a radius that holds the rest of the ball. The cost is about a
microsecond for each operation on an entry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from flint import arb, arb_mat, ctx
from sympy import Expr

from numeric.rounding.enclosed import Array, Enclosed
from numeric.rounding.problem import Problem
from numeric.rounding.reference import Backward, Forward, over_broadcast

BITS, DIGITS = 128, 60
BALLS = f"Arb balls of {BITS} bits"

Matrix = Any
"""A ``flint.arb_mat``."""


class _Head:
    """The matrices of one head: scores, weights, and what follows."""

    def __init__(self, problem: Problem, head: int, scale: arb) -> None:
        self.query = _matrix(problem.query[head])
        self.key = _matrix(problem.key[problem.shared[head]])
        self.value = _matrix(problem.value[problem.shared[head]])
        self.visible = problem.visible[head if len(problem.visible) > 1 else 0].tolist()
        self.dot = scale * (self.query * self.key.transpose())
        self.ratio: Matrix | None = None
        scores = self.dot
        if problem.soft_cap is not None:
            cap = arb(problem.soft_cap)
            self.ratio = _each(lambda entry: (entry / cap).tanh(), self.dot)
            scores = cap * self.ratio
        if problem.bias is not None:
            bias = problem.bias[head if len(problem.bias) > 1 else 0]
            scores = scores + _matrix(bias)
        self.scores = scores
        self._weigh(problem, scores)
        self.output = self.weights * self.value

    def _weigh(self, problem: Problem, scores: Matrix) -> None:
        n = scores.ncols()
        weights, logarithms = [], []
        self.largest, self.normaliser = [], []
        for entries, seen in zip(scores.tolist(), self.visible, strict=True):
            shift = max(
                (float(e.mid()) for e, s in zip(entries, seen, strict=True) if s), default=0
            )
            moved = [entry - shift for entry in entries]
            exponentials = [e.exp() if s else arb(0) for e, s in zip(moved, seen, strict=True)]
            total = sum(exponentials, arb(0))
            empty = not any(seen)
            normaliser = arb(0) if empty else total.log()
            self.largest.append(shift)
            self.normaliser.append(normaliser)
            logarithms.append([entry - normaliser for entry in moved])
            if empty:
                share = arb(1) / n if problem.empty_rows == "uniform" else arb(0)
                weights.append([share] * n)
            else:
                weights.append([e / total for e in exponentials])
        self.weights, self.logarithm = arb_mat(weights), arb_mat(logarithms)


def forward(problem: Problem) -> Forward:
    """Enclose every value on the way to the output."""
    started = time.perf_counter()
    with ctx.workprec(BITS):
        heads = _heads(problem)
        dot, scores, weights, output = (
            _stacked([getattr(head, name) for head in heads])
            for name in ("dot", "scores", "weights", "output")
        )
        logarithm = _stacked([head.logarithm for head in heads])
        ratio = None
        if problem.soft_cap is not None:
            ratio = _stacked([head.ratio for head in heads])
        normaliser = _stacked([arb_mat([[n] for n in head.normaliser]) for head in heads])
    visible = numpy.broadcast_to(problem.visible, scores.shape)
    return Forward(
        dot=dot,
        ratio=ratio,
        scores=scores,
        largest=numpy.array([head.largest for head in heads])[..., None],
        normaliser=normaliser,
        logarithm=Enclosed(
            numpy.where(visible, logarithm.value, -numpy.inf),
            numpy.where(visible, logarithm.radius, 0.0),
        ),
        weights=weights,
        output=output,
        seen=visible,
        how=BALLS,
        seconds=time.perf_counter() - started,
    )


def backward(problem: Problem, _at: Forward, upstream: Array) -> Backward:
    """Enclose all gradients; what the forward pass found is enclosed anew, as matrices."""
    started = time.perf_counter()
    rows: dict[str, list[Matrix]] = {}
    count = len(problem.key)
    keys: list[Matrix | None] = [None] * count
    values: list[Matrix | None] = [None] * count
    with ctx.workprec(BITS):
        scale = _ball(problem.exact_scale)
        for place, head in enumerate(_heads(problem)):
            given = _matrix(upstream[place])
            weight_gradient = given * head.value.transpose()
            sums = [
                sum((w * g for w, g in zip(*pair, strict=True)), arb(0))
                for pair in zip(head.weights.tolist(), weight_gradient.tolist(), strict=True)
            ]
            score_gradient = arb_mat(
                [
                    [w * (g - s) if seen else arb(0) for w, g, seen in zip(ws, gs, vs, strict=True)]
                    for ws, gs, vs, s in zip(
                        head.weights.tolist(), weight_gradient.tolist(), head.visible, sums,
                        strict=True,
                    )
                ]
            )  # fmt: skip
            dot_gradient = score_gradient
            if head.ratio is not None:
                slopes = _each(lambda ratio: 1 - ratio * ratio, head.ratio)
                dot_gradient = _times(score_gradient, slopes)
            for name, matrix in (
                ("weight_gradient", weight_gradient),
                ("row_sum", arb_mat([[s] for s in sums])),
                ("score_gradient", score_gradient),
                ("dot_gradient", dot_gradient),
                ("query", scale * (dot_gradient * head.key)),
            ):
                rows.setdefault(name, []).append(matrix)
            owner = int(problem.shared[place])
            keys[owner] = _plus(keys[owner], scale * (dot_gradient.transpose() * head.query))
            values[owner] = _plus(values[owner], head.weights.transpose() * given)
        found = {name: _stacked(matrices) for name, matrices in rows.items()}
        key, value = _stacked(keys), _stacked(values)
    return Backward(
        upstream=upstream,
        key=key,
        value=value,
        bias=None if problem.bias is None else over_broadcast(problem, found["score_gradient"]),
        how=BALLS,
        seconds=time.perf_counter() - started,
        **found,
    )


def _heads(problem: Problem) -> list[_Head]:
    scale = _ball(problem.exact_scale)
    return [_Head(problem, head, scale) for head in range(len(problem.query))]


def _ball(scale: Expr) -> arb:
    """Enclose an exact number: SymPy's own evaluation errs beyond the digits that are asked for."""
    return arb(str(scale.evalf(DIGITS)), 10.0 ** (2 - DIGITS) * (1 + abs(float(scale))))


def _matrix(array: Array) -> Matrix:
    rows, columns = array.shape
    return arb_mat(rows, columns, [arb(float(entry)) for entry in array.flat])


def _each(function: Callable[[Any], Any], matrix: Matrix) -> Matrix:
    return arb_mat([[function(entry) for entry in row] for row in matrix.tolist()])


def _times(one: Matrix, other: Matrix) -> Matrix:
    return arb_mat(
        [
            [a * b for a, b in zip(*rows, strict=True)]
            for rows in zip(one.tolist(), other.tolist(), strict=True)
        ]
    )


def _plus(one: Matrix | None, other: Matrix) -> Matrix:
    return other if one is None else one + other


def _stacked(matrices: Sequence[Matrix]) -> Enclosed:
    """Return the float64 nearest to each middle, and a radius that holds the rest."""
    shape = (len(matrices), matrices[0].nrows(), matrices[0].ncols())
    value, radius = numpy.empty(shape), numpy.empty(shape)
    for place, matrix in enumerate(matrices):
        entries = matrix.entries()
        middles = [float(entry.mid()) for entry in entries]
        value[place] = numpy.reshape(middles, shape[1:])
        rest = [
            float((entry - middle).abs_upper())
            for entry, middle in zip(entries, middles, strict=True)
        ]
        radius[place] = numpy.reshape(rest, shape[1:])
    # The last conversion rounds to nearest.
    return Enclosed(value, radius * (1 + 2.0**-50) + 2.0**-1074)
