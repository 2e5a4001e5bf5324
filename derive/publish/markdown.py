"""Tell a worked sentence in LaTeX, or in Markdown with LaTeX, for any site or paper."""

from __future__ import annotations

import re
import unicodedata

from derive.formula import a, s, z
from derive.publish.lines import rounded
from derive.publish.telling import Telling, ToldStage
from derive.publish.writing import name_of

LATEX_SPECIALS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}


def latex_text(text: str) -> str:
    """Return ``text`` as LaTeX that prints exactly it, whatever it holds."""
    return "".join(LATEX_SPECIALS.get(character, character) for character in text)


def markdown_text(text: str) -> str:
    """Return ``text`` as Markdown that shows exactly it: no markup, no HTML, no maths."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~$:^=\"'])", r"\\\1", escaped)


def show_latex(telling: Telling) -> str:
    """Return a LaTeX fragment: one ``align*`` for each part (needs amsmath)."""
    blocks = [f"% {_comment(telling.example.title)}: {telling.worked.mechanism.title}"]
    for told in telling.choices:
        blocks.append(f"% {told.choice.role}: {told.choice.title}")
        rows = [row for stage in told.stages for row in _rows(stage)]
        body = " \\\\\n".join(f"  {row}" for row in rows)
        blocks.append(f"\\begin{{align*}}\n{body}\n\\end{{align*}}")
    return "\n".join(blocks) + "\n"


def show_markdown(telling: Telling) -> str:
    """Return Markdown with ``$$`` maths: the formulas, the query's lines and a table of numbers."""
    example, worked = telling.example, telling.worked
    query = markdown_text(example.tokens[telling.query])
    blocks = [
        f"# {markdown_text(example.title)}",
        f"{worked.mechanism.title[0].upper()}{worked.mechanism.title[1:]}; the query is {query}.",
    ]
    for told in telling.choices:
        blocks.append(f"## {told.choice.role.capitalize()}: {told.choice.title}")
        for stage in told.stages:
            blocks.append(f"$$\n{stage.equation}\n$$")
            blocks.extend(f"$$\n{_line(row)}\n$$" for row in _rows(stage)[1:])
    blocks.append(_table(telling))
    context = ", ".join(rounded(value, telling.digits) for value in worked[z][telling.query])
    name = name_of(z, [telling.query + 1])
    blocks.append(f"The context vector of {query}: $\\mathbf{{{name}}} = ({context})$")
    return "\n\n".join(blocks) + "\n"


def _rows(told: ToldStage) -> list[str]:
    rows = [told.equation.replace(" = ", " &= ", 1)]
    for line in told.lines:
        parts = [line.in_names, line.in_numbers, line.value]
        rows.append(f"{line.name} &= " + " = ".join(parts))
    return rows


def _line(row: str) -> str:
    return row.replace(" &= ", " = ", 1)


def _table(telling: Telling) -> str:
    worked, query = telling.worked, telling.query
    rows = ["| | token | score | weight |", "|---:|---|---:|---:|"]
    for place, token in enumerate(telling.example.tokens):
        score, weight = worked[s][query, place], worked[a][query, place]
        cells = [str(place + 1), markdown_text(token)]
        cells += [rounded(score, telling.digits), rounded(weight, telling.digits)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _comment(text: str) -> str:
    return "".join(" " if unicodedata.category(c) in ("Zl", "Zp") else c for c in text)
