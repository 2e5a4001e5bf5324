"""Formulas over whole tensors: what a line of an explanation says, as data.

One formula is read three ways: written for a reader (``writing``), computed over any algebra
(``meaning``), and compared at a random point with what the program holds (``recognising``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy

from derive.constants import ExactNumber
from derive.graph import Node

Shape = tuple[int, ...]
Places = numpy.ndarray[Any, numpy.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Use:
    """A tensor that has a line or is an input, by its name in the graph."""

    name: str
    shape: Shape


@dataclass(frozen=True, eq=False)
class Fixed:
    """A tensor whose values the program holds fixed."""

    values: Places
    name: str = ""

    @property
    def shape(self) -> Shape:
        """The shape of the values."""
        return tuple(self.values.shape)


@dataclass(frozen=True, eq=False)
class View:
    """Elements of a tensor, moved or repeated: ``places`` count through its elements in order."""

    tensor: Term
    places: Places

    @property
    def shape(self) -> Shape:
        """The shape of the moved elements."""
        return tuple(self.places.shape)


@dataclass(frozen=True, eq=False)
class Scaled:
    """An exact number times a tensor."""

    factor: ExactNumber
    tensor: Term

    @property
    def shape(self) -> Shape:
        """The shape of the tensor."""
        return self.tensor.shape


@dataclass(frozen=True, eq=False)
class Call:
    """A function that ``meaning`` knows; ``options`` are what it needs beside its arguments."""

    function: str
    arguments: tuple[Term, ...]
    shape: Shape
    options: tuple[tuple[str, Any], ...] = ()

    def option(self, name: str) -> Any:
        """Return an option by name, None where it is not given."""
        return dict(self.options).get(name)


@dataclass(frozen=True, eq=False)
class Raw:
    """An operation of the graph as it stands; ``arguments`` are its symbolic references."""

    node: Node
    references: tuple[str, ...]
    arguments: tuple[Term, ...]
    shape: Shape
    given: tuple[tuple[str, Any], ...] = ()
    item: int | None = None


Term = Use | Fixed | View | Scaled | Call | Raw


def call(function: str, *arguments: Term, shape: Shape, **options: Any) -> Call:
    """Return a call with its options in a fixed order."""
    return Call(function, arguments, shape, tuple(sorted(options.items())))


def parts(term: Term) -> tuple[Term, ...]:
    """Return the formulas that a formula is directly made of."""
    match term:
        case View(tensor=inner) | Scaled(tensor=inner):
            return (inner,)
        case Call(arguments=inner_parts) | Raw(arguments=inner_parts):
            return inner_parts
        case _:
            return ()


def rebuilt(term: Term, change: Callable[[Term], Term]) -> Term:
    """Return the formula with each direct part changed."""
    match term:
        case View(tensor=inner) | Scaled(tensor=inner):
            return replace(term, tensor=change(inner))
        case Call(arguments=inner_parts) | Raw(arguments=inner_parts):
            return replace(term, arguments=tuple(change(part) for part in inner_parts))
        case _:
            return term


def uses(term: Term) -> list[str]:
    """Return the names that a formula reads, each as often as it stands there."""
    if isinstance(term, Use):
        return [term.name]
    return [name for part in parts(term) for name in uses(part)]


def size(term: Term) -> int:
    """Count the signs of a formula, roughly."""
    own = 0 if isinstance(term, View) else 1
    return own + sum(map(size, parts(term)))


def in_order(places: Places) -> bool:
    """Tell whether places only give elements another shape."""
    return bool((places.ravel() == numpy.arange(places.size)).all())


def viewed(term: Term, places: Places) -> Term:
    """Move elements of a formula; moves in a row are one move."""
    if isinstance(term, View):
        return viewed(term.tensor, term.places.ravel()[places])
    if isinstance(term, Scaled):
        return Scaled(term.factor, viewed(term.tensor, places))
    if places.shape == term.shape and in_order(places):
        return term
    return View(term, places)
