"""The rules for sums with brackets: what each does, and where it must not be used."""

import pytest
from sympy import Integer, Sum, cos, exp, floor, sin

from derive.binding import same
from derive.brackets import AtMost, Below, Equals
from derive.derivation import Derivation, DerivationError, Step
from derive.formula import (
    FormulaError,
    array,
    c,
    d_v,
    f,
    h,
    i,
    j,
    k,
    l,
    n,
    n_h,
    n_p,
    n_q,
    p,
    s,
    total,
)
from derive.sum_rules import (
    Known,
    add_exponents,
    count_terms,
    exchange,
    last_apart,
    last_term_apart,
    multiply_out,
    pick,
    push_in,
    settled,
    split_at,
    split_axis,
    square_of_sum,
    take_exponent,
    up_to,
    up_to_one,
    whole_part,
)
from derive.theorems.checking import recheck_part, vanishes
from derive.theorems.theorem import Chain, Recurrence, Setting, at_this
from derive.theorems.turning import difference_of_angles, one_length

t, u, P, S = array("t"), array("u"), array("P"), array("S")
SELF = Known({n_q: n})
CASES = {
    "pick": (pick(), total(Equals(j, l) * t[j], j), t[l]),
    "pick inside": (pick(), Sum(total(Equals(j, l) * s[i, j], j), (l, 1, n)), total(s[i, l], l)),
    "pick by equal sizes": (pick(SELF), total(Equals(j, i) * t[j], j), t[i]),
    "pick by a whole number": (
        pick(Known(whole={P: n_p})),
        total(Equals(p, P[j]) * u[p, j], p),
        u[P[j], j],
    ),
    "up to": (up_to(SELF), total(AtMost(j, i) * t[j], j), Sum(t[j], (j, 1, i))),
    "up to one": (up_to_one, total(AtMost(j, 1) * t[j], j), total(Equals(j, 1) * t[j], j)),
    "last apart": (last_apart(i), AtMost(j, i), AtMost(j, i - 1) + Equals(j, i)),
    "last term apart": (last_term_apart(n), total(t[j], j), Sum(t[j], (j, 1, n - 1)) + t[n]),
    "exchange": (
        exchange,
        total(t[j] * total(u[j, k], k), j),
        total(total(t[j] * u[j, k], j), k),
    ),
    "push in": (
        push_in,
        total(t[j], j) * total(u[k, l], l),
        total(total(t[j] * u[k, l], l), j),
    ),
    "multiply out": (multiply_out, (t[j] + 1) ** 2, t[j] ** 2 + 2 * t[j] + 1),
    "add exponents": (add_exponents, exp(t[j] - t[k]) * exp(t[k] - t[l]), exp(t[j] - t[l])),
    "take exponent": (
        take_exponent(t[i]),
        total(exp(t[i] - u[j, k]), j),
        total(exp(t[i]) * exp(-u[j, k]), j),
    ),
    "square of a sum": (
        square_of_sum,
        total(t[j], j) ** 2,
        total(total(t[j] * t[l], l), j),
    ),
    "count terms": (count_terms, total(t[i], j), n * t[i]),
    "settled": (settled, Sum(AtMost(j, i) * t[j], (j, 1, i)), Sum(t[j], (j, 1, i))),
    "split at": (
        split_at(i, l),
        AtMost(j, i),
        AtMost(j, i) * (AtMost(j, l) + Below(l, j)),
    ),
    "split axis": (
        split_axis(n_h, d_v, h, c),
        Sum(t[f], (f, 1, n_h * d_v)),
        total(total(t[(h - 1) * d_v + c], c), h),
    ),
    "whole part": (
        whole_part(),
        total(t[floor(((h - 1) * d_v + c - 1) / d_v) + 1] * u[h, c], c),
        total(t[h] * u[h, c], c),
    ),
    "difference of angles": (
        difference_of_angles(i, j),
        cos(t[i]) * cos(t[j]),
        cos(t[i] - t[j]) - sin(t[i]) * sin(t[j]),
    ),
    "one length": (one_length, cos(t[i]) ** 2, 1 - sin(t[i]) ** 2),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_does_what_it_says(name):
    rule, before, after = CASES[name]
    assert same(rule(before), after)


UNTOUCHED = {
    "a place that may lie outside": (pick(), total(Equals(j, i) * t[j], j)),
    "a place of unknown reach": (pick(), total(Equals(p, P[j]) * u[p, j], p)),
    "a place that changes in the sum": (pick(), total(Equals(j, P[j]) * t[j], j)),
    "a sum up to another index": (pick(), Sum(Equals(j, l) * t[j], (j, 1, i))),
    "a limit that may lie outside": (up_to(), total(AtMost(j, i) * t[j], j)),
    "a limit below the sum's": (settled, Sum(AtMost(j, i - 1) * t[j], (j, 1, i))),
    "the first place of a sum that may have no term": (
        pick(),
        Sum(Equals(j, 1) * t[j], (j, 1, i - 1)),
    ),
    "the last place of a sum that may have no term": (
        pick(),
        Sum(Equals(j, i - 1) * t[j], (j, 1, i - 1)),
    ),
    "a limit of a sum that may have no term": (up_to(), Sum(AtMost(j, 1) * t[j], (j, 1, i - 1))),
    "the last term of a sum that may have none": (
        last_term_apart(i - 1),
        Sum(t[j], (j, 1, i - 1)),
    ),
    "a place of a sum that begins at 0": (
        pick(),
        Sum(total(Equals(j, l) * t[j], j), (l, 0, n)),
    ),
    "terms that differ": (count_terms, total(t[j], j)),
    "a sum whose limit is the other's index": (
        exchange,
        Sum(Sum(u[j, l], (l, 1, j)), (j, 1, n)),
    ),
    "a sum of another length": (split_axis(n_h, d_v, h, c), Sum(t[f], (f, 1, n))),
    "a remainder that may be larger": (
        whole_part(),
        total(t[floor(((h - 1) * d_v + k - 1) / d_v) + 1] * u[h, k], k),
    ),
    "a place that counts from somewhere else": (
        whole_part(),
        total(t[floor(((h - 1) * d_v + c) / d_v) + 1] * u[h, c], c),
    ),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_rule_leaves_alone_what_it_does_not_hold_for(name):
    rule, before = UNTOUCHED[name]
    assert same(rule(before), before)


def test_a_statement_about_one_place_is_used_at_that_place_alone():
    rule = at_this(S[i - 1, k], t[k], i)
    assert rule(S[i - 1, k] + S[i - 1, l]) == t[k] + t[l]
    assert rule(S[j - 1, k]) == S[j - 1, k]
    assert rule(S[i, k]) == S[i, k]


def test_a_recurrence_reads_the_place_before_alone():
    shape = (n, n_p)
    made = Recurrence(S[i, p], i, t[1], S[i - 1, p] + t[i], shape)
    assert made.begins == (S[1, p], t[1])
    for first, following in (
        (S[1, p], t[i]),
        (t[1], S[i, p]),
        (t[1], S[i + 1, p]),
        (t[1], S[p, i - 1]),
    ):
        with pytest.raises(FormulaError, match="is not made before it"):
            Recurrence(S[i, p], i, first, following, shape)
    with pytest.raises(FormulaError, match="another number of indices"):
        Recurrence(S[i, p], i, t[1], S[i - 1, p], (n,))


@pytest.mark.parametrize("last", [AtMost(j, i), Below(j, i)])
def test_a_recurrence_is_computed_row_by_row(last):
    made = Recurrence(S[i, p], i, t[1], S[i - 1, p] + t[i], (n, n_p))
    setting = Setting((made,), given=((t, (n,)),), relations=((n_q, n),))
    step = Step(S[i, p], total(last * t[j], j), "row by row")
    part = Chain("rows", Derivation((step.before, step.after), (step,)), setting)
    if isinstance(last, AtMost):
        assert "entries compared" in recheck_part(part)
    else:
        with pytest.raises(DerivationError, match="row by row"):
            recheck_part(part)


def test_turned_expressions_are_decided():
    x, y = t[1], t[2]
    assert vanishes(cos(x - y) - cos(x) * cos(y) - sin(x) * sin(y))
    assert vanishes(sin(2 * x) - 2 * sin(x) * cos(x))
    assert vanishes((cos(x) ** 2 + sin(x) ** 2) / y - 1 / y)
    assert not vanishes(cos(x + y) - cos(x) * cos(y) - sin(x) * sin(y))
    assert not vanishes(cos(x) ** 2 - sin(x) ** 2 - 1)
    assert not vanishes(Integer(1) - cos(x))
