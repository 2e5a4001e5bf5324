"""What is known of a torch program: its stages, their numbers for an example, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy

from derive.algebras.floats import FloatArrays
from derive.aten.table import tensor
from derive.explaining.explanation import Explanation, Line
from derive.explaining.meaning import value
from derive.graph import Graph
from derive.interpreter import run
from derive.tensors import AS_FLOATS, FINITE, Tensor, Tensors
from derive.verdict import Report


@dataclass(frozen=True, eq=False)
class StageAccount:
    """A line of the explanation, and the numbers that it has for the example."""

    line: Line
    numbers: Any


@dataclass(frozen=True, eq=False)
class ModuleAccount:
    """A program's explanation, its example, and what was proved of it.

    ``difference`` is the largest by which torch's own results, in float64, differ from the numbers
    that the explanation gives for the example. ``report`` is None where nothing was compared.
    """

    target: str
    explanation: Explanation
    inputs: Mapping[str, Any]
    stages: tuple[StageAccount, ...]
    difference: float
    report: Report | None
    versions: tuple[tuple[str, str], ...]
    source: str = field(default="", repr=False)


def staged(
    graph: Graph, explanation: Explanation, inputs: Mapping[str, Any]
) -> tuple[tuple[StageAccount, ...], list[Any]]:
    """Return each line with its numbers for ``inputs`` in float64, and the program's results."""
    tensors: Tensors[Any] = Tensors(FloatArrays())
    given = {name: tensors.finite(numbers, numbers.shape) for name, numbers in inputs.items()}
    values = run(graph, given, tensors)
    stages = tuple(
        StageAccount(line, plain(value(line.held, values, tensors)).reshape(line.shape))
        for line in explanation.lines
    )
    results = [plain(tensor(tensors, values[output.name])) for output in graph.outputs]
    return stages, results


def plain(found: Tensor[Any]) -> Any:
    """Return a tensor's numbers as an array of float64, infinities and nan where it has them."""
    numbers = numpy.asarray(found.data, dtype=float)
    return numpy.where(found.kinds == FINITE, numbers, AS_FLOATS[found.kinds])
