"""Maxima, comparisons, and the truth values that come of them."""

from __future__ import annotations

import math
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.aten.shapes import rearranged
from derive.aten.table import Value, axes, operation, symbolic, tensor
from derive.constants import ExactNumber
from derive.tensors import (
    MINUS_INFINITY,
    NOT_A_NUMBER,
    PLUS_INFINITY,
    UNKNOWN,
    ZERO,
    Array,
    Selection,
    Tensor,
    Tensors,
)


@operation("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(m: Tensors[Any], condition: Value, x: Value, y: Value) -> Value:
    """where(Tensor condition, Tensor self, Tensor other) -> Tensor."""
    if not any(symbolic(value) for value in (condition, x, y)):
        return numpy.where(condition, x, y)
    return m.select(condition, tensor(m, x), tensor(m, y))


def _compare(name: str, swap: bool, or_equal: bool) -> None:
    @operation(f"{name}.Tensor", f"{name}.Scalar")
    def compare(m: Tensors[Any], x: Value, y: Value) -> Value:
        left, right = (y, x) if swap else (x, y)
        return m.less(tensor(m, left), tensor(m, right), or_equal=or_equal)


for _name, _swap, _or_equal in (
    ("lt", False, False),
    ("le", False, True),
    ("gt", True, False),
    ("ge", True, True),
):
    _compare(_name, _swap, _or_equal)


@operation("eq.Tensor", "eq.Scalar")
def eq(m: Tensors[Any], x: Value, y: Value) -> Value:
    """eq(Tensor self, Tensor other) -> Tensor; a number is equal to itself."""
    if x is y and isinstance(x, Tensor):
        return ~isnan(m, x)
    return m.equal(tensor(m, x), tensor(m, y))


@operation("ne.Tensor", "ne.Scalar")
def ne(m: Tensors[Any], x: Value, y: Value) -> Value:
    """ne(Tensor self, Tensor other) -> Tensor."""
    return logical_not(m, eq(m, x, y))


@operation("isnan.default")
def isnan(m: Tensors[Any], x: Value) -> Value:
    """isnan(Tensor self) -> Tensor; a real number is none of those."""
    return _of_kind(tensor(m, x), "aten.isnan", NOT_A_NUMBER)


@operation("isinf.default")
def isinf(m: Tensors[Any], x: Value) -> Value:
    """isinf(Tensor self) -> Tensor."""
    return _of_kind(tensor(m, x), "aten.isinf", MINUS_INFINITY, PLUS_INFINITY)


def _of_kind(x: Tensor[Any], name: str, *kinds: int) -> Array:
    if (x.kinds == UNKNOWN).any():
        raise Unsupported(name, "of a value that is not known")
    return numpy.isin(x.kinds, kinds)


@operation("logical_not.default")
def logical_not(m: Tensors[Any], x: Value) -> Value:
    """logical_not(Tensor self) -> Tensor, of truth values."""
    return m.negation(_truth(m, x)) if symbolic(x) else numpy.logical_not(x)


@operation("bitwise_not.default")
def bitwise_not(m: Tensors[Any], x: Value) -> Value:
    """bitwise_not(Tensor self) -> Tensor, of truth values; not 1 is -2 where it is an integer."""
    return logical_not(m, x) if symbolic(x) else ~numpy.asarray(x)


@operation("logical_and.default", "bitwise_and.Tensor")
def logical_and(m: Tensors[Any], x: Value, y: Value) -> Value:
    """logical_and(Tensor self, Tensor other) -> Tensor, of truth values."""
    if not symbolic(x) and not symbolic(y):
        return _booleans(x) & _booleans(y)
    return m.multiply(_truth(m, x), _truth(m, y))


@operation("logical_or.default", "bitwise_or.Tensor")
def logical_or(m: Tensors[Any], x: Value, y: Value) -> Value:
    """logical_or(Tensor self, Tensor other) -> Tensor, of truth values."""
    return logical_not(m, logical_and(m, logical_not(m, x), logical_not(m, y)))


def _booleans(x: Value) -> Array:
    array = numpy.asarray(x)
    if array.dtype != numpy.bool_:
        raise Unsupported("aten.logical_not", "of a number that is not a truth value")
    return array


def _truth(m: Tensors[Any], x: Value) -> Tensor[Any]:
    if not symbolic(x):
        lifted = m.lift(_booleans(x))
        return Tensor(lifted.data, lifted.kinds, truth=True)
    if not isinstance(x, Tensor) or not x.truth:
        raise Unsupported("aten.logical_not", "of a number that is not a truth value")
    return x


@operation("any.dim", "any.dims", "any.default")
def any_(m: Tensors[Any], x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    """any(Tensor self, int dim, bool keepdim) -> Tensor."""
    if symbolic(x):
        raise Unsupported("aten.any", "of a comparison that depends on the values of the inputs")
    return numpy.asarray(x).any(axis=axes(dim, numpy.ndim(x)), keepdims=keepdim)


@operation("all.dim", "all.default")
def all_(m: Tensors[Any], x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    """all(Tensor self, int dim, bool keepdim) -> Tensor."""
    if symbolic(x):
        raise Unsupported("aten.all", "of a comparison that depends on the values of the inputs")
    return numpy.asarray(x).all(axis=axes(dim, numpy.ndim(x)), keepdims=keepdim)


@operation("amax.default")
def amax(m: Tensors[Any], x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """amax(Tensor self, int[1] dim, bool keepdim) -> Tensor."""
    x = tensor(m, x)
    which = axes(dim, len(x.shape))
    return _largest(m, x, which, keepdim)


@operation("amin.default")
def amin(m: Tensors[Any], x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """amin(Tensor self, int[1] dim, bool keepdim) -> Tensor."""
    return m.negate(amax(m, m.negate(tensor(m, x)), dim, keepdim))


def _largest(m: Tensors[Any], x: Tensor[Any], which: tuple[int, ...], keepdim: bool) -> Tensor[Any]:
    rest = [axis for axis in range(len(x.shape)) if axis not in which]
    kept = [x.shape[axis] for axis in rest]
    size = math.prod(x.shape[axis] for axis in which)
    rows = m.rearrange(lambda a: a.transpose(*rest, *which).reshape(*kept, size), x)
    shape = [
        1 if axis in which else length
        for axis, length in enumerate(x.shape)
        if keepdim or axis not in which
    ]
    return m.rearrange(lambda a: a.reshape(shape), m.largest(rows))


@operation("max.default")
def max_(m: Tensors[Any], x: Value) -> Value:
    """max(Tensor self) -> Tensor."""
    return amax(m, x)


@operation("max.dim")
def max_dim(m: Tensors[Any], x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """max(Tensor self, int dim, bool keepdim) -> (Tensor values, Tensor indices)."""
    x = tensor(m, x)
    values = _largest(m, x, axes(dim, len(x.shape)), keepdim)
    return values, argmax(m, x, dim, keepdim)


@operation("min.dim")
def min_dim(m: Tensors[Any], x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """min(Tensor self, int dim, bool keepdim) -> (Tensor values, Tensor indices)."""
    values, places = max_dim(m, m.negate(tensor(m, x)), dim, keepdim)
    return m.negate(values), places


@operation("min.default")
def min_(m: Tensors[Any], x: Value) -> Value:
    """min(Tensor self) -> Tensor."""
    return amin(m, x)


@operation("argmax.default")
def argmax(m: Tensors[Any], x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """argmax(Tensor self, int? dim, bool keepdim) -> Tensor: as weights of sum one.

    Of equal elements the first is taken. Where order is not known the weights are free numbers: the
    gradient of amax, which equal elements share, is another.
    """
    x = tensor(m, x)
    if dim is None:
        raise Unsupported("aten.argmax", "over all elements at once")
    axis = dim % len(x.shape)
    best = _largest(m, x, (axis,), keepdim=True)
    x, best = m.broadcast(x, best)
    found = m.equal(x, best)
    weights = found if isinstance(found, Tensor) else m.lift(_first(found, axis))
    if isinstance(found, Tensor):
        along = [1] * len(x.shape)
        along[axis] = -1
        place = m.lift(numpy.arange(x.shape[axis]).reshape(along))
        free = m.function("argmax", x, best, place)
        numbers = (x.kinds <= ZERO) & (best.kinds <= ZERO)
        weights = m.rearrange(lambda a, b: numpy.where(numbers, a, b), free, weights)
    total = m.total(weights, (axis,), keep=True)
    return Selection(m.divide(Tensor(weights.data, weights.kinds), total), axis, keepdim)


def _first(found: Array, axis: int) -> Array:
    first: Array = found & (numpy.cumsum(found, axis=axis) == 1)
    return first


@operation("maximum.default")
def maximum(m: Tensors[Any], x: Value, y: Value) -> Value:
    """maximum(Tensor self, Tensor other) -> Tensor."""
    return m.maximum(tensor(m, x), tensor(m, y))


@operation("minimum.default")
def minimum(m: Tensors[Any], x: Value, y: Value) -> Value:
    """minimum(Tensor self, Tensor other) -> Tensor."""
    return m.negate(m.maximum(m.negate(tensor(m, x)), m.negate(tensor(m, y))))


@operation("clamp.default", "clamp.Tensor", "clamp_min.default", "clamp_min.Tensor")
def clamp(m: Tensors[Any], x: Value, low: Value = None, high: Value = None) -> Value:
    """clamp(Tensor self, Scalar? min, Scalar? max) -> Tensor."""
    if low is not None:
        x = maximum(m, x, low)
    return x if high is None else minimum(m, x, high)


@operation("clamp_max.default")
def clamp_max(m: Tensors[Any], x: Value, high: Value) -> Value:
    """clamp_max(Tensor self, Scalar max) -> Tensor."""
    return minimum(m, x, high)


@operation("relu.default")
def relu(m: Tensors[Any], x: Value) -> Value:
    """relu(Tensor self) -> Tensor: x where x > 0, else 0."""
    zero = m.full((), ExactNumber.of(0))
    x = tensor(m, x)
    return m.select(m.less(zero, x, or_equal=False), x, zero)


@operation("leaky_relu.default")
def leaky_relu(m: Tensors[Any], x: Value, slope: float = 0.01) -> Value:
    """leaky_relu(Tensor self, Scalar negative_slope) -> Tensor: x where x > 0, else slope x."""
    x = tensor(m, x)
    lower = m.multiply(x, m.lift(slope), numpy.sign(numpy.asarray(slope)))
    return m.select(m.less(m.full((), ExactNumber.of(0)), x, or_equal=False), x, lower)


@operation("abs.default")
def abs_(m: Tensors[Any], x: Value) -> Value:
    """abs(Tensor self) -> Tensor."""
    return m.function("abs", tensor(m, x))


@operation("sign.default", "sgn.default")
def sign(m: Tensors[Any], x: Value) -> Value:
    """sign(Tensor self) -> Tensor."""
    return m.function("sign", tensor(m, x))


@operation("topk.default")
def topk(
    m: Tensors[Any], x: Value, k: int, dim: int = -1, largest: bool = True, *_: Any, **__: Any
) -> tuple[Value, Value]:
    """topk(Tensor self, int k, int dim, bool largest) -> (Tensor values, Tensor indices)."""
    values, places = sort(m, x, dim, descending=largest)
    first = numpy.arange(k)
    kept = rearranged(m, lambda a: numpy.take(a, first, axis=dim), values)
    return kept, numpy.take(places, first, axis=dim)


@operation("sort.default")
def sort(m: Tensors[Any], x: Value, dim: int = -1, descending: bool = False) -> tuple[Value, Value]:
    """sort(Tensor self, int dim, bool descending) -> (Tensor values, Tensor indices)."""
    x = tensor(m, x)
    if not m.algebra.decides_order:
        raise Unsupported("aten.sort", "the order of the elements decides which stands where")
    length = x.shape[dim]
    last = m.rearrange(lambda a: numpy.moveaxis(a, dim, -1), x)
    each = m.rearrange(lambda a: a[..., :, None], last)
    other = m.rearrange(lambda a: a[..., None, :], last)
    pair = (other, each) if not descending else (each, other)
    before = m.less(*pair, or_equal=False)
    # Of equal elements the one that stands first comes first.
    equal = ~before & ~m.less(*reversed(pair), or_equal=False)
    before |= equal & numpy.tri(length, k=-1, dtype=bool)
    places = numpy.moveaxis(before.sum(axis=-1).argsort(axis=-1), -1, dim)
    return m.rearrange(lambda a: numpy.take_along_axis(a, places, axis=dim), x), places
