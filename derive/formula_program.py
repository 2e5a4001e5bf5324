"""A formula as a program: its outputs, and the gradients that were derived from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from sympy import IndexedBase

from derive.formula import Mechanism
from derive.gradients import vector_jacobian_product
from derive.index_arrays import evaluate_mechanism
from derive.tensors import Tensor, Tensors

Given = str | numpy.ndarray[Any, numpy.dtype[Any]]
"""The name of a free input, or the values of one that is held fixed."""


@dataclass(frozen=True)
class FormulaProgram:
    """``mechanism`` with its arrays given; ``results`` are those whose entries are the outputs.

    With an upstream gradient, ``mechanism`` holds the gradients' equations as well.
    """

    title: str
    mechanism: Mechanism
    given: tuple[tuple[IndexedBase, Given], ...]
    results: tuple[IndexedBase, ...]
    output_names: tuple[str, ...]

    @classmethod
    def of(
        cls, mechanism: Mechanism, given: Mapping[IndexedBase, Given], upstream: Sequence[str]
    ) -> FormulaProgram:
        """Arrange a formula, and its vector-Jacobian product where there is an upstream."""
        title = f"the formula of {mechanism.title}"
        arrays = dict(given)
        results = [mechanism.stages[-1].array]
        names = ["output"]
        if upstream:
            backward = vector_jacobian_product(mechanism)
            arrays[backward.upstream] = upstream[0]
            mechanism = backward.mechanism
            for base, source in given.items():
                if isinstance(source, str):
                    results.append(backward.gradients[base])
                    names.append(f"gradient of {source}")
        return cls(title, mechanism, tuple(arrays.items()), tuple(results), tuple(names))

    @property
    def fingerprint(self) -> str:
        """Text that differs between different formulas, and between values held fixed."""
        given = [
            f"{base} {source if isinstance(source, str) else source.tolist()}"
            for base, source in self.given
        ]
        return "\n".join([self.mechanism.canonical(), *given])

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
        return evaluate_mechanism(self.mechanism, given, tensors)
