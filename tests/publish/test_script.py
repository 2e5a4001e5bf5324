"""The JavaScript of pages: what SymPy emits, run in Node.js against the exact values."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from fractions import Fraction
from importlib.resources import files

import pytest
from sympy import Function, IndexedBase

from derive.brackets import Below
from derive.composition import Composition, Projections, composed
from derive.elements import UnknownNode
from derive.errors import InputError
from derive.examples import Example, example_from, load
from derive.formula import Choice, Mechanism, Stage, a, i, j, s
from derive.publish.fence import Fences
from derive.publish.rendering import json_in_html
from derive.publish.script.emitting import emitted
from derive.publish.script.executing import (
    ScriptError,
    check_script,
    page_script,
    reachable,
    worked_script,
)
from derive.publish.script.formulas import all_switches, formulas_script
from derive.sentence_file import SentenceFile

ALL_SCRIPTS_OF_A_PAGE = 20_000
"""Bytes, packed: the most that all scripts of a page may weigh."""


def _example(vectors: list[list[str]]) -> Example:
    tokens = [f"t{place}" for place in range(len(vectors))]
    data = {"tokens": tokens, "vectors": vectors}
    return example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")


@pytest.mark.parametrize("name", ["journey", "jim-john"])
@pytest.mark.parametrize("normaliser", ["softmax", "sum", "raw", "shifted"])
def test_the_script_computes_the_formulas(name: str, normaliser: str) -> None:
    check_script(load(name), reachable(Composition(normaliser), 3))


@pytest.mark.parametrize("seed", range(12))
def test_it_does_so_for_any_sentence(seed: int) -> None:
    chance = random.Random(seed)
    tokens, dimensions = chance.randint(1, 6), chance.randint(1, 4)
    size = chance.choice([0.001, 1, 1, 30, 1000])
    vectors = [
        [f"{chance.uniform(-size, size):.4f}" for _ in range(dimensions)] for _ in range(tokens)
    ]
    example = _example(vectors)
    check_script(example, reachable(Composition(), dimensions))


def test_scores_whose_exponential_overflows_are_computed_all_the_same() -> None:
    check_script(_example([["40"], ["39"], ["-3"]]), reachable(Composition(), 1))


def test_a_scale_of_ones_own_is_handed_over() -> None:
    check_script(load("journey"), reachable(Composition(scale=Fraction(1, 7)), 3))


BROKEN = {
    "another index": ("v.x[i - 1][k - 1]*v.x[j - 1][k - 1]", "v.x[i - 1][k - 1]*v.x[k - 1][j - 1]"),
    "another key": ("v.a[i - 1][j - 1]*v.x[j - 1]", "v.a[i - 1][j - 1]*v.x[i - 1]"),
    "a multiplied root": ("/Math.sqrt(v.d)", "*Math.sqrt(v.d)"),
    "a mask that sees one more": ("j <= i", "j <= i + 1"),
    "a forgotten shift": ("Math.exp(-v.m[i - 1] + v.s", "Math.exp(v.s"),
    "a denominator of columns": ("/v.D[i - 1]", "/v.D[j - 1]"),
    "a slip in the thirteenth digit": ("term, 0)", "term, 1e-10)"),
    "no sum at all": ("const sum", "const add"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_script_ends_the_build(name: str) -> None:
    right, wrong = BROKEN[name]
    script = worked_script()
    assert right in script
    example = _example([["1", "0.5"], ["-0.3", "2"], ["0.7", "0.1"], ["30", "2"]])
    with pytest.raises(ScriptError) as caught:
        check_script(example, reachable(Composition(), 2), script.replace(right, wrong))
    assert "my.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_reader_can_reach_is_what_is_checked() -> None:
    keys = {switches.key for switches in all_switches()}
    script = formulas_script()
    assert all(json.dumps(key) in script for key in keys)
    assert len(keys) == 4 * 3 * 2 * 2
    assert len(reachable(Composition(), 3)) == 2 * 2 * 2 * 2


def test_an_operation_without_javascript_is_named() -> None:
    strange = Mechanism(
        "strange", (Choice("score", "strange", (Stage(a[i, j], Function("f")(s[i, j])),)),),
        given=((s, composed("raw").shapes[IndexedBase("x", real=True)]),),
    )  # fmt: skip
    with pytest.raises(UnknownNode, match="f"):
        emitted(strange.stages[0], strange)
    below = Mechanism(
        "below", (Choice("score", "below", (Stage(a[i, j], Below(j, i) * s[i, j]),)),),
        given=strange.given,
    )  # fmt: skip
    with pytest.raises(UnknownNode, match="Below"):
        emitted(below.stages[0], below)


def test_all_scripts_of_a_page_are_light() -> None:
    own = (files("derive.publish") / "assets" / "attention.js").read_text(encoding="utf-8")
    weight = len(gzip.compress((page_script() + own).encode()))
    assert weight < ALL_SCRIPTS_OF_A_PAGE, weight


def test_nothing_in_the_data_can_end_its_element() -> None:
    hostile = "</script><script>alert(1)</script>\u2028&amp;<!--"
    written = str(json_in_html({"token": hostile}))
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == {"token": hostile}


def test_without_a_script_the_page_is_whole() -> None:
    html = Fences().render("example: journey\nshow: [step-through]")
    for number in ("0.9544", "2.5971", "18.7453", "0.2379", "[0.4419, 0.6515, 0.5683]"):
        assert number in html


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ("mechanism: sum", ["0.2278", "6.5617"]),
        ("mask: causal", ["–", "0.6320", "0.0000"]),
        ("mechanism: raw", ["1.4950"]),
        ("mechanism: shifted", ["1.0000", "4.2036"]),
        ("projections: small", ["0.7825", "12.0512"]),
    ],
)
def test_the_numbers_without_a_script_follow_the_options(options: str, numbers: list[str]) -> None:
    html = Fences().render(f"example: journey\nshow: [step-through]\n{options}")
    for number in numbers:
        assert number in html


def test_a_sentence_too_long_to_write_out_is_refused_in_one_line() -> None:
    rows = ", ".join(["[1]"] * 17)
    tokens = ", ".join(f"t{place}" for place in range(17))
    with pytest.raises(InputError, match="leave step-through out"):
        Fences().render(f"tokens: [{tokens}]\nvectors: [{rows}]\nshow: [step-through]")


def test_a_sentence_without_weights_by_its_sum_still_has_softmax() -> None:
    html = Fences().render("tokens: [a, b]\nvectors: [[0], [0]]\nshow: [step-through]")
    assert "0.5000" in html


def test_small_matrices_fit_every_number_of_dimensions() -> None:
    for dimensions, tokens in itertools.product((1, 2, 5), (1, 3)):
        example = _example([["0.5"] * dimensions] * tokens)
        check_script(example, [Composition(projections=Projections.small(dimensions))])
