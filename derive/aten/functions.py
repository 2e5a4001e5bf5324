"""Exponentials and what is made of them; functions of which only congruence is known."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.aten.arithmetic import mean, var
from derive.aten.table import Value, axes, operation, symbolic, tensor
from derive.constants import ExactNumber
from derive.tensors import HIGHEST, LOWEST, MINUS_INFINITY, PLUS_INFINITY, Tensor, Tensors


@operation("exp.default")
def exp(m: Tensors[Any], x: Value) -> Value:
    """exp(Tensor self) -> Tensor."""
    return m.exp(tensor(m, x)) if symbolic(x) else numpy.exp(x)


@operation("exp2.default")
def exp2(m: Tensors[Any], x: Value) -> Value:
    """exp2(Tensor self) -> Tensor: 2^x = exp(x ln 2)."""
    logarithm = m.full((), ExactNumber(Fraction(1), logarithms=1))
    return m.exp(m.multiply(tensor(m, x), logarithm, numpy.ones(())))


@operation("expm1.default")
def expm1(m: Tensors[Any], x: Value) -> Value:
    """expm1(Tensor self) -> Tensor: exp(x) - 1."""
    return m.subtract(m.exp(tensor(m, x)), m.full((), ExactNumber.of(1)))


@operation("log.default")
def log(m: Tensors[Any], x: Value) -> Value:
    """log(Tensor self) -> Tensor."""
    return m.log(tensor(m, x))


@operation("log2.default")
def log2(m: Tensors[Any], x: Value) -> Value:
    """log2(Tensor self) -> Tensor: log(x) / ln 2."""
    inverse = m.full((), ExactNumber(Fraction(1), logarithms=-1))
    return m.multiply(m.log(tensor(m, x)), inverse, numpy.ones(()))


@operation("log1p.default")
def log1p(m: Tensors[Any], x: Value) -> Value:
    """log1p(Tensor self) -> Tensor: log(1 + x)."""
    return m.log(m.add(tensor(m, x), m.full((), ExactNumber.of(1))))


@operation("sigmoid.default")
def sigmoid(m: Tensors[Any], x: Value) -> Value:
    """sigmoid(Tensor self) -> Tensor."""
    return m.function("sigmoid", tensor(m, x))


@operation("tanh.default")
def tanh(m: Tensors[Any], x: Value) -> Value:
    """tanh(Tensor self) -> Tensor."""
    return m.function("tanh", tensor(m, x))


@operation("erf.default")
def erf(m: Tensors[Any], x: Value) -> Value:
    """erf(Tensor self) -> Tensor."""
    return m.function("erf", tensor(m, x))


@operation("sin.default")
def sin(m: Tensors[Any], x: Value) -> Value:
    """sin(Tensor self) -> Tensor."""
    return m.function("sin", tensor(m, x))


@operation("cos.default")
def cos(m: Tensors[Any], x: Value) -> Value:
    """cos(Tensor self) -> Tensor."""
    return m.function("cos", tensor(m, x))


@operation("silu.default")
def silu(m: Tensors[Any], x: Value) -> Value:
    """silu(Tensor self) -> Tensor: x sigmoid(x)."""
    return m.multiply(tensor(m, x), sigmoid(m, x))


@operation("gelu.default")
def gelu(m: Tensors[Any], x: Value, approximate: str = "none") -> Value:
    """gelu(Tensor self, *, str approximate) -> Tensor: x (1 + erf(x / sqrt 2)) / 2.

    Approximately, erf(x / sqrt 2) is tanh(sqrt(2 / pi) (x + 0.044715 x^3)); the root is the double.
    """
    x = tensor(m, x)
    if approximate == "tanh":
        cubed = m.multiply(m.multiply(m.multiply(x, x), x), m.lift(0.044715))
        inner = m.function("tanh", m.multiply(m.add(x, cubed), m.lift(math.sqrt(2 / math.pi))))
    else:
        root = m.full((), ExactNumber(Fraction(1), Fraction(1, 2), 2))
        inner = m.function("erf", m.multiply(x, root))
    inner = m.add(inner, m.full((), ExactNumber.of(1)))
    return m.multiply(m.multiply(x, inner), m.full((), ExactNumber.of(Fraction(1, 2))))


def _last(m: Tensors[Any], x: Tensor[Any], dim: int) -> Tensor[Any]:
    return m.rearrange(lambda a: numpy.moveaxis(a, dim, -1), x)


def shifted(m: Tensors[Any], x: Tensor[Any], dim: int) -> Tensor[Any]:
    """Return x minus the largest along an axis, where that changes what exp makes of it.

    Over the reals it cancels, so an algebra that does not decide order skips it; but a row of
    nothing but the smallest float has weights 1/n only because of it, and floats overflow
    without it.
    """
    moved = _last(m, x, dim)
    absent = (moved.kinds == LOWEST) | (moved.kinds == MINUS_INFINITY)
    lowest = absent.all(axis=-1, keepdims=True) & (moved.kinds == LOWEST).any(-1, keepdims=True)
    # Beside the largest float, or infinity, everything else has weight zero, or none.
    highest = (moved.kinds == HIGHEST) | (moved.kinds == PLUS_INFINITY)
    lowest |= highest.any(axis=-1, keepdims=True)
    if not m.algebra.decides_order and not lowest.any():
        return x
    less = m.subtract(moved, m.largest(moved))
    result = less if m.algebra.decides_order else m.select(lowest, less, moved)
    return m.rearrange(lambda a: numpy.moveaxis(a, -1, dim), result)


@operation("_softmax.default")
def softmax(m: Tensors[Any], x: Value, dim: int, *_: Any) -> Value:
    """_softmax(Tensor self, int dim, bool half_to_float) -> Tensor: exp(x) / sum exp(x).

    A row of nothing but minus infinity is not a number.
    """
    x = tensor(m, x)
    exponentials = m.exp(shifted(m, x, dim))
    return m.divide(exponentials, m.total(exponentials, axes(dim, len(x.shape)), keep=True))


@operation("_safe_softmax.default")
def safe_softmax(m: Tensors[Any], x: Value, dim: int, *_: Any) -> Value:
    """_safe_softmax(Tensor self, int dim, ScalarType? dtype) -> Tensor.

    The softmax, but zero in a row of nothing but minus infinity.
    """
    x = tensor(m, x)
    empty = (x.kinds == MINUS_INFINITY).all(axis=dim, keepdims=True)
    return m.select(empty, m.full((), ExactNumber.of(0)), softmax(m, x, dim))


@operation("_log_softmax.default")
def log_softmax(m: Tensors[Any], x: Value, dim: int, *_: Any) -> Value:
    """_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor."""
    x = shifted(m, tensor(m, x), dim)
    total = m.total(m.exp(x), axes(dim, len(x.shape)), keep=True)
    return m.subtract(x, m.log(total))


@operation("logsumexp.default")
def logsumexp(m: Tensors[Any], x: Value, dim: Any, keepdim: bool = False) -> Value:
    """logsumexp(Tensor self, int[1] dim, bool keepdim) -> Tensor: log(sum exp(x))."""
    x = tensor(m, x)
    which = axes(dim, len(x.shape))
    return m.log(m.total(m.exp(x), which, keepdim))


@operation("_softmax_backward_data.default")
def softmax_backward(m: Tensors[Any], gradient: Value, output: Value, dim: int, *_: Any) -> Value:
    """_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ...) -> Tensor.

    output (grad - sum(grad output)).
    """
    product = m.multiply(tensor(m, gradient), tensor(m, output))
    total = m.total(product, axes(dim, len(product.shape)), keep=True)
    return m.subtract(product, m.multiply(tensor(m, output), total))


@operation("native_layer_norm.default")
def native_layer_norm(
    m: Tensors[Any], x: Value, shape: tuple[int, ...], weight: Value, bias: Value, eps: float
) -> tuple[Value, ...]:
    """native_layer_norm(Tensor input, ..., float eps) -> (Tensor, mean, 1 / deviation)."""
    x = tensor(m, x)
    dims = tuple(range(len(x.shape) - len(shape), len(x.shape)))
    centre = mean(m, x, dims, keepdim=True)
    spread = m.add(var(m, x, dims, correction=0, keepdim=True), m.lift(eps))
    scale = m.inverse(m.sqrt(spread))
    result = m.multiply(m.subtract(x, centre), scale)
    if weight is not None:
        result = m.multiply(result, tensor(m, weight))
    if bias is not None:
        result = m.add(result, tensor(m, bias))
    return result, centre, scale


@operation("native_group_norm.default")
def native_group_norm(
    m: Tensors[Any],
    x: Value,
    weight: Value,
    bias: Value,
    batch: int,
    channels: int,
    size: int,
    groups: int,
    eps: float,
) -> tuple[Value, ...]:
    """native_group_norm(Tensor input, ..., int group, float eps) -> (Tensor, mean, rstd)."""
    x = tensor(m, x)
    shape = x.shape
    grouped = m.rearrange(lambda a: a.reshape(batch, groups, -1), x)
    result, centre, scale = native_layer_norm(m, grouped, grouped.shape[-1:], None, None, eps)
    result = m.rearrange(lambda a: a.reshape(shape), result)
    each = (1, channels, *(1 for _ in shape[2:]))
    if weight is not None:
        result = m.multiply(result, m.rearrange(lambda a: a.reshape(each), tensor(m, weight)))
    if bias is not None:
        result = m.add(result, m.rearrange(lambda a: a.reshape(each), tensor(m, bias)))
    flat = [m.rearrange(lambda a: a[..., 0], part) for part in (centre, scale)]
    return (result, *flat)


@operation("linalg_vector_norm.default")
def vector_norm(
    m: Tensors[Any], x: Value, order: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any
) -> Value:
    """linalg_vector_norm(Tensor self, Scalar ord, int[1]? dim, bool keepdim) -> Tensor."""
    if order not in (1, 2):
        raise Unsupported("aten.linalg_vector_norm", f"the norm of order {order}")
    x = tensor(m, x)
    which = axes(dim, len(x.shape))
    if order == 1:
        return m.total(m.function("abs", x), which, keepdim)
    return m.sqrt(m.total(m.multiply(x, x), which, keepdim))
