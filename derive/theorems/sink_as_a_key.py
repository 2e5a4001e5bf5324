"""An attention sink is one more key whose value is zero."""

from __future__ import annotations

from sympy import Expr, Integer, Sum, exp

from derive.brackets import AtMost, Equals
from derive.formula import (
    D,
    Stage,
    V,
    a,
    array,
    c,
    d_v,
    h,
    i,
    j,
    l,
    n,
    n_h,
    n_q,
    s,
    total,
    z,
)
from derive.rewriting import pull_out, rewrite, unfold
from derive.sum_rules import last_term_apart
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import sink, softmax_plus_one
from derive.variants.sink import b

SINK = sink.VARIANT.mechanism
DENOMINATOR, WEIGHT, CONTEXT = (SINK.stage(base) for base in (D, a, z))

t, U, s_m, V_m = array("t"), array("U"), array("s_m"), array("V_m")
"""s_m and V_m are scores and values of n + 1 keys; t and U may be anything."""

MORE_SCORES = Stage(
    s_m[h, i, j], AtMost(j, n) * t[h, i, j] + Equals(j, n + 1) * b[h], (n_h, n_q, n + 1)
)
MORE_VALUES = Stage(V_m[h, j, c], AtMost(j, n) * U[h, j, c], (n_h, n + 1, d_v))
"""The last score is the sink's number, the last value zero."""

SCORES = Stage(s[h, i, j], t[h, i, j], (n_h, n_q, n))
VALUES = Stage(V[h, j, c], U[h, j, c], (n_h, n, d_v))
"""The first n keys are those of the mechanism."""

SETTING = Setting(
    (MORE_SCORES, MORE_VALUES, SCORES, VALUES, DENOMINATOR, WEIGHT, CONTEXT),
    given=((t, (n_h, n_q, n + 1)), (U, (n_h, n + 1, d_v)), (b, (n_h,))),
    most={n: 2},
)


def over_all(body: Expr) -> Sum:
    """Sum over the n keys and the one that is added."""
    return Sum(body, (j, 1, n + 1))


QUOTIENT = total(exp(s[h, i, j]) * V[h, j, c], j) / (exp(b[h]) + total(exp(s[h, i, l]), l))

OUTPUT = chain(
    "attention with a sink",
    z[h, i, c],
    QUOTIENT,
    [
        ("the definition of z", unfold(CONTEXT)),
        ("the definition of a", unfold(WEIGHT)),
        ("the denominator stands before the sum", pull_out),
        ("the definition of D: the sink counts in it", unfold(DENOMINATOR)),
    ],
    SETTING,
)
ONE_KEY_MORE = chain(
    "softmax attention over one key more",
    over_all(exp(s_m[h, i, j]) * V_m[h, j, c]) / over_all(exp(s_m[h, i, j])),
    QUOTIENT,
    [
        ("the last key apart", last_term_apart(n + 1)),
        ("its value is zero", rewrite(V_m[h, n + 1, c], Integer(0))),
        ("its score is the sink's number", rewrite(s_m[h, i, n + 1], b[h])),
        ("the scores of the other keys", rewrite(s_m[h, i, j], s[h, i, j])),
        ("the values of the other keys", rewrite(V_m[h, j, c], V[h, j, c])),
    ],
    SETTING,
)

PLUS_ONE = softmax_plus_one.VARIANT.mechanism.stage(D)
ZERO_SINK = chain(
    "softmax plus one is the sink of the number zero",
    exp(Integer(0)) + total(exp(s[i, j]), j),
    D[i],
    [("e^0 = 1: the definition of D, read backwards", rewrite(PLUS_ONE.value, D[i]))],
    Setting((PLUS_ONE,)),
)

THEOREM = Theorem(
    name="sink-as-a-key",
    title="An attention sink is one more key, whose value is zero",
    statement=(
        "A sink adds e^b to the denominator of each row. The output is that of plain softmax "
        "attention over n + 1 keys, of which the last has the score b for every query and the "
        "value zero. Softmax plus one is the sink with b = 0."
    ),
    parts=(OUTPUT, ONE_KEY_MORE, ZERO_SINK),
    kind=Kind.EVERY,
    consequence=(
        "A query that finds nothing can put its weight on the sink, so that its result is nearly "
        "zero. A kernel for softmax attention computes it if it is given one key more, with score "
        "b and value zero."
    ),
    sources=(*sink.VARIANT.sources, *softmax_plus_one.VARIANT.sources),
    variants=("sink", "softmax-plus-one"),
)
