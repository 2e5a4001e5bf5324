"""The part of a page that answers: one query's way from scores to its context vector, to play with.

What is on the page without a script is whole: formulas, the table of the query's numbers, the
context vector. The script replaces it by the same with inputs. It computes with what SymPy emitted,
and before a page is made every formula that its reader can reach is run and compared
(``derive.publish.script``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from markupsafe import Markup
from sympy import Expr, Mul, exp

from derive.brackets import Bracket
from derive.composition import NORMALISERS, Composition, Projections
from derive.errors import InputError
from derive.formula import D, K, Mechanism, Q, Stage, V, a, m, opened, s, z
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.notation import Latex, Speech
from derive.publish.rendering import json_in_html, render
from derive.publish.script.executing import check_script, reachable, works_in_floats
from derive.publish.script.formulas import switches_of
from derive.publish.sentence_parts import SentencePage
from derive.publish.telling import is_written_out
from derive.publish.words import Language, language, said
from derive.publish.writing import equation, general, name_of
from derive.written_out import MOST_TOKENS

STEPS: dict[str, tuple[Any, ...]] = {
    "projection": (Q, K, V),
    "score": (s,),
    "exponential": (m,),
    "sum": (D,),
    "weight": (a,),
    "context": (z,),
}
"""The steps in order, and the arrays whose formulas stand at each."""

TITLES = {step: f"walk.step-{step}" for step in STEPS} | {
    "projection": "walk.projection",
    "context": "walk.context-vector",
}
"""What stands beside the formulas of each step while no script runs."""

SCRIPT_WORDS = {
    "token": "table.token",
    "score": "table.score",
    "exponential": "table.exponential",
    "weight": "table.weight",
    "sum": "table.sum",
    "attends": "heatmap.attends",
    "stepsLabel": "walk.steps",
    "previous": "walk.previous",
    "next": "walk.next",
    "query": "walk.query",
    "normalise": "walk.normalise",
    "scale": "walk.scale",
    "causal": "walk.causal",
    "projections": "walk.projections",
    "reset": "walk.reset",
    "copy": "walk.copy",
    "copied": "walk.copied",
    "notCopied": "walk.not-copied",
    "add": "walk.add",
    "remove": "walk.remove",
    "newToken": "walk.new-token",
    "tokenAt": "walk.token-at",
    "numberAt": "walk.number-at",
    "matrixAt": "walk.matrix-at",
    "dimension": "walk.dimension",
    "context": "walk.context",
    "heat": "walk.heat",
    "choose": "walk.choose",
    "notNumber": "walk.not-number",
    "emptyToken": "walk.empty-token",
    "zero": "walk.zero",
    "tooLarge": "walk.too-large",
    "shifted": "walk.shifted",
    "badLink": "walk.bad-link",
    "hidden": "walk.hidden",
}
"""What the script calls its phrases, and their keys; it fills in what stands in braces itself."""


def step_through(request: Request) -> Markup:
    """Return a query's numbers step by step, which a script lets the reader change."""
    page = SentencePage(request)
    example, own = page.example, request.composition
    if not is_written_out(example):
        tokens, dimensions = example.shape
        raise InputError(
            example.where,
            "show",
            f"step-through writes out every product: {tokens} tokens of {dimensions} dimensions "
            f"are too many, {MOST_TOKENS} of each the most",
            "leave step-through out of show",
        )
    if not works_in_floats(example, own):
        raise InputError(
            example.where,
            "show",
            "step-through works in float64, and a number on the way is too large or small for it",
            "leave step-through out of show, or use vectors nearer to 1",
        )
    choices = reachable(own, example.shape[1])
    check_script(example, choices)
    formulas = _Formulas(choices)
    query = page.query
    return render(
        "step_through",
        key=f"steps-{request.block.key or f'{example.name}-{switches_of(own).key}'}",
        example=example,
        query=query,
        steps=_static_steps(own.mechanism),
        rows=_rows(page),
        total=page.value(D, (query + 1,)) if D in page.worked.arrays else None,
        context=[page.latex.rounded(value) for value in page.worked[z][query]],
        projected=own.projections is not None,
        formulas=formulas.typeset,
        data=_script_data(request, page, formulas),
        words=json_in_html(_script_words()),
    )


