"""Counterexamples: the smallest first, and only a difference that is sure."""

from fractions import Fraction

import numpy
import pytest
from sympy import Rational

from derive.algebras.interval import Interval
from derive.attention import SOFTMAX, SUM_NORMALISED
from derive.formula import D, a, s
from derive.witness import (
    Difference,
    Reading,
    find_witness,
    first_difference,
    first_witness,
    shown,
    surely_below,
    surely_different,
)

ROWS = ({s: (1, 1)}, {s: (1, 2)}, {s: (1, 3)})


def entries(reading):
    return list(reading.inputs[s].flat)


def test_the_smallest_shape_and_the_simplest_numbers_are_found():
    def two_that_differ(reading):
        return Difference("s", "equal", "not") if len(set(entries(reading))) == 2 else None

    witness = find_witness(ROWS, two_that_differ)
    assert witness.inputs == (("s", ((Fraction(0), Fraction(1)),)),)
    assert str(witness) == "s = (0, 1): s is not, not equal"


def test_zero_comes_before_one_and_one_before_minus_one():
    seen = []

    def watch(reading):
        seen.append(tuple(entries(reading)))

    with pytest.raises(LookupError, match="no simple input makes the claim fail"):
        find_witness(ROWS[:1], watch)
    assert seen == [(0,), (1,), (-1,), (2,), (-2,), (Fraction(1, 2),)]


def test_an_input_that_divides_by_zero_is_no_counterexample():
    def always(reading):
        reading.run(SUM_NORMALISED.choice("normalise").stages)
        return Difference("a", "", "")

    assert find_witness(ROWS, always).inputs == (("s", ((Fraction(1),),)),)


def test_a_true_claim_has_no_witness():
    def sums_to_one(reading):
        row = reading.run(SOFTMAX.choice("normalise").stages)[a][0]
        off = surely_different(sum(row[1:], row[0]), 1)
        return Difference("the sum", "1", "not 1") if off else None

    with pytest.raises(LookupError):
        find_witness(ROWS[:2], sums_to_one)


def test_other_values_may_be_put_in_for_an_input():
    reading = Reading({s: numpy.array([[Fraction(1), Fraction(3)]], dtype=object)})
    stages = SUM_NORMALISED.choice("normalise").stages
    assert list(reading.run(stages)[a][0]) == [Fraction(1, 4), Fraction(3, 4)]
    doubled = reading.run(stages, s=reading.inputs[s] + 1)
    assert list(doubled[a][0]) == [Fraction(1, 3), Fraction(2, 3)]


def test_intervals_that_meet_do_not_differ():
    context = Interval().context
    left, right = context.mpf([0, 2]), context.mpf([1, 3])
    assert not surely_different(left, right)
    assert not surely_below(left, right)
    assert surely_below(left, context.mpf([2.5, 3]))
    assert surely_different(context.mpf([2, 3]), 1)
    assert not surely_different(Fraction(1, 2), Fraction(1, 2))


def test_values_are_shown_exactly_or_with_an_ellipsis():
    assert shown(Fraction(1, 3)) == "1/3"
    assert shown(2) == "2"
    assert shown(Interval().exp(Interval().number(Rational(1)))) == "2.71828..."


def test_an_exact_whole_number_is_shown_without_an_ellipsis():
    number = Interval().number
    assert shown(number(Rational(0))) == "0"
    assert shown(number(Rational(-3))) == "-3"
    assert shown(number(Rational(1, 3))) == "0.333333..."


def test_a_reading_goes_on_over_intervals_from_arrays_that_mix_both():
    reading = Reading({s: numpy.array([[Fraction(0), Fraction(1)]], dtype=object)})
    *_, last = stages = SOFTMAX.choice("normalise").stages
    arrays = reading.run(stages)
    again = reading.going_on({s: reading.inputs[s], D: arrays[D]}, (last,))[a]
    assert not surely_different(again[0, 0], arrays[a][0, 0])
    assert surely_below(reading.value(arrays, a[1, 1], {}), Fraction(27, 100).numerator / 100)


def test_the_first_entry_that_differs_is_named():
    before = numpy.array([[Fraction(1), Fraction(2)]], dtype=object)
    after = numpy.array([[Fraction(1), Fraction(3)]], dtype=object)
    assert first_difference(a, before, after) == Difference("a_12", "2", "3")
    assert first_difference(a, before, before) is None


def test_inputs_with_three_axes_are_written_level_by_level():
    def always(_reading):
        return Difference("s", "this", "that")

    entries = numpy.array([[[Fraction(1)], [Fraction(2)]]], dtype=object)
    witness = first_witness([Reading({s: entries})], always)
    assert witness.inputs == (("s", (((Fraction(1),), (Fraction(2),)),)),)
    assert str(witness) == "s = [(1), (2)]: s is that, not this"
