"""Grouped-query attention is multi-head attention with repeated keys; multi-query has one group."""

from __future__ import annotations

from dataclasses import replace

from sympy import IndexedBase, Integer, floor

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
    h,
    i,
    j,
    k,
    n,
    n_g,
    n_h,
    n_q,
    s,
    z,
)
from derive.rewriting import fold, rewrite, unfold
from derive.scaled_dot_product import r
from derive.sum_rules import whole_part
from derive.theorems.theorem import Chain, Kind, Setting, Theorem, chain
from derive.variants import grouped_query, multi_head, multi_query

GROUPED, HEADS = grouped_query.VARIANT.mechanism, multi_head.VARIANT.mechanism
SCORE, CONTEXT = GROUPED.stage(s), GROUPED.stage(z)

GROUP = floor((h - 1) / r) + 1
"""The group of head h: r heads in a row share one."""

K_r, V_r = array("K_r"), array("V_r")
"""Each key and value r times, so that every head has its own."""

KEYS = Stage(K_r[h, j, k], K[GROUP, j, k], (n_h, n, d))
VALUES = Stage(V_r[h, j, c], V[GROUP, j, c], (n_h, n, d_v))
SETTING = Setting(
    (KEYS, VALUES, SCORE, CONTEXT),
    given=(
        (Q, (n_h, n_q, d)),
        (K, (n_g, n, d)),
        (V, (n_g, n, d_v)),
        (a, (n_h, n_q, n)),
    ),
    relations=((n_h, r * n_g),),
)

REPEATED_KEYS = chain(
    "the scores of multi-head attention with repeated keys",
    rewrite(K[h, j, k], K_r[h, j, k])(HEADS.stage(s).value),
    s[h, i, j],
    [
        ("a repeated key is that of the head's group", unfold(KEYS)),
        ("the grouped score, read backwards", fold(SCORE)),
    ],
    SETTING,
)
REPEATED_VALUES = chain(
    "the weighted sum of multi-head attention with repeated values",
    rewrite(V[h, j, c], V_r[h, j, c])(HEADS.stage(z).value),
    z[h, i, c],
    [
        ("a repeated value is that of the head's group", unfold(VALUES)),
        ("the grouped weighted sum, read backwards", fold(CONTEXT)),
    ],
    SETTING,
)

ONE, V_one = array("K_1"), array("V_1")
"""The only key and the only value for each token."""

ONE_KEY = Stage(ONE[j, k], K[1, j, k])
ONE_VALUE = Stage(V_one[j, c], V[1, j, c])
ONE_GROUP = Setting(
    (ONE_KEY, ONE_VALUE),
    given=SETTING.given,
    most={n_g: 1},
)
ONE_GROUP_KEYS = chain(
    "with one group, r = n_h: the scores of multi-query attention",
    SCORE.value.xreplace({r: n_h}),
    rewrite(K[j, k], ONE[j, k])(multi_query.VARIANT.mechanism.stage(s).value),
    [
        ("every head is in group 1", whole_part()),
        ("the only key, read backwards", fold(ONE_KEY)),
    ],
    ONE_GROUP,
)
ONE_GROUP_VALUES = chain(
    "with one group: the weighted sum of multi-query attention",
    CONTEXT.value.xreplace({r: n_h}),
    rewrite(V[j, c], V_one[j, c])(multi_query.VARIANT.mechanism.stage(z).value),
    [
        ("every head is in group 1", whole_part()),
        ("the only value, read backwards", fold(ONE_VALUE)),
    ],
    ONE_GROUP,
)

OWN_GROUPS = Setting(
    given=((Q, (n_h, n_q, d)), (K, (n_h, n, d)), (V, (n_h, n, d_v)), SETTING.given[3])
)
"""As many groups as heads."""


def own_group(title: str, base: IndexedBase) -> Chain:
    """With r = 1 an equation of grouped-query attention is that of multi-head attention."""
    grouped = Stage(GROUPED.stage(base).target, GROUPED.stage(base).value.xreplace({r: Integer(1)}))
    setting = replace(OWN_GROUPS, definitions=(grouped,))
    steps = [("floor(h - 1) + 1 = h: every head is a group of its own", unfold(grouped))]
    return chain(title, grouped.target, HEADS.stage(base).value, steps, setting)


OWN_KEYS = own_group("with a group for each head, r = 1: the scores of multi-head attention", s)
OWN_VALUES = own_group("with a group for each head: the weighted sum of multi-head attention", z)

THEOREM = Theorem(
    name="grouped-heads",
    title="Grouped-query attention is multi-head attention with repeated keys and values",
    statement=(
        "Repeat each key and value for the r heads of its group: multi-head attention with them "
        "is grouped-query attention. With one group for all heads it is multi-query attention; "
        "with a group for each head, r = 1, it is multi-head attention itself."
    ),
    parts=(
        REPEATED_KEYS,
        REPEATED_VALUES,
        ONE_GROUP_KEYS,
        ONE_GROUP_VALUES,
        OWN_KEYS,
        OWN_VALUES,
    ),
    kind=Kind.EVERY,
    consequence=(
        "A cache holds n_g keys and values for each token instead of n_h. A kernel for multi-head "
        "attention computes all three, if it is given the keys and values repeated."
    ),
    sources=(*grouped_query.VARIANT.sources, *multi_query.VARIANT.sources),
    variants=("grouped-query", "multi-query", "multi-head"),
)
