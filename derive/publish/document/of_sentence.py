"""A sentence worked for one query, as a page that any format can be written from."""

from __future__ import annotations

from typing import Any

from derive.examples import Example
from derive.formula import a, s, z
from derive.publish.document.document import (
    Document,
    Equations,
    Heading,
    Inline,
    Line,
    Maths,
    Paragraph,
    Piece,
    Strong,
    Table,
)
from derive.publish.document.wording import in_words, worded
from derive.publish.lines import rounded
from derive.publish.markdown import capitalised
from derive.publish.notation import Latex, Speech
from derive.publish.telling import Telling, ToldStage
from derive.publish.words import said, title
from derive.publish.writing import equation, name_of


def sentence_document(telling: Telling, *, with_weights: bool = True) -> Document:
    """Return the page: vectors, each part with the query's lines, its numbers, and all weights."""
    example, worked = telling.example, telling.worked
    query = example.tokens[telling.query]
    mechanism = in_words(capitalised(title(worked.mechanism.title)))
    pieces: list[Piece] = [Paragraph(worded("page.start", title=mechanism, query=Strong(query)))]
    if example.sentence not in ("", example.title):
        pieces.insert(0, Paragraph((f"“{example.sentence}”",)))
    pieces += [Heading(in_words(said("page.vectors"))), vectors_table(example), *_matrices(telling)]
    for told in telling.choices:
        role = capitalised(title(told.choice.role))
        named = said("page.heading", role=role, title=title(told.choice.title))
        is_all = told.choice.role == told.choice.title
        pieces.append(Heading(in_words(role if is_all else named)))
        pieces += [_equations(stage) for stage in told.stages]
    pieces += [Heading(in_words(said("page.numbers"))), _numbers(telling)]
    name = name_of(z, [telling.query + 1])
    context = ", ".join(_number(value, telling).latex for value in worked[z][telling.query])
    vector = Maths(rf"\mathbf{{{name}}} = ({context})")
    pieces.append(Paragraph(worded("page.context", query=Strong(query), vector=vector)))
    if with_weights:
        pieces += [Heading(in_words(said("page.weights"))), _weights(telling)]
    if example.source:
        pieces.append(Paragraph(worded("page.source", source=example.source)))
    return Document(example.title, tuple(pieces))


def vectors_table(example: Example) -> Table:
    """Return the tokens and their vectors, as written."""
    head: list[Line] = [
        ("",),
        worded("table.token"),
        *((str(p + 1),) for p in range(example.shape[1])),
    ]
    rows = tuple(
        _row(str(place), token, *(_written(number.text) for number in vector))
        for place, (token, vector) in enumerate(
            zip(example.tokens, example.vectors, strict=True), start=1
        )
    )
    return Table(tuple(head), rows, "rl" + "r" * example.shape[1])


def _matrices(telling: Telling) -> list[Table]:
    if telling.composition is None or telling.composition.projections is None:
        return []
    return [
        Table(
            ((Maths(name_of(base, [])),), *((str(p + 1),) for p in range(len(rows[0])))),
            tuple(
                ((str(place),), *((_written(number.text),) for number in row))
                for place, row in enumerate(rows, start=1)
            ),
            "r" * (1 + len(rows[0])),
        )
        for base, rows in telling.composition.projections.rows().items()
    ]


def _equations(told: ToldStage) -> Equations:
    spoken = equation(told.stage, Speech())
    lines = [
        Maths(f"{line.name} = {line.in_names}{line.worked(Latex().decimal(line.value).text)}")
        for line in told.lines
    ]
    return Equations((Maths(told.equation, spoken), *lines))


def _numbers(telling: Telling) -> Table:
    worked, query = telling.worked, telling.query
    rows = tuple(
        (
            (str(place + 1),),
            (token,),
            (_number(worked[s][query, place], telling),),
            (_number(worked[a][query, place], telling),),
        )
        for place, token in enumerate(telling.example.tokens)
    )
    return Table(
        (("",), *(worded(f"table.{name}") for name in ("token", "score", "weight"))), rows, "rlrr"
    )


def _weights(telling: Telling) -> Table:
    worked, tokens = telling.worked, telling.example.tokens
    weights = worked[a].astype(float)
    strongest = max(float(abs(weights).max()), 1e-300)
    rows = tuple(
        _row(token, *(_number(value, telling) for value in worked[a][place]))
        for place, token in enumerate(tokens)
    )
    shades = tuple((None, *(abs(float(value)) / strongest for value in row)) for row in weights)
    return Table(
        (("",), *((token,) for token in tokens)),
        rows,
        "l" + "r" * len(tokens),
        in_words(said("weights.caption")),
        shades,
    )


def _row(*cells: Inline) -> tuple[Line, ...]:
    return tuple((cell,) for cell in cells)


def _number(value: Any, telling: Telling) -> Maths:
    """Write a number as maths: 1.5e-7 comes with its power of ten."""
    return _written(rounded(value, telling.digits))


def _written(text: str) -> Maths:
    return Maths(Latex().decimal(text).text)
