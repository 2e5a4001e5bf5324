"""Decoding with a cache of keys and values is causal attention, one row at a time."""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Indexed, Sum, exp, sqrt

from derive.brackets import AtMost, Equals
from derive.formula import (
    D,
    K,
    Q,
    V,
    a,
    array,
    c,
    d,
    d_v,
    i,
    j,
    k,
    n,
    n_q,
    s,
    total,
    z,
)
from derive.rewriting import fold, pull_out, rewrite, unfold
from derive.sum_rules import Known, last_apart, multiply_out, settled, up_to, up_to_one
from derive.theorems.theorem import (
    Induction,
    Kind,
    Recurrence,
    Setting,
    Theorem,
    at_this,
    chain,
    induction,
    supposed,
)
from derive.variants import causal
from derive.variants.multi_query import SHAZEER

CAUSAL = causal.VARIANT.mechanism
SCORE, WEIGHT, DENOMINATOR, CONTEXT = (CAUSAL.stage(base) for base in (s, a, D, z))
SELF = ((n_q, n),)

K_C, V_C = array("K_C"), array("V_C")
"""The cache after step i: places for n keys and values, of which the first i are filled."""


def cache(filled: Indexed, source: Indexed) -> Recurrence:
    """C_1 has row 1 of the source; C_i = C_{i-1} with row i put into its empty place."""
    earlier = filled.base[(i - 1, *filled.indices[1:])]
    size = d if filled.base == K_C else d_v
    return Recurrence(
        filled, i, Equals(j, 1) * source, earlier + Equals(j, i) * source, (n, n, size)
    )


KEYS = cache(K_C[i, j, k], K[j, k])
VALUES = cache(V_C[i, j, c], V[j, c])


def holds_what_came(title: str, made: Recurrence, source: Indexed) -> Induction:
    """Prove that the cache after step i holds the rows up to i, and nothing else."""
    goal = AtMost(j, i) * source, made.target
    return induction(
        title,
        i,
        goal,
        [
            ("from 1 on, only 1 is at most 1", up_to_one),
            ("how the cache begins, read backwards", rewrite(*reversed(made.begins))),
        ],
        [
            ("[j <= i] = [j <= i - 1] + [j = i]", last_apart(i)),
            ("multiply out", multiply_out),
            ("the statement for i - 1", supposed(goal, i)),
            ("one step of the cache, read backwards", at_this(*reversed(made.goes_on), i)),
        ],
        Setting((made,), relations=SELF),
    )


CACHED_KEYS = holds_what_came("the keys in the cache", KEYS, K[j, k])
CACHED_VALUES = holds_what_came("the values in the cache", VALUES, V[j, c])

ROW = chain(
    "a row of causal attention reads no later key",
    z[i, c],
    Sum(exp(s[i, j]) * V[j, c], (j, 1, i)) / Sum(exp(s[i, j]), (j, 1, i)),
    [
        ("the definition of z", unfold(CONTEXT)),
        ("the definition of a", unfold(WEIGHT)),
        ("D_i stands before the sum", pull_out),
        ("the definition of D", unfold(DENOMINATOR)),
        ("what is zero need not be added", up_to(Known(dict(SELF)))),
    ],
    Setting((DENOMINATOR, WEIGHT, CONTEXT), relations=SELF),
)

CACHED_SCORE = total(Q[i, k] * K_C[i, j, k], k) / sqrt(d)


def decoded(body: Expr) -> Sum:
    """Sum over the i keys that are in the cache."""
    return Sum(body, (j, 1, i))


STEP = chain(
    "one step with the cache: a query, no mask, i keys",
    decoded(exp(CACHED_SCORE) * V_C[i, j, c]) / decoded(exp(CACHED_SCORE)),
    z[i, c],
    [
        ("the keys in the cache", rewrite(*reversed(CACHED_KEYS.goal))),
        ("the values in the cache", rewrite(*reversed(CACHED_VALUES.goal))),
        ("j counts to i alone, so [j <= i] = 1", settled),
        ("the definition of s, read backwards", fold(SCORE)),
        ("a row of causal attention reads no later key", rewrite(*reversed(ROW.goal))),
    ],
    Setting(
        (SCORE, DENOMINATOR, WEIGHT, CONTEXT, KEYS, VALUES),
        relations=SELF,
        most={d: 1, d_v: 1},
    ),
)

THEOREM = Theorem(
    name="key-value-cache",
    title="Decoding token by token with a cache computes the rows of causal attention",
    statement=(
        "Step i puts key i and value i into a cache and lets query i attend, without a mask, to "
        "the i keys in it. For every i the result is row i of causal attention on all tokens."
    ),
    parts=(CACHED_KEYS, CACHED_VALUES, ROW, STEP),
    kind=Kind.EVERY,
    consequence=(
        "A new token costs one row, not a whole attention: no earlier result changes. Without the "
        "causal mask the results of earlier tokens would change with each new token, and so would "
        "the keys that the next layer makes of them."
    ),
    sources=(replace(SHAZEER, place="section 2.4"),),
    variants=("causal",),
)
