"""The parts of a page that tell one sentence: formula, the numbers put in, the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sympy import IndexedBase

from derive.errors import InputError
from derive.examples import Example
from derive.formula import Mechanism, Stage, a, s, z
from derive.geometry import COSINE, LENGTH, lengths_and_cosines, score_by_angle
from derive.matrix_form import matrix_product
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.html_notation import Html
from derive.publish.lines import Line, Lines
from derive.publish.notation import LinkedLatex, Speech
from derive.publish.rendering import render
from derive.publish.telling import is_written_out
from derive.publish.words import said
from derive.publish.writing import equation, general, matrix_equation, name_of
from derive.worked import Worked, work_out_composed


@dataclass(frozen=True)
class Typeset:
    """One entry of a stage on a page: the maths put down and its value."""

    place: int
    maths: tuple[Markup, ...]
    value: str
    share: float


class SentencePage:
    """A sentence worked for one mechanism, ready to be put on a page."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.example: Example = request.sentence
        composition = request.composition
        self.mechanism: Mechanism = composition.mechanism
        self.query = request.query
        self.worked: Worked = work_out_composed(self.example, composition)
        digits = request.block.digits
        self.latex = Lines(self.worked, LinkedLatex(), LinkedLatex(r"\cdot"), digits)
        self.html = Lines(self.worked, Html(), Html(), digits)
        self.speech = Lines(self.worked, Speech(), Speech(), digits)

    def value(self, base: IndexedBase, position: tuple[int, ...]) -> str:
        """Return one entry's value as shown; the position counts from 1."""
        return self.latex.value(base, position)

    def equation(self, stage: Stage) -> Markup:
        """Typeset a stage's general form."""
        return maths.display(equation(stage), equation(stage, Speech()))

    def line(self, stage: Stage, position: tuple[int, ...], *, in_names: bool = True) -> Typeset:
        """Typeset one entry: name = names, then = numbers = value, each free to wrap."""
        line, spoken = self.latex.line(stage, position), self.speech.line(stage, position)
        pieces = []
        left = line.name
        if in_names:
            names = f"{spoken.name} = {spoken.in_names}"
            pieces.append(maths.inline(rf"\displaystyle {left} = {line.in_names}", names))
            left = ""
        result = rf"\htmlClass{{attn-value}}{{{LinkedLatex().decimal(line.value)}}}"
        latex = rf"\displaystyle {left}{line.worked(result)}"
        pieces.append(maths.inline(latex, f"{spoken.name}{spoken.worked()}"))
        share = float(self.worked[stage.array][tuple(p - 1 for p in position)])
        return Typeset(position[-1], tuple(pieces), line.value, share)

    def row(self, stage: Stage, *, in_names: bool = True) -> list[Typeset]:
        """Typeset every entry of a stage that belongs to the query."""
        lines = self.latex.row(stage, self.query)
        return [self.line(stage, line.position, in_names=in_names) for line in lines]


def vectors(request: Request) -> Markup:
    """Return the table of tokens and their vectors, as written."""
    return render("vectors", example=request.sentence, query=request.query)


def matrices(request: Request) -> Markup:
    """Return the matrices that make queries, keys and values, as written."""
    projections = request.composition.projections
    if projections is None:
        raise _without_projections(request)
    rows = [
        {"name": maths.inline(name_of(base, []), str(base)), "rows": rows}
        for base, rows in projections.rows().items()
    ]
    return render("matrices", matrices=rows)


def projection(request: Request) -> Markup:
    """Return the projections' formulas and each number of the query, the keys and the values."""
    page = SentencePage(request)
    if request.composition.projections is None:
        raise _without_projections(request)
    stages = [_stage_lines(page, stage) for stage in page.mechanism.choice("projection").stages]
    return render("projection", stages=stages)


def numbers(request: Request) -> Markup:
    """Return the parts of the fence's stages, one after the other."""
    told = {
        "projection": projection,
        "score": score,
        "normalise": normalise,
        "weighted-sum": weighted_sum,
    }
    if request.composition.projections is None:
        del told["projection"]
    chosen = request.block.stages or told
    return Markup("\n").join(told[name](request) for name in told if name in chosen)


def score(request: Request) -> Markup:
    """Return the score's formula and each of the query's dot products."""
    page = SentencePage(request)
    stage = page.mechanism.stage(s)
    return render(
        "score",
        equation=page.equation(stage),
        example=page.example,
        query=page.query,
        rows=page.row(stage, in_names=False) if is_written_out(page.example) else [],
        values=[page.value(s, (page.query + 1, p + 1)) for p in range(len(page.example.tokens))],
    )


def normalise(request: Request) -> Markup:
    """Return the normaliser's formulas, its sum, and each of the query's weights."""
    page = SentencePage(request)
    stages = page.mechanism.choice("normalise").stages
    return render(
        "normalise",
        before=[_stage_lines(page, stage) for stage in stages if stage.array != a],
        equation=page.equation(page.mechanism.stage(a)),
        rows=_weights(page),
        example=page.example,
        total=page.latex.rounded(
            sum(page.worked[a][page.query][1:], page.worked[a][page.query][0])
        ),
    )