class _Formulas:
    """Every formula that a reader can reach, typeset once, and which stand at each step."""

    def __init__(self, choices: Iterable[Composition]) -> None:
        self.words = language()
        self.typeset: list[Markup] = []
        self.steps: dict[str, dict[str, list[int]]] = {}
        self._places: dict[str, int] = {}
        for composition in choices:
            self._add(composition)
            if composition.normaliser == "softmax":
                self._add(replace(composition, normaliser="shifted"))

    def _add(self, composition: Composition) -> None:
        mechanism = composition.mechanism
        self.steps[switches_of(composition).key] = {
            step: [
                self._place(latex, spoken)
                for latex, spoken in _formulas_of(mechanism, step, self.words)
            ]
            for step in _steps_of(mechanism)
        }

    def _place(self, latex: str, spoken: str) -> int:
        if latex not in self._places:
            self._places[latex] = len(self.typeset)
            self.typeset.append(maths.display(latex, spoken))
        return self._places[latex]


def _steps_of(mechanism: Mechanism) -> list[str]:
    """Return the steps that a mechanism has; an exponential is one where the sum is of those."""
    stages = {stage.array: stage for stage in mechanism.stages}
    return [
        step
        for step, bases in STEPS.items()
        if any(base in stages for base in bases) or (step == "exponential" and _is_softmax(stages))
    ]


def _is_softmax(stages: dict[Any, Stage]) -> bool:
    return D in stages and _term(stages[D]).has(exp)


@cache
def _formulas_of(mechanism: Mechanism, step: str, words: Language) -> list[tuple[str, str]]:
    """Return the formulas that stand at a step, in LaTeX and in words."""
    stages = {stage.array: stage for stage in mechanism.stages}
    found = [
        (equation(stages[base]), equation(stages[base], Speech(words)))
        for base in STEPS[step]
        if base in stages
    ]
    if step == "exponential":
        term = _term(stages[D])
        found.append((general(term), general(term, Speech(words))))
    return found


def _term(stage: Stage) -> Expr:
    """Return what a denominator sums, without the bracket that leaves keys out."""
    body = opened(stage.value)[0]
    return Mul(*(factor for factor in Mul.make_args(body) if not isinstance(factor, Bracket)))


def _static_steps(mechanism: Mechanism) -> list[dict[str, Any]]:
    return [
        {
            "title": said(TITLES[step]),
            "formulas": [
                maths.display(*formula) for formula in _formulas_of(mechanism, step, language())
            ],
        }
        for step in _steps_of(mechanism)
    ]


def _rows(page: SentencePage) -> list[dict[str, Any]]:
    """Return what the table says of each key."""
    query, mechanism = page.query, page.mechanism
    stages = {stage.array: stage for stage in mechanism.stages}
    hidden = {
        place for place in range(len(page.example.tokens)) if page.request.composition.causal
    } - set(range(query + 1))
    rows = []
    for place, token in enumerate(page.example.tokens):
        score, weight = page.worked[s][query, place], page.worked[a][query, place]
        exponent = score - page.worked[m][query] if m in page.worked.arrays else score
        rows.append(
            {
                "token": token,
                "vector": [number.text for number in page.example.vectors[place]],
                "score": page.latex.rounded(score),
                "raised": (
                    ""
                    if not _is_softmax(stages)
                    else "–"
                    if place in hidden
                    else page.latex.rounded(score.context.exp(exponent))
                ),
                "weight": page.latex.rounded(weight),
                "share": min(max(float(weight), 0.0), 1.0),
            }
        )
    return rows


def _script_data(request: Request, page: SentencePage, formulas: _Formulas) -> Markup:
    """Return what the script starts from, as JSON that cannot end its element."""
    example, own = page.example, request.composition
    switches = switches_of(own)
    matrices = own.projections or Projections.small(example.shape[1])
    factor = own.scale if switches.scale == "factor" else None
    data = {
        "tokens": example.tokens,
        "x": [[number.text for number in row] for row in example.vectors],
        "matrices": {
            str(base): [[number.text for number in row] for row in rows]
            for base, rows in matrices.rows().items()
        },
        "names": {str(base): name_of(base, [], Latex()) for base in matrices.rows()},
        "factor": None if factor is None else str(float(factor)),
        "query": page.query,
        "digits": request.block.digits,
        "normalisers": list(dict.fromkeys((own.normaliser, "softmax", "sum"))),
        "switches": {
            "normaliser": own.normaliser,
            "scaled": bool(switches.scale),
            "causal": own.causal,
            "projected": own.projections is not None,
        },
        "formulas": formulas.steps,
        "most": MOST_TOKENS,
    }
    return json_in_html(data)


def _script_words() -> dict[str, Any]:
    words = language()
    return {
        "steps": {step: words[f"walk.step-{step}"] for step in STEPS},
        "normalisers": {name: words[f"walk.normaliser-{name}"] for name in NORMALISERS},
        **{name: words[key] for name, key in SCRIPT_WORDS.items()},
    }
