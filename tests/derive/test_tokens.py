"""Tokens of any Unicode come out as they are: in a terminal, in LaTeX, in Markdown and in JSON."""

import html
import io
import json
import re
import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown import markdown as python_markdown
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console

from derive.attention import SOFTMAX, SUM_NORMALISED
from derive.errors import InputError
from derive.examples import Example, Number
from derive.publish.markdown import latex_text, markdown_text, show_latex, show_markdown
from derive.publish.notation import Latex
from derive.publish.telling import as_data, tell
from derive.publish.terminal import TOKEN, show
from derive.visible import breaks_line, quoted, shortened, visible

TOKENS = (
    "[red]markup[/red]",
    "<b>&amp;</b>",
    r"\frac{$x$}%_^~#&",
    "a|b`c`",
    "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}",
    "\N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED}\N{HEBREW LETTER VAV}",
    "e\N{COMBINING ACUTE ACCENT}",
    "漢字",
    "**b** _i_ ~~s~~",
    "--'' ``,,",
    ":smile: www.example.org http://x.y",
    '{#id .class} "(c)" [link](x) !',
)


def numbers(*rows: tuple[str, ...]) -> tuple[tuple[Number, ...], ...]:
    return tuple(tuple(Number(Fraction(text), text) for text in row) for row in rows)


def sentence(*tokens: str, rows: tuple[tuple[str, ...], ...] = ()) -> Example:
    rows = rows or tuple((f"0.{place + 1}", "-1") for place in range(len(tokens)))
    return Example("made up", " ".join(tokens), tokens, numbers(*rows), 0, "")


def in_terminal(example: Example, mechanism=SOFTMAX, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    show(tell(example, mechanism), console)
    return console.file.getvalue().splitlines()


def table(lines: list[str]) -> list[str]:
    head = next(p for p, line in enumerate(lines) if re.match(r" +token +", line))
    return lines[head : lines.index("", head)]


def end_of(word: str, line: str) -> int:
    return cell_len(line[: line.rindex(word) + len(word)])


# Terminal


def test_the_table_is_aligned_by_the_width_that_tokens_have():
    lines = table(in_terminal(sentence(*TOKENS)))
    ends = {end_of(word, line) for line in lines for word in re.findall(r"weight|0\.\d{4}$", line)}
    scores = {
        end_of(line.split()[-2], line) for line in lines[1:] if line.endswith(tuple("0123456789"))
    }
    assert len(lines) == len(TOKENS) + 1
    assert len(ends) <= 1
    assert len(scores) <= 1
    starts = {
        cell_len(line[: line.index(token[:4])])
        for line, token in zip(lines[1:], TOKENS, strict=True)
    }
    assert starts == {4}


@pytest.mark.parametrize("token", [token for token in TOKENS if cell_len(token) <= TOKEN])
def test_a_token_stands_in_the_terminal_as_it_is(token):
    lines = in_terminal(sentence(token, "other"))
    assert f"query: {token} (token 1)" in " ".join(lines[1:4])
    assert any(line.startswith(f"1  {token} ") for line in lines)


def test_a_character_that_would_turn_the_line_around_is_shown_by_its_code():
    lines = in_terminal(sentence("a\N{RIGHT-TO-LEFT OVERRIDE}b", "c"))
    assert any(line.startswith("1  a\\u202eb ") for line in lines)
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in "".join(lines)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("mechanism", [SOFTMAX, SUM_NORMALISED])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(width, mechanism):
    example = sentence("word " * 30, "w" * 300, "漢" * 100, rows=(("1.25",) * 12,) * 3)
    lines = in_terminal(example, mechanism, width)
    assert max(map(cell_len, lines)) <= width
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_long_token_is_cut_in_the_table_alone():
    lines = in_terminal(sentence("w" * 70, "short"))
    row = next(line for line in lines if line.startswith("1  w"))
    assert f"{'w' * (TOKEN - 1)}… " in row
    assert "w" * 70 in "".join(lines)


def test_eight_tokens_are_readable_at_80_columns():
    rows = tuple(("0.12", "-3.45", "6.78") for _ in range(8))
    lines = table(in_terminal(sentence(*[f"token{p}" for p in range(8)], rows=rows)))
    assert lines[0].split() == ["token", "vector", "score", "weight"]
    assert lines[1].split()[:6] == ["1", "token0", "0.12", "-3.45", "6.78", "57.8853"]
    assert len(lines) == 9


def test_vectors_are_cut_where_there_is_no_room():
    rows = tuple(("0.1234567",) * 9 for _ in range(2))
    lines = table(in_terminal(sentence("first", "second", rows=rows)))
    assert lines[1].startswith("1  first   0.1234567 ")
    assert "… " in lines[1]
    narrow = table(in_terminal(sentence("first", "second", rows=rows), width=45))
    assert "vector" not in narrow[0]


def test_bars_follow_the_weights():
    rows = (("1",), ("2",), ("-1",))
    lines = table(in_terminal(sentence("a", "b", "c", rows=rows), SUM_NORMALISED))
    bars = [line.count("█") for line in lines[1:]]
    assert bars == [10, 20, 0]
    assert "-0.5000" in lines[3]


# LaTeX


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("plain words, all", "plain words, all"),
        ("50% & #1_a", r"50\% \& \#1\_a"),
        (r"\{$^~}", r"\textbackslash{}\{\$\textasciicircum{}\textasciitilde{}\}"),
        ("a--b ``c''", "a{-}{-}b {`}{`}c{'}{'}"),
        ("<x|,,", r"\textless{}x\textbar{},{},"),
        ("漢字 é", "漢字 é"),
    ],
)
def test_latex_text(text, latex):
    assert latex_text(text) == latex


