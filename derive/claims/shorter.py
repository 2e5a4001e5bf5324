"""The same text with one token less: what is fixed stays, cut to its length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import IndexedBase, Integer, Symbol

from derive.claims.subject import Subject
from derive.formula import n, n_q
from derive.witness import Arrays, Reading


def without_a_token(subject: Subject, reading: Reading, first: bool) -> Reading | None:
    """Return a reading without its first token, or without its last; None where one is left."""
    shapes = (
        zip(subject.shapes[base], array.shape, strict=True)
        for base, array in reading.inputs.items()
    )
    lengths = {size: length for shape in shapes for size, length in shape if size.is_Symbol}
    sizes = {**reading.sizes, **lengths}
    if sizes.get(n, 0) < 2:
        return None
    sizes |= {n: sizes[n] - 1, n_q: sizes[n] - 1}
    return Reading(shortened(subject, reading.inputs, sizes, first), sizes)


def shortened(
    subject: Subject, inputs: Arrays, sizes: Mapping[Symbol, int], first: bool
) -> dict[IndexedBase, Any]:
    """Cut arrays to these sizes, which are of one token less; ``first`` says which one goes.

    A table by the distance of two tokens, which counts to 2 n - 1, keeps its middle. All else that
    is the same for every text, such as a mask, keeps its beginning.
    """
    numbers = {size: Integer(length) for size, length in sizes.items()}
    found = {}
    for base, array in inputs.items():
        cuts = []
        for size, length in zip(subject.shapes[base], array.shape, strict=True):
            less = length - int(size.xreplace(numbers))
            of_token = first and size == n and base in subject.tokens
            start = less if of_token else 0 if size == n else less // 2
            cuts.append(slice(start, length - less + start))
        found[base] = array[tuple(cuts)]
    return found
