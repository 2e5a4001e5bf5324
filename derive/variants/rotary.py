"""What both layouts of rotary embeddings share: pairs of numbers, turned by an angle per place.

A query's pair (first, second) at place i becomes a point turned by i theta[p]::

    X_q[i, p] = Q[i, first] cos(i theta[p]) - Q[i, second] sin(i theta[p])
    Y_q[i, p] = Q[i, first] sin(i theta[p]) + Q[i, second] cos(i theta[p])

and so does a key's. The dot product of two turned pairs depends on the difference of their places
alone, so it does not matter that places count from 1 here and from 0 in programs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy
from sympy import Expr, IndexedBase, cos, sin, sqrt

from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    array,
    d,
    i,
    j,
    n,
    n_p,
    n_q,
    p,
    s,
    total,
)
from derive.normaliser import softmax
from derive.variants.given import queries_keys_values
from derive.variants.inputs import KEY_WEIGHTS, QUERY_WEIGHTS, Input, numbers, projected, value
from derive.variants.variant import Source
from derive.weighted_sum import weighted_sum

theta, C, S = array("theta"), array("C"), array("S")
X_q, Y_q, X_k, Y_k = array("X_q"), array("Y_q"), array("X_k"), array("Y_k")

SU = Source(
    "Su et al.",
    2021,
    "RoFormer: Enhanced Transformer with rotary position embedding",
    "https://arxiv.org/abs/2104.09864",
    "section 3.2.2",
)

ANGLES = Choice(
    "angles",
    "cosine and sine of an angle in proportion to the place",
    (
        Stage(C[i, p], cos(i * theta[p]), (n, n_p)),
        Stage(S[i, p], sin(i * theta[p]), (n, n_p)),
    ),
)
"""C[i, p] = cos(i theta[p]);  S[i, p] = sin(i theta[p])."""

SCORE = Choice(
    "score",
    "scaled dot product of the turned pairs",
    (Stage(s[i, j], total(X_q[i, p] * X_k[j, p] + Y_q[i, p] * Y_k[j, p], p) / sqrt(d)),),
)
"""s[i, j] = sum_p (X_q[i, p] X_k[j, p] + Y_q[i, p] Y_k[j, p]) / sqrt(d)."""

INPUTS: Mapping[IndexedBase, Input] = {
    Q: projected("W_q", numpy.concatenate(QUERY_WEIGHTS, axis=1)),
    K: projected("W_k", numpy.concatenate(KEY_WEIGHTS, axis=1)),
    V: value(),
    theta: numbers("1 0.1"),
}
"""Four dimensions, two pairs: with a single pair both layouts are the same."""


def rotation(first: Expr, second: Expr) -> Choice:
    """Turn the pair p, whose two numbers stand at dimensions ``first`` and ``second``."""
    return Choice(
        "rotation",
        f"dimensions {first} and {second} turned by an angle",
        (
            Stage(X_q[i, p], Q[i, first] * C[i, p] - Q[i, second] * S[i, p], (n, n_p)),
            Stage(Y_q[i, p], Q[i, first] * S[i, p] + Q[i, second] * C[i, p], (n, n_p)),
            Stage(X_k[j, p], K[j, first] * C[j, p] - K[j, second] * S[j, p], (n, n_p)),
            Stage(Y_k[j, p], K[j, first] * S[j, p] + K[j, second] * C[j, p], (n, n_p)),
        ),
    )


def rotary_attention(layout: str, first: Expr, second: Expr) -> Mechanism:
    """Scaled dot-product attention of turned queries and keys; d = 2 n_p, theta (n_p)."""
    return Mechanism(
        f"attention with rotary position embeddings, {layout}",
        (ANGLES, rotation(first, second), SCORE, softmax(), weighted_sum()),
        given=(*queries_keys_values(), (theta, (n_p,))),
        relations=((n_q, n), (d, 2 * n_p)),
    )
