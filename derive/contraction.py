"""Sums of products of arrays, two at a time, in the order that costs least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import prod

from sympy import Symbol

from derive.constants import ExactNumber
from derive.labelled import Labelled, LabelledArrays
from derive.whole_numbers import WholeArray

Sets = tuple[frozenset[Symbol], ...]
Path = tuple[tuple[int, int], ...]


def contracted(
    arrays: LabelledArrays,
    factors: Sequence[Labelled],
    chosen: WholeArray | None,
    lengths: Mapping[Symbol, int],
) -> Labelled:
    """Sum the product of all factors over the indices in ``lengths``.

    ``chosen`` is a factor of whole numbers that choose places. It is applied to a factor that has
    all its axes, where there is one.
    """
    operands = list(factors)
    if chosen is not None:
        operands = _with_chosen(arrays, operands, chosen)
    repeated = [t for t in lengths if not any(t in operand.axes for operand in operands)]
    if repeated or not operands:
        times = prod(lengths[t] for t in repeated)
        operands.append(arrays.constant(ExactNumber.of(times)))
    summed = frozenset(lengths) - set(repeated)
    sizes = {t: operand.length(t) for operand in operands for t in operand.axes}
    sets = tuple(frozenset(operand.axes) for operand in operands)
    for first, second in _cheapest(sets, summed, tuple(sorted(sizes.items(), key=str)))[1]:
        right, left = operands.pop(second), operands.pop(first)
        others = frozenset[Symbol]().union(*(operand.axes for operand in operands))
        operands.append(_pair(arrays, left, right, summed - others))
    return arrays.total(operands[0], [t for t in operands[0].axes if t in summed])


def _with_chosen(
    arrays: LabelledArrays, operands: Sequence[Labelled], chosen: WholeArray
) -> list[Labelled]:
    hosts = [operand for operand in operands if set(chosen.axes) <= set(operand.axes)]
    if not hosts:
        return [*operands, arrays.lifted(chosen)]
    host = min(hosts, key=lambda operand: prod(operand.tensor.shape))
    return [arrays.chosen(o, chosen) if o is host else o for o in operands]


def _pair(
    arrays: LabelledArrays, left: Labelled, right: Labelled, summed: frozenset[Symbol]
) -> Labelled:
    """Multiply two factors and sum over the indices that no other factor has."""
    left = arrays.total(left, [t for t in left.axes if t in summed - set(right.axes)])
    right = arrays.total(right, [t for t in right.axes if t in summed - set(left.axes)])
    both = [t for t in left.axes if t in summed and t in right.axes]
    if both and set(left.axes) - set(right.axes) and set(right.axes) - set(left.axes):
        return arrays.matrix_product(left, right, both)
    return arrays.total(arrays.multiply([left, right]), both)


@lru_cache(maxsize=4096)
def _cheapest(
    sets: Sets, summed: frozenset[Symbol], sizes: tuple[tuple[Symbol, int], ...]
) -> tuple[int, Path]:
    """Return the least number of products and the pairs, by place, that reach it.

    The result of each pair goes to the end of the list.
    """
    if len(sets) < 2:
        return 0, ()
    length = dict(sizes)
    orders: list[tuple[int, Path]] = []
    for first, second in combinations(range(len(sets)), 2):
        rest = tuple(s for place, s in enumerate(sets) if place not in (first, second))
        union = sets[first] | sets[second]
        kept = union - (summed - frozenset[Symbol]().union(*rest))
        cost, path = _cheapest((*rest, kept), summed, sizes)
        cost += prod(length[t] for t in union)
        orders.append((cost, ((first, second), *path)))
    return min(orders)
