"""Retention as a recurrence: at each token the state decays and takes in one key and value."""

from __future__ import annotations

from sympy import exp

from derive.brackets import AtMost
from derive.formula import K, Q, V, a, array, c, d, d_v, h, i, j, k, n, n_h, n_q, s, total, z
from derive.rewriting import distribute, pull_out, rewrite, unfold
from derive.sum_rules import (
    Known,
    exchange,
    last_apart,
    pick,
    push_in,
    take_exponent,
    up_to_one,
)
from derive.theorems.theorem import (
    Kind,
    Recurrence,
    Setting,
    Theorem,
    at_this,
    chain,
    induction,
    supposed,
)
from derive.variants import retention
from derive.variants.retention import g

RETENTION = retention.VARIANT.mechanism
SCORE, WEIGHT, CONTEXT = (RETENTION.stage(base) for base in (s, a, z))
SELF = ((n_q, n),)

S = array("S")
STATE = Recurrence(
    S[h, i, k, c],
    i,
    K[h, 1, k] * V[h, 1, c],
    exp(g[h]) * S[h, i - 1, k, c] + K[h, i, k] * V[h, i, c],
    (n_h, n, d, d_v),
)
"""S_i = e^g S_{i-1} + K_i V_i for each head, from nothing."""

SETTING = Setting(
    (SCORE, WEIGHT, CONTEXT, STATE),
    given=((Q, (n_h, n, d)), (K, (n_h, n, d)), (V, (n_h, n, d_v)), (g, (n_h,))),
    relations=SELF,
)

GOAL = (
    total(AtMost(j, i) * exp(g[h] * (i - j)) * K[h, j, k] * V[h, j, c], j),
    S[h, i, k, c],
)
STATES = induction(
    "the state",
    i,
    GOAL,
    [
        ("from 1 on, only 1 is at most 1", up_to_one),
        ("only the first token is left, without decay", pick()),
        ("how the state begins, read backwards", rewrite(*reversed(STATE.begins))),
    ],
    [
        ("[j <= i] = [j <= i - 1] + [j = i]", last_apart(i)),
        ("one sum for each", distribute),
        ("of the second, only token i is left, without decay", pick(Known(dict(SELF)))),
        ("one step of decay apart: e^u = e^g e^(u - g)", take_exponent(g[h])),
        ("it does not depend on the key", pull_out),
        ("the statement for i - 1", supposed(GOAL, i)),
        ("one step of the state, read backwards", at_this(*reversed(STATE.goes_on), i)),
    ],
    SETTING,
)
OUTPUT = chain(
    "the output, from the state",
    z[h, i, c],
    total(Q[h, i, k] * S[h, i, k, c], k),
    [
        ("the definition of z", unfold(CONTEXT)),
        ("the definition of a", unfold(WEIGHT)),
        ("the definition of s", unfold(SCORE)),
        ("all under one sum", push_in),
        ("finite sums may be taken in either order", exchange),
        ("the query does not depend on the key", pull_out),
        ("the state", rewrite(*STATES.goal)),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="retention-recurrent",
    title="Retention is a recurrence: the state decays by one factor per token",
    statement=(
        "The parallel form weighs a key that lies i - j tokens back by e^(g (i - j)). The same "
        "output is the query times the state S_i = e^g S_{i-1} + K_i V_i."
    ),
    parts=(STATES, OUTPUT),
    kind=Kind.EVERY,
    consequence=(
        "Training is parallel; decoding takes the same time and memory for each token, however "
        "long the text is. With a decay below 1, old tokens fade."
    ),
    sources=retention.VARIANT.sources,
    variants=("retention",),
)
