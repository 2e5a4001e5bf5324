"""Write a page as a Jupyter notebook whose code works the numbers out again, with NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from derive.code import source
from derive.decimals import Rows
from derive.formula import a, s, z
from derive.publish.document.document import Document, Heading, Piece
from derive.publish.document.to_markdown import block
from derive.publish.lines import rounded
from derive.publish.markdown import markdown_text
from derive.publish.telling import Telling
from derive.worked import Worked

LANGUAGE = {"name": "python"}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def to_notebook(document: Document, code: Sequence[str] = ()) -> str:
    """Return the page as a notebook (nbformat 4.5), one cell for each section, then ``code``."""
    cells = [_cell("markdown", text) for text in _sections(document)]
    cells += [_cell("code", text) for text in code]
    for place, cell in enumerate(cells):
        cell["id"] = sha256(f"{place} {cell['source']}".encode()).hexdigest()[:8]
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": KERNEL, "language_info": LANGUAGE},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def sentence_code(telling: Telling) -> list[str]:
    """Return the code cells of a sentence: its numbers, the formula as code, and the comparison."""
    worked, example = telling.worked, telling.example
    given = [f"{base} = numpy.array({_rows(rows)})" for base, rows in worked.written.items()]
    # As ASCII, what the tokens hold is a string of Python and nothing else.
    tokens = f"tokens = {list(example.tokens)!a}"
    names = ", ".join(str(stage.array) for stage in worked.mechanism.stages)
    inputs = ", ".join(map(str, worked.mechanism.inputs))
    return [
        "\n".join(["import numpy", "", tokens, *given]),
        f"{source(worked.mechanism, 'numpy').rstrip()}\n\n\n{names} = attention({inputs})",
        _comparison(telling, worked),
        f"for token, weight in zip(tokens, a[{telling.query}]):\n"
        f'    print(f"{{weight:8.{telling.digits}f}}  {{token}}")',
    ]


def _comparison(telling: Telling, worked: Worked) -> str:
    query, digits = telling.query, telling.digits
    lines = [f"# What the page shows, to {digits} decimals."]
    for base in (s, a, z):
        shown = ", ".join(repr(float(rounded(value, digits))) for value in worked[base][query])
        lines.append(
            f"numpy.testing.assert_allclose({base}[{query}], [{shown}], "
            f"rtol=1e-{digits}, atol=1e-{digits})"
        )
    return "\n".join(lines)


def _rows(rows: Rows) -> str:
    written = ",\n    ".join(
        "[" + ", ".join(repr(float(number.value)) for number in row) + "]" for row in rows
    )
    return f"[\n    {written},\n]"


def _sections(document: Document) -> list[str]:
    sections: list[list[Piece]] = [[]]
    for piece in document.pieces:
        if isinstance(piece, Heading) and piece.level <= 2:
            sections.append([])
        sections[-1].append(piece)
    first = [f"# {markdown_text(document.title)}", *map(block, sections[0])]
    return ["\n\n".join(first), *("\n\n".join(map(block, section)) for section in sections[1:])]


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell
