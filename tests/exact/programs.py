"""Attention programs recorded element by element, the way different implementations compute them.

Every function records into one ``Recorder``; arrays are NumPy object arrays of operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy

from derive.straight_line import (
    Application,
    Exponential,
    Instruction,
    Inverse,
    Logarithm,
    Number,
    Operand,
    Product,
    Recorder,
    Root,
    SquareRoot,
    Sum,
    Variable,
)

Array = Any
"""A NumPy object array of operands."""


@dataclass(frozen=True)
class Inputs:
    """Query, key, value and the gradient of the output."""

    query: Array
    key: Array
    value: Array
    gradient: Array


@dataclass
class Program:
    """Array operations over a recorder."""

    recorder: Recorder = field(default_factory=Recorder)

    def matrix(self, name: str, *shape: int) -> Array:
        names = [f"{name}[{', '.join(map(str, index))}]" for index in numpy.ndindex(*shape)]
        return self.array([self.recorder.variable(each) for each in names]).reshape(shape)

    def array(self, values: Sequence[Operand]) -> Array:
        result = numpy.empty(len(values), dtype=object)
        result[:] = values
        return result

    def inputs(self, tokens: int, dims: int) -> Inputs:
        return Inputs(*(self.matrix(name, tokens, dims) for name in ("q", "k", "v", "g")))

    def number(self, value: Fraction | int) -> Operand:
        return self.recorder.number(value)

    def scale(self, dims: int) -> Operand:
        return self.recorder.inverse(self.recorder.square_root(self.number(dims)))

    def product(self, left: Array, right: Array) -> Array:
        """Matrix product."""
        result = numpy.empty((left.shape[0], right.shape[1]), dtype=object)
        for i, j in numpy.ndindex(*result.shape):
            result[i, j] = self.dot(left[i], right[:, j])
        return result

    def dot(self, left: Array, right: Array) -> Operand:
        pairs = zip(left, right, strict=True)
        return self.recorder.add(*(self.recorder.multiply(a, b) for a, b in pairs))

    def each(self, function: Any, *arrays: Any) -> Array:
        """Apply a function of operands to the elements of arrays that broadcast."""
        return numpy.frompyfunc(function, len(arrays), 1)(*arrays)

    def times(self, *arrays: Any) -> Array:
        return self.each(self.recorder.multiply, *arrays)

    def plus(self, *arrays: Any) -> Array:
        return self.each(self.recorder.add, *arrays)

    def minus(self, left: Any, right: Any) -> Array:
        return self.each(lambda a, b: self.recorder.add(a, self.recorder.negate(b)), left, right)

    def over(self, left: Any, right: Any) -> Array:
        return self.each(
            lambda a, b: self.recorder.multiply(a, self.recorder.inverse(b)), left, right
        )

    def exponential(self, array: Any) -> Array:
        return self.each(self.recorder.exponential, array)

    def total(self, row: Array) -> Operand:
        return self.recorder.add(*row)

    def maximum(self, row: Array) -> Operand:
        return self.recorder.apply("max", *sorted(row))


def scores(program: Program, inputs: Inputs, scale: Operand | None = None) -> Array:
    scale = program.scale(inputs.query.shape[1]) if scale is None else scale
    return program.times(program.product(inputs.query, inputs.key.T), scale)


def causal(tokens: int) -> list[list[int]]:
    return [list(range(row + 1)) for row in range(tokens)]


def full(tokens: int) -> list[list[int]]:
    return [list(range(tokens)) for _ in range(tokens)]


def weights(
    program: Program,
    score: Array,
    seen: Sequence[Sequence[int]] | None = None,
    *,
    shifted: bool = False,
    extra: Fraction | int = 0,
    factor: Fraction | int = 1,
) -> Array:
    """Softmax of each row over the columns it sees; ``extra`` is added to the denominator."""
    result = numpy.full(score.shape, program.recorder.zero, dtype=object)
    for i, columns in enumerate(seen or [range(score.shape[1])] * len(score)):
        row = score[i, list(columns)]
        if shifted:
            row = program.minus(row, program.maximum(row))
        raised = program.exponential(row)
        below = program.recorder.add(program.total(raised), program.number(extra))
        result[i, list(columns)] = program.over(
            raised, program.recorder.multiply(below, program.number(factor))
        )
    return result


def textbook_gradients(
    program: Program, inputs: Inputs, weight: Array, scale: Operand
) -> tuple[Array, Array, Array]:
    """The softmax Jacobian as books write it: dS = A * (dA - rowsum(A * dA))."""
    above = program.product(inputs.gradient, inputs.value.T)
    inner = program.times(weight, above)
    rows = program.array([program.total(row) for row in inner])
    change = program.times(weight, program.minus(above, rows[:, None]))
    return (
        program.times(program.product(change, inputs.key), scale),
        program.times(program.product(change.T, inputs.query), scale),
        program.product(weight.T, inputs.gradient),
    )


def naive(
    program: Program,
    inputs: Inputs,
    seen: Sequence[Sequence[int]] | None = None,
    *,
    scale: Operand | None = None,
    **how: Any,
) -> list[Array]:
    """Output, dQ, dK and dV by softmax as written in books."""
    scale = program.scale(inputs.query.shape[1]) if scale is None else scale
    weight = weights(program, scores(program, inputs, scale), seen, **how)
    output = program.product(weight, inputs.value)
    return [output, *textbook_gradients(program, inputs, weight, scale)]


def online(
    program: Program,
    inputs: Inputs,
    seen: Sequence[Sequence[int]] | None = None,
    *,
    block: int = 2,
    rescale: bool = True,
) -> list[Array]:
    """Forward in blocks with a running maximum; backward from the log-sum-exp, in flash style."""
    record = program.recorder
    tokens, dims = inputs.query.shape
    scale = program.scale(dims)
    score = scores(program, inputs, scale)
    outputs, logs = [], []
    for i, columns in enumerate(seen or full(tokens)):
        state: tuple[Operand, Operand, Array] | None = None
        for start in range(0, len(columns), block):
            chosen = list(columns)[start : start + block]
            row = score[i, chosen]
            largest = program.maximum(row)
            if state is not None:
                largest = record.apply("max", *sorted((state[0], largest)))
            raised = program.exponential(program.minus(row, largest))
            length = program.total(raised)
            sums = program.product(raised[None, :], inputs.value[chosen])[0]
            if state is not None:
                old = record.exponential(record.add(state[0], record.negate(largest)))
                old = old if rescale else record.one
                length = record.add(record.multiply(old, state[1]), length)
                sums = program.plus(program.times(state[2], old), sums)
            state = largest, length, sums
        assert state is not None
        outputs.append(program.over(state[2], state[1]))
        logs.append(record.add(state[0], record.logarithm(state[1])))
    output = numpy.array(outputs, dtype=object)
    return [output, *flash_gradients(program, inputs, score, output, logs, seen)]


def flash(
    program: Program, inputs: Inputs, seen: Sequence[Sequence[int]] | None = None
) -> list[Array]:
    """Forward by shifted softmax; backward from the log-sum-exp."""
    record = program.recorder
    score = scores(program, inputs)
    columns = seen or full(len(score))
    weight = weights(program, score, columns, shifted=True)
    output = program.product(weight, inputs.value)
    logs = []
    for i, each in enumerate(columns):
        largest = program.maximum(score[i, list(each)])
        raised = program.exponential(program.minus(score[i, list(each)], largest))
        logs.append(record.add(largest, record.logarithm(program.total(raised))))
    return [output, *flash_gradients(program, inputs, score, output, logs, seen)]


def flash_gradients(
    program: Program,
    inputs: Inputs,
    score: Array,
    output: Array,
    logs: Sequence[Operand],
    seen: Sequence[Sequence[int]] | None,
) -> tuple[Array, Array, Array]:
    """P = exp(S - log-sum-exp), D = rowsum(dO * O), dS = P * (dP - D)."""
    scale = program.scale(inputs.query.shape[1])
    weight = numpy.full(score.shape, program.recorder.zero, dtype=object)
    for i, columns in enumerate(seen or full(len(score))):
        chosen = list(columns)
        weight[i, chosen] = program.exponential(program.minus(score[i, chosen], logs[i]))
    rows = program.array([program.dot(g, o) for g, o in zip(inputs.gradient, output, strict=True)])
    above = program.product(inputs.gradient, inputs.value.T)
    change = program.times(weight, program.minus(above, rows[:, None]))
    return (
        program.times(program.product(change, inputs.key), scale),
        program.times(program.product(change.T, inputs.query), scale),
        program.product(weight.T, inputs.gradient),
    )


Claim = list[tuple[Operand, Operand, str]]


def pairs(left: Sequence[Array], right: Sequence[Array]) -> Claim:
    """Pair the elements of equally shaped arrays."""
    names = ("output", "dQ", "dK", "dV")
    found: Claim = []
    for name, one, other in zip(names, left, right, strict=False):
        assert one.shape == other.shape
        for index in numpy.ndindex(*one.shape):
            found.append((one[index], other[index], f"{name}{list(index)}"))
    return found


def evaluate(instructions: Sequence[Instruction], inputs: dict[str, float]) -> list[float]:
    """Run a straight-line program in floating point; raise ValueError where it is undefined."""
    values: list[float] = []
    for instruction in instructions:
        match instruction:
            case Variable(name):
                value = inputs[name]
            case Number(number):
                value = float(number)
            case Root(radicand, degree):
                value = float(radicand) ** (1 / degree)
            case Sum(terms):
                value = math.fsum(values[term] for term in terms)
            case Product(factors):
                value = math.prod(values[factor] for factor in factors)
            case Inverse(operand):
                value = 1 / values[operand]
            case Exponential(operand):
                value = math.exp(values[operand])
            case Logarithm(operand):
                value = math.log(values[operand])
            case SquareRoot(operand):
                value = math.sqrt(values[operand])
            case Application(function, operands):
                held = [values[operand] for operand in operands]
                value = FUNCTIONS.get(function, other_function)(*held)
        values.append(value)
    return values


def other_function(*operands: float) -> float:
    """Stand for an opaque function: anything that depends on all operands and their order."""
    return math.sin(sum((place + 1.5) * each for place, each in enumerate(operands)))


FUNCTIONS: dict[str, Any] = {
    "max": lambda *operands: max(operands, default=0.0),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
}


def log_sum_exp(program: Program, inputs: Inputs, *, shifted: bool = False) -> list[Array]:
    """Weights as exp(score - log of the row's sum of exponentials), with textbook gradients."""
    record = program.recorder
    score = scores(program, inputs)
    weight = numpy.empty_like(score)
    for i, row in enumerate(score):
        largest = program.maximum(row) if shifted else record.zero
        summed = program.total(program.exponential(program.minus(row, largest)))
        logarithm = record.add(largest, record.logarithm(summed))
        weight[i] = program.exponential(program.minus(row, logarithm))
    output = program.product(weight, inputs.value)
    scale = program.scale(inputs.query.shape[1])
    return [output, *textbook_gradients(program, inputs, weight, scale)]


def hyperbolic(program: Program, form: str, x: Operand) -> Operand:
    """tanh(x), in one of its spellings."""
    record = program.recorder
    one, two = record.one, program.number(2)

    def over(above: Operand, below: Operand) -> Operand:
        return record.multiply(above, record.inverse(below))

    match form:
        case "(E - 1) / (E + 1)":
            grown = record.exponential(record.multiply(two, x))
            return over(record.add(grown, program.number(-1)), record.add(grown, one))
        case "(1 - 1/E) / (1 + 1/E)":
            shrunk = record.exponential(record.multiply(program.number(-2), x))
            return over(record.add(one, record.negate(shrunk)), record.add(one, shrunk))
        case "sinh / cosh":
            up, down = record.exponential(x), record.exponential(record.negate(x))
            return over(record.add(up, record.negate(down)), record.add(up, down))
        case "sigmoid":
            half = record.apply("sigmoid", record.multiply(two, x))
            return record.add(record.multiply(two, half), program.number(-1))
        case _:
            return record.apply("tanh", x)


def soft_capped(
    program: Program, inputs: Inputs, form: str, *, shifted: bool = False
) -> list[Array]:
    """Scores capped to 30 tanh(score / 30), with the gradient through tanh."""
    cap, record = program.number(30), program.recorder
    scale = program.scale(inputs.query.shape[1])
    small = program.times(scores(program, inputs, scale), record.inverse(cap))
    bent = program.each(lambda x: hyperbolic(program, form, x), small)
    weight = weights(program, program.times(bent, cap), shifted=shifted)
    above = program.product(inputs.gradient, inputs.value.T)
    rows = program.array([program.dot(w, a) for w, a in zip(weight, above, strict=True)])
    change = program.times(weight, program.minus(above, rows[:, None]))
    change = program.times(change, program.minus(record.one, program.times(bent, bent)), scale)
    return [
        program.product(weight, inputs.value),
        program.product(change, inputs.key),
        program.product(change.T, inputs.query),
        program.product(weight.T, inputs.gradient),
    ]


def zero_column(program: Program, inputs: Inputs) -> list[Array]:
    """One more key with score 0 and no value: the output of softmax-plus-one."""
    record = program.recorder
    score = scores(program, inputs)
    wide = numpy.full((len(score), len(score) + 1), record.zero, dtype=object)
    wide[:, :-1] = score
    weight = weights(program, wide, shifted=True)[:, :-1]
    scale = program.scale(inputs.query.shape[1])
    return [
        program.product(weight, inputs.value),
        *textbook_gradients(program, inputs, weight, scale),
    ]


def normed(program: Program, rows: Array, spelling: str) -> Array:
    """Each row over its root mean square, kept from zero by a millionth."""
    record = program.recorder
    small, result = Fraction(1, 10**6), numpy.empty_like(rows)
    for i, row in enumerate(rows):
        squares, dims = program.dot(row, row), len(row)
        if spelling == "mean":
            mean = record.multiply(program.number(Fraction(1, dims)), squares)
            below = record.square_root(record.add(mean, program.number(small)))
            result[i] = program.over(row, below)
        elif spelling == "power":
            mean = record.multiply(program.number(Fraction(1, dims)), squares)
            logarithm = record.logarithm(record.add(mean, program.number(small)))
            half = record.multiply(program.number(Fraction(-1, 2)), logarithm)
            result[i] = program.times(row, record.exponential(half))
        else:
            below = record.square_root(record.add(squares, program.number(dims * small)))
            root = record.square_root(program.number(dims))
            result[i] = program.times(program.over(row, below), root)
    return result
