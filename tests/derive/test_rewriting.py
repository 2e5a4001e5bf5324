"""Rewriting rules: each on cases where it applies, and never capturing an index."""

import pytest
from sympy import Dummy, Integer, Sum, exp

from derive.attention import SHIFTED, SOFTMAX
from derive.binding import same
from derive.formula import (
    D,
    FormulaError,
    K,
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
    l,
    m,
    n,
    s,
    total,
    x,
    z,
)
from derive.rewriting import (
    distribute,
    exactly,
    fold,
    pull_out,
    rewrite,
    split_exponentials,
    unfold,
    with_letters,
)

t, u, b, W = array("t"), array("u"), array("b"), array("W")


def test_rewrite_replaces_every_instance_at_any_index():
    rule = rewrite(t[i], u[i] + 1)
    assert rule(t[j] * exp(t[k])) == (u[j] + 1) * exp(u[k] + 1)
    assert same(rule(total(t[j], j)), total(u[j] + 1, j))


def test_rewrite_reads_one_letter_as_one_index():
    rule = rewrite(s[i, i], t[i])
    assert rule(s[j, j]) == t[j]
    assert rule(s[i, j]) == s[i, j]


def test_rewrite_matches_a_sum_under_other_letters():
    rule = rewrite(total(s[i, j], j), D[i])
    assert rule(Sum(s[k, l], (l, 1, n))) == D[k]
    for other in (Sum(s[k, l], (l, 1, d)), Sum(s[l, k], (l, 1, n))):
        assert same(rule(other), other)


def test_a_bound_index_is_not_an_instance_of_a_free_one():
    # With i as j this would read sum_j s[j, j], which is no D of anything.
    rule = rewrite(total(s[i, j], j), D[i])
    trace = total(s[j, j], j)
    assert same(rule(trace), trace)


def test_rewrite_does_not_capture_the_index_it_puts_in():
    rule = rewrite(D[i], total(s[i, j], j))
    found = rule(t[j] / D[j])
    assert same(found, t[j] / Sum(s[j, l], (l, 1, n)))
    assert same(rule(total(D[j], j)), Sum(Sum(s[j, l], (l, 1, n)), (j, 1, n)))


def test_rewrite_finds_terms_and_factors_in_any_order():
    assert rewrite(t[i] * u[j], s[i, j])(u[l] * t[k]) == s[k, l]
    assert rewrite(t[i] - u[j], s[i, j])(t[k] - u[l]) == s[k, l]


def test_a_right_side_with_an_index_from_nowhere_is_refused():
    with pytest.raises(FormulaError, match="the left side does not say what j is"):
        rewrite(t[i], s[i, j])


def test_rewrite_matches_a_sum_over_two_indices():
    double = total(total(x[i, k] * W[k, c] * x[j, c], c), k)
    assert rewrite(double, s[i, j])(exp(double)) == exp(s[i, j])


def test_unfold_and_fold_are_inverse():
    weight = SOFTMAX.stage(a)
    assert unfold(weight)(a[j, k]) == exp(s[j, k]) / D[j]
    assert fold(weight)(exp(s[j, k]) / D[j]) == a[j, k]
    assert same(unfold(SHIFTED.stage(D))(D[j]), total(exp(s[j, l] - m[j]), l))


def test_split_exponentials():
    assert split_exponentials(exp(t[i] + u[j])) == exp(t[i]) * exp(u[j])
    assert same(
        split_exponentials(total(exp(s[i, j] - m[i]), j)),
        total(exp(s[i, j]) * exp(-m[i]), j),
    )


def test_pull_out_takes_only_what_does_not_depend_on_the_index():
    assert same(pull_out(total(t[i] * s[i, j] / D[i], j)), t[i] / D[i] * total(s[i, j], j))
    assert same(pull_out(total(t[j] * s[i, j], j)), total(t[j] * s[i, j], j))
    assert same(pull_out(total(a[i, j] * 3, j)), 3 * total(a[i, j], j))


