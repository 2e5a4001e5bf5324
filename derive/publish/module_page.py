"""The page of somebody's torch program: what it computes, its numbers, and the verdict."""

from __future__ import annotations

from typing import Any

import numpy

from derive.explaining.page import shaped
from derive.explaining.writing import Latex as Names
from derive.module_account import ModuleAccount
from derive.publish.document.document import (
    Code,
    Document,
    Heading,
    Items,
    Line,
    Listing,
    Maths,
    Paragraph,
    Piece,
    Table,
    Words,
)
from derive.publish.lines import DIGITS
from derive.publish.notation import Latex

LARGEST_TABLE = (8, 8)
"""Rows and columns of a stage that are shown; of a larger one the first."""


def module_document(account: ModuleAccount, digits: int = DIGITS) -> Document:
    """Return the page; everything that comes from the program is text."""
    explanation = account.explanation
    pieces: list[Piece] = [
        Paragraph((Code(account.target), Words(", as it was traced and read: "), _count(account))),
        Heading(Words("What it computes")),
        _inputs(account),
        _stages(account),
        Paragraph((Words("Results: "), Code(", ".join(explanation.outputs)))),
        *(Paragraph((note,)) for note in explanation.notes),
        *_verdict(account),
        Heading(Words("Numbers")),
        Paragraph((Words(_told_of_numbers(account)),)),
    ]
    for name, numbers in account.inputs.items():
        pieces += _numbers(Code(name), numbers, digits, weights=False)
    for stage in account.stages:
        title = Maths(Names().name(stage.line.name))
        weights = stage.line.role == "weights"
        pieces += _numbers(title, stage.numbers, digits, weights=weights)
    if account.source:
        pieces += [Heading(Words("The program")), Listing(account.source, "python")]
    versions = ", ".join(f"{name} {version}" for name, version in account.versions)
    pieces.append(Paragraph((Words(versions),)))
    return Document(account.target.rpartition(":")[2], tuple(pieces))


def _count(account: ModuleAccount) -> Words:
    operations = account.explanation.operations
    return Words(f"{operations} operations in {len(account.stages)} named stages.")


def _inputs(account: ModuleAccount) -> Items:
    explanation = account.explanation
    lines: list[Line] = []
    for item in explanation.inputs:
        unused = () if item.used else (Words(", without influence"),)
        lines.append((Maths(Names().name(item.name)), Words(f": {shaped(item.shape)}"), *unused))
    for item in explanation.fixed:
        said = Words(f": {shaped(item.shape)}, held fixed: ")
        lines.append((Maths(Names().name(item.name)), said, item.text))
    return Items(tuple(lines))


def _stages(account: ModuleAccount) -> Table:
    rows = []
    for stage in account.stages:
        line = stage.line
        formula = Maths(rf"{Names().name(line.name)} = {line.latex}")
        said = "; ".join([*([line.role] if line.role else []), *line.notes])
        rows.append(((formula,), (said,), (shaped(line.shape),), (Code(line.origin),)))
    head: tuple[Line, ...] = tuple(
        (Words(word),) for word in ("stage", "what it is", "shape", "made at")
    )
    return Table(head, tuple(rows), "llll")


def _verdict(account: ModuleAccount) -> list[Piece]:
    report = account.report
    pieces: list[Piece] = [Heading(Words("Is it the formula?"))]
    if report is None:
        said = Words("It was compared with none: name one with ")
        return [*pieces, Paragraph((said, Code("--formula"), Words(".")))]
    return [*pieces, Listing(str(report), "text")]


def _told_of_numbers(account: ModuleAccount) -> str:
    return (
        "Each stage for an example of small numbers, in float64. Torch itself gives the same "
        f"results to {account.difference:.0e} of the largest."
        if account.difference
        else "Each stage for an example of small numbers, in float64. Torch itself gives the very "
        "same results."
    )


def _numbers(title: Code | Maths, numbers: Any, digits: int, *, weights: bool) -> list[Piece]:
    """Return an array as a table: the last two axes, of the first of all that stand before."""
    array = numpy.asarray(numbers)
    shape = array.shape
    lead = array.ndim - 2
    place = ""
    if lead > 0:
        array = array[(0,) * lead]
        place = f", at [{', '.join('0' * lead)}] of the axes before the last two" * (
            int(numpy.prod(shape[:lead])) > 1
        )
    matrix = array.reshape(1, -1) if array.ndim < 2 else array
    rows, columns = LARGEST_TABLE
    cut = matrix.shape[0] > rows or matrix.shape[1] > columns
    shown = matrix[:rows, :columns]
    said = f": {shaped(tuple(shape))}{place}" + f", its first {rows} rows and columns" * cut
    strongest = max(float(numpy.abs(shown[numpy.isfinite(shown)]).max(initial=0.0)), 1e-300)
    shades = tuple(tuple(float(min(abs(value) / strongest, 1)) for value in row) for row in shown)
    table = Table(
        tuple(((str(place + 1),)) for place in range(shown.shape[1])),
        tuple(tuple((_number(value, digits),) for value in row) for row in shown),
        "r" * shown.shape[1],
        shades=shades if weights else (),
    )
    return [Paragraph((title, Words(said))), table]


def _number(value: float, digits: int) -> Maths:
    if numpy.isnan(value):
        return Maths(r"\text{nan}")
    if numpy.isinf(value):
        return Maths(r"\infty" if value > 0 else r"-\infty")
    small = value != 0 and not 10.0**-digits <= abs(value) < 1e9
    return Maths(Latex().decimal(f"{value:.{digits}{'e' if small else 'f'}}").text)
