from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy
import pytest
import torch
from torch import nn

from derive.evidence import REFUTED, REPRODUCED, WITHIN_BOUND
from derive.examples import Example, load
from derive.formula import a, z
from derive.scaled_dot_product import W_k, W_o, W_q, W_v, b_o, o
from numeric import published
from numeric.printed import PRINTED, Printed, numbers, put_numbers, reproduce, reproductions
from numeric.published import CAUSAL, LINEAR, MULTI_HEAD, PUBLISHED, UNIFORM, WRAPPED, Layer

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


# The book's results for the second sentence

OF_LAYERS = [printed for printed in PUBLISHED if printed.work is not None]
RANDOM = [printed for printed in PUBLISHED if printed.derived is None]


def named(title: str) -> Printed:
    (found,) = [printed for printed in PUBLISHED if printed.title == title]
    return found


@pytest.mark.parametrize("printed", PUBLISHED, ids=lambda printed: printed.title)
def test_the_books_results_are_reproduced(printed: Printed) -> None:
    rows = reproductions(printed, load("journey"))
    assert len(rows) == (1 if printed in RANDOM else 2)
    for row in rows:
        assert row.verdict == REPRODUCED, row.computed
        assert row.origin.startswith(("Raschka 2024, section 3.", "printed by readers"))
    if "grad_fn" not in printed.text:
        assert rows[0].computed.split() == printed.text.split()


def test_what_no_formula_gives_is_random() -> None:
    assert [printed.title for printed in RANDOM] == [
        "W_query",
        "W_key",
        "W_value",
        "dropout of ones",
    ]


def test_the_books_results_are_part_of_what_is_reproduced() -> None:
    rows = reproduce(load("journey"))
    own = [printed for printed in PRINTED if printed.example == "journey"]
    assert [row.title for row in rows] == [
        printed.title
        for printed in (*own, *PUBLISHED)
        for _ in reproductions(printed, load("journey"))
    ]
    assert len({printed.title for printed in (*own, *PUBLISHED)}) == len(own) + len(PUBLISHED)
    assert not [row for row in reproduce(load("jim-john")) if "book" in row.implementation]


@pytest.mark.parametrize("printed", PUBLISHED, ids=lambda printed: printed.title)
def test_a_changed_digit_of_the_book_is_refuted(printed: Printed) -> None:
    place = max(k for k, letter in enumerate(printed.text.split("]]")[0]) if letter.isdigit())
    digit = str((int(printed.text[place]) + 5) % 10)
    tampered = replace(printed, text=printed.text[:place] + digit + printed.text[place + 1 :])
    for row in reproductions(tampered, load("journey")):
        assert row.verdict == REFUTED


@pytest.mark.parametrize("printed", [*OF_LAYERS, *RANDOM[:3]], ids=lambda printed: printed.title)
def test_another_seed_is_refuted(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, dropped = Layer.weights, published._dropped
    monkeypatch.setattr(Layer, "weights", lambda self: drawn(replace(self, seed=self.seed + 1)))
    monkeypatch.setattr(published, "_dropped", lambda weights: dropped(weights, seed=124))
    published.worked.cache_clear()
    rows = reproductions(printed, load("journey"))
    published.worked.cache_clear()
    assert [row.verdict for row in rows] == [REFUTED] * len(rows)


@pytest.mark.parametrize(
    ("title", "which"),
    [
        ("weights of SelfAttention_v2", {"causal": True}),
        ("causal weights by minus infinity", {"causal": False}),
        ("weights of journey, projected and scaled", {"scaled": False}),
        ("score of journey with itself", {"scaled": True}),
    ],
)
def test_another_formula_at_the_same_weights_is_refuted(title: str, which: dict[str, bool]) -> None:
    printed = named(title)
    layer = LINEAR if "seed 789" in printed.steps else UNIFORM
    other = replace(printed, work=lambda example: published.worked(layer, example, **which))
    _, derived = reproductions(other, load("journey"))
    assert derived.verdict == REFUTED


def test_the_weights_are_those_of_the_books_layers() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    found = MULTI_HEAD.weights()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(123)
    layers = [nn.Linear(3, 2, bias=False) for _ in range(3)]
    merging = nn.Linear(2, 2)
    for base, layer in zip((W_q, W_k, W_v, W_o), (*layers, merging), strict=True):
        assert torch.equal(found[base], layer.weight)
    assert torch.equal(found[b_o], merging.bias)
    assert {base: weights.shape for base, weights in WRAPPED.weights().items()} == dict.fromkeys(
        (W_q, W_k, W_v), (4, 3)
    )
    assert torch.equal(WRAPPED.weights()[W_q][:2], CAUSAL.weights()[W_q])
    assert published.shown_weights() == named("W_query").text


def test_the_formula_reads_the_float32_weights_exactly() -> None:
    arrays = published.worked(MULTI_HEAD, load("journey"), causal=True)
    queries = torch.tensor(load("journey").array(float).tolist()).double()
    weights = {base: tensor.double() for base, tensor in MULTI_HEAD.weights().items()}
    q, k, v = (queries @ weights[base].T for base in (W_q, W_k, W_v))
    scores = torch.stack([torch.outer(q[:, h], k[:, h]) for h in range(2)])
    later = torch.ones(6, 6).triu(1).bool()
    expected = scores.masked_fill(later, -torch.inf).softmax(-1)
    merged = torch.stack([expected[h] @ v[:, h] for h in range(2)], dim=-1)
    merged = merged @ weights[W_o].T + weights[b_o]
    # The sentence's decimals are exact in the formula, and float32 in torch.
    assert numpy.allclose(arrays[a].astype(float), expected.numpy(), atol=1e-6)
    assert numpy.allclose(arrays[o].astype(float), merged.numpy(), atol=1e-6)
    assert arrays[z].shape == (2, 6, 1)
