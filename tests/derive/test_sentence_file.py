"""Sentence files: every mistake gets one clear line, nothing is evaluated, nothing hangs."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.decimals import read_decimal
from derive.errors import InputError
from derive.examples import example_from, load
from derive.sentence_file import MOST_BYTES, SentenceFile
from derive.text_yaml import load_yaml

GOOD = "tokens: [a, b]\nvectors: [[1, 2], [3, 4]]\n"


def parse(text: str) -> SentenceFile:
    return SentenceFile.parse(text, where="my.yaml")


def refusal(text: str) -> str:
    with pytest.raises(InputError) as raised:
        load_from(text)
    message = str(raised.value)
    assert message.splitlines() == [message]
    assert len(message) < 700
    return message


def load_from(text: str) -> None:
    example_from(parse(text), "my", "my.yaml")


NUMBER = "write a decimal such as 0.25, -3 or 1e-2"
ONE = "tokens: [a]\nvectors: [[{}]]\n"

KEYS = "tokens, vectors, title, query, sentence, source, mechanism, scale, mask, projections"

BAD = {
    "ragged vectors": (
        "tokens: [a, b]\nvectors: [[1, 2], [3]]",
        "vectors[2]: the vector of 'b' has 1 number, that of 'a' has 2; "
        "give every token the same number of dimensions",
    ),
    "a token without a vector": (
        "tokens: [a, b]\nvectors: [[1]]",
        "tokens[2]: 'b' has no vector; write 2 rows under vectors, one for each token",
    ),
    "a token without a vector by name": (
        "tokens: [a, b]\nvectors: {a: [1]}",
        "tokens[2]: 'b' has no vector; add it under vectors, or take it out of tokens",
    ),
    "a vector without a token": (
        "tokens: [a]\nvectors: [[1], [2]]",
        "vectors[2]: this vector has no token; write one row for each token",
    ),
    "a vector without a token by name": (
        "tokens: [a]\nvectors: {a: [1], b: [2]}",
        "vectors.b: this is not one of the tokens; remove it",
    ),
    "an empty vector": (
        "tokens: [a]\nvectors: [[]]",
        "vectors[1]: the vector of 'a' is empty; write its numbers",
    ),
    "not a number": (ONE.format("one"), f"vectors[1][1]: 'one' is not a number; {NUMBER}"),
    "a number by name": (
        "tokens: [a]\nvectors: {a: [1, x]}",
        f"vectors.a[2]: 'x' is not a number; {NUMBER}",
    ),
    "a comma": (ONE.format("'1,5'"), f"vectors[1][1]: '1,5' is not a number; {NUMBER}"),
    "underscores": (ONE.format("1_000"), f"vectors[1][1]: '1_000' is not a number; {NUMBER}"),
    "hexadecimal": (ONE.format("0x10"), f"vectors[1][1]: '0x10' is not a number; {NUMBER}"),
    "digits of another script": (ONE.format("٣"), f"vectors[1][1]: '٣' is not a number; {NUMBER}"),
    "an expression": (
        ONE.format("__import__('os')"),
        f"vectors[1][1]: \"__import__('os')\" is not a number; {NUMBER}",
    ),
    "a truth value": (ONE.format("true"), f"vectors[1][1]: 'true' is not a number; {NUMBER}"),
    "nothing": (ONE.format("~"), f"vectors[1][1]: '~' is not a number; {NUMBER}"),
    "NaN": (ONE.format("NaN"), f"vectors[1][1]: NaN is not a finite number; {NUMBER}"),
    "YAML's NaN": (ONE.format(".nan"), f"vectors[1][1]: .nan is not a finite number; {NUMBER}"),
    "infinity": (ONE.format("-inf"), f"vectors[1][1]: -inf is not a finite number; {NUMBER}"),
    "YAML's infinity": (
        ONE.format(".Inf"),
        f"vectors[1][1]: .Inf is not a finite number; {NUMBER}",
    ),
    "a huge exponent": (
        ONE.format("1e999999999"),
        "vectors[1][1]: 1e999999999 is too large or too small; stay between 1e-150 and 1e150",
    ),
    "a tiny number": (
        ONE.format("-1e-151"),
        "vectors[1][1]: -1e-151 is too large or too small; stay between 1e-150 and 1e150",
    ),
    "an exponent too long for any number": (
        ONE.format("1e-99999999999999999999"),
        f"vectors[1][1]: '1e-99999999999999999999' is not a number; {NUMBER}",
    ),
    "thousands of digits": (
        ONE.format("1" * 5000),
        f"vectors[1][1]: '{'1' * 39}…' is not a number; {NUMBER}",
    ),
    "a mapping as a number": (
        ONE.format("{a: 1}"),
        "vectors[1][1]: this is not a row of numbers; write rows such as [0.1, 0.2, 0.3]",
    ),
    "numbers without rows": (
        "tokens: [a]\nvectors: [1, 2]",
        "vectors[1]: this is not a row of numbers; write rows such as [0.1, 0.2, 0.3]",
    ),
    "one number for all vectors": (
        "tokens: [a]\nvectors: 3",
        "vectors: this is not a row of numbers; write rows such as [0.1, 0.2, 0.3]",
    ),
    "no tokens": ("tokens: []\nvectors: []", "tokens: there are no tokens; write at least one"),
    "an empty token": (
        "tokens: [a, '']\nvectors: [[1], [2]]",
        "tokens[2]: the token is empty; write a word",
    ),
    "a blank token": (
        "tokens: ['  ']\nvectors: [[1]]",
        "tokens[1]: the token is empty; write a word",
    ),
    "tokens as one word": (
        "tokens: abc\nvectors: [[1]]",
        "tokens: this is not a word; write tokens as [first, second, third]",
    ),
    "a list as a token": (
        "tokens: [[a]]\nvectors: [[1]]",
        "tokens[1]: this is not a word; write tokens as [first, second, third]",
    ),
    "an unknown query": (
        GOOD + "query: c",
        "query: 'c' is not a token; write one of a, b, or a position from 1 to 2",
    ),
    "an empty query": (
        GOOD + "query:",
        "query: '' is not a token; write one of a, b, or a position from 1 to 2",
    ),
    "a query that occurs twice": (
        "tokens: [a, b, a]\nvectors: [[1], [2], [3]]\nquery: a",
        "query: 'a' occurs 2 times; say which position is meant: #1 or #3",
    ),
    "a list as a title": (
        GOOD + "title: [x]",
        "title: this is not text; write a single line of text",
    ),
    "an unknown key": (
        GOOD + "colour: red",
        f"colour: this key is unknown; the keys are {KEYS}",
    ),
    "a misspelt key": (
        "token: [a]\nvectors: [[1]]",
        f"token: this key is unknown; the keys are {KEYS}",
    ),
    "a missing key": ("tokens: [a]", "vectors: it is missing; add 'vectors:'"),
    "a key that stands twice": (
        "tokens: [a]\ntokens: [b]\nvectors: [[1]]",
        "line 2: not YAML: the key 'tokens' stands twice; correct that line",
    ),
    "a vector that stands twice": (
        "tokens: [a]\nvectors: {a: [1], a: [2]}",
        "line 2: not YAML: the key 'a' stands twice; correct that line",
    ),
    "an alias": (
        "tokens: &t [a]\nvectors: *t",
        "line 2: not YAML: an alias (*name) may not stand for a value; correct that line",
    ),
    "a list as a key": ("[a]: 1", "line 1: not YAML: found unhashable key; correct that line"),
    "an empty file": ("", "this is not a sentence file; write tokens: and vectors:"),
    "only a comment": ("# nothing", "this is not a sentence file; write tokens: and vectors:"),
    "a list": ("- a\n- b", "this is not a sentence file; write tokens: and vectors:"),
    "plain text": ("hello", "this is not a sentence file; write tokens: and vectors:"),
    "an open bracket": (
        "tokens: [a\nvectors: [[1]]",
        "line 2: not YAML: expected ',' or ']', but got ':'; correct that line",
    ),
    "a tab": (
        "tokens:\n\t- a",
        r"line 2: not YAML: found character '\t' that cannot start any token; correct that line",
    ),
    "two documents": (
        GOOD + "---\n" + GOOD,
        "line 3: not YAML: but found another document; correct that line",
    ),
    "a bell": (
        'tokens: ["a\\a"]\nvectors: [[1]]',
        "tokens[1]: it holds the control character U+0007; remove it",
    ),
    "an escape sequence": (
        GOOD + 'title: "\\e[31m"',
        "title: it holds the control character U+001B; remove it",
    ),
    "a line separator": (
        'tokens: ["a\\u2028b"]\nvectors: [[1]]',
        "tokens[1]: it holds the control character U+2028; remove it",
    ),
    "half a surrogate pair": (
        'tokens: ["\\ud800"]\nvectors: [[1]]',
        "tokens[1]: it holds the control character U+D800; remove it",
    ),
    "a NUL": (
        "tokens: [a\0]",
        "not YAML: unacceptable character #x0000: special characters are not allowed; "
        "write it as plain text",
    ),
    "a Python object": (
        "tokens: !!python/object/apply:os.system [true]\nvectors: [[1]]",
        "line 1: not YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system'; correct that line",
    ),
    "a tag of YAML's own": (
        "tokens: [!!int 'x']\nvectors: [[1]]",
        "line 1: not YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:int'; correct that line",
    ),
    "a merge": (
        "<<: {tokens: [a]}\nvectors: [[1]]",
        f"<<: this key is unknown; the keys are {KEYS}",
    ),
    "a version out of range": (
        "%YAML 1." + "9" * 5000 + "\n--- a",
        "not YAML: a number or an escape in it is out of range; correct it",
    ),
    "an escape out of range": (
        'tokens: ["\\UFFFFFFFF"]',
        "not YAML: a number or an escape in it is out of range; correct it",
    ),
    "deep nesting": (
        "tokens: " + "[" * 5000,
        "it is nested too deeply; write tokens: and vectors:",
    ),
    "deep nesting in blocks": ("- " * 5000, "it is nested too deeply; write tokens: and vectors:"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_line_names_file_key_and_remedy(name):
    text, message = BAD[name]
    assert refusal(text) == f"my.yaml: {message}"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntokens: *c",
        "tokens: !!python/name:os.system ''",
        "tokens: [!!timestamp x]",
        "tokens: [!!binary '%%']",
        "tokens: [!!bool maybe]",
        "tokens: [!!float x]",
        "tokens: !!set {a}",
        "!!merge <<: 3",
        '"a\\nb": 1',
        "? {a: 1}\n: 2",
        "x" * 100_000 + ": 1",
        "tokens: [" + "x" * 100_000 + "]\nvectors: []",
        "tokens: ['" + "[red]" * 50 + "']\nvectors: [[1, 2]]\nquery: z",
    ],
)
def test_whatever_is_wrong_the_message_is_one_line(text):
    assert refusal(text).startswith("my.yaml: ")


def test_a_good_file():
    content = parse(
        "title: On mats\n"
        "tokens: [the, cat, sat]\n"
        "vectors:\n"
        "  - [0.1, 0.20, -3]\n"
        "  - [1e-1, +0, 2.5]\n"
        "  - [' .5 ', 5., -0]\n"
        "query: 2\n"
    )
    rows = content.rows("my.yaml")
    assert rows[0] == [(Fraction(1, 10), "0.1"), (Fraction(1, 5), "0.20"), (Fraction(-3), "-3")]
    assert rows[1] == [(Fraction(1, 10), "1e-1"), (Fraction(0), "0"), (Fraction(5, 2), "2.5")]
    assert rows[2] == [(Fraction(1, 2), ".5"), (Fraction(5), "5."), (Fraction(0), "-0")]
    assert content.query == "2"


def test_vectors_by_token_may_come_in_any_order_and_serve_twice():
    content = parse("tokens: [a, b, a]\nvectors: {b: [2], a: [1]}")
    assert [row[0][1] for row in content.rows("my.yaml")] == ["1", "2", "1"]


@pytest.mark.parametrize("word", ["no", "yes", "null", "~", "1.0", "2024-01-01", "0x1F", "12:30"])
def test_words_that_yaml_takes_for_something_else_stay_words(word):
    assert parse(f"tokens: [{word}]\nvectors: [[1]]").tokens == [word]


def test_zero_with_any_exponent_is_zero_at_once():
    assert read_decimal("0e999999999", "my.yaml", "vectors[1][1]") == 0


def test_the_largest_and_smallest_numbers():
    assert read_decimal("9.9e150", "", "") == Fraction(99, 10) * 10**150
    assert read_decimal("-1e-150", "", "") == Fraction(-1, 10**150)


# Files


def test_a_file_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("ragged.yaml").write_text("tokens: [a, b]\nvectors: [[1, 2], [3]]")
    with pytest.raises(InputError, match=r"^ragged\.yaml: vectors\[2\]: "):
        load("ragged.yaml")


def test_a_good_file_is_loaded(tmp_path: Path):
    path = tmp_path / "two words.yaml"
    path.write_text(
        "\ufefftokens: [Grüße, 世界]\nvectors: [[1], [2]]\nquery: 世界\n", encoding="utf-8"
    )
    example = load(str(path))
    assert example.name == "two words"
    assert example.tokens == ("Grüße", "世界")
    assert example.query == 1
    assert example.title == example.sentence == "Grüße 世界"
    assert example.where == str(path)


def test_windows_line_ends(tmp_path: Path):
    path = tmp_path / "my.yaml"
    path.write_bytes(b"tokens: [a]\r\nvectors:\r\n  - [1]\r\n")
    assert load(str(path)).shape == (1, 1)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_refused(tmp_path: Path, encoding: str):
    path = tmp_path / "my.yaml"
    path.write_text("tokens: [é]\nvectors: [[1]]", encoding=encoding)
    with pytest.raises(InputError, match="it is not UTF-8 text; save it as UTF-8"):
        load(str(path))


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="Is a directory; give the path of a YAML file"):
        load(str(tmp_path))


@pytest.mark.parametrize("name", ["nowhere.yaml", "jim_john", "nowhere/at/all"])
def test_a_missing_file_is_refused(name: str):
    with pytest.raises(InputError, match=f"^{name}: there is no built-in sentence and no file"):
        load(name)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_an_impossible_name_is_refused(name: str):
    with pytest.raises(InputError) as raised:
        load(name)
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_is_too_big_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(InputError, match=f"it holds more than {MOST_BYTES:,} bytes"):
        load(str(path))


# Anything at all


def complaint(text: str) -> str | None:
    """Return what is said about ``text``; any other exception is a failure."""
    try:
        load_from(text)
    except InputError as error:
        return str(error)
    return None


@settings(max_examples=400)
@given(st.text())
def test_any_text_is_read_or_refused(text: str):
    message = complaint(text)
    assert message is None or len(message.splitlines()) == 1


WORDS = """tokens vectors query : - [ ] { } , a 1 0.5 &a *a !!int !!python/name:os ? ' " | >
    \\ \\x # %YAML --- << ~ 1e9 ٣ !< % @ `"""
PIECES = st.sampled_from([*WORDS.split(), ": ", "- ", "\n", " ", "\t", "\u2028", "\x00", "\ud800"])


@settings(max_examples=600)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_anything_that_looks_like_yaml_is_read_or_refused(text: str):
    message = complaint(text)
    assert message is None or len(message.splitlines()) == 1


YAML = st.recursive(
    st.text(max_size=5) | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SentenceFile.model_fields, YAML)))
def test_any_data_under_the_right_keys_is_read_or_refused(data):
    message = complaint(yaml.safe_dump(data, allow_unicode=True))
    assert message is None or re.fullmatch(r"my\.yaml: .+; .+", message)


@settings(max_examples=200)
@given(st.text())
def test_a_number_is_read_or_refused(text: str):
    try:
        value = read_decimal(text, "my.yaml", "vectors[1][1]")
    except InputError:
        return
    assert value == Fraction(text)


def test_loading_yaml_builds_nothing_but_text():
    data = load_yaml("a: [1, true, 2024-01-01, null, {b: 0x1}]", where="my.yaml")
    assert data == {"a": ["1", "true", "2024-01-01", "null", {"b": "0x1"}]}
