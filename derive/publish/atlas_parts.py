"""The parts of a page that show the whole atlas, or what was checked of a part of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from markupsafe import Markup
from sympy import Expr

from derive.atlas_evidence import AtlasEvidence
from derive.comparing import compared
from derive.counting import operations
from derive.formula import Stage
from derive.implementations import Implementations
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.notation import Speech
from derive.publish.rendering import render
from derive.publish.writing import equation, general
from derive.variants import ATLAS, by_family
from derive.variants.variant import Variant
from derive.verdict import Verdict

COLUMNS = {
    "rows-sum-to-one": "rows sum to 1",
    "weights-not-negative": "no weight negative",
    "permutation-equivariant": "order does not matter",
    "causal": "causal",
    "relative-position": "distance alone",
    "shift-invariant": "shifted scores",
}
"""The properties in the table of the whole atlas, by the claim's name, each with a short title."""


def checked(evidence: AtlasEvidence, request: Request) -> Markup:
    """Return what was checked of a mechanism's torch code and of its numbers."""
    return render("checked", row=evidence.mechanism(request.variant.key))


def implementations(request: Request) -> Markup:
    """Return the modules of other packages that were compared with the formula."""
    record = recorded()
    rows = [
        {
            "row": row,
            "shapes": ", ".join(f"{name} {list(shape)}" for name, shape in row.shapes),
            "passed": row.verdict.passed,
        }
        for row in record.of(request.variant.key)
    ]
    return render("implementations", rows=rows, command=record.command)


def summary(evidence: AtlasEvidence, _request: Request) -> Markup:
    """Return how many checks of each kind the atlas has, and the command that repeats them."""
    decided = [found.verdict for row in evidence.mechanisms for found in row.properties]
    programs = [found for row in evidence.theorems for found in row.programs]
    numbers = [found for row in evidence.mechanisms for found in row.numbers]
    record = recorded()
    return render(
        "atlas_summary",
        evidence=evidence,
        proved=decided.count("proved"),
        refuted=decided.count("refuted"),
        code=sum(row.code.passed for row in evidence.mechanisms),
        programs=sum(found.passed for found in programs),
        all_programs=len(programs),
        elements=sum(found.elements for found in numbers),
        tightest=max(found.ratio or 0.0 for found in numbers),
        modules=sum(row.verdict.passed for row in record.rows),
        rows=len(record.rows),
        record=record,
    )


@cache
def recorded() -> Implementations:
    """Return the record that ships with the package; one about other formulas is refused."""
    found = Implementations.read()
    found.check_current()
    return found


def atlas(evidence: AtlasEvidence, _request: Request) -> Markup:
    """Return the table of the whole atlas."""
    record = recorded()
    families = [
        {"title": family, "rows": [_row(variant, evidence, record) for variant in variants]}
        for family, variants in by_family()
    ]
    decided = [found.verdict for row in evidence.mechanisms for found in row.properties]
    return render(
        "atlas",
        families=families,
        columns=list(COLUMNS.values()),
        mechanisms=len(evidence.mechanisms),
        proved=decided.count("proved"),
        refuted=decided.count("refuted"),
        modules=sum(row.verdict.passed for row in record.rows),
    )


def _row(variant: Variant, evidence: AtlasEvidence, record: Implementations) -> dict[str, Any]:
    verdicts = {found.name: found.verdict for found in evidence.mechanism(variant.key).properties}
    own = [stage for stage, marked in _changed(variant) if marked]
    return {
        "variant": variant,
        "formula": [_short(stage) for stage in own[:2]],
        "verdicts": [verdicts.get(name, "") for name in COLUMNS],
        "cost": _leading(operations(variant.mechanism).total.leading()),
        "modules": sum(row.verdict.passed for row in record.of(variant.key)),
        "proved": sum(row.verdict is Verdict.PROVED for row in record.of(variant.key)),
    }


def _changed(variant: Variant) -> list[tuple[Stage, bool]]:
    """Return each equation, and whether it is otherwise in what the mechanism is compared with."""
    pairs = compared(ATLAS[variant.against].mechanism, variant.mechanism)
    return [(pair.right, not pair.same) for pair in pairs if pair.right is not None]


def _short(stage: Stage) -> Markup:
    return maths.inline(equation(stage), equation(stage, Speech()))


def _leading(cost: Expr) -> Markup:
    return maths.inline(general(cost), general(cost, Speech()))
