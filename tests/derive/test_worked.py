"""Worked sentences: two ways of writing out agree, and the notes' published numbers come out."""

from fractions import Fraction

import numpy
import pytest
from sympy import Integer, Rational

from derive.algebras.decimal import Decimal
from derive.attention import CROSS, MECHANISMS, RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.errors import InputError
from derive.examples import BUILT_IN, Example, Number, load
from derive.formula import D, K, Q, V, a, m, s, x, z
from derive.publish.lines import rounded
from derive.worked import MOST_PRODUCTS, MOST_TOKENS, is_rational, work_out
from derive.written_out import (
    fully_substituted,
    named_entries,
    self_attention_shapes,
    with_named_pieces,
)

SELF_ATTENTION = [key for key in MECHANISMS if key != "cross"]


def sentence(*rows: tuple[str, ...], origin: str = "") -> Example:
    vectors = tuple(tuple(Number(Fraction(text), text) for text in row) for row in rows)
    tokens = tuple(f"token {place}" for place in range(1, len(rows) + 1))
    return Example("made up", "Made up", tokens, vectors, 0, " ".join(tokens), origin=origin)


@pytest.mark.parametrize("key", MECHANISMS)
def test_named_pieces_and_full_substitution_agree(key):
    mechanism = MECHANISMS[key]
    shapes = self_attention_shapes(mechanism, 2, 2)
    named, full = with_named_pieces(mechanism, shapes), fully_substituted(mechanism, shapes)
    assert list(named) == list(full) == [stage.array for stage in mechanism.stages]
    known: dict = {}
    for base, entries in named.items():
        for place in numpy.ndindex(*entries.shape):
            inlined = entries[place].xreplace(known)
            assert (inlined - full[base][place]).simplify() == 0
        names = named_entries(base, entries.shape)
        known |= dict(zip(names.flat, full[base].flat, strict=True))


def test_full_substitution_reads_the_inputs_alone():
    shapes = {Q: (1, 2), K: (2, 2), V: (2, 1)}
    entry = fully_substituted(CROSS, shapes)[z][0, 0]
    assert {part.base for part in entry.atoms(type(x[1, 1]))} == {Q, K, V}


JOURNEY = {
    s: "0.9544 1.4950 1.4754 0.8434 0.7070 1.0865",
    a: "0.1385 0.2379 0.2333 0.1240 0.1082 0.1581",
    z: "0.4419 0.6515 0.5683",
}


@pytest.mark.parametrize("base", JOURNEY)
@pytest.mark.parametrize("mechanism", [SOFTMAX, SHIFTED])
def test_the_second_notes_published_numbers(mechanism, base):
    worked = work_out(load("journey"), mechanism)
    assert " ".join(rounded(value, 4) for value in worked[base][1]) == JOURNEY[base]


def test_the_weight_of_journey_on_itself_when_scaled():
    example = load("journey")
    assert rounded(work_out(example, SOFTMAX)[a][1, 1], 4) == "0.2379"
    assert rounded(work_out(example, SCALED)[a][1, 1], 4) == "0.2070"


def test_the_first_notes_scores_are_exact():
    worked = work_out(load("jim-john"), RAW)
    assert worked[s][0, 0] == Fraction(14, 100)
    assert worked[s][0, 7] == Fraction(56, 100)
    assert work_out(load("jim-john"), SUM_NORMALISED)[a][0, 7] == Fraction(56, 280)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("key", SELF_ATTENTION)
def test_the_numbers_put_into_the_written_out_form_give_the_same(name, key):
    example, mechanism = load(name), MECHANISMS[key]
    worked = work_out(example, mechanism)
    full = fully_substituted(mechanism, {x: example.shape})[z][example.query, 0]
    vectors = example.array(lambda value: Rational(value))
    values = {x[p + 1, q + 1]: vectors[p, q] for p, q in numpy.ndindex(*example.shape)}
    assert abs(full.xreplace(values).n(40) - worked[z][example.query, 0]) < Rational(1, 10**35)


def test_the_shift_changes_nothing_but_the_denominator():
    example = load("jim-john")
    plain, shifted = work_out(example, SOFTMAX), work_out(example, SHIFTED)
    for base in (s, a, z):
        gaps = [abs(p - q) for p, q in zip(plain[base].flat, shifted[base].flat, strict=True)]
        assert max(gaps) < 1e-45
    assert all(plain[D] != shifted[D])
    assert [rounded(value, 2) for value in shifted[m][:2]] == ["0.56", "0.83"]


def test_fractions_where_there_is_no_exponential():
    assert [key for key in MECHANISMS if is_rational(MECHANISMS[key])] == ["raw", "sum"]
    assert isinstance(work_out(load("journey"), SUM_NORMALISED)[z][0, 0], Fraction)


def test_floats_are_the_nearest():
    worked = work_out(sentence(("0.1",), ("3",)), RAW)
    assert worked.floats(x) == [[0.1], [3.0]]
    assert worked.floats(s) == [[0.01, 0.3], [0.3, 9.0]]


def test_division_by_a_sum_that_is_zero_is_refused():
    with pytest.raises(InputError) as refusal:
        work_out(sentence(("1", "0"), ("-1", "0"), origin="opposite.yaml"), SUM_NORMALISED)
    assert str(refusal.value) == (
        "opposite.yaml: vectors: attention normalised by the sum divides by zero here; "
        "the scores of one query sum to zero; use softmax, or other vectors"
    )


def test_a_score_too_large_for_an_exponential_is_refused():
    huge = sentence(("1e100",), ("-1e100",))
    with pytest.raises(InputError, match="made up: vectors: a score is so large"):
        work_out(huge, SOFTMAX)
    assert work_out(huge, RAW)[s][0, 0] == 10**200


def test_numbers_beyond_float64_are_refused_as_floats():
    assert work_out(sentence(("1e100",)), RAW).floats(s) == [[1e200]]
    with pytest.raises(InputError, match="an entry of z is larger than float64 can hold"):
        work_out(sentence(("1e120",)), RAW)
    worked = work_out(sentence(("30",)), SOFTMAX)
    assert worked.floats(a) == [[1.0]]
    with pytest.raises(InputError, match="an entry of D is larger than float64 can hold"):
        worked.floats(D)


def test_a_large_score_has_an_exact_exponential():
    worked = work_out(sentence(("30",), ("-30",)), SOFTMAX)
    decimal = Decimal()
    ratio = worked[a][0, 1] / worked[a][0, 0]
    assert abs(ratio / decimal.exp(decimal.number(Integer(-1800))) - 1) < 1e-40


def test_a_sentence_too_long_for_all_pairs_is_refused():
    with pytest.raises(InputError, match=f"at most {MOST_TOKENS}"):
        work_out(sentence(*[("1",)] * (MOST_TOKENS + 1)), RAW)
    wide = sentence(*[("1",) * 6] * MOST_TOKENS)
    with pytest.raises(InputError, match=f"240,000 products; .* at most {MOST_PRODUCTS:,}"):
        work_out(wide, RAW)
