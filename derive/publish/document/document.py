"""What a page is made of, whatever it is written in.

Text is plain text: each writer escapes it for its own format. Maths is LaTeX that this package
wrote itself; so are ``Words``, which a writer may leave as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Maths:
    """A formula in a line of text; ``spoken`` says it in words."""

    latex: str
    spoken: str = ""


@dataclass(frozen=True)
class Code:
    """A name or a command in a line of text."""

    text: str


@dataclass(frozen=True)
class Strong:
    """A few words that stand out."""

    text: str


class Words(str):
    """Words of this package's own: letters and plain punctuation, no markup of any format."""

    __slots__ = ()


Inline = str | Maths | Code | Strong
Line = tuple[Inline, ...]


@dataclass(frozen=True)
class Heading:
    """A heading; the page's title is level 1."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of running text."""

    parts: Line


@dataclass(frozen=True)
class Equations:
    """Equations, one below the other, aligned at their first equals sign."""

    rows: tuple[Maths, ...]


@dataclass(frozen=True)
class Table:
    """A table; ``align`` has l, r or c for each column.

    ``shades`` has a strength from 0 to 1 for each cell that is shaded by it, as in a heatmap.
    """

    head: tuple[Line, ...]
    rows: tuple[tuple[Line, ...], ...]
    align: str
    caption: str = ""
    shades: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True)
class Items:
    """A list of short lines."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Listing:
    """A program, or what one printed."""

    text: str
    language: Literal["python", "text", "console", "yaml", "json"] = "text"


@dataclass(frozen=True)
class Picture:
    """A drawing, as SVG that this package wrote itself; ``description`` says what it shows."""

    svg: str
    description: str


Piece = Heading | Paragraph | Equations | Table | Items | Listing | Picture


@dataclass(frozen=True)
class Document:
    """A page: its title and its pieces, in order."""

    title: str
    pieces: tuple[Piece, ...]
