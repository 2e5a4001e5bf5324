"""What is surely positive, and what is not shown to be."""

import pytest
from sympy import Integer, Rational, exp, sqrt

from derive.formula import D, a, d, i, j, k, largest, m, n, s, total, x
from derive.signs import is_positive


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
