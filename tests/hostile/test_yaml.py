"""YAML from strangers: what it must not be able to do, and what it is told."""

from __future__ import annotations

import pytest

from derive.errors import InputError
from derive.publish.block import read_block
from derive.publish.fence import Fences
from derive.sentence_file import LONGEST_TOKEN, SentenceFile
from derive.sentence_start import sentence_start
from derive.text_yaml import MOST_CHARACTERS, load_yaml
from tests.hostile.properties import check_refusal, fence_of, rendered

SHOWN = 'tokens: ["{}"]\nvectors: [[1]]\nshow: [vectors]'


@pytest.mark.parametrize(
    "text", ["!!map [a]", "tokens: !!map a", "? !!map [a]\n: b", "!!seq {a: b}"]
)
def test_a_tag_makes_nothing_what_it_is_not(text: str) -> None:
    with pytest.raises(InputError, match="line 1: not YAML") as caught:
        load_yaml(text, where="my.yaml")
    check_refusal(caught.value)


def test_what_is_too_long_is_not_read() -> None:
    with pytest.raises(InputError, match="it has 500,001 characters; give at most 500,000"):
        load_yaml("x" * (MOST_CHARACTERS + 1), where="my.yaml")


def test_halves_of_a_character_become_one() -> None:
    assert load_yaml('["\\ud83d\\ude00", "\\ud83d"]', where="my.yaml") == [
        "\N{GRINNING FACE}",
        "\ud83d",
    ]


def test_a_token_has_an_end() -> None:
    data = {"tokens": ["x" * (LONGEST_TOKEN + 1)], "vectors": [["1"]]}
    with pytest.raises(
        InputError, match=r"tokens\[1\]: the token has 1,001 characters; give at most"
    ):
        SentenceFile.from_data(data, where="my.yaml")


# \x02 and \x03 are what Python-Markdown sets around the numbers of pieces of HTML that it has put
# aside: with them a text would be replaced by any piece of its page.
@pytest.mark.parametrize(
    "source",
    [
        '{tokens: [a], vectors: [[1]], show: [heatmap], key: "\\x02wzxhzdk:0\\x03"}',
        '{queries: {"\\x02wzxhzdk:0\\x03": [1]}, keys: {a: [1]}, values: {a: [1]}}',
        '{tokens: ["\\x02wzxhzdk:0\\x03"], vectors: [[1]]}',
        '{tokens: [a], vectors: [[1]], "ke\\x1by": a}',
        '{tokens: ["\\uffff"], vectors: [[1]]}',
        '{tokens: ["\\ud800"], vectors: [[1]]}',
    ],
)
def test_no_text_of_a_fence_holds_a_control_character(source: str) -> None:
    with pytest.raises(InputError, match=r"it holds the control character U\+") as caught:
        read_block(source)
    check_refusal(caught.value)


@pytest.mark.parametrize(("key", "kind"), [("show", "heatmap"), ("functions", "self_attention")])
def test_a_part_stands_once(key: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"{key}.1: {kind} stands twice; leave one out"):
        read_block(f"example: journey\n{key}: [{kind}, {kind}]")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("tokens", "tokens: this is not a word; write tokens as [first, second, third]"),
        ("vectors", "vectors: this is not a row of numbers; write rows such as [0.1, 0.2, 0.3]"),
        ("projections", "projections: these are not matrices of numbers; write small, none, or"),
        ("title", "title: this is not text; write a single line of text"),
        ("show", "show: this is not a list; write it in brackets, as in [first, second]"),
        ("queries", "queries: these are no rows with labels; write them as in who: [1, 0]"),
        ("digits", "digits: this is not a whole number; write one such as 4"),
    ],
)
def test_another_type_is_told_in_plain_words(key: str, told: str) -> None:
    wrong = {"a": [{"b": "c"}]} if key in ("title", "digits", "show") else [{"b": {"c": "d"}}, "a"]
    data = {"tokens": ["a"], "vectors": [["1"]], key: wrong if key != "tokens" else {"a": "b"}}
    with pytest.raises(InputError) as caught:
        read_block(fence_of(data | ({"vectors": "1"} if key == "vectors" else {})))
    assert told in str(caught.value)


# Where a mistake stands is looked for in the same YAML: whatever its keys are called.
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("tokens: [a]\ntokens.\u00b2: 1", "docs/page.md:2: tokens.\u00b2: this key is unknown"),
        ("tokens: [a]\nline 1: x", "docs/page.md:3: line 1: this key is unknown"),
        (f"tokens: [a]\n? {'a[' + '9' * 5000 + ']'}\n: 1", "docs/page.md:1: a[9999"),
        ("? ?", "docs/page.md:2: not YAML: found unhashable key"),
        ("? [a]\n: b\nx: y", "docs/page.md:2: not YAML: found unhashable key"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_whatever_keys_are_called(source: str, said: str) -> None:
    fences = Fences()
    with pytest.raises(Exception, match=r"docs/page\.md") as caught:
        _formatted(fences, source)
    assert str(caught.value).startswith(said)
    assert rendered(source) is None


def _formatted(fences: Fences, source: str) -> None:
    fences.page, fences.page_source = "docs/page.md", f"```attention\n{source}\n```\n"
    fences.format(source, "attention", "", {}, None)


@pytest.mark.parametrize(
    "tokens",
    [
        ["\N{GRINNING FACE}", "\u00e9"], ["\u202ex", "a: b"], ["-", "#1"], ['"q"', "\\"],
        ["{a}", "%"], ["null", "1e3"], ["\ufeff", "\u200b"], ["'", "`"], ["*a", "&b", "!c", "@d"],
        ["\U0001d538"],
    ],
)  # fmt: skip
def test_a_file_to_start_from_can_be_read_whatever_the_words(tokens: list[str]) -> None:
    text = sentence_start(tokens, 2)
    content = SentenceFile.parse(text, where="my.yaml")
    content.check("my.yaml")
    assert content.tokens == tokens
    assert "\u202e" not in text
