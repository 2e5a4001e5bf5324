"""Example tensors with the shapes of a formula's inputs, as small as shows every axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sympy import Integer, Symbol

from derive.formula import FormulaError, Mechanism

SIZES: Mapping[str, int] = {
    "n_b": 1,
    "n_h": 2,
    "n_g": 1,
    "n_q": 2,
    "n": 3,
    "d": 2,
    "d_v": 2,
    "d_e": 3,
    "d_f": 3,
    "n_p": 2,
}
"""How large each size is where an implementation does not say otherwise."""

SEED = 0


def example_inputs(
    mechanism: Mechanism, sizes: Mapping[str, int], values: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """Return one tensor for each input by name, in the formula's order.

    ``values`` are those of inputs that are not free. Indicators that are not among them see two
    keys of three.
    """
    names = {str(base) for base in mechanism.inputs}
    if not values.keys() <= names:
        unknown = ", ".join(sorted(values.keys() - names))
        raise FormulaError(f"{mechanism.title}: it is not given {unknown}; name its inputs")
    letters = _letters(mechanism, sizes)
    generator = torch.Generator().manual_seed(SEED)
    found: dict[str, torch.Tensor] = {}
    for base in mechanism.inputs:
        shape = [_number(axis.xreplace(letters), mechanism) for axis in mechanism.shapes[base]]
        if str(base) in values:
            found[str(base)] = torch.as_tensor(values[str(base)])
        elif base in mechanism.indicators:
            found[str(base)] = _two_of_three(shape)
        else:
            found[str(base)] = torch.randn(shape, generator=generator, dtype=torch.float64)
    return found


def _letters(mechanism: Mechanism, sizes: Mapping[str, int]) -> dict[Symbol, Integer]:
    shapes = (mechanism.shapes[base] for base in mechanism.inputs)
    counted = [*(axis for shape in shapes for axis in shape), *sum(mechanism.relations, ())]
    symbols = {symbol for size in counted for symbol in size.free_symbols}
    known = {**SIZES, **sizes}
    letters = {t: Integer(known[str(t)]) for t in symbols if str(t) in known}
    for left, right in mechanism.relations:
        value = right.xreplace(letters)
        if value.is_Integer and str(left) not in sizes:
            letters[left] = value
    return letters


def _number(size: Any, mechanism: Mechanism) -> int:
    if not size.is_Integer:
        raise FormulaError(f"{mechanism.title}: nothing says how much {size} is; add it to sizes")
    return int(size)


def _two_of_three(shape: list[int]) -> torch.Tensor:
    """Return booleans of which every third in a row is false, at a place that moves with rows."""
    places = torch.zeros(shape, dtype=torch.int64)
    for axis, length in enumerate(reversed(shape), start=1):
        step = torch.arange(length) * (2 if axis == 1 else 1)
        places += step.reshape([-1, *[1] * (axis - 1)])
    return places % 3 != 1
