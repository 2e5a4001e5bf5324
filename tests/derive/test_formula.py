"""Formulas as data: what is refused, and what a mechanism says about itself."""

import pytest
from sympy import Integer, Sum, Symbol, exp

from derive.attention import CROSS, MECHANISMS, SHIFTED, SOFTMAX
from derive.formula import (
    Choice,
    D,
    FormulaError,
    K,
    Largest,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    i,
    j,
    k,
    largest,
    m,
    n,
    opened,
    s,
    total,
    x,
    z,
)

W = array("W")


def mechanism(*stages: Stage) -> Mechanism:
    return Mechanism("made up", (Choice("score", "made up", stages),))


def test_a_stage_is_not_defined_by_itself():
    with pytest.raises(FormulaError, match=r"s\[i, j\] is defined by itself"):
        Stage(s[i, j], s[j, i] + 1)


def test_an_index_that_nothing_bounds_is_refused():
    with pytest.raises(FormulaError, match="nothing says what k is"):
        Stage(s[i, j], x[i, k] * x[j, k])


@pytest.mark.parametrize("indices", [(i, i), (i, Integer(1)), (i, j + 1)])
def test_a_target_has_distinct_plain_indices(indices):
    with pytest.raises(FormulaError, match="distinct plain indices"):
        Stage(s[indices], total(x[i, k] * x[j, k], k))


def test_a_stage_reads_only_what_stands_before_it():
    with pytest.raises(FormulaError, match=r"z\[i, k\] reads a before it is made"):
        mechanism(Stage(z[i, k], total(a[i, j] * x[j, k], j)))


def test_an_array_is_defined_once():
    score = Stage(s[i, j], total(x[i, k] * x[j, k], k))
    with pytest.raises(FormulaError, match="s is defined twice"):
        mechanism(score, score)
    with pytest.raises(FormulaError, match="V is defined twice"):
        mechanism(Stage(V[i, k], x[i, k]))


def test_an_equation_of_equal_sides_stays_an_equation():
    assert str(Stage(a[i, j], s[i, j])) == "a[i, j] = s[i, j]"


def test_inputs_come_in_the_order_of_their_shapes():
    assert CROSS.inputs == (Q, K, V)
    assert SOFTMAX.inputs == (x,)


def test_parts_are_found_by_role_and_array():
    assert SHIFTED.choice("normalise").title == "softmax, shifted by the largest score"
    assert SHIFTED.stage(m).value == largest(s[i, j], j)
    with pytest.raises(KeyError, match="softmax attention has no 'mask'"):
        SOFTMAX.choice("mask")
    with pytest.raises(KeyError, match="softmax attention does not define m"):
        SOFTMAX.stage(m)


def test_the_canonical_text_tells_mechanisms_apart():
    texts = {key: known.canonical() for key, known in MECHANISMS.items()}
    assert len(set(texts.values())) == len(texts)
    again = mechanism(*SOFTMAX.stages)
    assert again.canonical() == SOFTMAX.canonical()


def test_a_sum_of_sums_opens_from_the_outside():
    double = total(total(x[i, k] * W[k, c] * x[j, c], c), k)
    assert isinstance(double, Sum)
    body, index, low, high = opened(double)
    assert (index, low, high) == (k, 1, d)
    assert opened(body)[1] == c


def test_the_largest_value_is_written_out_for_numbers():
    written = Largest(s[1, j], (j, 1, 3)).doit()
    assert written.subs({s[1, 1]: 2, s[1, 2]: 7, s[1, 3]: 5}) == 7
    assert largest(s[i, j], j).doit() == largest(s[i, j], j)
    assert Largest(exp(s[1, j]), (j, 1, 1)).doit() == exp(s[1, 1])


def test_the_largest_of_a_largest_is_written_out():
    double = Largest(Largest(s[i, j], (j, 1, 2)), (i, 1, 2))
    values = {s[1, 1]: 1, s[1, 2]: 2, s[2, 1]: 4, s[2, 2]: 3}
    assert double.doit().subs(values) == 4


def test_a_bound_index_is_not_free():
    assert j not in largest(s[i, j], j).free_symbols
    assert Stage(D[i], total(exp(s[i, j]), j)).reads == {s}
    assert n in total(s[i, j], j).free_symbols
    assert Symbol("j") not in total(s[i, j], j).free_symbols
