"""The kinds of hostile input, each with the check that every one of them must pass.

Tests take a few of each, ``python -m tests.hostile.fuzz`` as many as there is time for.
"""

from __future__ import annotations

import html
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import markdown
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pymdownx.inlinehilite import InlineHiliteException

from derive.decimals import LARGEST_EXPONENT
from derive.errors import InputError
from derive.examples import example_from, load
from derive.publish import context, katex, maths
from derive.publish.fence import Fences
from derive.sentence_file import SentenceFile
from derive.visible import straight
from tests.hostile import strategies
from tests.hostile.properties import (
    Page,
    check_fence,
    check_latex,
    check_line,
    check_refusal,
    fence_of,
    page_of,
    rendered,
    watched,
)


@dataclass(frozen=True)
class Kind:
    """Inputs, and the check that says of each whether it gave a page; what is wrong, it raises."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], bool]


def _fence(data: dict[str, Any]) -> bool:
    return check_fence(fence_of(data))


def _untouched(data: dict[str, Any]) -> bool:
    """Render a fence while every process, connection and file is watched."""
    _started()
    with watched() as events:
        shown = check_fence(fence_of(data))
    assert events == [], events
    return shown


@cache
def _started() -> None:
    """Start what makes any page: the two processes of Node.js, and Python's own modules."""
    assert check_fence("example: journey\nshow: [numbers, heatmap, step-through]")


def _shown(data: dict[str, Any]) -> bool:
    """Check that a page shows the tokens as they are, and nothing else of them."""
    page = Page.of(rendered(fence_of({**data, "show": ["vectors"]})) or "")
    # A row has its place, the token, and the vector.
    width = 2 + len(data["vectors"][0])
    tokens = page.cells[width + 1 :: width]
    assert tokens == data["tokens"], (tokens, data["tokens"])
    return True


def _exports(data: dict[str, Any]) -> bool:
    """Check the page of a sentence in every format but HTML."""
    example = example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")
    latex = page_of(example, "latex")
    check_latex(latex)
    _check_markdown(page_of(example, "markdown"), data["tokens"])
    notebook = json.loads(page_of(example, "notebook"))
    texts = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    _check_markdown("\n\n".join(texts), data["tokens"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            compile(cell["source"], "cell", "exec")
    assert json.loads(page_of(example, "json"))["tokens"] == data["tokens"]
    svg = ElementTree.fromstring(page_of(example, "svg"))  # noqa: S314 - made here
    assert [node.text for node in svg.iter() if node.tag.endswith("text")]
    return True


def _check_markdown(text: str, tokens: list[str]) -> None:
    """Check that two readers of Markdown show each token in its cell, and no other markup."""
    for rendering in (
        markdown.markdown(text, extensions=["tables", "fenced_code"]),
        MarkdownIt("commonmark").enable("table").render(text),
    ):
        tags = set(re.findall(r"<([a-z0-9]+)", rendering))
        assert tags <= {
            "h1", "h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td",
        }, tags  # fmt: skip
        cells = [_words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", rendering, re.DOTALL)]
        for token in tokens:
            assert _words(html.escape(straight(token))) in cells, (token, cells)


def _words(text: str) -> str:
    """Return text as a browser sets it: blanks side by side are one, those at the ends none."""
    return re.sub(r"[ \t\n]+", " ", html.unescape(text)).strip(" ")


def _file(raw: bytes) -> bool:
    """Load a sentence file; it is right, or one line says what is not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my.yaml"
        path.write_bytes(raw)
        try:
            load(str(path))
        except InputError as error:
            check_refusal(error)
            return False
        try:
            load("my.yaml", Path(folder))
        except InputError as error:
            raise AssertionError(f"refused from its folder: {error}") from error
    return True


def _number(text: str) -> bool:
    """Check that a number is what Python's own exact reader makes of it, or refused."""
    data = {"tokens": ["a"], "vectors": [[text]]}
    try:
        example = example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")
    except InputError as error:
        check_refusal(error)
        return False
    assert example.vectors[0][0].value == Fraction(text.strip())
    assert abs(example.vectors[0][0].value) < 10 ** (LARGEST_EXPONENT + 1)
    return True


class _Stash:
    """Where pymdownx keeps the HTML of a formula."""

    def store(self, text: str) -> str:
        return text


class _Markdown:
    htmlStash = _Stash()  # noqa: N815 - the name that Markdown gives it


def _formula(latex: str) -> bool:
    """Set a formula in a line of text, by KaTeX and for the site's own script."""
    _first()
    # Set anew each time: what is kept would hide what the last one left behind.
    katex._render.cache_clear()
    shown = []
    for typeset in ("katex", "arithmatex"):
        fences = Fences(typeset=cast("context.Maths", typeset))
        try:
            page = Page.of(fences.format_maths(latex, "math", "", _Markdown()))
        except InlineHiliteException as error:
            check_line(str(error))
            continue
        shown.append(page)
    assert str(maths.inline("x")) == _first()
    return bool(shown)


@cache
def _first() -> str:
    """What a formula gives, which no formula before it may change."""
    return str(maths.inline("x"))


KINDS = {
    "fences with hostile words": Kind(strategies.RIGHT, _untouched),
    "fences with any keys": Kind(strategies.ANY, _fence),
    "fences with anything under their keys": Kind(strategies.MISFITS, _fence),
    "fences with numbers at the ends": Kind(strategies.AT_THE_ENDS, _fence),
    "broken fences": Kind(strategies.BROKEN, check_fence),
    "tokens on a page": Kind(strategies.SENTENCES, _shown),
    "pages in other formats": Kind(strategies.SENTENCES, _exports),
    "bytes of a file": Kind(strategies.FILES, _file),
    "numbers": Kind(strategies.NUMBERS, _number),
    "formulas": Kind(strategies.FORMULAS, _formula),
}
