"""Indices: no renaming captures a bound one, no length is guessed."""

import pytest
from sympy import Dummy, Sum, exp

from derive.attention import CROSS, MECHANISMS, SOFTMAX
from derive.binding import Lengths, ShapeError, at, freshen, rename, same
from derive.formula import (
    D,
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
    n,
    n_q,
    s,
    total,
    x,
    z,
)

t, W = array("t"), array("W")


def test_sympys_own_renaming_captures():
    assert Sum(s[i, j], (j, 1, n)).xreplace({i: j}) == Sum(s[j, j], (j, 1, n))


def test_a_renamed_index_is_not_captured():
    renamed = rename(total(s[i, j], j), {i: j})
    assert renamed.free_symbols >= {j}
    assert same(renamed, Sum(s[j, l], (l, 1, n)))
    assert not same(renamed, Sum(s[j, j], (j, 1, n)))


def test_two_indices_are_exchanged_at_once():
    assert rename(s[i, j], {i: j, j: i}) == s[j, i]


def test_a_bound_index_is_not_renamed():
    assert same(rename(total(s[i, j], j), {j: l}), total(s[i, j], j))


def test_renaming_reaches_under_every_sum_of_several():
    double = total(total(x[i, k] * W[k, c] * x[j, c], c), k)
    renamed = rename(double, {i: k, j: c})
    p, q = Dummy("p", integer=True), Dummy("q", integer=True)
    expected = Sum(Sum(x[k, p] * W[p, q] * x[c, q], (q, 1, d_v)), (p, 1, d))
    assert same(renamed, expected)


def test_freshen_gives_each_sum_an_index_of_its_own():
    fresh = freshen(total(s[i, j], j) * total(exp(s[i, j]), j))
    bound = [part.limits[0][0] for part in fresh.atoms(Sum)]
    assert len(set(bound)) == 2
    assert j not in bound
    assert all(index.is_positive and index.is_integer for index in bound)


def test_the_same_up_to_bound_names():
    assert same(total(s[i, j], j), Sum(s[i, l], (l, 1, n)))
    assert same(Largest(s[i, j], (j, 1, n)), Largest(s[i, l], (l, 1, n)))
    assert not same(total(s[i, j], j), total(s[j, i], i))
    assert not same(Largest(s[i, j], (j, 1, n)), Sum(s[i, j], (j, 1, n)))
    assert not same(Sum(s[i, j], (j, 1, n)), Sum(s[i, j], (j, 1, d)))


def test_a_sum_inside_a_sum_may_have_the_same_letter():
    left = total(s[i, j] * total(t[j], j), j)
    right = Sum(s[i, l] * Sum(t[k], (k, 1, n)), (l, 1, n))
    assert same(left, right)


def test_a_stage_at_other_indices():
    weight = SOFTMAX.stage(a)
    assert at(weight, (j, i)) == exp(s[j, i]) / D[j]
    context = at(CROSS.stage(z), (j, k))
    assert same(context, Sum(a[j, l] * V[l, k], (l, 1, n)))


@pytest.mark.parametrize("key", MECHANISMS)
def test_the_symbolic_shapes_of_every_stage(key):
    mechanism = MECHANISMS[key]
    given = {x: (n, d), Q: (n_q, d), K: (n, d), V: (n, d_v)}
    shapes = (
        Lengths({base: given[base] for base in mechanism.inputs}).learn(mechanism.stages).shapes
    )
    rows = n_q if key == "cross" else n
    assert shapes[s] == shapes[a] == (rows, n)
    assert shapes[z] == ((rows, d_v) if key == "cross" else (rows, d))


def test_lengths_come_from_the_arrays():
    lengths = Lengths({Q: (2, 4), K: (5, 4), V: (5, 3)}).learn(CROSS.stages)
    assert lengths.shapes[s] == (2, 5)
    assert lengths.shapes[D] == (2,)
    assert lengths.shapes[z] == (2, 3)
    assert (lengths[n], lengths[d]) == (5, 4)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({Q: (2, 4), K: (5, 3), V: (5, 3)}, "k counts to 3 in one place, 4 in another"),
        ({Q: (2, 4), K: (5, 4), V: (6, 3)}, "j counts to 6 in one place, 5 in another"),
        ({Q: (2, 4), K: (5, 4)}, "no array was given for V"),
        ({Q: (2, 4, 1), K: (5, 4), V: (5, 3)}, "Q has 3 axes, but Q.i, k. names 2"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(shapes, message):
    with pytest.raises(ShapeError, match=message):
        Lengths(shapes).learn(CROSS.stages)


def test_an_index_without_a_length_is_refused():
    with pytest.raises(ShapeError, match="nothing bounds the index j"):
        Lengths({t: (3,)}).learn([Stage(a[i, j], t[i])])


def test_a_bound_letter_does_not_lend_its_length_to_a_free_one():
    other = array("u")
    stage = Stage(a[i, j], other[j] + Sum(t[j], (j, 1, n)) * s[i, j])
    lengths = Lengths({other: (5,), t: (3,), s: (2, 5)}).learn([stage])
    assert lengths.shapes[a] == (2, 5)
    assert lengths[n] == 3


def test_sizes_may_be_assumed_and_contradicted():
    lengths = Lengths({x: (4, 2)}).assume({d: 3})
    with pytest.raises(ShapeError, match="d counts to 3 in one place, 2 in another"):
        lengths.learn(SOFTMAX.stages)
