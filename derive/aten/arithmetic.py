"""Sums, products, quotients, powers, and the sums of products that matrices are multiplied by."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.aten.shapes import count, rearranged
from derive.aten.table import Value, axes, operation, signs, symbolic, tensor
from derive.constants import ExactNumber
from derive.tensors import Tensor, Tensors


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
    below = numpy.asarray(y, dtype=numpy.float64)
    factor = numpy.divide(1, below, out=numpy.zeros_like(below), where=below != 0)
    return m.multiply(tensor(m, x), m.inverse(tensor(m, y)), signs(factor))


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


@operation("pow.Scalar")
def pow_scalar(m: Tensors[Any], base: Any, exponent: Value) -> Value:
    """pow(Scalar self, Tensor exponent) -> Tensor, for base 2: 2^x = exp(x ln 2)."""
    if not symbolic(exponent):
        return base ** numpy.asarray(exponent)
    if base != 2:
        raise Unsupported("aten.pow", f"the base {base} is not 2")
    logarithm = m.full((), ExactNumber(Fraction(1), logarithms=1))
    return m.exp(m.multiply(tensor(m, exponent), logarithm, numpy.ones(())))


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


@operation("prod.dim_int", "prod.default")
def prod(m: Tensors[Any], x: Value, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    """prod(Tensor self, int dim, bool keepdim) -> Tensor."""
    which = axes(dim, len(x.shape))
    if not symbolic(x):
        return numpy.asarray(x).prod(axis=which, keepdims=keepdim)
    shape = tuple(
        1 if axis in which else length
        for axis, length in enumerate(x.shape)
        if keepdim or axis not in which
    )
    rows = m.rearrange(lambda a: numpy.moveaxis(a, which, range(len(which))), x)
    rows = m.rearrange(lambda a: a.reshape(-1, *shape), rows)
    result = m.full(shape, ExactNumber.of(1))
    for place in range(rows.shape[0]):
        result = m.multiply(result, m.rearrange(lambda a, n=place: a[n], rows))
    return result


@operation("var.correction")
def var(
    m: Tensors[Any], x: Value, dim: Any = None, correction: Any = 1, keepdim: bool = False
) -> Value:
    """var(Tensor self, int[1]? dim, *, Scalar? correction, bool keepdim) -> Tensor.

    Of one element, corrected by one, it is zero over zero.
    """
    which = axes(dim, len(x.shape))
    centred = m.subtract(tensor(m, x), mean(m, x, dim, keepdim=True))
    elements = count(x.shape, which)
    parts = elements - int(1 if correction is None else correction)
    total = m.total(m.multiply(centred, centred), which, keepdim)
    if parts > 0:
        return _shared(m, total, parts)
    if elements == 1:
        return m.lift(numpy.full(total.shape, numpy.nan))
    raise Unsupported("aten.var", "the correction leaves no degrees of freedom")


@operation("var_mean.correction")
def var_mean(
    m: Tensors[Any], x: Value, dim: Any = None, correction: Any = 1, keepdim: bool = False
) -> tuple[Value, Value]:
    """var_mean(Tensor self, int[1]? dim, *, Scalar? correction, bool keepdim) -> two Tensors."""
    return var(m, x, dim, correction, keepdim), mean(m, x, dim, keepdim)


@operation("cumsum.default")
def cumsum(m: Tensors[Any], x: Value, dim: int, **_: Any) -> Value:
    """cumsum(Tensor self, int dim) -> Tensor."""
    return m.sum(lambda a: a.cumsum(axis=dim), tensor(m, x))
