"""What is surely positive, and what is not shown to be."""

import pytest
from sympy import Integer, Mod, Rational, exp, sqrt

from derive.brackets import AtMost, Below, Equals
from derive.formula import D, Stage, a, array, d, i, j, k, largest, m, n, n_q, s, total, x
from derive.signs import KnownSigns, Sign, is_positive, settled, signs_of


@pytest.mark.parametrize(
    "expression",
    [
        exp(s[i, j]),
        exp(-m[i]),
        total(exp(s[i, j]), j),
        exp(s[i, j]) / D[i],
        exp(s[i, j]) / (D[i] + 1),
        D[i] ** -2,
        sqrt(D[i]) / sqrt(d),
        Integer(3),
        exp(s[i, j]) / n,
        total(total(exp(x[i, k]), k), j),
    ],
)
def test_shown_positive_where_D_is(expression):
    assert is_positive(expression, {D})


@pytest.mark.parametrize(
    "expression",
    [
        s[i, j],
        total(s[i, j], j),
        exp(s[i, j]) / m[i],
        exp(s[i, j]) - 1,
        -exp(s[i, j]),
        exp(s[i, j]) * Rational(-1, 2),
        x[i, k] ** 2,
        Integer(0),
        largest(s[i, j], j),
        a[i, j] * exp(s[i, j]),
    ],
)
def test_not_shown_positive(expression):
    assert not is_positive(expression, {D})


def test_without_knowing_the_denominator_nothing_is_shown():
    assert not is_positive(exp(s[i, j]) / D[i])


M = array("M")


def sign(expression, sizes=None):
    signs = KnownSigns({D: Sign.POSITIVE, m: Sign.NOT_NEGATIVE}, frozenset({M}), sizes)
    return signs.of(expression)


@pytest.mark.parametrize(
    "expression",
    [
        x[i, k] ** 2,
        total(x[i, k] ** 2, k),
        sqrt(total(x[i, k] ** 2, k)),
        AtMost(j, i) * exp(s[i, j]),
        M[i, j] * exp(s[i, j]),
        1 - M[i, j],
        AtMost(j, i) + Below(i, j) - AtMost(j, i) * Below(i, j),
        total(M[i, j] * exp(s[i, j]), j),
        m[i] / D[i],
        largest(m[i] * AtMost(i, j), j),
        Integer(0),
    ],
)
def test_not_negative(expression):
    assert sign(expression) is Sign.NOT_NEGATIVE


@pytest.mark.parametrize(
    "expression",
    [
        x[i, k] ** 3,
        s[i, j] * AtMost(j, i),
        AtMost(j, i) - Below(j, i) - M[i, j],
        1 - exp(s[i, j]),
        m[i] - m[j],
        total(s[i, j] ** 2 - 1, j),
    ],
)
def test_signs_that_are_not_shown(expression):
    assert sign(expression) is Sign.UNKNOWN


SAME = {n_q: n}


@pytest.mark.parametrize(
    ("allowed", "sizes"),
    [
        (AtMost(j, i), {}),
        (AtMost(j, i), SAME),
        (AtMost(j, i) * Below(i - 3, j), SAME),
        (Below(i - 2, j) * Below(j, i + 2), SAME),
        (AtMost(j, i) * Equals(Mod(i - j, 2), 0), SAME),
        (AtMost(j, i) + Below(i, j) * M[j], SAME),
    ],
)
def test_a_sum_with_a_term_that_surely_counts_is_positive(allowed, sizes):
    assert sign(total(allowed * exp(s[i, j]), j), sizes) is Sign.POSITIVE


@pytest.mark.parametrize(
    ("allowed", "sizes"),
    [
        (Below(j, i), SAME),
        (AtMost(j, i) * Below(i - 3, j), {}),
        (AtMost(j, i) * Below(i, j), SAME),
        (AtMost(j, i) * M[j], SAME),
    ],
)
def test_a_sum_that_may_be_empty_is_not_shown_positive(allowed, sizes):
    assert sign(total(allowed * exp(s[i, j]), j), sizes) is Sign.NOT_NEGATIVE


def test_what_is_divided_by_is_not_zero():
    assert sign(exp(s[i, j]) / total(M[i, j] * exp(s[i, j]), j)) is Sign.POSITIVE
    assert sign(1 / x[i, k] ** 2) is Sign.POSITIVE
    assert sign(1 / s[i, j]) is Sign.UNKNOWN


def test_brackets_are_settled_where_all_places_agree():
    assert settled(AtMost(i, i)) == 1
    assert settled(Below(i, i)) == 0
    assert settled(AtMost(1, i)) == 1
    assert settled(Equals(i, i + 1)) == 0
    assert settled(AtMost(j, i)) == AtMost(j, i)


def test_signs_follow_from_one_equation_to_the_next():
    stages = (
        Stage(D[i], total(exp(s[i, j]), j)),
        Stage(a[i, j], exp(s[i, j]) / D[i]),
        Stage(m[i], total(a[i, j] * x[j, 1], j)),
    )
    known = signs_of(stages).known
    assert (known[D], known[a], known[m]) == (Sign.POSITIVE, Sign.POSITIVE, Sign.UNKNOWN)
