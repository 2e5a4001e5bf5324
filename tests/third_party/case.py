"""What a case of the catalogue is, and modules as plain functions of what is passed to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Comparison:
    """A program and what it should compute, with example inputs by name.

    Modules on both sides have parameters of the same names: these are inputs too.
    """

    program: Any
    reference: Any
    inputs: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Case:
    """A module of a package; ``build`` imports the package and makes both sides anew.

    ``expected`` is the verdict where it is not a pass, and ``reason`` why.
    """

    name: str
    package: str
    build: Callable[[], Comparison]
    expected: str = "passed"
    reason: str = ""


class Called(torch.nn.Module):
    """A module, called in a certain way, or computed by hand from its parameters."""

    def __init__(self, module: torch.nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.module = module.double().eval()
        self.call = call

    def forward(self, *tensors: Any) -> Any:
        """Return the first tensor of what the call returns."""
        result = self.call(self.module, *tensors)
        while isinstance(result, tuple | list):
            result = result[0]
        return result


def call(module: Any, *tensors: Any) -> Any:
    return module(*tensors)


def tokens(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)
