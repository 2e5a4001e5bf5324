"""Every entry written out for a few tokens, with named pieces or fully substituted.

With named pieces, an entry of a stage is written in the entries of the stages before it:
``a[1, 2] = exp(s[1, 2]) / D[1]``. Fully substituted, it is written in the inputs alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from sympy import IndexedBase

from derive.algebras.symbolic import Symbolic
from derive.elements import Elements
from derive.formula import Mechanism

MOST_TOKENS = 16
"""The longest sentence whose formulas are written out; a longer line is too long to read."""

Shapes = Mapping[IndexedBase, Sequence[int]]


def positions(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Return every position of an array, row by row, counted from 1 as the formulas do."""
    return [tuple(p + 1 for p in place) for place in numpy.ndindex(*shape)]


def named_entries(base: IndexedBase, shape: Sequence[int]) -> Any:
    """Return the array of the names x[1, 1], x[1, 2], ... of an array's entries."""
    entries = numpy.empty(tuple(shape), dtype=object)
    for place in numpy.ndindex(*shape):
        entries[place] = base[tuple(p + 1 for p in place)]
    return entries


def with_named_pieces(mechanism: Mechanism, shapes: Shapes) -> dict[IndexedBase, Any]:
    """Write out each stage's entries in the names of the entries that it reads.

    ``shapes`` gives the shape of each input. Returns an object array of SymPy expressions for
    each array that the mechanism defines, in order.
    """
    elements = Elements(Symbolic(), {b: named_entries(b, shape) for b, shape in shapes.items()})
    written: dict[IndexedBase, Any] = {}
    for stage in mechanism.stages:
        written[stage.array] = elements.stage(stage)
        elements.arrays[stage.array] = named_entries(stage.array, written[stage.array].shape)
    return written


def fully_substituted(mechanism: Mechanism, shapes: Shapes) -> dict[IndexedBase, Any]:
    """Write out each stage's entries in the inputs alone. Arguments as in ``with_named_pieces``."""
    given = {base: named_entries(base, shape) for base, shape in shapes.items()}
    arrays = Elements(Symbolic(), given).run(mechanism.stages)
    return {stage.array: arrays[stage.array] for stage in mechanism.stages}


def self_attention_shapes(mechanism: Mechanism, tokens: int, dimensions: int) -> Shapes:
    """Return the inputs' shapes where each has one row of ``dimensions`` numbers per token."""
    return dict.fromkeys(mechanism.inputs, (tokens, dimensions))
