"""Gated linear attention and state spaces as recurrences: the text decides how fast they forget."""

from __future__ import annotations

from sympy import exp

from derive.brackets import AtMost
from derive.formula import (
    K,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_v,
    i,
    j,
    k,
    l,
    n,
    n_q,
    s,
    total,
    z,
)
from derive.rewriting import distribute, fold, pull_out, rewrite, unfold
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
from derive.variants import gated_linear, state_space
from derive.variants.gated_linear import G, f

GATED = gated_linear.VARIANT.mechanism
GATES, SCORE, WEIGHT, CONTEXT = (GATED.stage(base) for base in (G, s, a, z))
SELF = ((n_q, n),)
EVERY = Known(dict(SELF))

S = array("S")
STATE = Recurrence(
    S[i, k, c],
    i,
    K[1, k] * V[1, c],
    exp(f[i, k]) * S[i - 1, k, c] + K[i, k] * V[i, c],
    (n, d, d_v),
)
"""S_i = e^(f_i) S_{i-1} + K_i V_i in each dimension of the keys, from nothing."""

SETTING = Setting(
    (GATES, SCORE, WEIGHT, CONTEXT, STATE),
    given=((Q, (n, d)), (K, (n, d)), (V, (n, d_v)), (f, (n, d))),
    relations=SELF,
)

SUMS = chain(
    "the gates up to a token, from those up to the one before",
    G[i, k],
    G[i - 1, k] + f[i, k],
    [
        ("the definition of G", unfold(GATES)),
        ("[l <= i] = [l <= i - 1] + [l = i]", last_apart(i)),
        ("one sum for each", distribute),
        ("of the second, only token i is left", pick(EVERY)),
        (
            "the definition of G for i - 1, read backwards",
            rewrite(total(AtMost(l, i - 1) * f[l, k], l), G[i - 1, k]),
        ),
    ],
    SETTING,
    {i: 2},
)
GOAL = (
    total(AtMost(j, i) * exp(G[i, k] - G[j, k]) * K[j, k] * V[j, c], j),
    S[i, k, c],
)
STATES = induction(
    "the state",
    i,
    GOAL,
    [
        ("from 1 on, only 1 is at most 1", up_to_one),
        ("only the first token is left; its gates cancel", pick()),
        ("how the state begins, read backwards", rewrite(*reversed(STATE.begins))),
    ],
    [
        ("[j <= i] = [j <= i - 1] + [j = i]", last_apart(i)),
        ("one sum for each", distribute),
        ("of the second, only token i is left; its gates cancel", pick(EVERY)),
        ("the gates up to token i", at_this(*SUMS.goal, i)),
        ("one step of decay apart: e^u = e^(f_i) e^(u - f_i)", take_exponent(f[i, k])),
        ("it does not depend on the key", pull_out),
        ("the statement for i - 1", supposed(GOAL, i)),
        ("one step of the state, read backwards", at_this(*reversed(STATE.goes_on), i)),
    ],
    SETTING,
)
OUTPUT = chain(
    "the output, from the state",
    z[i, c],
    total(Q[i, k] * S[i, k, c], k),
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

# One gate for all dimensions.

f_1, G_1 = array("f_1"), array("G_1")
"""f_1[i] is the gate of token i in every dimension, G_1[i] the sum of those up to it."""

ONE_GATE = Stage(f[i, k], f_1[i], (n, d))
STATE_SPACE = state_space.VARIANT.mechanism
DECAYS = Stage(G_1[i], total(AtMost(l, i) * f_1[l], l), (n,))
MAMBA = chain(
    "with one gate for all dimensions: the weight of Mamba-2",
    a[i, j],
    unfold(STATE_SPACE.stage(s))(rewrite(state_space.G[i], G_1[i])(STATE_SPACE.stage(a).value)),
    [
        ("the definition of a", unfold(WEIGHT)),
        ("the definition of s", unfold(SCORE)),
        ("the definition of G", unfold(GATES)),
        ("one gate for all dimensions", unfold(ONE_GATE)),
        ("the sums of the gates, read backwards", fold(DECAYS)),
        ("they do not depend on the dimension", pull_out),
    ],
    Setting(
        (ONE_GATE, GATES, SCORE, WEIGHT, DECAYS),
        given=((Q, (n, d)), (K, (n, d)), (f_1, (n,))),
        relations=SELF,
    ),
)

THEOREM = Theorem(
    name="gated-recurrent",
    title="Gated linear attention is a recurrence whose state forgets as the text decides",
    statement=(
        "The parallel form multiplies a key by all gates after it and up to the query, in each "
        "dimension on its own. The same output is the query times the state S_i = e^(f_i) S_{i-1} "
        "+ K_i V_i."
    ),
    parts=(SUMS, STATES, OUTPUT, MAMBA),
    kind=Kind.EVERY,
    consequence=(
        "The gates are known from the tokens, so they can be summed first and the whole computed "
        "in parallel; the recurrence gives the same numbers one token at a time. With one gate for "
        "all dimensions it is the state space duality of Mamba-2."
    ),
    sources=gated_linear.VARIANT.sources,
    variants=("gated-linear", "state-space"),
)
