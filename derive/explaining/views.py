"""How elements of a tensor are picked and ordered: transposed, rows 1 to 4, in 2 heads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy

from derive.explaining.terms import Places, Shape, in_order


@dataclass(frozen=True)
class Moved:
    """What is to be said of a view: a sign after the name, a range in it, and words."""

    transposed: bool = False
    ranges: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def canonical(places: Places) -> tuple[Places, bool, tuple[str, ...]]:
    """Return places without repetition and transposition, and what was taken away."""
    words = []
    for axis, length in enumerate(places.shape):
        if length > 1 and (places == places.take([0], axis=axis)).all():
            places = places.take([0], axis=axis)
    for axis in range(places.ndim - 2):
        places, said = _without_repeats(places, axis)
        words += said
    transposed = _is_transposed(places)
    if transposed:
        places = numpy.swapaxes(places, -1, -2)
    return places, transposed, tuple(words)


def _without_repeats(places: Places, axis: int) -> tuple[Places, list[str]]:
    """Take out heads that stand several times: one after the other, or in turns."""
    length = places.shape[axis]
    first = numpy.moveaxis(places, axis, 0)
    for times in (t for t in range(length, 1, -1) if length % t == 0):
        groups = first.reshape(length // times, times, *first.shape[1:])
        if (groups == groups[:, :1]).all():
            kept = numpy.moveaxis(groups[:, 0], 0, axis)
            return kept, [f"each head of {{}} {times} times in a row"]
        groups = first.reshape(times, length // times, *first.shape[1:])
        if (groups == groups[:1]).all():
            return numpy.moveaxis(groups[0], 0, axis), [f"the heads of {{}} {times} times in turn"]
    return places, []


def _is_transposed(places: Places) -> bool:
    if places.ndim < 2 or min(places.shape[-2:]) < 2:
        return False
    corner = places[..., 0, 0]
    return bool((abs(places[..., 0, 1] - corner) > abs(places[..., 1, 0] - corner)).all())


def described(places: Places, shape: Shape) -> Moved:
    """Describe a view of a tensor of this shape."""
    size = math.prod(shape)
    if places.size == size and in_order(places):
        turned = min((*shape[-2:], 2)) == 1 and places.ndim == len(shape) > 1
        swapped = turned and shape[-2:] == places.shape[:-3:-1] != places.shape[-2:]
        return Moved(transposed=bool(swapped))
    places, transposed, words = canonical(places)
    coordinates = numpy.unravel_index(places.ravel(), shape) if shape else ()
    chosen = [numpy.unique(one) for one in coordinates]
    if math.prod(map(len, chosen)) != places.size:
        return Moved(False, (), ("gathered",))
    local = numpy.ravel_multi_index(
        tuple(numpy.searchsorted(c, one) for c, one in zip(chosen, coordinates, strict=True)),
        tuple(map(len, chosen)),
    )
    ranges = [
        "" if len(one) == length else _range(one) for one, length in zip(chosen, shape, strict=True)
    ]
    while ranges and not ranges[-1]:
        ranges.pop()
    box = tuple(map(len, chosen))
    order = _order(local.reshape(places.shape), box)
    turned = transposed and order != ("rearranged",)
    return Moved(turned, tuple(one or ":" for one in ranges), (*order, *words))


def _range(places: Places) -> str:
    """Write positions, counted from 1."""
    low, high = int(places[0]) + 1, int(places[-1]) + 1
    if len(places) == 1:
        return str(low)
    steps = numpy.diff(places)
    if (steps == 1).all():
        return f"{low}..{high}"
    if len(places) > 3 and (steps == steps[0]).all():
        return f"{low},{low + int(steps[0])}..{high}"
    return ",".join(str(int(place) + 1) for place in places)


def _order(local: Places, box: Shape) -> tuple[str, ...]:
    if in_order(local):
        return ()
    if local.ndim > 1 and _reordered(local, numpy.swapaxes(_count(box), -1, -2)):
        return ("transposed",)
    for words, order in _head_orders(box, local.shape[-1]):
        if _reordered(local, order):
            return (words,)
    kept = tuple(length for length in box if length > 1)
    counted = _count(kept)
    for axes in itertools.permutations(range(len(kept) - 1)):
        if _reordered(local, counted.transpose(*axes, len(kept) - 1)):
            return ("axes reordered",)
    return _rows_moved(local, box) or ("rearranged",)


def _rows_moved(local: Places, box: Shape) -> tuple[str, ...]:
    """Tell whether whole rows are moved, as when two leading axes that were merged trade places."""
    width, count = box[-1], math.prod(box) // box[-1]
    rows = local.reshape(-1, width) if local.size % width == 0 else local.reshape(1, -1)
    if rows.shape != (count, width) or (rows != rows[:, :1] + numpy.arange(width)).any():
        return ()
    order = rows[:, 0] // width
    for first in (n for n in range(2, count) if count % n == 0):
        if (order == numpy.arange(count).reshape(first, -1).T.ravel()).all():
            return ("axes reordered",)
    return ("rows of {} in another order",)


def _head_orders(box: Shape, last: int) -> Iterator[tuple[str, Places]]:
    """Yield ways to put heads apart, whose last axis is shorter, or side by side."""
    if len(box) < 2:
        return
    counted, size = _count(box), math.prod(box)
    rows, width = box[-2:]
    if last < width and width % last == 0:
        heads = width // last
        yield f"{{}} in {heads} heads", counted.reshape(-1, rows, heads, last).swapaxes(1, 2)
        if len(box) > 2:
            first = counted.reshape(box[0], -1, heads, last)
            yield f"{{}} in {heads} heads", first.transpose(1, 2, 0, 3)
    if last > width and last % width == 0 and size % (rows * last) == 0:
        heads = last // width
        apart = counted.reshape(-1, heads, rows, width)
        yield f"{heads} heads of {{}} side by side", apart.swapaxes(1, 2)
        yield f"{heads} heads of {{}} side by side", apart.transpose(2, 0, 1, 3)


def _count(box: Shape) -> Places:
    return numpy.arange(math.prod(box)).reshape(box)


def _reordered(local: Places, order: Places) -> bool:
    return local.size == order.size and bool((local.ravel() == order.ravel()).all())