def weighted_sum(request: Request) -> Markup:
    """Return the weighted sum's formula and each number of the query's context vector."""
    page = SentencePage(request)
    told = _stage_lines(page, page.mechanism.stage(z))
    context = [page.latex.rounded(value) for value in page.worked[z][page.query]]
    return render(
        "weighted_sum", told=told, example=page.example, query=page.query, context=context
    )


def heatmap(request: Request) -> Markup:
    """Return all weights as a table of buttons, with how each query's numbers come about."""
    page = SentencePage(request)
    example, worked = page.example, page.worked
    count = len(example.tokens)
    weights = worked[a].astype(float)
    strongest = max(float(abs(weights).max()), 1e-300)
    cells = [
        [
            {
                "value": page.value(a, (row + 1, column + 1)),
                "strength": round(abs(float(weights[row, column])) / strongest, 3),
                "negative": bool(weights[row, column] < 0),
            }
            for column in range(count)
        ]
        for row in range(count)
    ]
    return render(
        "heatmap",
        key=request.block.key or f"{example.name}-{request.name}",
        example=example,
        mechanism=page.mechanism,
        query=page.query,
        cells=cells,
        sums=[page.latex.rounded(_total(row)) for row in worked[a]],
        panels=[_panel(page, row) for row in range(count)] if is_written_out(example) else [],
        matrices=[_matrix_line(stage) for stage in page.mechanism.stages if matrix_product(stage)],
        formulas={
            str(stage.array): maths.inline(equation(stage), equation(stage, Speech()))
            for stage in page.mechanism.stages
        },
    )


def lengths(request: Request) -> Markup:
    """Return why long vectors win: each token's length, its cosine with the query, its score."""
    page = SentencePage(request)
    if request.composition.projections is not None:
        raise InputError(
            request.sentence.where,
            "projections",
            "lengths are about scores of the vectors themselves",
            "leave lengths out of show, or projections out of the fence",
        )
    example, query = page.example, page.query
    norms, cosines = measured(example)
    longest = max(norms)
    rows = [
        {
            "token": token,
            "length": page.latex.rounded(norms[place]),
            "share": float(norms[place] / longest),
            "cosine": page.latex.rounded(cosines[query, place]),
            "score": page.value(s, (query + 1, place + 1)),
        }
        for place, token in enumerate(example.tokens)
    ]
    chain = score_by_angle()
    left, right = chain.goal
    latex = f"{general(right)} = {general(left, lead=right.indices)}"
    return render(
        "lengths",
        rows=rows,
        example=example,
        query=query,
        identity=maths.display(latex, said("lengths.identity")),
        definitions=[
            maths.inline(r"\displaystyle " + equation(stage), equation(stage, Speech()))
            for stage in (LENGTH, COSINE)
        ],
    )


def measured(example: Example) -> tuple[Any, Any]:
    """Return lengths and cosines; a zero vector, which has no angle, is an ``InputError``."""
    try:
        return lengths_and_cosines(example)
    except ZeroDivisionError:
        raise InputError(
            example.name,
            "vectors",
            "a vector of zeros has no angle with any other",
            "leave lengths out of show, or give it another vector",
        ) from None


def _without_projections(request: Request) -> InputError:
    return InputError(
        request.sentence.where,
        "projections",
        "there are none here",
        "write projections: small, or three matrices of your own",
    )


def _stage_lines(page: SentencePage, stage: Stage) -> dict[str, Any]:
    rows = page.row(stage) if is_written_out(page.example) else []
    return {"equation": page.equation(stage), "rows": rows}


def _weights(page: SentencePage) -> list[Typeset]:
    stage = page.mechanism.stage(a)
    if is_written_out(page.example):
        return page.row(stage, in_names=False)
    places = range(1, len(page.example.tokens) + 1)
    row = page.worked[a][page.query]
    return [Typeset(p, (), page.value(a, (page.query + 1, p)), float(row[p - 1])) for p in places]


def _total(row: Any) -> Any:
    return sum(row[1:], row[0])


def _panel(page: SentencePage, row: int) -> dict[str, Any]:
    """Return how one query's scores, weights and context vector come about, in light HTML."""
    defined = {stage.array: stage for stage in page.mechanism.stages}
    keys = []
    for place, token in enumerate(page.example.tokens, start=1):
        scored = page.html.line(defined[s], (row + 1, place))
        weighed = page.html.line(defined[a], (row + 1, place))
        keys.append(
            {
                "place": place,
                "token": token,
                "score": _shown(scored),
                "weight": _shown(weighed),
                "value": weighed.value,
            }
        )
    return {
        "token": page.example.tokens[row],
        "keys": keys,
        "denominators": [
            _shown(line)
            for base, stage in defined.items()
            if base not in (s, a, z)
            for line in page.html.row(stage, row)
        ],
        "context": [_shown(line) for line in page.html.row(defined[z], row)],
    }


def _shown(line: Line) -> Markup:
    # The Html notation writes letters, digits and its own marks alone, so this is markup already.
    value = f'<span class="attn-value">{Html().decimal(line.value)}</span>'
    return Markup(line.name + line.worked(value))  # noqa: S704


def _matrix_line(stage: Stage) -> Markup:
    product = matrix_product(stage)
    return maths.inline(
        matrix_equation(stage, product), matrix_equation(stage, product, spoken=True)
    )
