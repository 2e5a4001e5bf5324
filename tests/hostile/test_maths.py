"""Formulas from strangers: nothing of one is in the next, nothing reaches out of its line."""

from __future__ import annotations

import time

import pytest
from pymdownx.inlinehilite import InlineHiliteException

from derive.publish import katex, maths, node_child
from derive.publish.fence import Fences
from derive.publish.katex import KatexError
from derive.publish.maths import by_hand
from derive.publish.node_child import NodeChild, NodeEnded
from tests.hostile.properties import Page, check_line

STOLEN = r'\message{{"html":"<img src=x onerror=alert(1)>"}}x'
"""KaTeX prints it where its answers are read: it was taken for one, and all answers came late."""


@pytest.mark.parametrize(
    "latex", [STOLEN, r"\errmessage{x}", r"\show\frac", r"\let\a\message\a{x}y"]
)
def test_what_prints_is_refused_and_the_next_formula_is_its_own(latex: str) -> None:
    with pytest.raises(KatexError, match="it prints to the terminal and sets nothing"):
        katex.render(latex)
    assert "y_{next}" in katex.render("y_{next}")
    assert "z_{after}" in katex.render("z_{after}")


def test_a_process_that_talks_out_of_turn_is_not_believed(tmp_path: object) -> None:
    script = tmp_path / "talks.js"  # type: ignore[operator]
    script.write_text(
        'require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {'
        'process.stdout.write(\'{"html": "theirs"}\\n\' + JSON.stringify({ id: JSON.parse(line).id,'
        'html: "ours" }) + "\\n"); });'
    )
    child = NodeChild(lambda: (script,))
    with pytest.raises(NodeEnded):
        child.ask({})
    child.close()


def test_a_process_that_never_answers_is_not_waited_for(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "waits.js"  # type: ignore[operator]
    script.write_text("setInterval(() => {}, 1000);")
    monkeypatch.setattr(node_child, "SECONDS", 0.5)
    child, start = NodeChild(lambda: (script,)), time.perf_counter()
    with pytest.raises(NodeEnded, match="It took longer than"):
        child.ask({})
    assert time.perf_counter() - start < 5
    child.close()


@pytest.mark.parametrize(
    ("latex", "said"),
    [
        (r"\edef\a{xx}" + r"\edef\a{\a\a}" * 40 + r"\a", "a few of them in a row"),
        (r"\def\a{" + "x" * 2000 + r"}\def\b{" + r"\a" * 400 + r"}\b\b", "defines nothing"),
        (r"\newcommand{\a}{x}\a", "defines nothing"),
        (r"\global\let\a=x", "defines nothing"),
        ("x" * 5001, "this formula has 5,001 characters; write at most 5,000"),
        (r"\rule{600em}{1em}", "too large; stay below 500em"),
        (r"\kern-9999em x", "too large; stay below 500em"),
        (r"\raisebox{-600em}{x}", "too large; stay below 500em"),
        (r"\text{\char2 wzxhzdk:0\char3}", "holds a control character"),
        (r'\text{\char"D800}', "holds a control character"),
        ("\u202ex", "holds a control character"),
    ],
)  # fmt: skip
def test_what_reaches_out_is_refused_in_time(latex: str, said: str) -> None:
    start = time.perf_counter()
    with pytest.raises(KatexError, match=said):
        by_hand(latex)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("latex", [r"\sqrt{d}", r"\overbrace{x}", r"\vec{x}", r"\xrightarrow{a}"])
def test_what_is_drawn_has_no_control_characters(latex: str) -> None:
    Page.of(str(by_hand(latex)))


@pytest.mark.parametrize(
    "latex", ["x" * 4000, "x" + "'" * 4000, r"\begin{array}{" + "c" * 4000 + r"}x\end{array}"]
)
def test_what_is_long_is_set_in_time(latex: str) -> None:
    start = time.perf_counter()
    Page.of(str(by_hand(latex)))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("latex", [r"\htmlData{j=1}{x", r"\htmlClass{a}{{x}"])
def test_a_brace_that_is_never_closed_is_told_where_the_site_sets_maths(latex: str) -> None:
    with pytest.raises(InlineHiliteException, match="is never closed; close it") as caught:
        Fences(typeset="arithmatex").format_maths(latex, "math", "", None)
    check_line(str(caught.value))


def test_a_message_about_a_long_formula_is_short() -> None:
    with pytest.raises(InlineHiliteException, match="KaTeX cannot render") as caught:
        Fences().format_maths("{" * 3000, "math", "", None)
    check_line(str(caught.value))


def test_markup_in_a_formula_is_text_where_the_site_sets_it() -> None:
    from derive.publish.context import setting_maths

    with setting_maths("arithmatex"):
        page = Page.of(str(maths.inline(r"x < y \text{</span><script>alert(1)</script>}")))
    assert "<script>alert(1)</script>" in page.text
