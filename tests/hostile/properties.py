"""What must hold of whatever a stranger writes: a right page, or one clear line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pymdownx.superfences import SuperFencesException

import derive
from derive.errors import InputError
from derive.examples import Example
from derive.publish.fence import Fences
from derive.publish.sentence_page import Format, SentencePage
from derive.visible import straight, visible

LONGEST_LINE = 700

TAGS = {
    "section", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "bdi", "div", "p",
    "ol", "ul", "li", "var", "details", "summary", "button", "b", "i", "sub", "sup", "pre", "code",
    "svg", "path", "a", "line", "g", "title", "desc", "figure", "figcaption", "template", "strong",
    "em", "dl", "dt", "dd", "br", "cite",
}  # fmt: skip
VOID = {"path", "line", "br"}
ATTRIBUTE = re.compile(
    r"class|style|id|hidden|tabindex|role|scope|type|data-[\w-]+|aria-[\w-]+|colspan|open|lang|d"
    r"|width|height|viewbox|preserveaspectratio|xmlns|dir|title|href"
)
STYLE = re.compile(r"(--w:[0-9.]+|width:[0-9.]+%|([a-z-]+:(-?[0-9.]+em|#[0-9a-f]+|[a-z]+);?)+)")


class Page(HTMLParser):
    """Reads a page; what no template of ours has, and what is left open, is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.spoken = "", ""
        self.open_tags: list[str] = []
        self.cells: list[str] = []

    @classmethod
    def of(cls, html: str) -> Page:
        """Read a whole piece of HTML."""
        page = cls()
        page.feed(html)
        page.close()
        assert page.open_tags == []
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert ATTRIBUTE.fullmatch(name), name
            assert name != "href" or re.match(r"https://|[#.\w/-]+$", value or ""), value
            assert name != "style" or STYLE.fullmatch(value or ""), value
            assert not any(map(_never_in_a_page, value or "")), repr(value)
        self.spoken += "".join(value or "" for name, value in attrs if name == "aria-label")
        if tag not in VOID:
            self.open_tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        assert not any(map(_never_in_a_page, data)), repr(data)
        if self.open_tags and self.open_tags[-1] == "template":
            json.loads(data)
            return
        self.text += data
        if self.cells and {"td", "th"} & set(self.open_tags):
            self.cells[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def _never_in_a_page(character: str) -> bool:
    return character != "\n" and visible(character) != straight(character)


def fence_of(data: dict[str, Any]) -> str:
    """Return a fence that holds this; JSON is YAML."""
    return json.dumps(data)


def check_fence(source: str, fences: Fences | None = None) -> bool:
    """Render a fence as a build does; return whether it gave a page that is as it should be."""
    html = rendered(source, fences)
    if html is not None:
        Page.of(html)
    return html is not None


def rendered(source: str, fences: Fences | None = None) -> str | None:
    """Return the HTML of a fence, or None where one clear line refuses it."""
    fences = fences or Fences()
    fences.page, fences.page_source = "docs/page.md", f"```attention\n{source}\n```\n"
    try:
        return fences.format(source, "attention", "", {}, None)
    except SuperFencesException as error:
        check_line(str(error))
        return None


def check_line(message: str) -> None:
    """Refuse a message that is no single, plain, short line, or that owns up to a defect."""
    assert message.strip()
    assert len(message) < LONGEST_LINE, len(message)
    assert visible(message) == message, repr(message)
    assert "a defect of attention-derived" not in message, message


def check_refusal(error: InputError) -> None:
    """Refuse an error that is not one line, or that says not what is wrong and what to do."""
    check_line(str(error))
    assert error.problem
    assert error.remedy


COMMANDS = {
    "documentclass", "usepackage", "IfFileExists", "allowdisplaybreaks", "setlength", "parindent",
    "parskip", "providecommand", "ifx", "Umathchar", "undefined", "else", "fi", "othertext",
    "begin", "end", "section", "subsection", "textbf", "texttt", "emph", "item", "toprule",
    "midrule", "bottomrule", "cellcolor", "textbackslash", "textasciicircum", "textasciitilde",
    "textless", "textgreater", "textbar", "sum", "frac", "tfrac", "sqrt", "left", "right", "max",
    "le", "cdot", "approx", "quad", "mathbf", "ldots", "top", "text", "nobreakspace", "thinspace",
}  # fmt: skip
ENVIRONMENTS = {"document", "align*", "tabular", "itemize"}


def check_latex(latex: str) -> None:
    """Refuse LaTeX with a command that this package does not write, or that leaves a group open."""
    assert visible(latex.replace("\n", "")) == latex.replace("\n", "")
    commented = re.sub(r"(?m)^%.*$", "", latex)
    depth, environments = 0, list[str]()
    for command, sign in re.findall(r"\\([A-Za-z]+|[^A-Za-z])|([{}%^~])", commented):
        assert len(command) <= 1 or command in COMMANDS, command
        assert sign not in ("%", "~") or sign == "~", sign
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    for kind, name in re.findall(r"\\(begin|end)\{([^}]*)\}", commented):
        assert name in ENVIRONMENTS, name
        if kind == "begin":
            environments.append(name)
        else:
            assert environments.pop() == name
    assert environments == []


def page_of(example: Example, format_: Format) -> str:
    """Return a sentence's page in a format, with the attention that its file says."""
    attention = example.composition()
    return SentencePage(example, example.query, attention).write(format_)


HARMFUL = (
    "subprocess.", "socket.", "ftplib.", "urllib.", "smtplib.", "webbrowser.", "os.system",
    "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.remove", "os.rename", "os.mkdir",
    "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate", "shutil.", "ctypes.",
    "pickle.find_class", "code.__new__",
)  # fmt: skip

OURS = (sys.prefix, sys.base_prefix, str(Path(derive.__file__).parent))
"""Where the files lie that a page is made with."""

_watching: list[list[str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    written = event == "open" and (
        set(str(arguments[1] or "")) & set("wxa+") or int(arguments[2] or 0) & 3
    )
    read = event == "open" and not str(arguments[0]).startswith(OURS)
    run = event in ("compile", "exec") and "hostile-mark" in str(arguments)
    if event.startswith(HARMFUL) or written or read or run:
        _watching[-1].append(f"{event} {arguments!r:.200}")


@contextmanager
def watched() -> Iterator[list[str]]:
    """Note every process, connection and file that is touched inside of this block.

    Files of the environment are read at any time: a module, a template. No other is.
    """
    if not getattr(sys, "_hostile_hook", False):
        sys.addaudithook(_hook)
        sys._hostile_hook = True  # type: ignore[attr-defined]
    found: list[str] = []
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.pop()
