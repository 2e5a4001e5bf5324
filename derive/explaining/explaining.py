"""From a graph to an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.constants import recognised
from derive.explaining import masks
from derive.explaining.checking import claims
from derive.explaining.composing import Plan, plan
from derive.explaining.explanation import Explanation, Given, Line
from derive.explaining.naming import Names, named
from derive.explaining.point import Point, point
from derive.explaining.recognising import Recogniser
from derive.explaining.structure import Structure
from derive.explaining.terms import Call, Fixed, Raw, Scaled, Term, Use, View, parts, uses
from derive.explaining.views import described
from derive.explaining.writing import Latex, Plain, Writer
from derive.graph import Graph
from derive.tensors import UNKNOWN

MOST_VALUES = 12
"""Elements up to which a fixed tensor is written out."""

NARROW = ("float32", "float16", "bfloat16")


class WrongLine(AssertionError):
    """A line does not hold for the program that it is to explain: a defect of this package."""


def explain(graph: Graph, title: str = "program") -> Explanation:
    """Return what a program computes, over the real numbers, line by line.

    Raises:
        UnknownOperation: An operation has no meaning here; it is named.
        Unsupported: An operation is used in a way that has no meaning here.
    """
    where = point(graph)
    structure = Structure(graph, where)
    made = plan(structure, Recogniser(structure))
    outputs = dict(zip(made.outputs, graph.output_names or _numbered(graph), strict=False))
    names = named(made, [item.name for item in graph.inputs], outputs)
    constants = _name_constants(made, names)
    lines = _lines(structure, made, names)
    read = {name for term in made.formulas.values() for name in uses(term)}
    explanation = Explanation(
        title,
        tuple(Given(item.name, item.type.shape, used=item.name in read) for item in graph.inputs),
        constants,
        lines,
        _told_outputs(made, names, graph.output_names or _numbered(graph)),
        len(graph.nodes),
        tuple(_notes(graph)),
    )
    _refuse_wrong(explanation, where)
    return explanation


def _numbered(graph: Graph) -> list[str]:
    return [f"output_{place}" for place in range(1, len(graph.outputs) + 1)]


def _told_outputs(made: Plan, names: Names, outputs: Sequence[str]) -> tuple[str, ...]:
    """Name the outputs; where one tensor is several of them, say which."""
    shown = [names.shown[name] for name in made.outputs]
    return tuple(
        f"{name} ({output})" if shown.count(name) > 1 else name
        for name, output in zip(shown, outputs, strict=True)
    )


def _lines(structure: Structure, made: Plan, names: Names) -> tuple[Line, ...]:
    lines = []
    axes = _axes(made)
    plain, latex = Writer(Plain(), names.shown, axes), Writer(Latex(), names.shown, axes)
    for label, term in made.formulas.items():
        text, notes = plain.line(term)
        typeset, _ = latex.line(term)
        held = made.held.get(label, Use(label, term.shape))
        owner = _owner(held)
        node = structure.nodes.get(owner)
        given = {_owner(made.held[name]) if name in made.held else name for name in uses(term)}
        lines.append(
            Line(
                names.shown[label],
                names.roles.get(label, ""),
                text,
                typeset,
                notes,
                held.shape,
                _place(node.origin) if node is not None else "",
                structure.operations_between(owner, given - {owner}),
                label,
                term,
                held,
            )
        )
    return tuple(lines)


def _axes(made: Plan) -> dict[int, tuple[str, ...]]:
    """Name the axes of weights: the one that they share with the values is that of the keys."""
    ways: dict[str, set[bool]] = {}
    for term in made.formulas.values():
        for product in products(term):
            left = product.arguments[0]
            moved = left if isinstance(left, View) else None
            bare = left.tensor if isinstance(left, View) else left
            if isinstance(bare, Use):
                turned = moved is not None and described(moved.places, bare.shape).transposed
                ways.setdefault(bare.name, set()).add(turned)
    found: dict[int, tuple[str, ...]] = {}
    for name, seen in ways.items():
        weights = made.formulas.get(name)
        while isinstance(weights, View | Scaled):
            weights = weights.tensor
        # Gradients read the weights transposed; only where nothing else does, these are keys.
        found[id(weights)] = ("queries", "keys") if False in seen else ("keys", "queries")
    return found


def products(term: Term) -> Iterator[Call]:
    """Yield the matrix products in a formula."""
    if isinstance(term, Call) and term.function in ("matmul", "attention"):
        yield term
    for part in parts(term):
        yield from products(part)


def _owner(held: Term) -> str:
    while isinstance(held, View | Scaled):
        held = held.tensor
    return held.name if isinstance(held, Use) else ""


def _place(origin: str) -> str:
    """Return file and line of an origin, without the source text."""
    return ":".join(origin.split(":")[:2])


def _notes(graph: Graph) -> list[str]:
    types = {
        part.dtype
        for node in graph.nodes
        for part in (node.result if isinstance(node.result, tuple) else (node.result,))
        if part is not None
    }
    return [
        f"casts to {name} are read as changing nothing: the formulas are about real numbers"
        for name in NARROW
        if name in types
    ]


def _name_constants(made: Plan, names: Names) -> tuple[Given, ...]:
    found: dict[str, Any] = {}
    for term in made.formulas.values():
        _collect(term, found)
    taken = set(names.shown.values())
    given = []
    for place, (name, values) in enumerate(found.items(), start=1):
        shown = f"C{place}"
        while shown in taken:
            shown += "′"
        names.shown[name] = shown
        given.append(Given(shown, values.shape, _described(values)))
    return tuple(given)


def _collect(term: Term, found: dict[str, Any]) -> None:
    if isinstance(term, Fixed) and term.name and term.values.size > 1:
        found.setdefault(term.name, term.values)
    if isinstance(term, Raw):
        found.update(
            (name, numpy.asarray(values))
            for name, values in term.given
            if numpy.size(values) > 1 and len(numpy.unique(values)) > 1
        )
    for part in parts(term):
        _collect(part, found)


def _described(values: Any) -> str:
    """Say what fixed values are."""
    if values.dtype == bool:
        marks = numpy.where(values, 1, 0)
        return _rows(marks) if values.size <= MOST_VALUES else f"{values.sum()} times 1, else 0"
    distinct = numpy.unique(values)
    if len(distinct) == 2 and distinct[1] == 0 and min((0, *values.shape)[-2:]) > 1:
        return f"0, but {_number(distinct[0])} as a mask: {masks.described(values == 0)}"
    if values.size <= MOST_VALUES:
        return _rows(values)
    return f"{values.size} values from {_number(distinct[0])} to {_number(distinct[-1])}"


def _rows(values: Any) -> str:
    if values.ndim == 0:
        return _number(values)
    return f"[{', '.join(_rows(row) for row in values)}]"


def _number(value: Any) -> str:
    if not numpy.isfinite(value):
        return str(float(value))
    exact = str(recognised(float(value)))
    return exact if len(exact) <= 12 else f"{float(value):.6g}"


def _refuse_wrong(explanation: Explanation, where: Point) -> None:
    values: Mapping[str, Any] = where.values
    for name, claimed, held in claims(explanation, values, where.tensors):
        if (held.kinds == UNKNOWN).any():
            raise Unsupported(name, "what a comparison of values chooses is not a number somewhere")
        if not where.same(claimed, held):
            raise WrongLine(f"the line of {name} does not hold")
