"""Entry by entry: what every element of a small program's output is, in its inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy
from sympy import Expr, Symbol

from derive.algebras.elementwise import ElementwiseArrays
from derive.algebras.symbols import SymbolScalars, entry_symbol
from derive.graph import Graph
from derive.interpreter import UnknownOperation, missing, outputs
from derive.tensors import FINITE, KINDS, ZERO, Tensors

LIMIT = 64
"""Elements of all inputs together, and of all outputs together, up to which entries are written."""


class TooLarge(ValueError):
    """The program has too many elements to write each of them out."""


@dataclass(frozen=True)
class Entry:
    """One element of an output: its name, and its value where it is a number."""

    name: Symbol
    value: Expr | str


@dataclass(frozen=True)
class Entries:
    """The elements of the outputs; ``exponentials`` are named once and stand in many of them."""

    exponentials: tuple[tuple[Symbol, Expr], ...]
    entries: tuple[Entry, ...]


def entries(graph: Graph, limit: int = LIMIT) -> Entries:
    """Write every element of the outputs in the elements of the inputs.

    Raises:
        TooLarge: Inputs or outputs have more than ``limit`` elements.
        UnknownOperation: An operation has no meaning here; it is named.
    """
    unknown = missing(graph)
    if unknown:
        raise UnknownOperation(unknown[0])
    size = sum(math.prod(item.type.shape) for item in graph.inputs)
    _refuse_large("inputs", size, limit)
    scalars = SymbolScalars()
    tensors: Tensors[Any] = Tensors(ElementwiseArrays(scalars))
    given = {}
    for item in graph.inputs:
        symbols = numpy.empty(item.type.shape, dtype=object)
        for place in numpy.ndindex(*item.type.shape):
            symbols[place] = entry_symbol(item.name, place)
        given[item.name] = tensors.finite(symbols, item.type.shape)
    found = outputs(graph, given, tensors)
    _refuse_large("outputs", sum(one.kinds.size for one in found), limit)
    names = graph.output_names or tuple(f"output_{n + 1}" for n in range(len(found)))
    made = []
    for name, tensor in zip(names, found, strict=True):
        for place in numpy.ndindex(*tensor.shape):
            kind = int(tensor.kinds[place])
            known = kind in (FINITE, ZERO)
            made.append(
                Entry(entry_symbol(name, place), tensor.data[place] if known else KINDS[kind])
            )
    used: set[Symbol] = set()
    for entry in made:
        if isinstance(entry.value, Expr):
            used |= scalars.needed(entry.value)
    shared = tuple(item for item in scalars.exponentials() if item[0] in used)
    return Entries(shared, tuple(made))


def _refuse_large(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(
            f"the {what} have {size} elements, more than {limit}: capture it at smaller shapes, "
            "such as two tokens of two dimensions, or raise the limit"
        )
