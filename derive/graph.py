"""A captured tensor program, free of torch: inputs, constants, and one node for each operation.

Operations go by the names of torch's core ATen operators (``aten.bmm.default``), with the
arguments of their schemas; ``derive.aten`` says what each means. Only what depends on a symbolic
input is a node: everything else was computed by torch when the program was captured, and is a
constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy


@dataclass(frozen=True)
class TensorType:
    """Shape and element type of a tensor: ``(1, 2, 16, 16)``, ``"float64"``.

    Strides are kept because ``as_strided`` reads memory by them.
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Reference:
    """The value of the input, constant or node that has this name."""

    name: str

    def __str__(self) -> str:
        return self.name


Argument = Any
"""A Reference, a Python bool, int, float or str, None, or a tuple of arguments."""


@dataclass(frozen=True)
class Input:
    """A tensor that the program is given: every element is a free real number."""

    name: str
    type: TensorType


@dataclass(frozen=True)
class Constant:
    """A tensor that the claim holds fixed: a mask, positions, a buffer, a folded table.

    ``values`` has the tensor's own element type; an element that no one wrote is NaN.
    """

    name: str
    values: numpy.ndarray[Any, numpy.dtype[Any]]
    origin: str = ""


@dataclass(frozen=True)
class Node:
    """One operation. ``origin`` is the line of the user's source that it comes from."""

    name: str
    operation: str
    arguments: tuple[Argument, ...]
    keywords: tuple[tuple[str, Argument], ...]
    result: TensorType | tuple[TensorType | None, ...]
    origin: str = ""

    def references(self) -> Iterator[Reference]:
        """Yield what this node reads."""
        yield from _references((self.arguments, tuple(value for _, value in self.keywords)))

    def __str__(self) -> str:
        given = [_text(argument) for argument in self.arguments]
        given += [f"{key}={_text(value)}" for key, value in self.keywords]
        return f"{self.name} = {self.operation}({', '.join(given)})"


@dataclass(frozen=True)
class Graph:
    """A program: nodes in an order in which each reads only what stands before it.

    ``outputs`` names one value for each of ``output_names``: the result of the forward program
    and, of a captured vector-Jacobian product, the gradient of each input.
    """

    inputs: tuple[Input, ...]
    constants: tuple[Constant, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Reference, ...]
    output_names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        known = {item.name for item in self.inputs} | {item.name for item in self.constants}
        for node in self.nodes:
            for reference in node.references():
                if reference.name not in known:
                    raise GraphError(f"{node} reads {reference.name}, which is not made before it")
            if node.name in known:
                raise GraphError(f"{node.name} is made twice")
            known.add(node.name)
        for output in self.outputs:
            if output.name not in known:
                raise GraphError(f"the output {output.name} is never made")

    def __str__(self) -> str:
        lines = [f"{item.name}: {item.type}" for item in self.inputs]
        lines += [str(node) for node in self.nodes]
        return "\n".join([*lines, f"return {', '.join(map(str, self.outputs))}"])


class GraphError(ValueError):
    """A graph whose parts do not fit together."""


def _references(argument: Argument) -> Iterator[Reference]:
    if isinstance(argument, Reference):
        yield argument
    elif isinstance(argument, tuple):
        for part in argument:
            yield from _references(part)


def _text(argument: Argument) -> str:
    if isinstance(argument, tuple):
        return f"[{', '.join(map(_text, argument))}]"
    return str(argument)
