"""Write a page as one HTML file that needs nothing else: styles, fonts and scripts are in it."""

from __future__ import annotations

import base64
import re
from functools import cache
from importlib.resources import files
from typing import assert_never

from markupsafe import Markup

from derive.publish import katex, maths
from derive.publish.document.document import (
    Code,
    Document,
    Equations,
    Heading,
    Inline,
    Items,
    Line,
    Listing,
    Maths,
    Paragraph,
    Picture,
    Piece,
    Strong,
    Table,
)
from derive.publish.rendering import render
from derive.visible import straight

FONTS = ("Main-Regular", "Main-Bold", "Math-Italic", *(f"Size{n}-Regular" for n in range(1, 5)))
"""The fonts of KaTeX that formulas here are set in."""

_FACE = re.compile(r"@font-face\{[^}]*?url\(fonts/KaTeX_([\w-]+)\.woff2\)[^}]*\}")
_DARK = re.compile(r':is\(\[data-md-color-scheme="slate"\][^{]*\{([^}]*)\}')


def to_html(document: Document) -> str:
    """Return the page as one HTML file."""
    return standalone(document.title, Markup("\n").join(map(block, document.pieces)))


def standalone(title: str, body: Markup, scripts: tuple[str, ...] = ()) -> str:
    """Return a whole HTML file: ``body`` under the title, the styles, the fonts and ``scripts``."""
    return str(
        render(
            "standalone",
            title=title,
            body=body,
            style=Markup(_style()),  # noqa: S704 - the style sheets of this package and of KaTeX
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - of this package
        )
    )


def asset(name: str) -> str:
    """Return a style sheet or a script of this package."""
    return (files("derive.publish") / "assets" / name).read_text(encoding="utf-8")


def block(piece: Piece) -> Markup:
    """Return one piece as HTML; every text is escaped, and none turns around what follows it."""
    match piece:
        case Heading(text, level):
            name = f"h{min(level, 6)}"
            return Markup("<{0}>{1}</{0}>").format(Markup(name), straight(text))  # noqa: S704 - h1 to h6
        case Paragraph(parts):
            return Markup("<p>{}</p>").format(_line(parts))
        case Equations(rows):
            return Markup("\n").join(_equation(row) for row in rows)
        case Table():
            return render("document_table", table=piece, line=_line)
        case Items(lines):
            items = Markup("").join(Markup("<li>{}</li>").format(_line(line)) for line in lines)
            return Markup("<ul>{}</ul>").format(items)
        case Listing(text, _):
            return Markup("<pre><code>{}</code></pre>").format(straight(text.rstrip()))
        case Picture(svg, _):
            return Markup("<figure>{}</figure>").format(Markup(svg))  # noqa: S704 - drawn here
        case _:
            assert_never(piece)


def _equation(row: Maths) -> Markup:
    # Set as if in a line of text, a long sum wraps at its plus signs.
    said = row.spoken or None
    return Markup('<p class="attn-sum">{}</p>').format(
        maths.inline(rf"\displaystyle {row.latex}", said)
    )


def _line(line: Line) -> Markup:
    return Markup("").join(map(_inline, line))


def _inline(part: Inline) -> Markup:
    match part:
        case str():
            return Markup("{}").format(straight(part))
        case Maths(latex, spoken):
            return maths.inline(latex, spoken or None)
        case Strong(text):
            return Markup("<strong>{}</strong>").format(straight(text))
        case Code(text):
            return Markup("<code>{}</code>").format(straight(text))
        case _:
            assert_never(part)


@cache
def _style() -> str:
    """Return all styles: KaTeX's with its fonts in it, ours, and ours for a dark page."""
    folder = katex.assets()
    typeset = (folder / "katex.min.css").read_text(encoding="utf-8")

    def with_font(face: re.Match[str]) -> str:
        if face[1] not in FONTS:
            return ""
        font = (folder / "fonts" / f"KaTeX_{face[1]}.woff2").read_bytes()
        data = f"data:font/woff2;base64,{base64.b64encode(font).decode()}"
        return face[0].replace(f"fonts/KaTeX_{face[1]}.woff2", data)

    ours = "\n".join(map(asset, ("attention.css", "step-through.css", "standalone.css")))
    dark = _DARK.search(ours)
    if dark is None:
        raise AssertionError("attention.css has no colours for a dark page")
    at_night = f"@media (prefers-color-scheme: dark) {{ :root {{{dark[1]}}} }}"
    return "\n".join([_FACE.sub(with_font, typeset), ours, at_night])
