r"""Write a page as LaTeX: a document that compiles by itself, or a fragment for one's own.

Letters that pdflatex has no fonts for, such as Hebrew or Chinese ones, are set by lualatex and
xelatex; pdflatex prints their codes, [U+05D0], instead of stopping.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
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
)
from derive.publish.markdown import latex_text
from derive.visible import visible

WIDEST = 62
"""Characters of a formula on one line, roughly; a longer one goes on below."""

PACKAGES = r"""\usepackage{amsmath}
\usepackage{booktabs}
\usepackage[table]{xcolor}
"""

PREAMBLE = (
    r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage[margin=25mm]{geometry}
"""
    + PACKAGES
    + r"""\allowdisplaybreaks
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
"""
)

OTHER_LETTERS = r"\providecommand{\othertext}[2]{\ifx\Umathchar\undefined #1\else #2\fi}"
"""Prints its first argument in pdflatex, its second in lualatex and xelatex."""

_KNOWN = frozenset(
    string.printable
    + "".join(map(chr, range(0xC0, 0x100))).translate({0xD7: None, 0xF7: None})
    + "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
    + "œŒšŠžŽŸłŁąĄćĆęĘńŃśŚźŹżŻčČďĎěĚňŇřŘťŤůŮőŐűŰğĞıİşŞ–—“”„…«»¡¿\u2018\u2019"
)
"""Characters that pdflatex sets in its usual fonts."""

SECTIONS = {1: "section*", 2: "section*", 3: "subsection*", 4: "paragraph*"}


def to_latex(document: Document, *, fragment: bool = False) -> str:
    """Return the page as LaTeX; with ``fragment`` without preamble, for a document of one's own."""
    body = "\n\n".join(map(block, document.pieces))
    if fragment:
        packages = PACKAGES.replace("\n", " ").replace(r"\usepackage", "").strip()
        comment = " ".join(visible(document.title).split())
        return f"% {comment}\n% needs the packages {packages}\n{OTHER_LETTERS}\n\n{body}\n"
    return (
        f"{PREAMBLE}{OTHER_LETTERS}\n\\begin{{document}}\n\n"
        f"\\section*{{{text(document.title)}}}\n\n{body}\n\n\\end{{document}}\n"
    )


def text(plain: str) -> str:
    """Return text as LaTeX that prints exactly it, in every engine as far as it has the letters."""
    return "".join(
        latex_text(run) if known else _other(run) for known, run in _runs(visible(plain))
    )


def maths(latex: str) -> str:
    """Return a formula; other letters stand in it only as a tensor's name, which is text."""
    return "".join(run if known else _other(run) for known, run in _runs(latex))


def block(piece: Piece) -> str:
    """Return one piece as a block of LaTeX."""
    match piece:
        case Heading(said, level):
            return rf"\{SECTIONS[min(level, 4)]}{{{text(said)}}}"
        case Paragraph(parts):
            return _line(parts)
        case Equations(rows):
            return _aligned(rows)
        case Table():
            return _table(piece)
        case Items(lines):
            body = "\n".join(rf"  \item {_line(line)}" for line in lines)
            return f"\\begin{{itemize}}\n{body}\n\\end{{itemize}}"
        case Listing(said, _):
            spaced = [
                _indented(text(row) or "~") for row in said.expandtabs(4).rstrip().split("\n")
            ]
            return "{\\small\\ttfamily\\raggedright\n" + "\\\\\n".join(spaced) + "\n\n}"
        case Picture(_, description):
            return rf"\emph{{{text(description)}}}"
        case _:
            assert_never(piece)


def _aligned(rows: tuple[Maths, ...]) -> str:
    written = []
    for row in rows:
        first, *others = broken(maths(row.latex))
        name, equals, rest = first.partition(" = ")
        lines = [f"  {name} &{equals.lstrip()}{rest}" if equals else f"  & {first}"]
        written += [*lines, *(f"  &\\quad {line}" for line in others)]
    body = " \\\\\n".join(written)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def broken(latex: str) -> list[str]:
    """Return a long formula in lines, each begun by the sign that stood between them."""
    if _width(latex) <= WIDEST:
        return [latex]
    lines = [""]
    for sign, part in _parts(latex):
        piece = f"{sign} {part}" if sign else part
        is_relation = sign in ("=", r"\approx")
        full = _width(lines[-1]) + _width(piece) > WIDEST
        # The name and the first side stay together: there the lines are aligned.
        if lines[-1] and full and not (is_relation and "=" not in lines[-1]):
            lines.append(piece)
        else:
            lines[-1] = f"{lines[-1]} {piece}".strip()
    return lines


def _parts(latex: str) -> Iterator[tuple[str, str]]:
    """Split a formula at the signs that stand in no bracket: a sign, and what follows it."""
    depth, sign, words = 0, "", list[str]()
    for word in latex.split(" "):
        if depth == 0 and word in ("=", "+", "-", r"\approx") and words:
            yield sign, " ".join(words)
            sign, words = word, []
        else:
            words.append(word)
        depth += word.count("{") - word.count("}") + word.count(r"\left") - word.count(r"\right")
    yield sign, " ".join(words)


def _width(latex: str) -> int:
    """Return about how many characters a formula takes: commands count as one, braces as none."""
    width = skipping = 0
    for character in latex:
        if skipping and character.isalpha():
            continue
        skipping = character == "\\"
        width += character not in "{}_^ "
    return width


def _table(table: Table) -> str:
    shades = table.shades or ((),) * len(table.rows)
    head = " & ".join(_line(cell) for cell in table.head)
    body = [
        " & ".join(
            _shaded(_line(cell), row_shades[place] if place < len(row_shades) else None)
            for place, cell in enumerate(row)
        )
        for row, row_shades in zip(table.rows, shades, strict=True)
    ]
    rows = " \\\\\n".join(f"  {row}" for row in body)
    caption = f"{text(table.caption)}\n\n" if table.caption else ""
    return (
        f"{caption}\\begin{{tabular}}{{{table.align}}}\n  \\toprule\n  {head} \\\\\n  \\midrule\n"
        f"{rows} \\\\\n  \\bottomrule\n\\end{{tabular}}"
    )


def _shaded(cell: str, shade: float | None) -> str:
    return cell if shade is None else rf"\cellcolor{{blue!{round(45 * shade)}}}{cell}"


def _line(line: Line) -> str:
    return "".join(map(_inline, line))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return text(part)
        case Maths(latex, _):
            return f"${maths(latex)}$"
        case Strong(said):
            return rf"\textbf{{{text(said)}}}"
        case Code(said):
            return rf"\texttt{{{text(said)}}}"
        case _:
            assert_never(part)


def _indented(row: str) -> str:
    rest = row.lstrip(" ")
    return "~" * (len(row) - len(rest)) + rest


def _runs(plain: str) -> Iterator[tuple[bool, str]]:
    """Split text into runs of letters that pdflatex knows, and of others."""
    run, known = "", True
    for character in plain:
        if (character in _KNOWN) != known and run:
            yield known, run
            run = ""
        known = character in _KNOWN
        run += character
    if run:
        yield known, run


def _other(run: str) -> str:
    return rf"\othertext{{{_codes(run)}}}{{{run}}}"


def _codes(run: str) -> str:
    return "".join(f"[U+{ord(character):04X}]" for character in run)
