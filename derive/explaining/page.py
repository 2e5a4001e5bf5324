"""An explanation as plain text for a terminal, and as LaTeX."""

from __future__ import annotations

import textwrap

from derive.explaining.explanation import Explanation, Line
from derive.explaining.terms import Fixed, Shape, Term, Use, View, parts
from derive.explaining.writing import Latex, escaped

WIDTH = 100
"""Columns of a page of text, where nothing else is asked for."""

NARROWEST = 28
"""Columns that formulas have at least."""


def to_text(explanation: Explanation, width: int = WIDTH) -> str:
    """Return an explanation as text of at most ``width`` columns, as far as formulas can break."""
    rows = [explanation.title, ""]
    rows += [f"  {item.name}  {shaped(item.shape)}" for item in explanation.inputs if item.used]
    unused = [item.name for item in explanation.inputs if not item.used]
    if unused:
        rows += _wrapped(f"  without influence: {', '.join(unused)}", width, 6)
    for item in explanation.fixed:
        rows += _wrapped(f"  {item.name}  {shaped(item.shape)}  fixed: {item.text}", width, 6)
    rows.append("")
    roles = max((len(line.role) for line in explanation.lines), default=0)
    shapes = max((len(shaped(line.shape)) for line in explanation.lines), default=0)
    origins = max((len(line.origin) for line in explanation.lines), default=0)
    room = width - roles - shapes - 6
    # Where a page is too narrow for both, formulas come before places in the source.
    placed = room - origins - 2 >= NARROWEST
    for line in explanation.lines:
        end = f"{shaped(line.shape):<{shapes}}  {line.origin if placed else ''}".rstrip()
        rows += _row(line, roles, max(room - (origins + 2) * placed, NARROWEST), end)
    rows += ["", *_wrapped(f"  output: {', '.join(explanation.outputs)}", width, 6)]
    for note in explanation.notes:
        rows += _wrapped(f"  {note}", width, 2)
    return "\n".join(row.rstrip() for row in rows) + "\n"


def _row(line: Line, roles: int, room: int, end: str) -> list[str]:
    formula = f"{line.name} = {line.text}"
    said = list(line.notes)
    if line.operations > signs(line.formula) + 2:
        said.append(f"{line.operations} operations together")
    words = "; ".join(said)
    if words.startswith("over "):
        over, _, words = words.partition("; ")
        formula = f"{formula} {over}"
    whole = f"{formula}  ({words})" if words else formula
    if len(whole) <= room:
        pieces = [whole]
    else:
        pieces = textwrap.wrap(formula, room, subsequent_indent="    ", break_long_words=False)
        told = f"({words})" if words else ""
        pieces += [f"    {row}" for row in textwrap.wrap(told, room - 4, break_long_words=False)]
    first = f"  {line.role:<{roles}}  {pieces[0]:<{room}}  {end}"
    return [first, *(f"  {'':<{roles}}  {piece}" for piece in pieces[1:])]


def signs(term: Term) -> int:
    """Count the operations that a formula is written with."""
    return sum(map(signs, parts(term))) + (not isinstance(term, Use | Fixed | View))


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=" " * indent, break_long_words=False, drop_whitespace=True
    )


def to_latex(explanation: Explanation) -> str:
    """Return an explanation as an ``align*`` environment (needs amsmath)."""
    names = Latex()
    rows = [_latex_row(names.name(line.name), line) for line in explanation.lines]
    body = " \\\\\n".join(rows)
    title = " ".join(explanation.title.split())
    comment = f"% {title}\n" if title else ""
    return f"{comment}\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _latex_row(name: str, line: Line) -> str:
    words = [*([line.role] if line.role else []), *line.notes]
    said = escaped("; ".join(words))
    tail = rf" && \text{{{said}}}" if said else ""
    size = r" \times ".join(map(str, line.shape)) or "1"
    return rf"  {name} &= {line.latex} &&  {size}{tail}"


def shaped(shape: Shape) -> str:
    """Write a shape: 1x2x3."""
    return "x".join(map(str, shape)) or "number"
