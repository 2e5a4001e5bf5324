"""Tell a worked sentence in LaTeX, or in Markdown with LaTeX, for any site or paper."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import Any

from derive.formula import a, s, z
from derive.publish.lines import rounded
from derive.publish.notation import Latex, Phrase
from derive.publish.telling import Telling, ToldStage
from derive.publish.writing import name_of

_LATEX = {
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
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # Side by side these would become dashes, quotes or turned marks.
    **{character: f"{{{character}}}" for character in "-'`\""},
}

_MARKDOWN = {ord(mark): f"&#{ord(mark)};" for mark in string.punctuation if mark not in ",;?/%"}
"""As entities, since dialects differ in what a backslash escapes and in what a mark can start."""


def latex_text(text: str) -> str:
    """Return ``text`` as LaTeX that prints exactly it, whatever it holds."""
    # Two commas would become a low quotation mark.
    return "".join(_LATEX.get(character, character) for character in text).replace(",,", ",{},")


def markdown_text(text: str) -> str:
    """Return ``text`` as Markdown that shows exactly it: no markup, no HTML, no maths."""
    # A typographer makes one of several commas, and three of many question marks.
    return text.translate(_MARKDOWN).replace(",,", "&#44;&#44;").replace("??", "&#63;&#63;")


def show_latex(telling: Telling) -> str:
    """Return a LaTeX fragment: an ``align*`` for each part, then the numbers (needs amsmath)."""
    blocks = [f"% {telling.example.title}: {telling.worked.mechanism.title}"]
    for told in telling.choices:
        role, way = told.choice.role, told.choice.title
        blocks.append(f"% {role}" if role == way else f"% {role}: {way}")
        blocks.append(aligned([row for stage in told.stages for row in _rows(stage)]))
    blocks.append(_latex_table(telling))
    return "\n".join(blocks) + "\n"


def show_markdown(telling: Telling) -> str:
    """Return Markdown with ``$$`` maths: the formulas, the query's lines and a table of numbers."""
    example, worked = telling.example, telling.worked
    query, title = markdown_text(example.tokens[telling.query]), worked.mechanism.title
    blocks = [
        f"# {markdown_text(example.title)}",
        f"{title[0].upper()}{title[1:]}; the query is {query}.",
    ]
    for told in telling.choices:
        role, way = told.choice.role.capitalize(), told.choice.title
        blocks.append(f"## {role}" if role.lower() == way else f"## {role}: {way}")
        blocks.extend(displayed(row) for stage in told.stages for row in _rows(stage))
    blocks.append(_table(telling))
    context = ", ".join(str(_value(value, telling)) for value in worked[z][telling.query])
    name = name_of(z, [telling.query + 1])
    blocks.append(f"The context vector of {query}: $\\mathbf{{{name}}} = ({context})$")
    return "\n\n".join(blocks) + "\n"


def aligned(equations: Iterable[str]) -> str:
    """Return equations as one LaTeX block, aligned at their first equals sign."""
    body = " \\\\\n".join(f"  {row.replace(' = ', ' &= ', 1)}" for row in equations)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def displayed(equation: str) -> str:
    """Return an equation as a block of maths in Markdown."""
    return f"$$\n{equation}\n$$"


def _rows(told: ToldStage) -> list[str]:
    written = [
        f"{line.name} = {line.in_names}{line.worked(Latex().decimal(line.value).text)}"
        for line in told.lines
    ]
    return [told.equation, *written]


def _value(value: Any, telling: Telling) -> Phrase:
    """Write a number for LaTeX: 1.5e-7 comes with its power of ten."""
    return Latex().decimal(rounded(value, telling.digits))


def _latex_table(telling: Telling) -> str:
    rows = [
        f"  {place} & {latex_text(token)} & ${score}$ & ${weight}$ \\\\"
        for place, token, score, weight in _numbers(telling)
    ]
    head = ["\\begin{tabular}{rlrr}", "  & token & score & weight \\\\"]
    return "\n".join([*head, *rows, "\\end{tabular}"])


def _table(telling: Telling) -> str:
    rows = ["| | token | score | weight |", "|---:|---|---:|---:|"]
    for place, token, score, weight in _numbers(telling):
        rows.append(f"| {place} | {markdown_text(token)} | ${score}$ | ${weight}$ |")
    return "\n".join(rows)


def _numbers(telling: Telling) -> Iterator[tuple[int, str, Phrase, Phrase]]:
    worked, query = telling.worked, telling.query
    for place, token in enumerate(telling.example.tokens):
        score, weight = worked[s][query, place], worked[a][query, place]
        yield place + 1, token, _value(score, telling), _value(weight, telling)
