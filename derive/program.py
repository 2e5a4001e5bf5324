"""Something that computes outputs from named inputs over any algebra: a graph, or a formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from derive.graph import Graph
from derive.interpreter import missing, outputs, run
from derive.tensors import Tensor, Tensors


class Program(Protocol):
    """What the prover compares."""

    @property
    def title(self) -> str:
        """How a report names it."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """One name for each output."""

    @property
    def fingerprint(self) -> str:
        """Text that differs between different programs."""

    def outputs(
        self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]
    ) -> list[Tensor[Any]]:
        """Compute the outputs, over whatever algebra ``tensors`` has."""

    def tensors(self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]) -> dict[str, Any]:
        """Return everything that is computed on the way, by name."""

    def unsupported(self) -> list[str]:
        """Name the operations that have no meaning here."""


@dataclass(frozen=True)
class GraphProgram:
    """A captured program."""

    title: str
    graph: Graph

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.graph.output_names

    @property
    def fingerprint(self) -> str:
        constants = b"".join(
            item.name.encode() + item.values.tobytes() for item in self.graph.constants
        )
        return f"{self.graph}\n{sha256(constants).hexdigest()}"

    def outputs(
        self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]
    ) -> list[Tensor[Any]]:
        return outputs(self.graph, inputs, tensors)

    def tensors(self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]) -> dict[str, Any]:
        return run(self.graph, inputs, tensors)

    def unsupported(self) -> list[str]:
        return missing(self.graph)
