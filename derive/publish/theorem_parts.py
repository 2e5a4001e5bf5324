"""The parts of a page that show theorems: statement, proof step by step, and the programs."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sympy import Expr

from derive.atlas_evidence import AtlasEvidence, ProgramCheck
from derive.errors import InputError
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.notation import Speech
from derive.publish.proof_writing import written
from derive.publish.rendering import code, render
from derive.theorems import THEOREMS
from derive.theorems.theorem import (
    Agreement,
    Chain,
    Comparison,
    Definition,
    Equation,
    Induction,
    Part,
    Recurrence,
    Theorem,
    chains_of,
)

MOST_EQUATIONS = 5
"""A theorem of more equations shows its last one; the others stand in the proof."""

RELATIONS = {"=": "=", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}


def theorem(evidence: AtlasEvidence, request: Request) -> Markup:
    """Return one theorem with its proof, how it was checked, and the programs it is about."""
    shown = _named(request.block.theorem)
    checked = evidence.theorem(shown.name)
    return render(
        "theorem",
        theorem=shown,
        equations=[_equation(goal) for goal in _conclusions(shown)],
        definitions=[line for made in _definitions(shown) for line in _defined(made)],
        parts=[part for found in shown.parts for part in _told(found)],
        conditions=[
            *(_inline(*relation) for relation in shown.relations),
            *(
                maths.inline(written(zero) + r" \neq 0", written(zero, Speech()) + " is not zero")
                for zero in shown.nonzero
            ),
        ],
        method=checked.method,
        programs=[_program(found) for found in checked.programs],
    )


def _named(name: str | None) -> Theorem:
    if name is None or name not in THEOREMS:
        known = ", ".join(THEOREMS)
        raise InputError(
            "attention fence", "theorem", f"{name!r} is no theorem", f"write one of {known}"
        )
    return THEOREMS[name]


def _conclusions(shown: Theorem) -> tuple[Equation, ...]:
    """Return the equations that state a theorem: all, or the last of a long chain of lemmas."""
    goals = shown.goals
    return goals if len(goals) <= MOST_EQUATIONS else goals[-1:]


def _definitions(shown: Theorem) -> list[Definition]:
    """Return what the proof's arrays mean, each once, in the order in which parts need them."""
    chains = [chain for part in shown.parts for chain in chains_of(part)]
    found = {str(made.target): made for chain in chains for made in chain.setting.definitions}
    return list(found.values())


def _defined(made: Definition) -> list[Markup]:
    """Typeset a definition; one that goes from row to row has a first row and the later ones."""
    if isinstance(made, Recurrence):
        return [_inline(*made.begins), _inline(*made.goes_on)]
    return [_inline(made.target, made.value)]


def _inline(left: Expr, right: Expr) -> Markup:
    latex = rf"\displaystyle {written(left)} = {written(right)}"
    return maths.inline(latex, f"{written(left, Speech())} equals {written(right, Speech())}")


def _told(part: Part) -> list[dict[str, Any]]:
    if isinstance(part, Chain):
        return [{"title": part.title, "steps": _steps(part), "pairs": []}]
    if isinstance(part, Induction):
        return [
            {
                "title": f"{part.title}: by induction over {part.index}, {chain.title}",
                "steps": _steps(chain),
                "pairs": [],
            }
            for chain in (part.base, part.step)
        ]
    if isinstance(part, Agreement):
        told = {"title": part.title, "steps": _steps(part.chain), "pairs": []}
        return [told]
    return [{"title": part.title, "steps": [], "pairs": _pairs(part)}]


def _steps(chain: Chain) -> list[dict[str, Any]]:
    steps = chain.derivation.steps
    told = [{"maths": _typeset(steps[0].before), "rule": ""}]
    told += [{"maths": _typeset(step.after, "= "), "rule": step.rule} for step in steps]
    return told


def _pairs(part: Comparison) -> list[Markup]:
    sign = RELATIONS[part.relation]
    return [
        maths.inline(f"{written(left)} {sign} {written(right)}", f"{left} {part.relation} {right}")
        for left, right in part.pairs
    ]


def _typeset(expression: Expr, leading: str = "") -> Markup:
    return maths.inline(
        leading + r"\displaystyle " + written(expression), leading + written(expression, Speech())
    )


def _equation(goal: Equation) -> Markup:
    left, right = goal
    latex = f"{written(left)} = {written(right)}"
    return maths.display(latex, f"{written(left, Speech())} equals {written(right, Speech())}")


def _program(found: ProgramCheck) -> dict[str, Any]:
    return {"check": found, "listing": code(found.source)}
