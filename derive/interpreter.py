"""Run a graph over any algebra: one interpreter, with the meanings of ``derive.aten``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from derive.arrays import Unsupported

# Importing them enters their operations into the table.
from derive.aten import arithmetic, functions, order, shapes
from derive.aten.table import TABLE, Value, tensor
from derive.graph import Argument, Graph, Node, Reference, TensorType
from derive.tensors import Tensor, Tensors

OPERATIONS = (arithmetic, functions, order, shapes)
"""The modules that define the operations."""


class UnknownOperation(Unsupported):
    """A graph holds an operation that the table has no meaning for."""

    def __init__(self, operation: str) -> None:
        super().__init__(operation, "this operation has no meaning here")


def run(graph: Graph, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]) -> dict[str, Value]:
    """Return the value of every input, constant and node by name."""
    values: dict[str, Value] = {item.name: item.values for item in graph.constants}
    values.update({item.name: inputs[item.name] for item in graph.inputs})
    for node in graph.nodes:
        values[node.name] = _value(node, values, tensors)
    return values


def outputs(
    graph: Graph, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]
) -> list[Tensor[Any]]:
    """Return the outputs alone; each value is let go after its last use."""
    values: dict[str, Value] = {item.name: item.values for item in graph.constants}
    values.update({item.name: inputs[item.name] for item in graph.inputs})
    last = {reference.name: node.name for node in graph.nodes for reference in node.references()}
    kept = {reference.name for reference in graph.outputs}
    for node in graph.nodes:
        values[node.name] = _value(node, values, tensors)
        for reference in node.references():
            if last[reference.name] == node.name and reference.name not in kept:
                values.pop(reference.name, None)
    return [tensor(tensors, values[reference.name]) for reference in graph.outputs]


def missing(graph: Graph) -> list[str]:
    """Return the operations of a graph that have no meaning here."""
    known = {*TABLE, "getitem"}
    return sorted({node.operation for node in graph.nodes} - known)


def _value(node: Node, values: Mapping[str, Value], tensors: Tensors[Any]) -> Value:
    arguments = [_argument(argument, values) for argument in node.arguments]
    keywords = {key: _argument(value, values) for key, value in node.keywords}
    if node.operation == "getitem":
        return arguments[0][arguments[1]]
    meaning = TABLE.get(node.operation)
    if meaning is None:
        raise UnknownOperation(node.operation)
    with numpy.errstate(all="ignore"):
        result = meaning(tensors, *arguments, **keywords)
    _refuse_machine_integers(node, arguments, result)
    return result


COUNTING = ("sum", "cumsum")


def _refuse_machine_integers(node: Node, arguments: list[Any], result: Value) -> None:
    """Refuse what torch computes in whole numbers: it wraps, truncates, or is logical.

    Of what depends on the inputs only truth values, 0 and 1, are moved and counted; the sum of two
    booleans, for one, is a boolean, and not 1 is -2 where it is an integer.
    """
    if not isinstance(result, Tensor) or not isinstance(node.result, TensorType):
        return
    kind = node.result.dtype
    name = node.operation.removeprefix("aten.").split(".")[0]
    truths = all(value.truth for value in arguments if isinstance(value, Tensor))
    if (
        kind.startswith(("float", "bfloat"))
        or (result.truth and (kind == "bool" or not name.startswith("bitwise")))
        or (kind == "int64" and name in COUNTING and truths)
    ):
        return
    raise Unsupported(node.operation, f"values of type {kind} that depend on the inputs")


def _argument(argument: Argument, values: Mapping[str, Value]) -> Any:
    if isinstance(argument, Reference):
        return values[argument.name]
    if isinstance(argument, tuple):
        return tuple(_argument(part, values) for part in argument)
    return argument
