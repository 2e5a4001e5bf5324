"""A program at a random point modulo primes: where two tensors agree there, they are the same.

Equal residues at one point stand for equal formulas with overwhelming probability; see
``derive.algebras.residues`` for what is exact about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy

from derive.algebras.residues import NeedsLevel, NeedsSquare, ResidueArrays, Unlucky
from derive.arrays import Unsupported
from derive.explaining.meaning import value
from derive.explaining.terms import Shape, Term
from derive.graph import Graph
from derive.interpreter import UnknownOperation, missing, run
from derive.tensors import UNKNOWN, ZERO, Tensor, Tensors

ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class Point:
    """The arithmetic at one point, and the value there of everything that a graph names."""

    algebra: ResidueArrays
    tensors: Tensors[Any]
    values: Mapping[str, Any]

    def equal_places(self, left: Tensor[Any], right: Tensor[Any]) -> Any:
        """Return where two tensors of one shape hold the same."""
        mine, theirs = _kinds(left), _kinds(right)
        agree = (mine == theirs) & (mine != UNKNOWN)
        numbers = mine == 0
        if numbers.any():
            agree &= ~numbers | self.algebra.same(left.data, right.data)
        return agree

    def same(self, left: Tensor[Any], right: Tensor[Any]) -> bool:
        """Tell whether two tensors hold the same numbers in the same order."""
        if left.kinds.size != right.kinds.size:
            return False
        return bool(self.equal_places(left, self.shaped(right, left.shape)).all())

    def shaped(self, tensor: Tensor[Any], shape: Shape) -> Tensor[Any]:
        """Give a tensor another shape."""
        if tensor.shape == shape:
            return tensor
        return self.tensors.rearrange(lambda a: a.reshape(shape), tensor)

    def holds(self, term: Term, found: Tensor[Any]) -> bool:
        """Tell whether a formula gives ``found``; a formula that has no value here does not."""
        try:
            return self.same(value(term, self.values, self.tensors), found)
        except (NeedsLevel, Unsupported, Unlucky, ZeroDivisionError):
            return False


def _kinds(tensor: Tensor[Any]) -> Any:
    """Return the kinds; a structural zero is a number like others."""
    return numpy.where(tensor.kinds == ZERO, 0, tensor.kinds)


def point(graph: Graph, seed: int = 0) -> Point:
    """Draw a point and run the graph there.

    Raises:
        UnknownOperation: The table has no meaning for an operation of the graph.
        Unsupported: An operation is used in a way that has no meaning here.
    """
    unknown = missing(graph)
    if unknown:
        raise UnknownOperation(unknown[0])
    random = Random(seed)
    levels, squares = 2, list[int]()
    for _ in range(ATTEMPTS):
        algebra = ResidueArrays(random, levels=levels, squares=squares)
        tensors: Tensors[Any] = Tensors(algebra)
        given = {
            item.name: tensors.finite(algebra.free(item.type.shape), item.type.shape)
            for item in graph.inputs
        }
        try:
            return Point(algebra, tensors, run(graph, given, tensors))
        except NeedsSquare as need:
            squares.append(need.number)
        except NeedsLevel:
            levels += 1
        except Unlucky:
            continue
    raise Unsupported("graph", "no random point was found at which every denominator is not zero")