def test_the_latex_table_holds_every_token():
    latex = show_latex(tell(sentence(*TOKENS), SOFTMAX, notation=Latex()))
    rows = re.findall(r"^  (\d+) & (.*) & \$(.*)\$ & \$(.*)\$ \\\\$", latex, re.MULTILINE)
    assert [row[1] for row in rows] == [latex_text(token) for token in TOKENS]
    assert latex.count(r"\begin{align*}") == latex.count(r"\end{align*}") == 3
    assert all(
        line.startswith("%") for line in latex.splitlines() if TOKENS[0] in line and "&" not in line
    )


@given(st.text())
def test_no_character_of_a_token_means_anything_to_latex(text):
    latex = latex_text(text)
    for command in (r"\textbackslash{}", r"\textasciicircum{}", r"\textasciitilde{}"):
        latex = latex.replace(command, "")
    for command in (r"\nobreakspace{}", r"\thinspace{}"):
        latex = latex.replace(command, "")
    for command in (r"\textless{}", r"\textgreater{}", r"\textbar{}", "{-}", "{'}", "{`}", '{"}'):
        latex = latex.replace(command, "")
    latex = re.sub(r"\\[{}$&#%_]", "", latex.replace(",{},", ",,"))
    assert not set(latex) & set("\\{}$&#%_^~")


# Markdown


def as_text(rendered: str) -> str:
    return html.unescape(re.sub(r"</?(p|td|h1)[^>]*>", "", rendered)).strip("\n")


INLINE = ("tilde", "caret", "magiclink", "smartsymbols", "emoji", "arithmatex")
EXTENSIONS = ["extra", "smarty", "sane_lists", *(f"pymdownx.{name}" for name in INLINE)]


@pytest.mark.parametrize("token", TOKENS)
def test_markdown_shows_the_token(token):
    source = f"The token {markdown_text(token)} here."
    for rendered in (
        python_markdown(source, extensions=EXTENSIONS),
        MarkdownIt("js-default", {"linkify": False, "typographer": True}).render(source),
        MarkdownIt("commonmark").render(source),
    ):
        assert as_text(rendered) == f"The token {token} here."
        assert rendered.count("<") == 2


@settings(max_examples=200)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
)
def test_any_token_stands_in_its_cell_of_the_table(token):
    row = f"| 1 | {markdown_text(token)} | $0.1$ |"
    source = f"| | token | score |\n|---:|---|---:|\n{row}\n"
    for rendered in (
        python_markdown(source, extensions=["tables"]),
        MarkdownIt("commonmark").enable("table").render(source),
    ):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", rendered, re.DOTALL)
        assert [html.unescape(cell) for cell in cells] == ["1", token, "$0.1$"]


def test_the_markdown_page():
    page = show_markdown(tell(sentence(*TOKENS), SOFTMAX, notation=Latex()))
    assert page.startswith("# &#91;red&#93;markup")
    assert page.count("$$") % 2 == 0
    assert "## Weighted sum\n" in page
    assert r"$\mathbf{z_{1}} = (" in page


# JSON


def test_json_holds_the_tokens_as_they_are():
    data = json.loads(json.dumps(as_data(tell(sentence(*TOKENS), SOFTMAX, notation=Latex()))))
    assert tuple(data["tokens"]) == TOKENS
    assert data["query"] == {"token": TOKENS[0], "position": 1}


# Messages


@settings(max_examples=200)
@given(*[st.text(min_size=1)] * 4)
def test_a_message_is_one_line_whatever_it_quotes(where, key, problem, remedy):
    message = str(InputError(where, key, problem, remedy))
    assert len(message.splitlines()) == 1
    assert not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in message)


def test_visible_leaves_readable_text_alone():
    for token in TOKENS:
        assert visible(token) == token
    assert visible("a\nb\x1b[0m\u2028") == r"a\u000ab\u001b[0m\u2028"
    assert [breaks_line(character) for character in "a\n\u2029 "] == [False, True, True, False]


def test_shortening_and_quoting():
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert quoted("a\nb") == r"'a\nb'"
    assert len(quoted("x" * 1000)) == 42
