"""Where a program first parts from its reference: which of its tensors have a counterpart.

At a random point modulo primes, a tensor of one program has a counterpart in the other when some
tensor there holds the same numbers, in whatever order and shape. The first tensor without one,
made only of tensors that have one, is where the two part; a factor that one program applies
earlier than the other moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import numpy

from derive.algebras.residues import NeedsLevel, NeedsSquare, ResidueArrays, Unlucky
from derive.graph import Graph, Input, Node
from derive.interpreter import run
from derive.tensors import ZERO, Tensor, Tensors

ATTEMPTS = 20
SHOWN = 2


def departure(
    graph: Graph, reference: Any, inputs: Sequence[Input], output: str, seed: int = 0
) -> str:
    """Say where ``graph`` parts from ``reference`` on the way to ``output``; "" if unknown.

    ``reference`` gives all its tensors by name, over any algebra: ``reference(values, tensors)``.
    """
    random = Random(seed)
    levels, squares = 2, list[int]()
    for _ in range(ATTEMPTS):
        algebra = ResidueArrays(random, levels=levels, squares=squares)
        tensors = Tensors(algebra)
        values = {
            item.name: tensors.finite(algebra.free(item.type.shape), item.type.shape)
            for item in inputs
        }
        try:
            mine = run(graph, values, tensors)
            theirs = reference(values, tensors)
        except NeedsSquare as need:
            squares.append(need.number)
        except NeedsLevel:
            levels += 1
        except Unlucky:
            continue
        else:
            return _first_departure(graph, mine, theirs, output)
    return ""


def _first_departure(
    graph: Graph, mine: Mapping[str, Any], theirs: Mapping[str, Any], output: str
) -> str:
    known = {_held(value) for value in theirs.values() if isinstance(value, Tensor)}
    nodes = {node.name: node for node in graph.nodes}

    def shared(name: str) -> bool:
        return isinstance(mine[name], Tensor) and _held(mine[name]) in known

    parted = _parted(nodes, graph.outputs[graph.output_names.index(output)].name, shared)
    given = {_held(mine[item.name]) for item in graph.inputs}
    agreed = [
        node
        for node in graph.nodes
        if node.name not in parted
        and isinstance(mine[node.name], Tensor)
        and _held(mine[node.name]) not in given
        and any(node.name == r.name for name in parted for r in nodes[name].references())
    ]
    if not parted:
        return ""
    if not agreed:
        return "no tensor on the way to it has a counterpart in the reference"
    last = "; ".join(_described(node) for node in agreed[-SHOWN:])
    return f"the last tensors on the way to it that the reference has too: {last}"


def _parted(nodes: Mapping[str, Node], end: str, shared: Callable[[str], bool]) -> set[str]:
    """Walk back from an output through tensors that have no counterpart."""
    found: set[str] = set()
    waiting = [end]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found and not shared(name):
            found.add(name)
            waiting += [reference.name for reference in nodes[name].references()]
    return found


def _held(tensor: Tensor[Any]) -> bytes:
    """Return the numbers of a tensor, each once, in order of size: the same for a view of it."""
    numbers = numpy.where(tensor.kinds > ZERO, -tensor.kinds.astype(numpy.int64), tensor.data.top)
    return numpy.unique(numbers).tobytes()


def _described(node: Node) -> str:
    operation = node.operation.removeprefix("aten.").split(".")[0].strip("_")
    return f"{operation} ({node.origin})" if node.origin else operation
