"""Worked sentences as data: the numbers as written, and the query as a person names it."""

from fractions import Fraction

import pytest

from derive.errors import InputError
from derive.examples import BUILT_IN, Example, Number, load

ONE = (Number(Fraction(1), "1"),)


def sentence(*tokens: str) -> Example:
    return Example("made up", "Made up", tokens, (ONE,) * len(tokens), 0, " ".join(tokens))


@pytest.mark.parametrize(
    ("name", "shape", "query"), [("jim-john", (8, 3), "jim"), ("journey", (6, 3), "journey")]
)
def test_the_built_in_sentences(name, shape, query):
    example = load(name)
    assert name in BUILT_IN
    assert example.shape == shape
    assert example.tokens[example.query] == query


def test_decimals_are_exact_and_keep_their_text():
    vector = load("journey").vectors[4]
    assert vector[2] == Number(Fraction(1, 10), "0.10")
    assert load("jim-john").vectors[0][0].value == Fraction(1, 10)
    assert load("jim-john").vectors[7][2].text == "1.0"


def test_the_array_of_exact_values():
    array = load("jim-john").array()
    assert array.shape == (8, 3)
    assert array[1, 2] == Fraction(2, 5)
    assert load("jim-john").array(float)[1, 2] == 0.4


@pytest.mark.parametrize(
    ("tokens", "query", "position"),
    [
        (("the", "cat"), "cat", 1),
        (("the", "cat"), "1", 0),
        (("the", "cat"), "#2", 1),
        (("2", "1"), "2", 0),
        (("2", "1"), "#2", 1),
        (("#2", "b"), "#2", 0),
        (("a", "a"), "#2", 1),
        (("a", "a"), "002", 1),
    ],
)
def test_a_query_is_a_token_or_a_position_from_1(tokens, query, position):
    assert sentence(*tokens).position(query) == position


@pytest.mark.parametrize(
    "query", ["dog", "0", "3", "#0", "-1", "1.0", "٢", "", "##1", "0000000010", "1" * 5000, "²"]
)
def test_an_unknown_query_is_refused(query):
    with pytest.raises(InputError, match="is not a token; write one of the, cat, or a position"):
        sentence("the", "cat").position(query)


def test_a_query_that_occurs_twice_asks_for_its_position():
    with pytest.raises(InputError) as refusal:
        sentence("to", "be", "or", "to").position("to", key="--query")
    assert str(refusal.value) == (
        "made up: --query: 'to' occurs 2 times; say which position is meant: #1 or #4"
    )


def test_only_some_tokens_of_a_long_sentence_are_named():
    with pytest.raises(InputError, match=r"t12, \.\.\., or a position from 1 to 20"):
        sentence(*(f"t{place}" for place in range(1, 21))).position("x")
