"""A worked sentence as data that every format tells in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derive.attention import MECHANISMS
from derive.composition import Composition
from derive.elements import Elements
from derive.examples import Example
from derive.formula import Choice, Mechanism, Stage, a, s, x, z
from derive.publish.lines import DIGITS, Line, Lines
from derive.publish.notation import Latex, Notation, Text
from derive.publish.writing import equation, names
from derive.worked import Worked, work_out, work_out_composed
from derive.written_out import MOST_TOKENS

ROLES = ("projection", "score", "normalise", "weighted-sum")
"""The parts of a mechanism, as a command or a page names them."""


@dataclass(frozen=True)
class ToldStage:
    """One equation: its general form and, unless the sentence is too long, the query's lines."""

    stage: Stage
    equation: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ToldChoice:
    """One part of the mechanism with its equations."""

    choice: Choice
    stages: tuple[ToldStage, ...]


@dataclass(frozen=True)
class Telling:
    """A sentence, the query worked in detail (counted from 0), and the parts in order.

    ``composition`` says what was chosen, where the attention was composed.
    """

    worked: Worked
    query: int
    digits: int
    choices: tuple[ToldChoice, ...]
    composition: Composition | None = None

    @property
    def example(self) -> Example:
        """The sentence that is told."""
        return self.worked.example


def is_written_out(example: Example) -> bool:
    """Tell whether the formulas of a sentence are written out term by term."""
    return max(example.shape) <= MOST_TOKENS


def tell(
    example: Example,
    attention: Mechanism | Composition,
    *,
    query: int | None = None,
    roles: tuple[str, ...] = ROLES,
    notation: Notation | None = None,
    digits: int = DIGITS,
    write_out: bool = True,
) -> Telling:
    """Work a sentence and write each part named in ``roles`` for one query.

    ``notation`` is plain text unless given; numbers in LaTeX are set with a dot between factors.
    """
    composition = attention if isinstance(attention, Composition) else None
    worked = (
        work_out(example, attention)
        if isinstance(attention, Mechanism)
        else work_out_composed(example, attention)
    )
    return tell_worked(
        worked,
        query=query,
        roles=roles,
        notation=notation,
        digits=digits,
        write_out=write_out,
        composition=composition,
    )


def tell_worked(
    worked: Worked,
    *,
    query: int | None = None,
    roles: tuple[str, ...] = ROLES,
    notation: Notation | None = None,
    digits: int = DIGITS,
    write_out: bool = True,
    composition: Composition | None = None,
) -> Telling:
    """Write each part of a worked sentence, as ``tell`` does."""
    example = worked.example
    notation = notation or Text()
    query = example.query if query is None else query
    numbers = type(notation)(r"\cdot") if isinstance(notation, Latex) else notation
    lines = Lines(worked, notation, numbers, digits)
    detailed = write_out and is_written_out(example)
    told = tuple(
        ToldChoice(
            choice,
            tuple(
                ToldStage(
                    stage,
                    equation(stage, notation),
                    tuple(lines.row(stage, query)) if detailed else (),
                )
                for stage in choice.stages
            ),
        )
        for choice in worked.mechanism.choices
        if choice.role.replace(" ", "-") in roles
    )
    return Telling(worked, query, digits, told, composition)


def substituted(
    example: Example, attention: Composition, query: int, notation: Notation
) -> list[str]:
    """Write each entry of the query's context vector in the inputs alone, no piece named."""
    worked = work_out_composed(example, attention)
    given = {base: names(base, worked[base].shape, notation) for base in worked.mechanism.inputs}
    context = Elements(notation, given).run(worked.mechanism.stages)[z]
    written = []
    for column in range(context.shape[1]):
        name = notation.entry(str(z), [str(query + 1), str(column + 1)])
        written.append(f"{name}{notation.equals}{context[query, column]}")
    return written


def as_data(telling: Telling) -> dict[str, Any]:
    """Return tokens, scores, weights and context at full precision, and the formulas as LaTeX.

    Numbers are the float64 nearest to the exact values; positions count from 1.
    """
    worked, example = telling.worked, telling.example
    formulas = {
        str(told.stage.array): {
            "general": told.equation,
            "written_out": [
                {
                    "entry": line.name,
                    "names": line.in_names,
                    "numbers": line.in_numbers,
                    "value": line.value,
                }
                for line in told.lines
            ]
            or None,
        }
        for choice in telling.choices
        for told in choice.stages
    }
    return {
        "name": example.name,
        "title": example.title,
        **_attention(telling),
        "tokens": list(example.tokens),
        "vectors": worked.floats(x),
        "query": {"token": example.tokens[telling.query], "position": telling.query + 1},
        "scores": worked.floats(s),
        "weights": worked.floats(a),
        "context": worked.floats(z),
        "formulas": formulas,
    }


def _attention(telling: Telling) -> dict[str, Any]:
    """Return what attention it is, in the words of ``derive.settings``."""
    composition = telling.composition
    known = [key for key, known in MECHANISMS.items() if known == telling.worked.mechanism]
    if known or composition is None:
        return {"mechanism": known[0]}
    projections = composition.projections
    return {
        "mechanism": composition.normaliser,
        "scale": "none" if composition.scale is None else str(composition.scale),
        "mask": "causal" if composition.causal else "none",
        "projections": None
        if projections is None
        else {
            role: [[float(number.value) for number in row] for row in getattr(projections, role)]
            for role in ("query", "key", "value")
        },
    }
