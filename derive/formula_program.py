"""A formula as a program: its outputs, and the gradients that were derived from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from sympy import IndexedBase

from derive.formula import Mechanism, Stage
from derive.gradients import vector_jacobian_product
from derive.index_arrays import evaluate
from derive.tensors import Tensor, Tensors

Given = str | numpy.ndarray[Any, numpy.dtype[Any]]
"""The name of a free input, or the values of one that is held fixed."""


@dataclass(frozen=True)
class FormulaProgram:
    """``mechanism`` with its arrays given; with ``upstream`` its gradients are outputs too.

    ``results`` are the arrays whose entries are the outputs, in the order of ``output_names``.
    """

    mechanism: Mechanism
    given: tuple[tuple[IndexedBase, Given], ...]
    stages: tuple[Stage, ...]
    results: tuple[IndexedBase, ...]
    output_names: tuple[str, ...]

    @classmethod
    def of(
        cls, mechanism: Mechanism, given: Mapping[IndexedBase, Given], upstream: Sequence[str]
    ) -> FormulaProgram:
        """Arrange a formula, and its vector-Jacobian product where there is an upstream."""
        arrays = dict(given)
        stages = mechanism.stages
        results = [stages[-1].array]
        names = ["output"]
        if upstream:
            backward = vector_jacobian_product(mechanism)
            arrays[backward.upstream] = upstream[0]
            stages = backward.stages
            for base, source in given.items():
                if isinstance(source, str):
                    results.append(backward.gradients[base])
                    names.append(f"gradient of {source}")
        return cls(mechanism, tuple(arrays.items()), stages, tuple(results), tuple(names))

    @property
    def title(self) -> str:
        """The formula's own title."""
        return f"the formula of {self.mechanism.title}"

    def unsupported(self) -> list[str]:
        """Name the operations without a meaning: a formula has none."""
        return []

    def tensors(self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]) -> dict[str, Any]:
        """Return every array of the formula by name."""
        return {str(base): array for base, array in self._evaluated(inputs, tensors).items()}

    def outputs(
        self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]
    ) -> list[Tensor[Any]]:
        """Compute the outputs over the algebra of ``tensors``."""
        arrays = self._evaluated(inputs, tensors)
        return [arrays[base] for base in self.results]

    def _evaluated(self, inputs: Mapping[str, Tensor[Any]], tensors: Tensors[Any]) -> Any:
        given = {
            base: inputs[source] if isinstance(source, str) else source
            for base, source in self.given
        }
        return evaluate(self.stages, given, tensors)
