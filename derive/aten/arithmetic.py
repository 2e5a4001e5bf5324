"""Sums, products, quotients, powers, and the sums of products that matrices are multiplied by."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.aten.shapes import count, rearranged
from derive.aten.table import Value, axes, operation, signs, symbolic, tensor
from derive.constants import ExactNumber
from derive.tensors import Array, Tensor, Tensors


@operation("add.Tensor", "add.Scalar", "add_.Scalar", "add_.Tensor")
def add(m: Tensors[Any], x: Value, y: Value, alpha: Any = 1) -> Value:
    """add(Tensor self, Tensor other, *, Scalar alpha) -> Tensor: x + alpha y."""
    if not symbolic(x) and not symbolic(y):
        return numpy.asarray(x) + alpha * numpy.asarray(y)
    return m.add(tensor(m, x), scaled(m, y, alpha))


@operation("sub.Tensor", "sub.Scalar")
def sub(m: Tensors[Any], x: Value, y: Value, alpha: Any = 1) -> Value:
    """sub(Tensor self, Tensor other, *, Scalar alpha) -> Tensor: x - alpha y."""
    if not symbolic(x) and not symbolic(y):
        return numpy.asarray(x) - alpha * numpy.asarray(y)
    return m.subtract(tensor(m, x), scaled(m, y, alpha))


@operation("rsub.Scalar", "rsub.Tensor")
def rsub(m: Tensors[Any], x: Value, y: Value, alpha: Any = 1) -> Value:
    """rsub(Tensor self, Tensor other, *, Scalar alpha) -> Tensor: y - alpha x."""
    return sub(m, y, x, alpha)


def scaled(m: Tensors[Any], x: Value, factor: Any) -> Tensor[Any]:
    """Return factor * x, for a Python number."""
    return tensor(m, x) if factor == 1 else tensor(m, mul(m, x, factor))


@operation("mul.Tensor", "mul.Scalar")
def mul(m: Tensors[Any], x: Value, y: Value) -> Value:
    """mul(Tensor self, Tensor other) -> Tensor."""
    if not symbolic(x) and not symbolic(y):
        return numpy.asarray(x) * numpy.asarray(y)
    if not symbolic(x):
        x, y = y, x
    return m.multiply(tensor(m, x), tensor(m, y), signs(y))


@operation("div.Tensor", "div.Scalar")
def div(m: Tensors[Any], x: Value, y: Value) -> Value:
    """div(Tensor self, Tensor other) -> Tensor."""
    if not symbolic(x) and not symbolic(y):
        return numpy.asarray(x) / numpy.asarray(y)
    if symbolic(y):
        return m.divide(tensor(m, x), tensor(m, y))
    return m.multiply(tensor(m, x), m.inverse(tensor(m, y)), signs(y))


@operation("neg.default")
def neg(m: Tensors[Any], x: Value) -> Value:
    """neg(Tensor self) -> Tensor."""
    return m.negate(x) if symbolic(x) else -x


@operation("reciprocal.default")
def reciprocal(m: Tensors[Any], x: Value) -> Value:
    """reciprocal(Tensor self) -> Tensor."""
    return m.inverse(tensor(m, x))


@operation("sqrt.default")
def sqrt(m: Tensors[Any], x: Value) -> Value:
    """sqrt(Tensor self) -> Tensor."""
    return m.sqrt(tensor(m, x))


@operation("rsqrt.default")
def rsqrt(m: Tensors[Any], x: Value) -> Value:
    """rsqrt(Tensor self) -> Tensor: 1 / sqrt(x)."""
    return m.inverse(m.sqrt(tensor(m, x)))


@operation("square.default")
def square(m: Tensors[Any], x: Value) -> Value:
    """square(Tensor self) -> Tensor."""
    return m.multiply(tensor(m, x), tensor(m, x))


@operation("pow.Tensor_Scalar")
def pow_(m: Tensors[Any], x: Value, exponent: Any) -> Value:
    """pow(Tensor self, Scalar exponent) -> Tensor, for whole and half exponents.

    A half power is a power of the square root, so that sqrt(x)^3 and x^(3/2) are the same.
    """
    if not symbolic(x):
        return numpy.asarray(x) ** exponent
    twice = Fraction(exponent) * 2
    if twice.denominator != 1:
        raise Unsupported("aten.pow", f"the exponent {exponent} is not a whole or half number")
    base, times = (x, int(twice) // 2) if twice % 2 == 0 else (m.sqrt(x), int(twice))
    if times == 0:
        return m.full(x.shape, ExactNumber.of(1))
    power = _power(m, base, abs(times))
    return m.inverse(power) if times < 0 else power


def _power(m: Tensors[Any], base: Tensor[Any], times: int) -> Tensor[Any]:
    result = base
    for bit in bin(times)[3:]:
        result = m.multiply(result, result)
        if bit == "1":
            result = m.multiply(result, base)
    return result


@operation("bmm.default", "mm.default", "matmul.default")
def bmm(m: Tensors[Any], x: Value, y: Value) -> Value:
    """bmm(Tensor self, Tensor mat2) -> Tensor."""
    return m.matmul(tensor(m, x), tensor(m, y))


@operation("mv.default")
def mv(m: Tensors[Any], x: Value, vector: Value) -> Value:
    """mv(Tensor self, Tensor vec) -> Tensor."""
    column = rearranged(m, lambda a: a[:, None], vector)
    return rearranged(m, lambda a: a[..., 0], bmm(m, x, column))


@operation("dot.default")
def dot(m: Tensors[Any], x: Value, y: Value) -> Value:
    """dot(Tensor self, Tensor tensor) -> Tensor."""
    return rearranged(m, lambda a: a[0], mv(m, rearranged(m, lambda a: a[None], x), y))


@operation("addmm.default", "baddbmm.default")
def addmm(m: Tensors[Any], bias: Value, x: Value, y: Value, beta: Any = 1, alpha: Any = 1) -> Value:
    """addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta, Scalar alpha) -> Tensor.

    beta self + alpha mat1 mat2; with beta = 0, self is ignored, whatever it holds.
    """
    product = scaled(m, bmm(m, x, y), alpha)
    return product if beta == 0 else m.add(scaled(m, bias, beta), product)


@operation("sum.dim_IntList", "sum.default")
def sum_(m: Tensors[Any], x: Value, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    """sum(Tensor self, int[1]? dim, bool keepdim) -> Tensor."""
    which = axes(dim, len(x.shape))
    if not symbolic(x):
        return numpy.asarray(x).sum(axis=which, keepdims=keepdim)
    return m.total(x, which, keepdim)


@operation("mean.dim", "mean.default")
def mean(m: Tensors[Any], x: Value, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    """mean(Tensor self, int[1]? dim, bool keepdim) -> Tensor."""
    which = axes(dim, len(x.shape))
    return _shared(m, m.total(tensor(m, x), which, keepdim), count(x.shape, which))


def _shared(m: Tensors[Any], total: Tensor[Any], parts: int) -> Tensor[Any]:
    return m.multiply(total, m.full((), ExactNumber.of(Fraction(1, parts))), numpy.ones(()))


@operation("var.correction", "var_mean.correction")
def var(
    m: Tensors[Any], x: Value, dim: Any = None, correction: Any = 1, keepdim: bool = False
) -> Value:
    """var(Tensor self, int[1]? dim, *, Scalar? correction, bool keepdim) -> Tensor."""
    which = axes(dim, len(x.shape))
    centred = m.subtract(tensor(m, x), mean(m, x, dim, keepdim=True))
    parts = count(x.shape, which) - int(1 if correction is None else correction)
    return _shared(m, m.total(m.multiply(centred, centred), which, keepdim), parts)


@operation("cumsum.default")
def cumsum(m: Tensors[Any], x: Value, dim: int, **_: Any) -> Value:
    """cumsum(Tensor self, int dim) -> Tensor."""
    return m.sum(lambda a: a.cumsum(axis=dim), tensor(m, x))


@operation("convolution.default")
def convolution(
    m: Tensors[Any],
    x: Value,
    weight: Value,
    bias: Value,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    transposed: bool,
    output_padding: tuple[int, ...],
    groups: int,
) -> Value:
    """convolution(Tensor input, Tensor weight, Tensor? bias, ...) -> Tensor, as a product.

    The windows of the input are the rows of a matrix, the filters of a group the columns.
    """
    if transposed:
        raise Unsupported("aten.convolution", "a transposed convolution")
    x, weight = tensor(m, x), tensor(m, weight)
    spatial = x.shape[2:]
    kernel = weight.shape[2:]
    widths = [(0, 0), (0, 0), *((p, p) for p in padding)]
    zero = m.full((), ExactNumber.of(0))

    def padded(a: Array, b: Array) -> Array:
        shape = [n + low + high for n, (low, high) in zip(a.shape, widths, strict=True)]
        result = numpy.empty(shape, dtype=a.dtype)
        result[...] = b
        inner = [slice(low, low + n) for n, (low, _) in zip(a.shape, widths, strict=True)]
        result[tuple(inner)] = a
        return result

    def windows(a: Array) -> Array:
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        first = tuple(range(2, 2 + len(spatial)))
        view = numpy.lib.stride_tricks.sliding_window_view(a, reach, axis=first)
        place = (
            slice(None),
            slice(None),
            *(slice(None, None, s) for s in stride),
            *(slice(None, None, d) for d in dilation),
        )
        return view[place]

    batch, channels = x.shape[:2]
    filters, depth = weight.shape[:2]
    opened = m.rearrange(windows, m.rearrange(padded, x, zero))
    out = opened.shape[2 : 2 + len(spatial)]
    places = int(numpy.prod(out))
    size = depth * int(numpy.prod(kernel))

    def rows(a: Array) -> Array:
        grouped = a.reshape(batch, groups, channels // groups, places, -1)
        return grouped.transpose(0, 1, 3, 2, 4).reshape(batch, groups, places, size)

    def columns(a: Array) -> Array:
        return a.reshape(groups, filters // groups, size).transpose(0, 2, 1)

    product = m.matmul(m.rearrange(rows, opened), m.rearrange(columns, weight))
    result = m.rearrange(lambda a: a.transpose(0, 1, 3, 2).reshape(batch, filters, *out), product)
    if bias is None:
        return result
    shape = (1, filters, *(1 for _ in out))
    return m.add(result, rearranged(m, lambda a: a.reshape(shape), bias))
