"""Heads are made by cutting one projection, and merged by putting them side by side."""

from __future__ import annotations

from sympy import Sum, floor

from derive.formula import (
    Q,
    Stage,
    array,
    c,
    d,
    d_e,
    d_f,
    d_v,
    e,
    f,
    h,
    i,
    k,
    n_h,
    n_q,
    p,
    total,
    x,
    z,
)
from derive.rewriting import fold, unfold
from derive.scaled_dot_product import W_o, W_q, o
from derive.sum_rules import instead, split_axis, whole_part
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import multi_head

HEADS = multi_head.VARIANT.mechanism
PROJECTION, OUTPUT = HEADS.stage(Q), HEADS.stage(o)

Y, Z, W_h, O_h = array("Y"), array("Z"), array("W_h"), array("O_h")

ONE_MAP = Stage(Y[i, p], total(x[i, e] * W_q[p, e], e), (n_q, n_h * d))
"""One linear map with rows for all heads."""

OWN_ROWS = Stage(W_h[h, k, e], W_q[(h - 1) * d + k, e], (n_h, d, d_e))
"""The rows of head h."""

SIDE_BY_SIDE = Stage(
    Z[i, p], z[floor((p - 1) / d_v) + 1, i, p - d_v * floor((p - 1) / d_v)], (n_q, n_h * d_v)
)
"""The results of all heads, one after the other."""

OWN_PART = Stage(O_h[h, i, f], total(W_o[f, (h - 1) * d_v + c] * z[h, i, c], c), (n_h, n_q, d_f))
"""What head h adds to the output: its own columns of W_o."""

GIVEN = (
    (x, (n_q, d_e)),
    (W_q, (n_h * d, d_e)),
    (W_o, (d_f, n_h * d_v)),
    (z, (n_h, n_q, d_v)),
)
SETTING = Setting((ONE_MAP, OWN_ROWS, SIDE_BY_SIDE, OWN_PART, PROJECTION, OUTPUT), given=GIVEN)

ROW = (h - 1) * d + k
CUT = chain(
    "a head's query is a piece of one long query",
    Y[i, ROW],
    Q[h, i, k],
    [
        (
            "the one map, at the row of head h and dimension k",
            instead(Y[i, ROW], total(x[i, e] * W_q[ROW, e], e)),
        ),
        ("the query of head h, read backwards", fold(PROJECTION)),
    ],
    SETTING,
)
SINGLE = chain(
    "a head is a single attention with rows of its own",
    total(x[i, e] * W_h[h, k, e], e),
    Q[h, i, k],
    [
        ("the rows of head h", unfold(OWN_ROWS)),
        ("the query of head h, read backwards", fold(PROJECTION)),
    ],
    SETTING,
)
MERGED = chain(
    "one map of the heads side by side",
    Sum(W_o[f, p] * Z[i, p], (p, 1, n_h * d_v)),
    o[i, f],
    [
        ("the heads side by side", unfold(SIDE_BY_SIDE)),
        ("count head by head: p = (h - 1) d_v + c", split_axis(n_h, d_v, h, c)),
        ("the whole part of (p - 1) / d_v is h - 1", whole_part()),
        ("the output of the heads, read backwards", fold(OUTPUT)),
    ],
    SETTING,
)
ADDED = chain(
    "each head adds a part of its own",
    o[i, f],
    total(O_h[h, i, f], h),
    [
        ("the output of the heads", unfold(OUTPUT)),
        ("what head h adds, read backwards", fold(OWN_PART)),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="split-and-merge",
    title="Multi-head attention is a stack of single attentions whose results are added",
    statement=(
        "Cutting the result of one projection into pieces gives each head the query that its own "
        "rows of W_q give; keys and values likewise. Putting the results of the heads side by side "
        "and mapping them by W_o is adding up, head by head, the result times the head's own "
        "columns of W_o."
    ),
    parts=(CUT, SINGLE, MERGED, ADDED),
    kind=Kind.EVERY,
    consequence=(
        "Heads need no new operation: one large product and a change of shape do it. A head can be "
        "left out by leaving out its rows and columns."
    ),
    sources=multi_head.VARIANT.sources,
    variants=("multi-head",),
)
