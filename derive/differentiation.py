"""Derivatives of a formula in index form: which entries of an array it reads, and how strongly.

The derivative of f by the entry Y[y] is a sum over all places where f reads Y[p] of a factor
times [p = y]. A place whose position is an index of a sum is found by putting y there, so that the
bracket and the sum go; nothing else may be done, least of all ``diff``, which takes two bound
indices of different letters for different entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

from sympy import (
    Add,
    Dummy,
    Expr,
    Indexed,
    IndexedBase,
    Mul,
    Pow,
    Sum,
    Symbol,
    cos,
    exp,
    floor,
    sin,
    tanh,
)

from derive.binding import freshen, rename
from derive.brackets import Bracket, Equals
from derive.elements import UnknownNode
from derive.formula import FormulaError, Largest, Stage, opened

Sizes = dict[Symbol, Expr]
"""How far each summed index counts."""


@dataclass(frozen=True)
class Reading:
    """One entry that a formula reads, what its change is multiplied with, and what sums over it."""

    positions: tuple[Expr, ...]
    factor: Expr
    summed: Mapping[Symbol, Expr]


@dataclass(frozen=True)
class Entry:
    """An entry of an array, at distinct plain indices, and how far each of them counts."""

    base: IndexedBase
    indices: tuple[Symbol, ...]
    shape: tuple[Expr, ...]


def contributions(stage: Stage, shape: tuple[Expr, ...], weight: Expr, by: Entry) -> Iterator[Expr]:
    """Yield the terms of sum_t weight[t] d stage[t] / d by.

    ``weight`` is written with the letters of the stage's target, which counts to ``shape``.
    """
    fresh = {t: Dummy(t.name, **t.assumptions0) for t in stage.target.indices}
    summed = {fresh[t]: size for t, size in zip(stage.target.indices, shape, strict=True)}
    value = freshen(stage.value).xreplace(fresh)
    for reading in readings(value, rename(weight, fresh), summed, by.base):
        yield collapsed(reading, by)


def readings(value: Expr, factor: Expr, summed: Sizes, by: IndexedBase) -> Iterator[Reading]:
    """Yield every reading of ``by`` in ``value``, whose bound indices are all different."""
    if by not in {entry.base for entry in value.atoms(Indexed)}:
        return
    if isinstance(value, Indexed):
        yield Reading(tuple(value.indices), factor, summed)
    elif isinstance(value, Add):
        for term in value.args:
            yield from readings(term, factor, summed, by)
    elif isinstance(value, Mul):
        for place, part in enumerate(value.args):
            rest = Mul(*value.args[:place], *value.args[place + 1 :])
            yield from readings(part, factor * rest, summed, by)
    elif isinstance(value, Sum):
        body, index, low, high = opened(value)
        if low != 1 or high in summed:
            raise FormulaError(f"{value}: only sums over a whole axis are differentiated")
        yield from readings(body, factor, {**summed, index: high}, by)
    elif isinstance(value, exp):
        yield from readings(value.args[0], factor * value, summed, by)
    elif isinstance(value, tanh):
        yield from readings(value.args[0], factor * (1 - value**2), summed, by)
    elif isinstance(value, cos | sin):
        angle = value.args[0]
        slope = -sin(angle) if isinstance(value, cos) else cos(angle)
        yield from readings(angle, factor * slope, summed, by)
    elif isinstance(value, Pow) and value.exp.is_number:
        slope = value.exp * value.base ** (value.exp - 1)
        yield from readings(value.base, factor * slope, summed, by)
    elif isinstance(value, Bracket):
        raise FormulaError(f"{value} jumps where {by} changes: declare {by} among the indicators")
    elif isinstance(value, Largest):
        raise FormulaError(f"{value} has no derivative where two are the largest")
    else:
        raise UnknownNode(value)


def collapsed(reading: Reading, by: Entry) -> Expr:
    """Sum factor prod_m [position_m = index_m], with as few brackets and sums as there can be."""
    positions, factor = list(reading.positions), reading.factor
    summed = dict(reading.summed)
    brackets: list[Expr] = []
    for place, (target, length) in enumerate(zip(by.indices, by.shape, strict=True)):
        found = _solved(positions[place], target, length, summed)
        if found is None:
            # Along an axis of length 1 there is nothing to choose.
            if not positions[place] == length == 1:
                brackets.append(Equals(positions[place], target))
            continue
        for index in found:
            del summed[index]
        positions = [rest.xreplace(found) for rest in positions]
        factor = rename(factor, found)
        brackets = [bracket.xreplace(found) for bracket in brackets]
    result = Mul(factor, *brackets)
    for index, high in reversed(summed.items()):
        result = Sum(result, (index, 1, high))
    return result


def _solved(
    position: Expr, target: Symbol, length: Expr, summed: Mapping[Symbol, Expr]
) -> dict[Symbol, Expr] | None:
    """Solve position = target for summed indices: i, or h and k of (h - 1) d + k.

    Only where the position reaches all of the axis, which has this length: elsewhere some places
    of the target have no solution.
    """
    if position in summed:
        return {position: target} if summed[position] == length else None
    inside = sorted(position.free_symbols & summed.keys(), key=str)
    for inner, outer in permutations(inside, 2):
        size = summed[inner]
        merged = (position - inner - (outer - 1) * size).expand() == 0
        if merged and (summed[outer] * size - length).expand() == 0:
            block = floor((target - 1) / size)
            return {outer: block + 1, inner: target - size * block}
    return None
