"""What a graph computes with, apart from moving elements: its steps, and views of their results.

Reshaping, transposing, repeating, slicing and joining give no new numbers. Each tensor is known
here by the places in other tensors (steps) that its elements come from, times an exact factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy

from derive.aten.table import TABLE, symbolic
from derive.constants import ExactNumber, recognised
from derive.explaining.numbers import ONE, inverse, is_one, negated, product
from derive.explaining.point import Point
from derive.explaining.terms import Call, Places, Scaled, Shape, Term, Use, View, call, in_order
from derive.graph import Argument, Graph, Node, Reference
from derive.tensors import ZERO, Tensor

NOWHERE = -1
"""The place of an element that comes from no symbolic tensor."""

MOVES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        [
            "clone.default",
            "alias.default",
            "detach.default",
            "lift_fresh_copy.default",
            "contiguous.default",
            "lift_fresh.default",
            "_to_copy.default",
            "to.dtype",
            "view.default",
            "_unsafe_view.default",
            "reshape.default",
            "_reshape_alias.default",
            "view_copy.default",
            "permute.default",
            "transpose.int",
            "t.default",
            "expand.default",
            "unsqueeze.default",
            "squeeze.dims",
            "squeeze.dim",
            "squeeze.default",
            "slice.Tensor",
            "select.int",
            "split_with_sizes.default",
            "split.Tensor",
            "unbind.int",
            "repeat.default",
            "flip.default",
            "roll.default",
            "unfold.default",
            "as_strided.default",
            "index.Tensor",
            "_unsafe_index.Tensor",
            "index_select.default",
            "embedding.default",
            "gather.default",
            "cat.default",
            "stack.default",
        ],
        (0,),
    ),
    **dict.fromkeys(("slice_scatter.default", "select_scatter.default"), (0, 1)),
    "copy.default": (1,),
    "as_strided_scatter.default": (0, 1),
    "constant_pad_nd.default": (0, 2),
    "index_put.default": (0, 2),
    "scatter.src": (0, 3),
}
"""Operations that only move elements, and which arguments the elements come from."""


@dataclass(frozen=True, eq=False)
class Step:
    """A tensor of new numbers: an input, or the result (or one of the results) of an operation."""

    name: str
    shape: Shape
    first: int
    node: Node | None = None
    item: int | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Where the elements of a tensor come from: ``factor`` times elements of steps."""

    places: Places
    factor: ExactNumber = ONE


