"""Example inputs from sizes: what counts of them is their shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sympy import Integer

from derive.errors import InputError
from derive.formula import Mechanism
from derive.options import Options
from derive.scaled_dot_product import ScaledDotProduct, scaled_dot_product_attention

LETTERS = {
    "batch": "n_b",
    "heads": "n_h",
    "kv_heads": "n_g",
    "queries": "n_q",
    "tokens": "n",
    "dim": "d",
    "value_dim": "d_v",
    "embedding": "d_e",
}
"""The letter of each size in formulas."""

SEED = 0


def input_tensors(sizes: Mapping[str, int], formula: Mechanism | None) -> tuple[Any, ...]:
    """Return tensors with the shapes of a formula's arrays; without one, queries, keys, values."""
    letters = {LETTERS[name]: Integer(length) for name, length in sizes.items()}
    if "n" in letters:
        letters.setdefault("n_q", letters["n"])
    if "d" in letters:
        letters.setdefault("d_v", letters["d"])
    leading = 2 if "batch" in sizes else 1 if "heads" in sizes else 0
    mechanism = formula or scaled_dot_product_attention(
        Options(leading=leading, grouped="consecutive" if "kv_heads" in sizes else None)
    )
    generator = torch.Generator().manual_seed(SEED)
    found = []
    for base in mechanism.inputs:
        shape = []
        for axis in mechanism.shapes[base]:
            length = axis.xreplace(
                {
                    symbol: letters[str(symbol)]
                    for symbol in axis.free_symbols
                    if str(symbol) in letters
                }
            )
            if not length.is_Integer:
                missing = sorted(str(symbol) for symbol in length.free_symbols)
                named = [name for name, letter in LETTERS.items() if letter in missing]
                raise InputError(
                    "--shape", ", ".join(named), "this size is missing", f"add {named[0]}=4"
                )
            shape.append(int(length))
        found.append(
            _mask(shape, generator, _empties(mechanism))
            if base in mechanism.indicators
            else torch.randn(shape, generator=generator, dtype=torch.float64)
        )
    return tuple(found)


def plain_tensors(shapes: Sequence[tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    """Return random tensors by name."""
    generator = torch.Generator().manual_seed(SEED)
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes
    }


def _empties(mechanism: Mechanism) -> bool:
    """Whether the formula states what a query gets that may see no key."""
    return isinstance(mechanism, ScaledDotProduct) and mechanism.options.empty_rows != "undefined"


def _mask(shape: Sequence[int], generator: Any, empties: bool) -> Any:
    """Return a mask in which every query may see its first key, and half of the others.

    With ``empties`` the last of several queries may see none.
    """
    mask = torch.rand(list(shape), generator=generator) < 0.5
    mask[..., 0] = True
    if empties and len(shape) > 1 and shape[-2] > 1:
        mask[..., -1, :] = False
    return mask
