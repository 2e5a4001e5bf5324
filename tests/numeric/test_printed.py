from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from derive.evidence import REFUTED, REPRODUCED, WITHIN_BOUND
from derive.examples import Example, load
from numeric.printed import PRINTED, Printed, numbers, put_numbers, reproduce, reproductions

BY_TITLE = {printed.title: printed for printed in PRINTED}


@pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: printed.title)
def test_torch_prints_the_printed_digits(printed: Printed) -> None:
    by_torch, _ = reproductions(printed, load(printed.example))
    assert by_torch.verdict == REPRODUCED or (
        printed.every_digit and by_torch.verdict == WITHIN_BOUND
    )
    assert by_torch.origin == printed.origin


@pytest.mark.parametrize(
    "printed", [p for p in PRINTED if "[" in p.text and not p.every_digit], ids=lambda p: p.title
)
def test_a_tensor_is_printed_character_for_character(printed: Printed) -> None:
    by_torch, _ = reproductions(printed, load(printed.example))
    assert by_torch.computed.split() == printed.text.split()


@pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: printed.title)
def test_the_derived_values_round_to_the_printed_digits(printed: Printed) -> None:
    _, derived = reproductions(printed, load(printed.example))
    assert derived.verdict == (WITHIN_BOUND if printed.every_digit else REPRODUCED)
    assert (derived.computed == printed.text) is not printed.every_digit


def test_the_notes_results_are_all_there() -> None:
    assert [p.title for p in PRINTED if p.example == "jim-john"] == [
        "scores of jim",
        "weights of jim, normalised by the sum",
        "weights of jim, softmax by hand",
        "weights of jim, torch.softmax",
        "sum of the weights of jim",
        "context vector of jim",
        "scores of all pairs",
        "weights of all pairs",
        "context vectors of all words",
    ]
    assert [p.text for p in PRINTED if p.example == "journey"] == [
        "0.9544 1.4950 1.4754 0.8434 0.7070 1.0865",
        "0.1385 0.2379 0.2333 0.1240 0.1082 0.1581",
        "0.4419 0.6515 0.5683",
    ]
    assert {(p.example, p.origin) for p in PRINTED} == {
        ("jim-john", "printed in the note"),
        ("journey", "published for this sentence"),
    }
    assert sum(len(numbers(p.text)) for p in PRINTED) == 8 * 4 + 1 + 3 + 64 + 64 + 24 + 6 + 6 + 3


@pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: printed.title)
def test_one_wrong_digit_is_refuted(printed: Printed) -> None:
    # In the last digit that float32 decides: the seventh of the numbers printed in full.
    place = -4 if printed.every_digit else -1
    first = str(printed.text.partition("0.")[2][:8]) if printed.every_digit else ""
    number = f"0.{first}" if printed.every_digit else _last_number(printed.text)
    digit = number[place]
    wrong = number[:place] + str((int(digit) + 5) % 10) + number[len(number) + place + 1 :]
    tampered = replace(printed, text=printed.text.replace(number, wrong))
    assert tampered.text != printed.text
    for row in reproductions(tampered, load(printed.example)):
        assert row.verdict == REFUTED
        assert row.reason == "the numbers differ"


def test_a_missing_number_is_refuted() -> None:
    printed = BY_TITLE["context vector of journey"]
    for row in reproductions(replace(printed, text="0.4419 0.6515"), load("journey")):
        assert row.verdict == REFUTED


def test_another_computation_is_refuted() -> None:
    printed = BY_TITLE["weights of jim, torch.softmax"]
    scaled = replace(printed, run=lambda inputs: str((inputs @ inputs[0] / 3**0.5).softmax(0)))
    by_torch, _ = reproductions(scaled, load("jim-john"))
    assert by_torch.verdict == REFUTED


def test_other_sentences_have_no_printed_results(sentence: object) -> None:
    own: Example = sentence(["0.1", "0.2"])  # type: ignore[operator]
    assert reproduce(own) == ()
    assert reproduce(replace(load("journey"), query=0)) == ()


@pytest.mark.parametrize(
    ("value", "like", "expected"),
    [
        (Fraction(-1, 3), "0.0000", "-0.3333"),
        (Fraction(12345, 1000), "0.0", "12.3"),
        (Fraction(-1, 10**9), "0.00", "0.00"),
        (Fraction(1, 400), "0.00", "0.00"),
        (Fraction(199999, 100000), "9.999", "2.000"),
    ],
)
def test_numbers_are_rounded_to_the_decimals_that_stand_there(
    value: Fraction, like: str, expected: str
) -> None:
    assert put_numbers(f"[{like}]", [value]) == f"[{expected}]"


def _last_number(text: str) -> str:
    digits = [part.strip("[](),") for part in text.replace("sum is :", "").split()]
    return digits[-1]