def test_pull_out_does_not_take_a_free_index_for_a_bound_one():
    found = pull_out(t[j] * total(t[j] * s[i, j], j))
    assert same(found, t[j] * Sum(t[l] * s[i, l], (l, 1, n)))


def test_pull_out_reaches_the_inner_of_two_sums():
    double = total(total(x[i, k] * W[k, c] * x[j, c], c), k)
    expected = total(x[i, k] * total(W[k, c] * x[j, c], c), k)
    assert same(pull_out(double), expected)


def test_distribute():
    found = distribute(total(a[i, j] * (b[k] - x[j, k]), j))
    assert same(found, total(a[i, j] * b[k], j) - total(a[i, j] * x[j, k], j))


def test_exactly_applies_to_these_indices_alone():
    rule = exactly(Stage(s[j, i], total(Q[i, k] * K[j, k], k)))
    assert rule(total(Q[i, l] * K[j, l], l).subs(n, d)) == s[j, i]
    other = total(Q[l, k] * K[j, k], k)
    assert same(rule(other), other)


def test_letters_are_readable_and_distinct():
    fresh = Dummy("j", integer=True, positive=True)
    inner = Dummy("j", integer=True, positive=True)
    nested = Sum(s[i, fresh] * Sum(t[inner], (inner, 1, n)), (fresh, 1, n))
    assert str(with_letters(nested)) == "Sum(s[i, j]*Sum(t[l], (l, 1, n)), (j, 1, n))"


def test_a_letter_in_use_is_not_given_again():
    assert str(with_letters(t[j] * total(s[i, j], j))) == "t[j]*Sum(s[i, l], (l, 1, n))"
    taken = t[j] * array("l")[i] * total(s[i, j], j)
    assert "(r, 1, n)" in str(with_letters(taken))


def test_a_letter_given_to_an_outer_index_is_not_captured_inside():
    outer = Dummy("j", integer=True, positive=True)
    nested = Sum(s[outer, i] * total(s[outer, j], j), (outer, 1, n))
    assert same(with_letters(nested), nested)


def test_after_all_letters_come_numbers():
    expression = t[j] * t[l] * array("r")[i] * total(s[i, j], j)
    assert "(j_1, 1, n)" in str(with_letters(expression))


@pytest.mark.parametrize(
    "rule",
    [
        split_exponentials,
        pull_out,
        distribute,
        rewrite(t[i], u[i]),
        exactly(Stage(z[i, k], V[i, k])),
    ],
)
def test_a_rule_leaves_alone_what_it_does_not_concern(rule):
    for untouched in (Integer(1), s[i, j], total(Q[i, k] * K[j, k], k)):
        assert same(rule(untouched), untouched)


def test_a_product_of_two_does_not_match_within_a_product_of_three():
    expression = s[i, j] * a[i, j] * exp(s[i, j])
    assert rewrite(s[i, j] * a[i, j], D[i])(expression) == expression


def test_letters_are_not_captured():
    inner = Dummy("j", integer=True, positive=True)
    outer = total(s[i, j] * Sum(s[i, inner], (inner, 1, n)), j)
    written = with_letters(outer)
    assert same(written, outer)
    assert len({part.limits[0][0].name for part in written.atoms(Sum)}) == 2


def test_a_sum_up_to_an_index_is_folded_at_that_index_alone():
    upto = Stage(D[i], Sum(exp(s[i, j]), (j, 1, i)))
    assert fold(upto)(Sum(exp(s[l, j]), (j, 1, l))) == D[l]
    other = Sum(exp(s[l, j]), (j, 1, i))
    assert same(fold(upto)(other), other)


def test_unfold_goes_to_computed_places():
    double = Stage(m[i], 2 * D[i])
    assert unfold(double)(m[i + 1] + m[2 * j]) == 2 * D[i + 1] + 2 * D[2 * j]
