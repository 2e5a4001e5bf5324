"""A sentence as the inputs of a mechanism: exact fractions first, then rounded once."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy
import torch
from sympy import IndexedBase

from derive.examples import Example
from derive.formula import K, Mechanism, Q, V, x
from numeric.evaluate import Arrays, Backend
from numeric.precision import Precision


def exact_inputs(mechanism: Mechanism, example: Example) -> dict[IndexedBase, Any]:
    """Return the inputs as arrays of exact fractions.

    x, the keys K and the values V are the sentence's vectors; the queries Q are one row, the vector
    of the sentence's query.
    """
    vectors = example.array()
    rows = {x: vectors, K: vectors, V: vectors, Q: vectors[example.query : example.query + 1]}
    return {base: rows[base] for base in mechanism.inputs}


def rounded_inputs(exact: Arrays, precision: Precision, backend: Backend) -> dict[IndexedBase, Any]:
    """Round exact inputs once to ``precision``; raises ``OverflowError`` beyond its range."""
    rounded = {}
    for base, entries in exact.items():
        array = numpy.empty(entries.shape, dtype=object)
        for place in numpy.ndindex(*entries.shape):
            if backend == "mpmath":
                array[place] = mpmath.mpf(entries[place].numerator) / entries[place].denominator
            else:
                array[place] = float(precision.round(entries[place]))
        if backend != "mpmath":
            array = array.astype(precision.name)
        rounded[base] = torch.from_numpy(array) if backend == "torch" else array
    return rounded
