"""Run a program on inputs, in its own type, forward and backward."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch

from derive.errors import InputError
from numeric.rounding.enclosed import Array
from numeric.rounding.judging import GRADIENTS, OUTPUT

NAMES = ("query", "key", "value", "bias", "mask")


@dataclass(frozen=True)
class Run:
    """What a program gave, as float64 arrays by the names that ``judging`` uses."""

    results: dict[str, Array]


class Failed(RuntimeError):
    """The program raised an error, or returned something that is no tensor; says which."""


def run(
    program: Callable[..., Any],
    tensors: Sequence[Any],
    names: Sequence[str],
    upstream: Any = None,
) -> Run:
    """Call ``program`` and, with an upstream gradient, a tensor, differentiate it by autograd.

    Raises:
        Failed: It cannot be run on these inputs.
    """
    leaves = [
        tensor.detach().requires_grad_() if upstream is not None and _floats(tensor) else tensor
        for tensor in tensors
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.enable_grad() if upstream is not None else torch.no_grad():
                output = program(*leaves)
                output = output[0] if isinstance(output, tuple | list) else output
            if not isinstance(output, torch.Tensor) or not output.is_floating_point():
                raise Failed("it returns no tensor of floating point numbers")
            results = {OUTPUT: as_array(output)}
            if upstream is not None:
                wanted = [leaf for leaf in leaves if _floats(leaf)]
                gradients = torch.autograd.grad(
                    output, wanted, upstream.to(output.dtype), allow_unused=True
                )
                floating = [n for n, leaf in zip(names, leaves, strict=True) if _floats(leaf)]
                for name, leaf, gradient in zip(floating, wanted, gradients, strict=True):
                    found = torch.zeros_like(leaf) if gradient is None else gradient
                    results[GRADIENTS[name]] = as_array(found)
        except (Failed, InputError):
            raise
        except Exception as error:
            # Whatever a stranger's program raises, one line says so.
            reason = " ".join(str(error).split())
            raise Failed(f"{type(error).__name__}: {reason}") from error
    return Run(results)


def compilations() -> int:
    """How many functions torch has compiled so far; 0 where no compiler was ever asked."""
    utils = sys.modules.get("torch._dynamo.utils")
    return 0 if utils is None else sum(utils.counters["frames"].values())


def as_array(tensor: Any) -> Array:
    """Return the numbers of a tensor as float64, exactly."""
    found: Array = tensor.detach().to("cpu").double().numpy()
    return numpy.array(found)


def _floats(tensor: Any) -> bool:
    return bool(tensor.is_floating_point())
