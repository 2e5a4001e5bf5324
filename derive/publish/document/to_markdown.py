"""Write a page as Markdown with maths between dollar signs, for any site generator."""

from __future__ import annotations

from typing import assert_never

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
    Words,
)
from derive.publish.markdown import displayed, markdown_text


def to_markdown(document: Document) -> str:
    """Return the page as Markdown; text shows as it is, and is nothing else than text."""
    blocks = [f"# {markdown_text(document.title)}", *map(block, document.pieces)]
    return "\n\n".join(blocks) + "\n"


def block(piece: Piece) -> str:
    """Return one piece as a block of Markdown."""
    match piece:
        case Heading(text, level):
            return f"{'#' * level} {_plain(text)}"
        case Paragraph(parts):
            return _line(parts)
        case Equations(rows):
            return "\n\n".join(displayed(row.latex) for row in rows)
        case Table():
            return _table(piece)
        case Items(lines):
            return "\n".join(f"- {_line(line)}" for line in lines)
        case Listing(text, language):
            fence = "`" * max(3, 1 + _longest_run(text))
            return f"{fence}{language}\n{text.rstrip()}\n{fence}"
        case Picture(svg, _):
            return svg.strip()
        case _:
            assert_never(piece)


def _table(table: Table) -> str:
    sides = {"l": "---", "r": "---:", "c": ":---:"}
    rows = [table.head, *table.rows]
    head, *body = ["| " + " | ".join(_line(cell) for cell in row) + " |" for row in rows]
    rule = "|" + "|".join(sides[side] for side in table.align) + "|"
    written = "\n".join([head, rule, *body])
    return f"{_plain(table.caption)}\n\n{written}" if table.caption else written


def _plain(text: str) -> str:
    return text if isinstance(text, Words) else markdown_text(text)


def _line(line: Line) -> str:
    return "".join(map(_inline, line))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return _plain(part)
        case Maths(latex, _):
            return f"${latex}$"
        case Strong(text):
            return _strong(text)
        case Code(text):
            plain = text.isascii() and not set(text) & set("`|\\<&\n")
            return f"`{text}`" if plain and text.strip() else f"<code>{markdown_text(text)}</code>"
        case _:
            assert_never(part)


def _strong(text: str) -> str:
    """Return words that stand out; stars mark only what begins and ends with a letter or digit."""
    if text[:1].isalnum() and text[-1:].isalnum():
        return f"**{markdown_text(text)}**"
    return f"<strong>{markdown_text(text)}</strong>"


def _longest_run(text: str) -> int:
    """Return how many backticks stand side by side at most."""
    longest = current = 0
    for character in text:
        current = current + 1 if character == "`" else 0
        longest = max(longest, current)
    return longest
