"""Convolutions as products of matrices: windows of the input are rows, filters are columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.aten.table import Value, operation, tensor
from derive.constants import ExactNumber
from derive.tensors import Array, Tensor, Tensors

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class _Layout:
    """Where each number of input and weight stands in the two matrices of each group."""

    input: Sizes
    weight: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    groups: int

    @property
    def padded(self) -> Sizes:
        """The shape of the input with zeros around it."""
        spatial = zip(self.input[2:], self.padding, strict=True)
        return (*self.input[:2], *(n + 2 * p for n, p in spatial))

    @property
    def inner(self) -> tuple[slice, ...]:
        """Where the input itself stands in the padded one."""
        spatial = zip(self.input[2:], self.padding, strict=True)
        return (slice(None), slice(None), *(slice(p, p + n) for n, p in spatial))

    @property
    def size(self) -> int:
        """How many numbers one filter has."""
        return math.prod(self.weight[1:])

    def pad(self, array: Array, zero: Array) -> Array:
        result = numpy.empty(self.padded, dtype=array.dtype)
        result[...] = zero
        result[self.inner] = array
        return result

    def windows(self, array: Array) -> Array:
        """Return batch, channels, places of the window, places in the window."""
        kernel = self.weight[2:]
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, kernel, strict=True)]
        axes = tuple(range(2, 2 + len(kernel)))
        view = numpy.lib.stride_tricks.sliding_window_view(array, reach, axis=axes)
        steps = [slice(None, None, step) for step in (*self.stride, *self.dilation)]
        return view[(slice(None), slice(None), *steps)]

    @property
    def out(self) -> Sizes:
        """The spatial shape of the result."""
        windows: Sizes = self.windows(numpy.empty(self.padded, dtype=bool)).shape
        return windows[2 : len(self.input)]

    def rows(self, padded: Array) -> Array:
        """Return batch, groups, places, numbers of one filter."""
        view = self.windows(padded)
        batch, channels = self.input[:2]
        grouped = view.reshape(batch, self.groups, channels // self.groups, math.prod(self.out), -1)
        return grouped.transpose(0, 1, 3, 2, 4).reshape(batch, self.groups, -1, self.size)

    def columns(self, weight: Array) -> Array:
        """Return groups, numbers of one filter, filters of the group."""
        return weight.reshape(self.groups, -1, self.size).transpose(0, 2, 1)

    def result(self, product: Array) -> Array:
        """Return batch, filters, places, from a product of rows and columns."""
        batch, filters = self.input[0], self.weight[0]
        return product.transpose(0, 1, 3, 2).reshape(batch, filters, *self.out)

    def as_product(self, result: Array) -> Array:
        """Undo ``result``."""
        batch, filters = self.input[0], self.weight[0]
        shape = (batch, self.groups, filters // self.groups, math.prod(self.out))
        return result.reshape(shape).transpose(0, 1, 3, 2)

    def added_back(self, rows: Array) -> Array:
        """Add each number of the rows to where it came from in the input."""
        places = self.rows(numpy.arange(math.prod(self.padded)).reshape(self.padded))
        result = numpy.zeros(math.prod(self.padded), dtype=rows.dtype)
        numpy.add.at(result, places.ravel(), rows.ravel())
        return result.reshape(self.padded)[self.inner]


def _layout(
    x: Tensor[Any],
    weight: Tensor[Any],
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    groups: int,
) -> _Layout:
    if transposed:
        raise Unsupported("aten.convolution", "a transposed convolution")
    rank = len(x.shape) - 2
    # One number may stand for all axes.
    stride, padding, dilation = (
        sizes * rank if len(sizes) == 1 else sizes for sizes in (stride, padding, dilation)
    )
    return _Layout(x.shape, weight.shape, stride, padding, dilation, groups)


@operation("convolution.default")
def convolution(
    m: Tensors[Any],
    x: Value,
    weight: Value,
    bias: Value,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> Value:
    """convolution(Tensor input, Tensor weight, Tensor? bias, ...) -> Tensor."""
    x, weight = tensor(m, x), tensor(m, weight)
    layout = _layout(x, weight, stride, padding, dilation, transposed, groups)
    padded = m.rearrange(layout.pad, x, m.full((), ExactNumber.of(0)))
    product = m.matmul(m.rearrange(layout.rows, padded), m.rearrange(layout.columns, weight))
    result = m.rearrange(layout.result, product)
    if bias is None:
        return result
    shape = (1, -1, *(1 for _ in layout.out))
    return m.add(result, m.rearrange(lambda a: a.reshape(shape), tensor(m, bias)))


@operation("convolution_backward.default")
def convolution_backward(
    m: Tensors[Any],
    gradient: Value,
    x: Value,
    weight: Value,
    bias_sizes: Sizes | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    wanted: tuple[bool, bool, bool],
) -> tuple[Value, ...]:
    """convolution_backward(Tensor grad_output, Tensor input, Tensor weight, ...) -> 3 Tensors.

    The gradients of input, weight and bias; None for one that is not wanted.
    """
    gradient, x, weight = tensor(m, gradient), tensor(m, x), tensor(m, weight)
    layout = _layout(x, weight, stride, padding, dilation, transposed, groups)
    product = m.rearrange(layout.as_product, gradient)
    of_input = of_weight = of_bias = None
    if wanted[0]:
        columns = m.rearrange(lambda a: layout.columns(a).transpose(0, 2, 1), weight)
        of_input = m.sum(layout.added_back, m.matmul(product, columns))
    if wanted[1]:
        padded = m.rearrange(layout.pad, x, m.full((), ExactNumber.of(0)))
        rows = m.rearrange(lambda a: layout.rows(a).transpose(0, 1, 3, 2), padded)
        total = m.total(m.matmul(rows, product), (0,), keep=False)
        shape = layout.weight
        of_weight = m.rearrange(lambda a: a.transpose(0, 2, 1).reshape(shape), total)
    if wanted[2]:
        of_bias = m.total(gradient, (0, *range(2, len(x.shape))), keep=False)
    return of_input, of_weight, of_bias
