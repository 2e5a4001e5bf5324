"""A sentence as the inputs of a mechanism: exact fractions first, then rounded once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy
import torch
from sympy import IndexedBase

from derive.examples import Example
from derive.formula import K, Mechanism, Q, V, x
from derive.scaled_dot_product import W_q
from numeric.evaluate import Arrays, Backend
from numeric.precision import Precision


def exact_inputs(mechanism: Mechanism, example: Example) -> dict[IndexedBase, Any]:
    """Return the inputs as arrays of exact fractions.

    x (n, d) and the keys K (n, d) are the sentence's vectors. The queries Q (n_q, d) are the
    vectors of the sentence's query and of the token after it, the first token after the last; of
    fewer than three tokens, the query's alone, so that n_q is n for a single token only. The values
    V (n, d + 1) are the vectors in reverse order of the tokens, each followed by its row's position
    as a fraction: j / n in row j, counted from 1. So none of the three can stand for another.
    The matrices W_q, W_k and W_v are those that the sentence's file describes.
    """
    vectors = example.array()
    tokens = len(vectors)
    queried = [(example.query + step) % tokens for step in range(2 if tokens > 2 else 1)]
    positions = numpy.array([[Fraction(row, tokens)] for row in range(1, tokens + 1)], dtype=object)
    values = numpy.hstack([vectors[::-1], positions])
    arrays = {x: vectors, K: vectors, V: values, Q: vectors[queried]}
    if W_q in mechanism.inputs:
        arrays |= example.composition().given()
    return {base: arrays[base] for base in mechanism.inputs}


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