@dataclass(eq=False)
class Structure:
    """Steps and sources of everything symbolic in a graph."""

    graph: Graph
    point: Point
    steps: dict[str, Step] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    _firsts: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    partial: dict[str, Source] = field(default_factory=dict)
    padded: dict[str, Source] = field(default_factory=dict)
    _pieces: dict[str, tuple[Places, ...]] = field(default_factory=dict)
    _before: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in self.graph.inputs:
            self._enter(Step(item.name, item.type.shape, self._next))
        for node in self.graph.nodes:
            self.nodes[node.name] = node
            read = [reference.name for reference in node.references()]
            self._before[node.name] = frozenset(read).union(
                *(self._before.get(name, frozenset()) for name in read)
            )
            if isinstance(self.point.values[node.name], Tensor):
                self._place(node)
            elif isinstance(self.point.values[node.name], tuple):
                self._place_pieces(node)

    # Asking

    def value(self, name: str) -> Any:
        """Return the value at the point."""
        return self.point.values[name]

    def is_symbolic(self, name: str) -> bool:
        """Tell whether a name stands for symbolic numbers."""
        return symbolic(self.point.values[name])

    def operand(self, name: str) -> Term:
        """Return a symbolic tensor in terms of the steps that its elements come from."""
        source = self.sources[name]
        term = self.gathered(source.places)
        return term if is_one(source.factor) else Scaled(source.factor, term)

    def gathered(self, places: Places) -> Term:
        """Return the formula for elements of steps."""
        flat = numpy.unique(places)
        owners = sorted(set(numpy.searchsorted(self._firsts, flat, side="right") - 1))
        steps = [self.steps[self._names[owner]] for owner in owners]
        if len(steps) == 1:
            step = steps[0]
            local = places - step.first
            use = Use(step.name, step.shape)
            whole = local.size == use_size(step.shape) and in_order(local)
            return Use(step.name, local.shape) if whole else View(use, local)
        blocks = self._blocks(places)
        if blocks:
            return joined_along([self.gathered(block) for block in blocks[1]], blocks[0])
        local = numpy.zeros_like(places)
        begin = 0
        for step in steps:
            count = use_size(step.shape)
            inside = (places >= step.first) & (places < step.first + count)
            local = numpy.where(inside, places - step.first + begin, local)
            begin += count
        found: Call = call(
            "joined",
            *(Use(step.name, step.shape) for step in steps),
            shape=places.shape,
            places=local,
        )
        return found

    def _blocks(self, places: Places) -> tuple[int, list[Places]] | None:
        """Cut places along an axis into blocks of one step each."""
        owners = numpy.searchsorted(self._firsts, places, side="right")
        for axis in range(places.ndim):
            rows = numpy.moveaxis(owners, axis, 0).reshape(places.shape[axis], -1)
            if (rows != rows[:, :1]).any():
                continue
            cuts = numpy.flatnonzero(numpy.diff(rows[:, 0])) + 1
            if len(cuts) < MOST_BLOCKS:
                return axis, numpy.split(places, cuts, axis=axis)
        return None

    def before(self, name: str) -> list[str]:
        """Return the symbolic tensors that a name is made of, in the order of the graph."""
        ancestors = self._before.get(name, frozenset())
        inputs = [item.name for item in self.graph.inputs if item.name in ancestors]
        return inputs + [n for n in self.nodes if n in ancestors and n in self.sources]

    def operations_between(self, name: str, given: set[str]) -> int:
        """Count the operations that lead from ``given`` to a name, without moves."""
        found, waiting = set[str](), [name]
        while waiting:
            current = waiting.pop()
            if current in found or current not in self.nodes or current in given:
                continue
            if current in self.point.values and not self._counts(current):
                continue
            found.add(current)
            waiting += [reference.name for reference in self.nodes[current].references()]
        return sum(
            self.nodes[one].operation.removeprefix("aten.") not in MOVES
            and self.nodes[one].operation != "getitem"
            for one in found
        )

    def _counts(self, name: str) -> bool:
        value = self.point.values[name]
        return symbolic(value) or isinstance(value, tuple)

    # Placing

    @property
    def _next(self) -> int:
        if not self._names:
            return 0
        last = self.steps[self._names[-1]]
        return last.first + use_size(last.shape)

    def _enter(self, step: Step) -> None:
        self.steps[step.name] = step
        self._firsts.append(step.first)
        self._names.append(step.name)
        count = use_size(step.shape)
        self.sources[step.name] = Source(
            numpy.arange(step.first, step.first + count).reshape(step.shape)
        )

    def _place(self, node: Node) -> None:
        source = self._moved(node) or self._chosen(node)
        source = source or self._scaled(node) or self._unchanged(node)
        self._follow_padding(node)
        if source is not None:
            self.sources[node.name] = source
            return
        shape = self.point.values[node.name].shape
        if node.operation == "getitem":
            parent = self.nodes[node.arguments[0].name]
            self._enter(Step(node.name, shape, self._next, parent, node.arguments[1]))
        else:
            self._enter(Step(node.name, shape, self._next, node))

    def _follow_padding(self, node: Node) -> None:
        """Follow a tensor among zeros through moves that leave all of it in order."""
        read = [reference.name for reference in node.references()]
        if len(read) != 1 or read[0] not in self.padded:
            return
        name = node.operation.removeprefix("aten.")
        if name in MOVES and isinstance(self.point.values[node.name], Tensor):
            before = self.padded[read[0]]
            arguments = [before.places, *map(self._known, node.arguments[1:])]
            keywords = {key: self._known(argument) for key, argument in node.keywords}
            places = numpy.asarray(TABLE[node.operation](None, *arguments, **keywords))
            self.padded[node.name] = Source(places.astype(numpy.int64), before.factor)

    def _place_pieces(self, node: Node) -> None:
        """Remember the pieces of a tensor that is split: ``getitem`` takes them out."""
        name = node.operation.removeprefix("aten.")
        if name in MOVES and (source := self._source_of(node.arguments[0])) is not None:
            pieces = TABLE[node.operation](None, source.places, *node.arguments[1:])
            self._pieces[node.name] = pieces
            self.sources[f"{node.name}[]"] = source

    def _source_of(self, argument: Argument) -> Source | None:
        if isinstance(argument, Reference):
            return self.sources.get(argument.name)
        return None

    def _moved(self, node: Node) -> Source | None:
        if node.operation == "getitem":
            parent, item = node.arguments
            if parent.name in self._pieces:
                factor = self.sources[f"{parent.name}[]"].factor
                return Source(self._pieces[parent.name][item], factor)
            return None
        name = node.operation.removeprefix("aten.")
        if name not in MOVES:
            return None
        factors, places = self._places_after(node, self.partial)
        if not factors or any(str(factor) != str(factors[0]) for factor in factors):
            return None
        if (places == NOWHERE).any():
            self._pad(node, Source(places, factors[0]))
            factors, places = self._places_after(node, {})
        return None if (places == NOWHERE).any() else Source(places, factors[0])

    def _places_after(
        self, node: Node, partial: Mapping[str, Source]
    ) -> tuple[list[ExactNumber], Places]:
        """Run a move on places; no factors are returned where it needs symbolic numbers."""
        name = node.operation.removeprefix("aten.")
        factors: list[ExactNumber] = []
        arguments = [
            self._as_places(argument, factors, partial)
            if place in MOVES[name]
            else self._known(argument)
            for place, argument in enumerate(node.arguments)
        ]
        if name == "copy.default":
            # Of what is written over, only the shape counts.
            arguments[0] = numpy.zeros(arguments[0].shape)
        keywords = {key: self._known(argument) for key, argument in node.keywords}
        adds = keywords.get("accumulate") or (
            name == "index_put.default" and arguments[3:] == [True]
        )
        if adds or any(symbolic(argument) for argument in arguments):
            return [], numpy.zeros(0)
        places = numpy.asarray(TABLE[node.operation](None, *arguments, **keywords))
        return factors, places.astype(numpy.int64)

    def _chosen(self, node: Node) -> Source | None:
        """See a choice by a fixed condition as elements of the one and of the other."""
        if node.operation.removeprefix("aten.").partition(".")[0] != "where":
            return None
        condition = self._known(node.arguments[0])
        if symbolic(condition):
            return None
        factors: list[ExactNumber] = []
        left, right = (
            self._as_places(argument, factors, self.partial) for argument in node.arguments[1:]
        )
        places = numpy.where(condition, left, right).astype(numpy.int64)
        if not factors or any(str(factor) != str(factors[0]) for factor in factors):
            return None
        source = Source(places, factors[0])
        if (places != NOWHERE).all():
            return source
        self._pad(node, source)
        return None

    def _pad(self, node: Node, source: Source) -> None:
        """Remember a tensor that is put among fixed numbers, and among zeros."""
        self.partial[node.name] = source
        value = self.point.values[node.name]
        if isinstance(value, Tensor) and (value.kinds[source.places == NOWHERE] == ZERO).all():
            self.padded[node.name] = source

    def _as_places(
        self, argument: Argument, factors: list[ExactNumber], partial: Mapping[str, Source]
    ) -> Any:
        if isinstance(argument, tuple):
            return tuple(self._as_places(part, factors, partial) for part in argument)
        source = self._source_of(argument)
        if isinstance(argument, Reference) and argument.name in partial:
            source = partial[argument.name]
        if source is not None:
            factors.append(source.factor)
            return source.places
        fixed = self.point.values[argument.name] if isinstance(argument, Reference) else argument
        return numpy.full(numpy.shape(fixed), NOWHERE, dtype=numpy.int64)

    def _known(self, argument: Argument) -> Any:
        if isinstance(argument, tuple):
            return tuple(self._known(part) for part in argument)
        return self.point.values[argument.name] if isinstance(argument, Reference) else argument

    def _scaled(self, node: Node) -> Source | None:
        """Take a factor out of a product with one number, a quotient by it, or a negative."""
        name = node.operation.removeprefix("aten.").partition(".")[0]
        if name not in ("mul", "div", "neg"):
            return None
        source = next((s for a in node.arguments if (s := self._source_of(a)) is not None), None)
        if source is None:
            return None
        shape = self.point.values[node.name].shape
        if name == "neg":
            return Source(source.places, negated(source.factor))
        left, right = (self._known(argument) for argument in node.arguments)
        if (symbolic(left) and symbolic(right)) or (name == "div" and symbolic(right)):
            return None
        number = one_number(left if symbolic(right) else right)
        if number is None or not number.coefficient:
            return None
        factor = inverse(number) if name == "div" else number
        places = numpy.broadcast_to(source.places, shape)
        return Source(places, product(source.factor, factor))

    def _unchanged(self, node: Node) -> Source | None:
        """See that an operation changes nothing here, such as adding a mask of zeros."""
        mine = self.point.values[node.name]
        if node.operation.removeprefix("aten.").partition(".")[0] not in UNCHANGING:
            return None
        for reference in node.references():
            other = self.point.values[reference.name]
            same_shape = isinstance(other, Tensor) and other.shape == mine.shape
            if same_shape and not mine.truth and self.point.same(mine, other):
                return self.sources.get(reference.name)
        return None


UNCHANGING = {"add", "sub", "mul", "div", "where", "masked_fill", "tril", "triu", "pow"}
"""Operations that can leave every element as it is."""


MOST_BLOCKS = 8
"""Blocks up to which a joined tensor is written as a list of them."""


def joined_along(terms: list[Term], axis: int) -> Call:
    """Return tensors put side by side along an axis."""
    counted, first = [], 0
    for term in terms:
        length = use_size(term.shape)
        counted.append(numpy.arange(first, first + length).reshape(term.shape))
        first += length
    places = numpy.concatenate(counted, axis=axis)
    return call("joined", *terms, shape=places.shape, places=places)


def use_size(shape: Shape) -> int:
    """Return the number of elements of a shape."""
    return int(numpy.prod(shape, dtype=numpy.int64))


def one_number(fixed: Any) -> ExactNumber | None:
    """Return the finite number that every element of a fixed value is, or None."""
    array = numpy.asarray(fixed)
    if array.dtype.kind not in "fiub" or not array.size:
        return None
    first = array.ravel()[0]
    if not numpy.isfinite(first) or not (array == first).all():
        return None
    return recognised(float(first))
