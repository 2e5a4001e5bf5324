"""One interpreter, many algebras: written out, exact, in many digits, in sure intervals.

The independent side is SymPy's: integers for sizes and indices, then ``Sum.doit``; and its own
matrix products.
"""

from fractions import Fraction
from itertools import product

import numpy
import pytest
import sympy
from sympy import Add, IndexedBase, Integer, Matrix, Pow, Rational, Sum, Symbol, exp, log, sqrt

from derive.algebras.decimal import LARGEST_EXPONENT, Decimal
from derive.algebras.exact import Exact, NotRational
from derive.algebras.interval import Interval
from derive.algebras.symbolic import Symbolic
from derive.attention import CROSS, MECHANISMS, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.binding import ShapeError
from derive.elements import Elements, UnknownNode, ordered_factors, ordered_terms, split_quotient
from derive.formula import (
    D,
    FormulaError,
    K,
    Largest,
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
    m,
    n,
    n_q,
    s,
    total,
    x,
    z,
)
from derive.written_out import named_entries, self_attention_shapes, with_named_pieces

SIZES = list(product(range(1, 5), range(1, 4)))
t = array("t")


def by_sympy(stage: Stage, position: tuple[int, ...], sizes: dict[Symbol, int]) -> sympy.Expr:
    """Write one entry out with nothing but SymPy: numbers for letters, then ``doit``."""
    places = {index: Integer(p) for index, p in zip(stage.target.indices, position, strict=True)}
    return stage.value.subs({**places, **sizes}).doit()


@pytest.mark.parametrize("key", MECHANISMS)
@pytest.mark.parametrize(("tokens", "dimensions"), SIZES)
def test_the_index_form_and_the_written_out_form_agree(key, tokens, dimensions):
    mechanism = MECHANISMS[key]
    sizes = {n: tokens, n_q: tokens, d: dimensions, d_v: dimensions}
    written = with_named_pieces(mechanism, self_attention_shapes(mechanism, tokens, dimensions))
    for stage in mechanism.stages:
        entries = written[stage.array]
        for place in numpy.ndindex(*entries.shape):
            expected = by_sympy(stage, tuple(p + 1 for p in place), sizes)
            assert entries[place] == expected, stage


def test_entries_agree_where_queries_and_keys_differ_in_number():
    sizes = {n_q: 2, n: 3, d: 2, d_v: 1}
    written = with_named_pieces(CROSS, {Q: (2, 2), K: (3, 2), V: (3, 1)})
    assert [written[base].shape for base in (s, D, a, z)] == [(2, 3), (2,), (2, 3), (2, 1)]
    for stage in CROSS.stages:
        for place in numpy.ndindex(*written[stage.array].shape):
            expected = by_sympy(stage, tuple(p + 1 for p in place), sizes)
            assert written[stage.array][place] == expected


@pytest.mark.parametrize(("tokens", "dimensions"), SIZES)
def test_scores_and_contexts_are_sympys_matrix_products(tokens, dimensions):
    X = Matrix(tokens, dimensions, lambda row, column: x[row + 1, column + 1])
    weights = Matrix(tokens, tokens, lambda row, column: a[row + 1, column + 1])
    written = with_named_pieces(SOFTMAX, {x: (tokens, dimensions)})
    assert Matrix(written[s]) == X * X.T
    assert Matrix(written[z]) == weights * X


def test_queries_keys_and_values_are_sympys_matrix_products():
    def matrix(base: IndexedBase, rows: int, columns: int) -> Matrix:
        return Matrix(named_entries(base, (rows, columns)))

    written = with_named_pieces(CROSS, {Q: (2, 3), K: (4, 3), V: (4, 2)})
    assert Matrix(written[s]) == matrix(Q, 2, 3) * matrix(K, 4, 3).T
    assert Matrix(written[z]) == matrix(a, 2, 4) * matrix(V, 4, 2)


NUMBERS = numpy.array(
    [[Fraction(1, 2), Fraction(-3)], [Fraction(2), Fraction(1, 3)], [Fraction(0), Fraction(1)]],
    dtype=object,
)


def converted(convert):
    return numpy.vectorize(convert, otypes=[object])(NUMBERS)


def read(mechanism, algebra):
    given = {x: converted(lambda value: algebra.number(Rational(value)))}
    return Elements(algebra, given).run(mechanism.stages)


@pytest.mark.parametrize("key", ["raw", "sum", "softmax", "shifted", "scaled"])
def test_every_algebra_gives_the_same_value(key):
    mechanism = MECHANISMS[key]
    symbolic = read(mechanism, Symbolic())
    decimal, interval = read(mechanism, Decimal()), read(mechanism, Interval())
    for stage in mechanism.stages:
        for place in numpy.ndindex(*symbolic[stage.array].shape):
            exact = sympy.N(symbolic[stage.array][place], 60)
            assert abs(decimal[stage.array][place] - exact) < Rational(1, 10**45)
            sure = interval[stage.array][place]
            low, high = (sympy.Float(end._mpi_[0], 40) for end in (sure.a, sure.b))
            assert low <= exact <= high
            assert high - low < Rational(1, 10**20)


def test_fractions_stay_exact():
    exact = read(SUM_NORMALISED, Exact())
    symbolic = read(SUM_NORMALISED, Symbolic())
    assert all(isinstance(value, Fraction) for value in exact[z].flat)
    assert [Rational(value) for value in exact[z].flat] == list(symbolic[z].flat)


@pytest.mark.parametrize("mechanism", [SOFTMAX, SCALED])
def test_exact_arithmetic_has_no_exponential_and_no_root(mechanism):
    with pytest.raises(NotRational):
        read(mechanism, Exact())


