"""The lines of a worked sentence, and how their values are rounded."""

from decimal import Decimal as Written
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Integer, Rational

from derive.algebras.decimal import Decimal
from derive.attention import RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.composition import composed
from derive.examples import Example, Number, load
from derive.formula import D, a, s, z
from derive.publish.lines import Lines, rounded
from derive.publish.notation import Latex, Text
from derive.publish.writing import equation
from derive.worked import work_out

DECIMAL = Decimal()


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (Fraction(0), 4, "0.0000"),
        (Fraction(1, 3), 4, "0.3333"),
        (Fraction(-2, 3), 4, "-0.6667"),
        (Fraction("0.00025"), 4, "0.0002"),
        (Fraction("0.00035"), 4, "0.0004"),
        (Fraction("-0.00025"), 4, "-0.0002"),
        (Fraction("0.00025") + Fraction(1, 10**80), 4, "0.0003"),
        (Fraction("0.00035") - Fraction(1, 10**80), 4, "0.0003"),
        (Fraction("2.5"), 0, "2"),
        (Fraction("0.0001"), 4, "0.0001"),
        (Fraction("0.00003"), 4, "3.0000e-5"),
        (Fraction("-1e-9"), 4, "-1.0000e-9"),
        (Fraction(10**9), 4, "1.0000e+9"),
        (Fraction(10**9 - 1), 4, "999999999.0000"),
        (Fraction(10**200, 3), 2, "3.33e+199"),
        (Fraction(1, 3), 30, "0." + "3" * 30),
        (mpf("0.13849"), 4, "0.1385"),
        (mpf("-0.0"), 4, "0.0000"),
        (mpf("1e-40"), 1, "1.0e-40"),
    ],
)
def test_rounding(value, digits, written):
    assert rounded(value, digits) == written


def test_exponentials_beyond_every_float_are_written():
    huge = DECIMAL.exp(DECIMAL.number(Integer(10**12)))
    assert rounded(huge, 4) == "1.7858e+434294481903"
    assert rounded(1 / huge, 4) == "5.5998e-434294481904"
    assert rounded(DECIMAL.exp(DECIMAL.number(Integer(10**15))), 4).endswith("e+434294481903251")


@given(st.fractions(), st.integers(0, 12))
def test_rounding_is_half_even_on_the_exact_value(value, digits):
    written = rounded(value, digits)
    if "e" in written:
        mantissa, exponent = written.split("e")
        unit = Fraction(10) ** (int(exponent) - digits)
        assert abs(Fraction(mantissa)) < 10
    else:
        unit = Fraction(1, 10**digits)
        assert Fraction(written) == round(value / unit) * unit
    assert abs(Fraction(Written(written)) - value) <= unit / 2


def test_mpmath_numbers_round_like_fractions():
    for value in (Fraction(1, 7), Fraction(-22, 7), Fraction(123456, 999)):
        many_digits = DECIMAL.number(Rational(value))
        assert rounded(many_digits, 10) == rounded(value, 10)


def lines(mechanism, example: Example | None = None, digits: int = 4) -> Lines:
    worked = work_out(example or load("journey"), mechanism)
    return Lines(worked, Text(), Text(), digits)


def test_a_score_line():
    line = lines(SOFTMAX).line(SOFTMAX.stage(s), (2, 5))
    assert line.position == (2, 5)
    assert line.name == "s_25"
    assert line.in_names == "x_21·x_51 + x_22·x_52 + x_23·x_53"
    assert line.in_numbers == "0.55·0.77 + 0.87·0.25 + 0.66·0.10"
    assert line.value == "0.7070"


def test_a_row_belongs_to_one_query():
    written = lines(SOFTMAX)
    assert [line.name for line in written.row(SOFTMAX.stage(a), 1)][::5] == ["a_21", "a_26"]
    assert [line.name for line in written.row(SOFTMAX.stage(D), 1)] == ["D_2"]
    assert [line.value for line in written.row(SOFTMAX.stage(z), 1)] == [
        "0.4419",
        "0.6515",
        "0.5683",
    ]


