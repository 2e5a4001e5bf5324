"""What must hold of whatever a stranger writes: a right page, or one clear line."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

from derive.errors import InputError
from derive.formula import FormulaError
from derive.publish.fence import Fences
from derive.publish.katex_package import KatexError
from derive.publish.script.executing import ScriptError
from derive.visible import breaks_line

LONGEST_LINE = 700
TAGS = {
    "section", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "bdi", "div", "p",
    "ol", "li", "var", "details", "summary", "button", "b", "i", "sub", "sup", "pre", "code", "svg",
    "path", "a", "line", "g", "title", "desc", "figure", "figcaption",
}  # fmt: skip
ATTRIBUTE = re.compile(
    r"class|style|id|hidden|tabindex|role|scope|type|data-[\w-]+|aria-[\w-]+|colspan|open|lang|d"
    r"|width|height|viewbox|preserveaspectratio|xmlns|dir"
)


class Page(HTMLParser):
    """Reads a page; a tag or an attribute that no template of ours has is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, _ in attrs:
            assert ATTRIBUTE.fullmatch(name), name

    def handle_data(self, data: str) -> None:
        self.text += data


def fence_of(data: dict[str, Any]) -> str:
    """Return a fence that holds this; JSON is YAML."""
    return json.dumps(data)


def check_fence(source: str) -> bool:
    """Render a fence; return whether it gave a page, and refuse what is neither page nor line."""
    try:
        html = str(Fences().render(source))
    except (InputError, FormulaError, KatexError, ScriptError) as error:
        check_line(str(error))
        return False
    page = Page()
    page.feed(html)
    page.close()
    return True


def check_line(message: str) -> None:
    """Refuse a message that is no single, plain, short line."""
    assert message.strip()
    assert len(message) < LONGEST_LINE, len(message)
    assert not any(breaks_line(character) for character in message), repr(message)
