"""Tell a worked sentence in LaTeX, or in Markdown with LaTeX, for any site or paper."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from derive.formula import a, s, z
from derive.publish.lines import rounded
from derive.publish.notation import Latex, Phrase
from derive.publish.telling import Telling, ToldStage
from derive.publish.words import language, pieces, said, title
from derive.publish.writing import name_of
from derive.visible import straight, visible

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
    "\N{NO-BREAK SPACE}": r"\nobreakspace{}",
    "\N{NARROW NO-BREAK SPACE}": r"\thinspace{}",
    # Side by side these would become dashes, quotes or turned marks.
    **{character: f"{{{character}}}" for character in "-'`\""},
}

_MARKDOWN = {
    ord(mark): f"&#{ord(mark)};"
    for mark in (*string.punctuation, *filter(str.isspace, map(chr, range(0x80, 0x3001))))
    if mark not in ",;?/%"
}
"""As entities, since dialects differ in what a backslash escapes and in what a mark can start."""


def latex_text(text: str) -> str:
    """Return ``text`` as LaTeX that prints exactly it, whatever it holds."""
    text = straight(text)
    # Two commas would become a low quotation mark.
    return "".join(_LATEX.get(character, character) for character in text).replace(",,", ",{},")


def markdown_text(text: str) -> str:
    """Return ``text`` as Markdown that shows exactly it: no markup, no HTML, no maths.

    Marks that would turn around what follows are shown by their codes.
    """
    # A typographer makes one of several commas, and three of many question marks.
    escaped = straight(text).translate(_MARKDOWN)
    return escaped.replace(",,", "&#44;&#44;").replace("??", "&#63;&#63;")


def show_latex(telling: Telling) -> str:
    """Return a LaTeX fragment: an ``align*`` for each part, then the numbers (needs amsmath)."""
    blocks = [f"% {visible(telling.example.title)}: {title(telling.worked.mechanism.title)}"]
    for told in telling.choices:
        role, way = title(told.choice.role), title(told.choice.title)
        blocks.append(f"% {role}" if role == way else f"% {role}: {way}")
        blocks.append(aligned([row for stage in told.stages for row in _rows(stage)]))
    blocks.append(_latex_table(telling))
    return "\n".join(blocks) + "\n"


def show_markdown(telling: Telling) -> str:
    """Return Markdown with ``$$`` maths: the formulas, the query's lines and a table of numbers."""
    example, worked = telling.example, telling.worked
    query = markdown_text(example.tokens[telling.query])
    mechanism = _as_markdown(capitalised(title(worked.mechanism.title)))
    blocks = [
        f"# {markdown_text(example.title)}",
        _filled("page.start", title=mechanism, query=query),
    ]
    for told in telling.choices:
        role = _as_markdown(capitalised(title(told.choice.role)))
        way = _as_markdown(title(told.choice.title))
        named = _filled("page.heading", role=role, title=way)
        blocks.append(f"## {role}" if told.choice.role == told.choice.title else f"## {named}")
        blocks.extend(displayed(row) for stage in told.stages for row in _rows(stage))
    blocks.append(_table(telling))
    context = ", ".join(str(_value(value, telling)) for value in worked[z][telling.query])
    name = name_of(z, [telling.query + 1])
    vector = f"$\\mathbf{{{name}}} = ({context})$"
    blocks.append(_filled("page.context", query=query, vector=vector))
    return "\n\n".join(blocks) + "\n"


def capitalised(words: str) -> str:
    """Return words as they start a sentence or a heading."""
    return f"{words[:1].upper()}{words[1:]}"


def _filled(key: str, **values: str) -> str:
    """Return a phrase as Markdown, filled with what is Markdown already."""
    return "".join(pieces(key, _as_markdown, **values))


def _as_markdown(words: str) -> str:
    """Return words of a catalogue: this package's hold no markup, a person's own may."""
    return markdown_text(words) if language().own else words


def _heads(escape: Callable[[str], str]) -> list[str]:
    heads = [said(f"table.{column}") for column in ("token", "score", "weight")]
    return [escape(head) if language().own else head for head in heads]


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
    columns = " & ".join(["  ", *_heads(latex_text)]).strip()
    head = ["\\begin{tabular}{rlrr}", f"  {columns} \\\\"]
    return "\n".join([*head, *rows, "\\end{tabular}"])


def _table(telling: Telling) -> str:
    rows = [f"| | {' | '.join(_heads(markdown_text))} |", "|---:|---|---:|---:|"]
    for place, token, score, weight in _numbers(telling):
        rows.append(f"| {place} | {markdown_text(token)} | ${score}$ | ${weight}$ |")
    return "\n".join(rows)


def _numbers(telling: Telling) -> Iterator[tuple[int, str, Phrase, Phrase]]:
    worked, query = telling.worked, telling.query
    for place, token in enumerate(telling.example.tokens):
        score, weight = worked[s][query, place], worked[a][query, place]
        yield place + 1, token, _value(score, telling), _value(weight, telling)
