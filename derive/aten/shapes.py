"""Operations that move, repeat, join or replace elements; they compute nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy

from derive.arrays import Rearrangement, Unsupported, choosing
from derive.aten.table import Value, axes, concrete, operation, symbolic, tensor
from derive.tensors import Array, Selection, Tensor, Tensors

END = 9223372036854775807
"""How a slice to the end of an axis is written."""


def rearranged(m: Tensors[Any], how: Rearrangement, *values: Value) -> Value:
    """Apply a rearrangement; concrete values alone stay concrete."""
    if not any(symbolic(value) for value in values):
        return how(*(numpy.asarray(value) for value in values))
    return m.rearrange(how, *(tensor(m, value) for value in values))


@operation(
    "clone.default",
    "alias.default",
    "detach.default",
    "lift_fresh_copy.default",
    "contiguous.default",
    "lift_fresh.default",
    "positive.default",
)
def clone(m: Tensors[Any], x: Value, **_: Any) -> Value:
    """clone(Tensor self) -> Tensor."""
    return x


@operation("_to_copy.default", "to.dtype", "_assert_tensor_metadata.default")
def to_copy(m: Tensors[Any], x: Value, dtype: str = "", **_: Any) -> Value:
    """_to_copy(Tensor self, *, ScalarType? dtype) -> Tensor: over the reals a cast is nothing."""
    floating = not dtype or dtype.startswith(("float", "bfloat"))
    if isinstance(x, Tensor):
        if floating:
            return Tensor(x.data, x.kinds)
        if x.truth:
            return x
        raise Unsupported("aten._to_copy", f"a symbolic value is cast to {dtype}")
    if isinstance(x, Selection):
        return x
    return x.astype("float64" if floating else dtype)


@operation(
    "view.default",
    "_unsafe_view.default",
    "reshape.default",
    "_reshape_alias.default",
    "view_copy.default",
)
def view(m: Tensors[Any], x: Value, size: tuple[int, ...], *_: Any) -> Value:
    """view(Tensor self, int[] size) -> Tensor."""
    return rearranged(m, lambda a: a.reshape(size), x)


@operation("permute.default")
def permute(m: Tensors[Any], x: Value, dims: tuple[int, ...]) -> Value:
    """permute(Tensor self, int[] dims) -> Tensor."""
    return rearranged(m, lambda a: a.transpose(dims), x)


@operation("transpose.int")
def transpose(m: Tensors[Any], x: Value, dim0: int, dim1: int) -> Value:
    """transpose(Tensor self, int dim0, int dim1) -> Tensor."""
    return rearranged(m, lambda a: numpy.swapaxes(a, dim0, dim1), x)


@operation("t.default")
def t(m: Tensors[Any], x: Value) -> Value:
    """t(Tensor self) -> Tensor."""
    return rearranged(m, lambda a: a.T, x)


@operation("expand.default")
def expand(m: Tensors[Any], x: Value, size: tuple[int, ...], **_: Any) -> Value:
    """expand(Tensor self, int[] size) -> Tensor; -1 keeps an axis as it is."""
    own = (1,) * (len(size) - len(x.shape)) + tuple(x.shape)
    shape = tuple(o if s == -1 else s for s, o in zip(size, own, strict=True))
    return rearranged(m, lambda a: numpy.broadcast_to(a, shape), x)


@operation("unsqueeze.default")
def unsqueeze(m: Tensors[Any], x: Value, dim: int) -> Value:
    """unsqueeze(Tensor self, int dim) -> Tensor."""
    if isinstance(x, Selection) and not x.kept and dim % len(x.weights.shape) == x.axis:
        return Selection(x.weights, x.axis, kept=True)
    return rearranged(m, lambda a: numpy.expand_dims(a, dim), x)


@operation("squeeze.dims", "squeeze.dim", "squeeze.default")
def squeeze(m: Tensors[Any], x: Value, dim: Any = None) -> Value:
    """squeeze(Tensor self, int[] dim) -> Tensor; axes longer than one stay."""
    which = tuple(axis for axis in axes(dim, len(x.shape)) if x.shape[axis] == 1)
    return rearranged(m, lambda a: numpy.squeeze(a, axis=which), x)


def _slice(rank: int, dim: int, start: int | None, end: int | None, step: int) -> Any:
    place: list[Any] = [slice(None)] * rank
    place[dim] = slice(start, None if end is None or end >= END else end, step)
    return tuple(place)


@operation("slice.Tensor")
def slice_(
    m: Tensors[Any],
    x: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """slice(Tensor self, int dim, int? start, int? end, int step) -> Tensor."""
    place = _slice(len(x.shape), dim, start, end, step)
    return rearranged(m, lambda a: a[place], x)


@operation("select.int")
def select(m: Tensors[Any], x: Value, dim: int, index: int) -> Value:
    """select(Tensor self, int dim, int index) -> Tensor."""
    return rearranged(m, lambda a: numpy.take(a, index, axis=dim), x)


@operation("split_with_sizes.default")
def split_with_sizes(
    m: Tensors[Any], x: Value, sizes: tuple[int, ...], dim: int = 0
) -> tuple[Value, ...]:
    """split_with_sizes(Tensor self, int[] sizes, int dim) -> Tensor[]."""
    ends = numpy.cumsum(sizes)
    starts = ends - numpy.array(sizes)
    return tuple(
        slice_(m, x, dim, int(start), int(end)) for start, end in zip(starts, ends, strict=True)
    )


@operation("split.Tensor")
def split(m: Tensors[Any], x: Value, size: int, dim: int = 0) -> tuple[Value, ...]:
    """split(Tensor self, int split_size, int dim) -> Tensor[]."""
    length = x.shape[dim]
    return tuple(slice_(m, x, dim, s, min(s + size, length)) for s in range(0, length, size))


@operation("unbind.int")
def unbind(m: Tensors[Any], x: Value, dim: int = 0) -> tuple[Value, ...]:
    """unbind(Tensor self, int dim) -> Tensor[]."""
    return tuple(select(m, x, dim, place) for place in range(x.shape[dim]))


@operation("cat.default")
def cat(m: Tensors[Any], parts: tuple[Value, ...], dim: int = 0) -> Value:
    """cat(Tensor[] tensors, int dim) -> Tensor; empty one-dimensional parts are skipped."""
    kept = [part for part in parts if tuple(part.shape) != (0,)]
    return rearranged(m, lambda *arrays: numpy.concatenate(arrays, axis=dim), *kept)


@operation("stack.default")
def stack(m: Tensors[Any], parts: tuple[Value, ...], dim: int = 0) -> Value:
    """stack(Tensor[] tensors, int dim) -> Tensor."""
    return rearranged(m, lambda *arrays: numpy.stack(arrays, axis=dim), *parts)


@operation("repeat.default")
def repeat(m: Tensors[Any], x: Value, repeats: tuple[int, ...]) -> Value:
    """repeat(Tensor self, int[] repeats) -> Tensor."""
    return rearranged(m, lambda a: numpy.tile(a, repeats), x)


@operation("flip.default")
def flip(m: Tensors[Any], x: Value, dims: tuple[int, ...]) -> Value:
    """flip(Tensor self, int[] dims) -> Tensor."""
    return rearranged(m, lambda a: numpy.flip(a, axis=dims), x)


@operation("roll.default")
def roll(m: Tensors[Any], x: Value, shifts: tuple[int, ...], dims: tuple[int, ...] = ()) -> Value:
    """roll(Tensor self, int[] shifts, int[] dims) -> Tensor."""
    if not dims:
        return rearranged(m, lambda a: numpy.roll(a, shifts), x)
    return rearranged(m, lambda a: numpy.roll(a, shifts, axis=dims), x)


@operation("unfold.default")
def unfold(m: Tensors[Any], x: Value, dim: int, size: int, step: int) -> Value:
    """unfold(Tensor self, int dimension, int size, int step) -> Tensor."""

    def windows(a: Array) -> Array:
        view = numpy.lib.stride_tricks.sliding_window_view(a, size, axis=dim % a.ndim)
        return numpy.asarray(view[_slice(view.ndim, dim % a.ndim, None, None, step)])

    return rearranged(m, windows, x)


@operation("as_strided.default")
def as_strided(
    m: Tensors[Any], x: Value, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0
) -> Value:
    """as_strided(Tensor self, int[] size, int[] stride, int? offset), of contiguous memory."""
    places = _strided_places(size, stride, offset)
    return rearranged(m, lambda a: a.reshape(-1)[places], x)


@operation("as_strided_scatter.default")
def as_strided_scatter(
    m: Tensors[Any],
    x: Value,
    source: Value,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    offset: int = 0,
) -> Value:
    """as_strided_scatter(Tensor self, Tensor src, int[] size, int[] stride, int? offset)."""
    places = _strided_places(size, stride, offset)

    def written(a: Array, b: Array) -> Array:
        flat = a.reshape(-1).copy()
        flat[places.ravel()] = b.ravel()
        return flat.reshape(a.shape)

    return rearranged(m, written, x, source)


def _strided_places(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Array:
    places = numpy.full(size, offset or 0)
    for axis, (length, step) in enumerate(zip(size, stride, strict=True)):
        shape = [1] * len(size)
        shape[axis] = length
        places = places + (numpy.arange(length) * step).reshape(shape)
    return places


@operation("copy.default", "copy_.default")
def copy(m: Tensors[Any], x: Value, source: Value, *_: Any) -> Value:
    """copy(Tensor self, Tensor src) -> Tensor: src in the shape of self."""
    return rearranged(m, lambda a: numpy.broadcast_to(a, tuple(x.shape)), source)


@operation("slice_scatter.default")
def slice_scatter(
    m: Tensors[Any],
    x: Value,
    source: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """slice_scatter(Tensor self, Tensor src, int dim, int? start, int? end, int step)."""
    return _put(m, x, source, _slice(len(x.shape), dim, start, end, step))


@operation("select_scatter.default")
def select_scatter(m: Tensors[Any], x: Value, source: Value, dim: int, index: int) -> Value:
    """select_scatter(Tensor self, Tensor src, int dim, int index) -> Tensor."""
    place: list[Any] = [slice(None)] * len(x.shape)
    place[dim] = index
    return _put(m, x, source, tuple(place))


def _put(m: Tensors[Any], x: Value, source: Value, place: Any) -> Value:
    def written(a: Array, b: Array) -> Array:
        result = a.copy()
        result[place] = b
        return result

    return rearranged(m, written, x, source)


@operation("index.Tensor", "_unsafe_index.Tensor")
def index(m: Tensors[Any], x: Value, indices: tuple[Value, ...]) -> Value:
    """index(Tensor self, Tensor?[] indices) -> Tensor."""
    place = _places(indices)
    return rearranged(m, lambda a: a[place], x)


@operation("index_put.default", "_unsafe_index_put.default")
def index_put(
    m: Tensors[Any],
    x: Value,
    indices: tuple[Value, ...],
    values: Value,
    accumulate: bool = False,
) -> Value:
    """index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate) -> Tensor."""
    place, shape = _places(indices), tuple(x.shape)
    if not accumulate:
        return _put(m, x, values, place)

    def scattered(a: Array) -> Array:
        result = numpy.zeros(shape, dtype=a.dtype)
        numpy.add.at(result, place, a)
        return result

    target = numpy.empty(shape, dtype=bool)[place].shape
    spread = m.expand(tensor(m, values), target)
    return m.add(tensor(m, x), m.sum(scattered, spread))


def _places(indices: tuple[Value, ...]) -> tuple[Any, ...]:
    return tuple(
        slice(None) if index is None else concrete(index, "aten.index", "an index")
        for index in indices
    )


@operation("index_select.default")
def index_select(m: Tensors[Any], x: Value, dim: int, places: Value) -> Value:
    """index_select(Tensor self, int dim, Tensor index) -> Tensor."""
    which = concrete(places, "aten.index_select", "the index")
    return rearranged(m, lambda a: numpy.take(a, which, axis=dim), x)


@operation("embedding.default")
def embedding(m: Tensors[Any], weight: Value, indices: Value, *_: Any, **__: Any) -> Value:
    """embedding(Tensor weight, Tensor indices) -> Tensor."""
    which = concrete(indices, "aten.embedding", "the index")
    return rearranged(m, lambda a: a[which], weight)


@operation("gather.default")
def gather(m: Tensors[Any], x: Value, dim: int, places: Value, **_: Any) -> Value:
    """gather(Tensor self, int dim, Tensor index) -> Tensor."""
    if isinstance(places, Selection):
        return m.total(m.multiply(places.weights, tensor(m, x)), axes(dim, len(x.shape)), True)
    return rearranged(m, lambda a: a[_along(places, dim)], x)


def _along(places: Array, dim: int) -> tuple[Array, ...]:
    """Return full indices; beside ``dim``, an index may be shorter than what it points into."""
    where: list[Array] = list(numpy.indices(places.shape, sparse=True))
    where[dim] = numpy.asarray(places)
    return tuple(where)


@operation("scatter.src", "scatter.value")
def scatter(m: Tensors[Any], x: Value, dim: int, places: Value, source: Value, **_: Any) -> Value:
    """scatter(Tensor self, int dim, Tensor index, Tensor src) -> Tensor."""
    if isinstance(places, Selection):
        kept = m.multiply(m.negation(places.weights), tensor(m, x))
        return m.add(kept, m.multiply(places.weights, tensor(m, source)))

    def written(a: Array, b: Array) -> Array:
        result = a.copy()
        part = b[tuple(slice(0, length) for length in places.shape)] if b.ndim else b
        result[_along(places, dim)] = part
        return result

    return rearranged(m, written, x, source)


@operation("scatter_add.default")
def scatter_add(m: Tensors[Any], x: Value, dim: int, places: Value, source: Value) -> Value:
    """scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor."""
    shape = tuple(x.shape)
    if isinstance(places, Selection):
        return m.add(tensor(m, x), m.multiply(places.weights, tensor(m, source)))

    def scattered(a: Array) -> Array:
        result = numpy.zeros(shape, dtype=a.dtype)
        part = a[tuple(slice(0, length) for length in places.shape)]
        numpy.add.at(result, _along(places, dim), part)
        return result

    return m.add(tensor(m, x), m.sum(scattered, tensor(m, source)))


@operation("constant_pad_nd.default")
def constant_pad_nd(m: Tensors[Any], x: Value, pad: tuple[int, ...], value: float = 0.0) -> Value:
    """constant_pad_nd(Tensor self, SymInt[] pad, Scalar value); negative widths cut off."""
    widths = [(0, 0)] * len(x.shape)
    for place in range(len(pad) // 2):
        widths[-1 - place] = (pad[2 * place], pad[2 * place + 1])
    cut = tuple(
        slice(max(0, -low), length - max(0, -high))
        for (low, high), length in zip(widths, x.shape, strict=True)
    )
    grown = [(max(0, low), max(0, high)) for low, high in widths]

    def padded(a: Array, b: Array) -> Array:
        inner = a[cut]
        shape = [low + n + high for (low, high), n in zip(grown, inner.shape, strict=True)]
        result = numpy.empty(shape, dtype=a.dtype)
        result[...] = b
        place = tuple(slice(low, low + n) for (low, _), n in zip(grown, inner.shape, strict=True))
        result[place] = inner
        return result

    return rearranged(m, padded, x, numpy.asarray(value, dtype=numpy.float64))


@operation("tril.default")
def tril(m: Tensors[Any], x: Value, diagonal: int = 0) -> Value:
    """tril(Tensor self, int diagonal) -> Tensor: zero above a diagonal."""
    keep = numpy.tri(x.shape[-2], x.shape[-1], diagonal, dtype=bool)
    return rearranged(m, choosing(keep), x, numpy.zeros(()))


@operation("triu.default")
def triu(m: Tensors[Any], x: Value, diagonal: int = 0) -> Value:
    """triu(Tensor self, int diagonal) -> Tensor: zero below a diagonal."""
    keep = ~numpy.tri(x.shape[-2], x.shape[-1], diagonal - 1, dtype=bool)
    return rearranged(m, choosing(keep), x, numpy.zeros(()))


@operation("diagonal.default")
def diagonal(m: Tensors[Any], x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """diagonal(Tensor self, int offset, int dim1, int dim2) -> Tensor."""
    return rearranged(m, lambda a: numpy.diagonal(a, offset, dim1, dim2), x)


def count(shape: tuple[int, ...], which: tuple[int, ...]) -> int:
    """Return how many elements the axes hold together."""
    return math.prod(shape[axis] for axis in which)