def test_later_lines_read_the_rounded_values_of_earlier_ones():
    line = lines(SOFTMAX, digits=2).line(SOFTMAX.stage(a), (2, 1))
    assert line.in_numbers == "exp(0.95) / 18.75"
    assert line.value == "0.14"


def one_dimensional(*texts: str) -> Example:
    vectors = tuple((Number(Fraction(text), text),) for text in texts)
    tokens = tuple(f"t{place}" for place in range(len(texts)))
    return Example("made up", "Made up", tokens, vectors, 0, "")


def test_negative_numbers_are_bracketed():
    example = one_dimensional("-0.5", "2")
    written = lines(SHIFTED, example)
    assert written.line(SHIFTED.stage(s), (1, 2)).in_numbers == "(-0.5)·2"
    weight = written.line(SHIFTED.stage(a), (1, 2))
    assert weight.in_numbers == "exp(-1.0000 - 0.2500) / 1.2865"
    negative = lines(SHIFTED, one_dimensional("-1", "2")).line(SHIFTED.stage(a), (2, 1))
    assert negative.in_numbers == "exp(-2.0000 - 4.0000) / 1.0025"


def test_a_negative_largest_score_is_taken_away_in_brackets():
    # The score of a lone token with itself is a square; only mixed signs make a row negative.
    example = one_dimensional("0.5", "-2", "-3")
    written = Lines(work_out(example, SHIFTED), Latex(), Latex(r"\cdot"))
    worked = written.worked.arrays
    worked_rows = [[str(value) for value in row] for row in worked[s].astype(float)]
    assert worked_rows[0] == ["0.25", "-1.0", "-1.5"]
    line = written.line(SHIFTED.stage(a), (1, 2))
    assert line.in_numbers == r"\frac{e^{-1.0000 - 0.2500}}{1.4603}"


def test_the_sum_of_scores_takes_negative_scores_away():
    example = one_dimensional("1", "-2", "3")
    line = lines(SUM_NORMALISED, example).line(SUM_NORMALISED.stage(D), (1,))
    assert line.in_numbers == "1.0000 - 2.0000 + 3.0000"
    assert line.value == "2.0000"


@pytest.mark.parametrize("mechanism", [RAW, SUM_NORMALISED, SOFTMAX, SHIFTED, SCALED])
@pytest.mark.parametrize("name", ["jim-john", "journey"])
def test_an_equals_sign_stands_only_between_equal_numbers(name, mechanism):
    worked = work_out(load(name), mechanism)
    lines = Lines(worked, Text(), Text())
    exact = 0
    for stage in mechanism.stages:
        for query in range(len(worked.example.tokens)):
            for line in lines.row(stage, query):
                if line.comes_to == " = ":
                    value = worked[stage.array][tuple(p - 1 for p in line.position)]
                    assert abs(Fraction(str(value)) - Fraction(line.value)) < Fraction(1, 10**40)
                    assert line.put_in == " = "
                    exact += 1
                else:
                    assert line.comes_to == " ≈ "
    assert exact >= len(worked.example.tokens) ** 2 or mechanism == SCALED


def test_what_a_mask_leaves_out_is_zero_and_nothing_is_put_in():
    example = load("journey")
    for normaliser in ("softmax", "shifted", "sum", "raw"):
        worked = work_out(example, composed(normaliser, None, True))
        stage = next(stage for stage in worked.mechanism.stages if stage.array == a)
        line = Lines(worked, Text(), Text()).line(stage, (2, 3))
        assert (line.in_names, line.worked()) == ("0", " = 0.0000")


def test_text_says_how_far_an_index_counts_where_that_is_another_index():
    shifted = composed("shifted", None, True)
    largest = next(stage for stage in shifted.stages if str(stage.array) == "m")
    assert equation(largest, Text()) == "m_i = max_(j ≤ i) s_ij"
