"""Check every line of an explanation: what it claims against what the program holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from derive.explaining.explanation import Explanation
from derive.explaining.meaning import value
from derive.tensors import Tensor, Tensors


def claims(
    explanation: Explanation, values: Mapping[str, Any], tensors: Tensors[Any]
) -> Iterator[tuple[str, Tensor[Any], Tensor[Any]]]:
    """Yield each line's name, the value of its formula, and the value that the program holds.

    Args:
        explanation: The lines.
        values: What the program computes, as ``derive.interpreter.run`` returns it.
        tensors: The arithmetic in which both are computed.
    """
    known = dict(values)
    for line in explanation.lines:
        known[line.label] = value(line.held, values, tensors)
    for line in explanation.lines:
        held = known[line.label]
        claimed = value(line.formula, known, tensors)
        shaped = tensors.rearrange(lambda a, shape=held.shape: a.reshape(shape), claimed)
        yield line.name, shaped, held
