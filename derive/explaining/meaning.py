"""Compute the formula of a line over any algebra: what it claims, apart from the program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from derive.aten import arithmetic, functions, order
from derive.aten.table import tensor
from derive.constants import ExactNumber
from derive.explaining.terms import Call, Fixed, Raw, Scaled, Term, Use, View
from derive.graph import Graph, Input, Reference, TensorType
from derive.interpreter import run
from derive.tensors import NOT_A_NUMBER, Array, Tensor, Tensors

Values = Mapping[str, Any]
Meaning = Callable[[Tensors[Any], Call, tuple[Tensor[Any], ...]], Tensor[Any]]


def value(term: Term, values: Values, m: Tensors[Any]) -> Tensor[Any]:
    """Return the value of a formula, given the values of the tensors that it names."""
    match term:
        case Use(name, shape):
            return m.rearrange(lambda a: a.reshape(shape), tensor(m, values[name]))
        case Fixed(fixed):
            return m.lift(fixed)
        case View(inner, places):
            moved = value(inner, values, m)
            return m.rearrange(lambda a: a.reshape(-1)[places], moved)
        case Scaled(factor, inner):
            return times(m, factor, value(inner, values, m))
        case Call():
            return called(m, term, tuple(value(part, values, m) for part in term.arguments))
        case Raw():
            return _operation(term, tuple(value(part, values, m) for part in term.arguments), m)


def called(m: Tensors[Any], term: Call, arguments: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    """Return the value of a function of computed arguments."""
    with numpy.errstate(all="ignore"):
        result = MEANINGS[term.function](m, term, arguments)
    if result.kinds.size != math.prod(term.shape):
        return m.expand(result, term.shape)
    shaped: Tensor[Any] = m.rearrange(lambda a: a.reshape(term.shape), result)
    return shaped


def times(m: Tensors[Any], factor: ExactNumber, x: Tensor[Any]) -> Tensor[Any]:
    """Return a number times a tensor; its sign tells what becomes of infinities."""
    if factor == ExactNumber.of(-1):
        # What is known of a logarithm survives a negative, not a product.
        return m.negate(x)
    sign = numpy.asarray(numpy.sign(float(factor.coefficient)))
    return m.multiply(x, m.full((), factor), sign)


def softmax(m: Tensors[Any], x: Tensor[Any], axis: int, *, empty: bool = False) -> Tensor[Any]:
    """Return exp(x) / sum exp(x); with ``empty``, a row of nothing but minus infinity is zero."""
    result: Tensor[Any] = functions.softmax(m, x, axis)
    if empty and (result.kinds == NOT_A_NUMBER).any():
        holes = result.kinds == NOT_A_NUMBER
        return m.select(holes, m.full((), ExactNumber.of(0)), result)
    return result


def _operation(term: Raw, arguments: tuple[Tensor[Any], ...], m: Tensors[Any]) -> Tensor[Any]:
    """Run one operation of the graph alone, on what its references are here."""
    known: dict[str, Any] = dict(term.given)
    known.update(zip(term.references, arguments, strict=True))
    # The interpreter reads a graph of this one operation; its inputs need only their names.
    given = {name: known[name] for name in known}
    inputs = tuple(Input(name, TensorType((), "float64")) for name in given)
    graph = Graph(inputs, (), (term.node,), (Reference(term.node.name),))
    found = run(graph, given, m)[term.node.name]
    result = tensor(m, found if term.item is None else found[term.item])
    return m.rearrange(lambda a: a.reshape(term.shape), result)


def _axis(term: Call) -> int:
    return int(term.option("axis"))


def _sum_of_terms(m: Tensors[Any], _: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    result = x[0]
    for other in x[1:]:
        result = m.add(result, other)
    return result


def _product(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    result = x[0]
    for place, other in enumerate(x[1:], start=1):
        fixed = term.arguments[place]
        signs = numpy.sign(fixed.values) if isinstance(fixed, Fixed) else None
        result = m.multiply(result, other, signs)
    return result


def _softmax(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    if not term.option("plus_one"):
        return softmax(m, x[0], _axis(term), empty=bool(term.option("empty")))
    exponentials = m.exp(x[0])
    below = m.add(m.total(exponentials, (_axis(term),), True), m.full((), ExactNumber.of(1)))
    return m.divide(exponentials, below)


def _log_sum_exp(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    return m.log(m.total(m.exp(x[0]), (_axis(term),), True))


def _vector_jacobian(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    weights, gradient = x
    product = m.multiply(gradient, weights)
    total = m.total(product, (_axis(term),), True)
    return m.subtract(product, m.multiply(weights, total))


def _masked(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    return m.select(term.option("keep"), x[0], m.lift(numpy.float64(term.option("fill"))))


def _layer_norm(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    result: tuple[Tensor[Any], ...] = functions.native_layer_norm(
        m, x[0], x[0].shape[-1:], None, None, term.option("epsilon")
    )
    return result[0]


def _rms_norm(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    square: Tensor[Any] = arithmetic.mean(m, m.multiply(x[0], x[0]), (-1,), True)
    return m.multiply(x[0], m.inverse(m.sqrt(m.add(square, m.lift(term.option("epsilon"))))))


def _turned(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    negative = m.negate(x[0])
    swap = turned_pairs if term.option("pairs") else turned_halves
    return m.rearrange(swap, x[0], negative)


def turned_halves(a: Array, negative: Array) -> Array:
    """Return (-second half, first half) of the last axis."""
    half = a.shape[-1] // 2
    return numpy.concatenate([negative[..., half:], a[..., :half]], axis=-1)


def turned_pairs(a: Array, negative: Array) -> Array:
    """Return (-x2, x1, -x4, x3, ...) along the last axis."""
    both = numpy.stack([negative[..., 1::2], a[..., ::2]], axis=-1)
    return both.reshape(a.shape)


def _attention(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    query, key, values = x
    turned = m.rearrange(lambda a: numpy.swapaxes(a, -1, -2), key)
    scores = times(m, term.option("factor"), m.matmul(query, turned))
    keep = term.option("keep")
    if keep is not None:
        scores = m.select(keep, scores, m.lift(numpy.float64("-inf")))
    return m.matmul(softmax(m, scores, -1, empty=bool(term.option("empty"))), values)


def _joined(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    places = term.option("places")
    flat = [m.rearrange(lambda a: a.reshape(-1), part) for part in x]
    return m.rearrange(lambda *arrays: numpy.concatenate(arrays)[places], *flat)


def _over(reduce: Callable[..., Any]) -> Meaning:
    def reduced(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
        result: Tensor[Any] = reduce(m, x[0], term.option("axes"), True)
        return result

    return reduced


def _power(m: Tensors[Any], term: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
    result: Tensor[Any] = arithmetic.pow_(m, x[0], term.option("exponent"))
    return result


def _plain(compute: Callable[..., Any]) -> Meaning:
    def function(m: Tensors[Any], _: Call, x: tuple[Tensor[Any], ...]) -> Tensor[Any]:
        result: Tensor[Any] = compute(m, *x)
        return result

    return function


MEANINGS: dict[str, Meaning] = {
    "add": _sum_of_terms,
    "multiply": _product,
    "divide": _plain(lambda m, x, y: m.divide(x, y)),
    "matmul": _plain(lambda m, x, y: m.matmul(x, y)),
    "exp": _plain(lambda m, x: m.exp(x)),
    "log": _plain(lambda m, x: m.log(x)),
    "sqrt": _plain(lambda m, x: m.sqrt(x)),
    "inverse": _plain(lambda m, x: m.inverse(x)),
    "tanh": _plain(functions.tanh),
    "sigmoid": _plain(functions.sigmoid),
    "erf": _plain(functions.erf),
    "sin": _plain(functions.sin),
    "cos": _plain(functions.cos),
    "silu": _plain(functions.silu),
    "gelu": _plain(functions.gelu),
    "relu": _plain(order.relu),
    "abs": _plain(order.abs_),
    "sign": _plain(order.sign),
    "max": _plain(order.maximum),
    "min": _plain(order.minimum),
    "power": _power,
    "total": _over(arithmetic.sum_),
    "mean": _over(arithmetic.mean),
    "largest": _over(order.amax),
    "softmax": _softmax,
    "log-sum-exp": _log_sum_exp,
    "softmax gradient": _vector_jacobian,
    "masked": _masked,
    "layer norm": _layer_norm,
    "RMS norm": _rms_norm,
    "turned": _turned,
    "attention": _attention,
    "joined": _joined,
}
"""What each function of a formula means."""