@pytest.mark.parametrize("algebra", [Symbolic(), Exact(), Decimal(), Interval()])
def test_division_by_zero_is_raised(algebra):
    zeros = numpy.full((2, 1), algebra.number(Integer(0)), dtype=object)
    with pytest.raises(ZeroDivisionError):
        Elements(algebra, {x: zeros}).run(SUM_NORMALISED.stages)


def test_an_interval_that_may_be_zero_is_no_denominator():
    interval = Interval()
    around = interval.context.mpf([-1, 1])
    with pytest.raises(ZeroDivisionError, match="may be zero"):
        interval.divide(interval.number(Rational(1)), around)


def test_the_largest_of_intervals_may_be_either():
    interval = Interval()
    found = interval.largest([interval.context.mpf([0, 3]), interval.context.mpf([1, 2])])
    assert (float(found.a), float(found.b)) == (1, 3)


def test_an_exponential_that_nobody_can_write_is_refused():
    decimal = Decimal()
    decimal.exp(decimal.number(Integer(LARGEST_EXPONENT)))
    with pytest.raises(OverflowError):
        decimal.exp(decimal.number(Integer(-LARGEST_EXPONENT - 1)))


def test_the_shifted_form_never_raises_e_to_more_than_0():
    symbolic = read(SHIFTED, Symbolic())
    assert all(max(row) == top for row, top in zip(symbolic[s], symbolic[m], strict=True))


@pytest.mark.parametrize("unknown", [log(s[i, j]), s[i, j] ** Rational(3, 2), sympy.E, sympy.pi])
def test_an_unknown_operation_is_refused(unknown):
    elements = Elements(Symbolic(), {s: named_entries(s, (1, 1))})
    with pytest.raises(UnknownNode, match="rewrite it with those"):
        elements.value(unknown + s[i, j], {i: 1, j: 1})


def test_an_unknown_size_is_refused():
    with pytest.raises(UnknownNode, match="Symbol in d"):
        Elements(Symbolic(), {s: named_entries(s, (1, 1))}).value(s[i, j] * d, {i: 1, j: 1})


@pytest.mark.parametrize(
    ("entry", "where", "message"),
    [
        (s[i, j], {i: 1, j: 3}, r"s\[1, 3\] lies outside its shape \(2, 2\)"),
        (s[i, j], {i: 0, j: 1}, "lies outside"),
        (s[i, j + 1], {i: 1, j: 2}, "lies outside"),
        (s[i, j], {i: 1}, "nothing says which entry the index j means"),
        (s[i], {i: 1}, "names 1 axes, s has 2"),
        (t[i], {i: 1}, "no array was given for t"),
    ],
)
def test_an_entry_that_is_not_there_is_refused(entry, where, message):
    elements = Elements(Symbolic(), {s: named_entries(s, (2, 2))})
    with pytest.raises(FormulaError, match=message):
        elements.value(entry, where)


def test_a_sum_over_more_than_the_array_holds_is_refused():
    with pytest.raises(ShapeError):
        Elements(Symbolic(), {t: named_entries(t, (2,))}).value(Sum(t[j], (j, 1, 3)), {})


def test_a_sum_may_end_at_an_outer_index():
    elements = Elements(Symbolic(), {s: named_entries(s, (3, 3))})
    causal = elements.stage(Stage(D[i], Sum(s[i, j], (j, 1, i))))
    assert causal[1] == s[2, 1] + s[2, 2]
    assert causal[2] == s[3, 1] + s[3, 2] + s[3, 3]


def test_a_sum_of_sums_is_a_sum_over_both():
    W = array("W")
    bilinear = Stage(s[i, j], total(total(x[i, k] * W[k, c] * x[j, c], c), k))
    given = {x: named_entries(x, (2, 2)), W: named_entries(W, (2, 2))}
    X, middle = Matrix(given[x]), Matrix(given[W])
    entries = Matrix(Elements(Symbolic(), given).stage(bilinear))
    assert (entries - X * middle * X.T).expand() == sympy.zeros(2, 2)


def test_sums_of_one_letter_inside_each_other_are_kept_apart():
    stage = Stage(D[i], total(s[i, j] * total(t[j], j), j))
    written = Elements(Symbolic(), {s: named_entries(s, (1, 2)), t: named_entries(t, (2,))})
    both = t[1] + t[2]
    assert sympy.expand(written.stage(stage)[0] - (s[1, 1] * both + s[1, 2] * both)) == 0


def test_powers():
    elements = Elements(Exact(), {t: numpy.array([Fraction(2), Fraction(3)], dtype=object)})
    assert elements.value(t[i] ** 3, {i: 2}) == 27
    assert elements.value(t[i] ** -2, {i: 1}) == Fraction(1, 4)
    assert elements.value(-t[i] / 6, {i: 1}) == Fraction(-1, 3)
    assert elements.value(Largest(t[j], (j, 1, 2)), {}) == 3


def test_factors_come_in_the_order_of_the_targets_indices():
    assert ordered_factors(K[j, k] * Q[i, k], (i, j)) == (Q[i, k], K[j, k])
    assert ordered_factors(2 * V[j, c] * a[i, j], (i, c)) == (2, a[i, j], V[j, c])
    assert ordered_factors(a[i, j] * total(x[j, k], k), (i, j))[-1] == total(x[j, k], k)


def test_terms_with_a_minus_sign_come_last():
    assert ordered_terms(Add(-s[i, j], t[i])) == [t[i], -s[i, j]]


def test_a_product_is_split_at_the_fraction_line():
    above, below = split_quotient([Rational(2, 3), exp(s[i, l]), 1 / D[i], Pow(d, -sqrt(1) / 2)])
    assert above == [2, exp(s[i, l])]
    assert below == [3, D[i], sqrt(d)]
