"""The attention that a sentence's own file describes: every way to compute it.

Its scale, its mask, its normaliser and its projections make a formula of their own; torch computes
it with its own operations, beside what is derived and generated from the formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import torch
from sympy import IndexedBase
from torch import Tensor

from derive.attention import MECHANISMS
from derive.composition import Composition, composed
from derive.examples import Example
from derive.formula import K, Q, V, a, s, x, z
from derive.scaled_dot_product import W_k, W_q, W_v
from derive.settings import ROOT
from numeric.computing import (
    DIGITS,
    EXP_ULP,
    Computation,
    as_shown,
    generated,
    lambdified,
)
from numeric.evaluate import Arrays
from numeric.precision import FLOAT32, FLOAT64, Precision, decimal_digits

Stages = dict[IndexedBase, Tensor]


def own_computations(example: Example) -> Iterator[Computation]:
    """List every way to compute what the sentence's file describes.

    There is none where the file asks for one of the notes' mechanisms, which are compared anyway.
    """
    composition = example.composition()
    mechanism = composition.mechanism
    if mechanism in MECHANISMS.values():
        return
    name = mechanism.title
    for precision in (FLOAT64, FLOAT32):
        yield lambdified(name, mechanism, "numpy", precision)
        yield generated(name, mechanism, "numpy", precision)
        yield lambdified(name, mechanism, "torch", precision)
        yield generated(name, mechanism, "torch", precision)
        yield by_torch(composition, precision)
    yield lambdified(name, mechanism, "mpmath", decimal_digits(DIGITS))
    yield as_shown(name, mechanism)


def by_torch(composition: Composition, precision: Precision) -> Computation:
    """Return torch's own operations as a computation of the composed attention.

    torch.softmax shifts by the largest score first, so its rounding is the shifted form's.
    """
    normaliser = "shifted" if composition.normaliser == "softmax" else composition.normaliser
    has_projections = composition.projections is not None
    return Computation(
        composition.mechanism.title,
        composed(normaliser, composition.scale, composition.causal, has_projections),
        "torch",
        precision,
        "torch",
        EXP_ULP["torch", precision.name],
        partial(_stages, composition),
    )


def _stages(composition: Composition, given: Arrays) -> Stages:
    """Compute Q, K, V (with projections), then s, a (n, n) and z (n, d_v)."""
    inputs: Tensor = given[x]
    query, key, value = inputs, inputs, inputs
    found: Stages = {}
    if composition.projections is not None:
        query, key, value = (inputs @ given[matrix] for matrix in (W_q, W_k, W_v))
        found = {Q: query, K: key, V: value}
    scores = query @ key.T
    if composition.scale == ROOT:
        scores = scores / math.sqrt(key.shape[1])
    elif composition.scale is not None:
        scores = scores * float(composition.scale)
    weights = _weights(composition, scores)
    return {**found, s: scores, a: weights, z: weights @ value}


def _weights(composition: Composition, scores: Tensor) -> Tensor:
    hidden = torch.ones_like(scores, dtype=torch.bool).triu(diagonal=1)
    if not composition.causal:
        hidden = torch.zeros_like(hidden)
    if composition.normaliser in ("softmax", "shifted"):
        return torch.softmax(scores.masked_fill(hidden, -torch.inf), dim=-1)
    seen = scores.masked_fill(hidden, 0)
    return seen / seen.sum(dim=-1, keepdim=True) if composition.normaliser == "sum" else seen
