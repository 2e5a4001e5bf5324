"""The parts of a page that tell one mechanism: general form, written out, properties, code."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sympy import Expr, Symbol

from derive.claims.claim import Expansion, MatrixProduct, Signs
from derive.code import source
from derive.derivation import Derivation
from derive.elements import Elements
from derive.formula import Mechanism, a, s, z
from derive.matrix_form import matrix_product
from derive.properties import Property, all_properties
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.notation import Latex, LinkedLatex, Speech
from derive.publish.rendering import code, render
from derive.publish.writing import (
    WrittenOut,
    equation,
    general,
    matrix_equation,
    name_of,
    names,
)
from derive.witness import Witness
from derive.written_out import positions

STAGE_TITLES = {s: "score", a: "weight", z: "context vector"}


def formula(request: Request) -> Markup:
    """Return each equation in general form, with its LaTeX to copy."""
    rows = []
    for choice in request.mechanism.choices:
        for stage in choice.stages:
            latex = equation(stage)
            rows.append(
                {
                    "title": STAGE_TITLES.get(stage.array, ""),
                    "maths": maths.display(latex, equation(stage, Speech())),
                    "latex": latex,
                }
            )
    return render("formula", rows=rows)


def matrix(request: Request) -> Markup:
    """Return the stages that are matrix products, as such."""
    rows = []
    for stage in request.mechanism.stages:
        product = matrix_product(stage)
        if product is not None:
            latex = matrix_equation(stage, product)
            spoken = matrix_equation(stage, product, spoken=True)
            rows.append({"title": "", "maths": maths.display(latex, spoken), "latex": latex})
    return render("formula", rows=rows)


def written_out(request: Request) -> Markup:
    """Return every entry written out for ``n`` tokens of ``d`` dimensions, pieces named.

    A drawer holds the context vectors with no piece named.
    """
    mechanism, notation, speech = request.mechanism, LinkedLatex(), Speech()
    sizes = _shapes(mechanism, request.block.n, request.block.d)
    writer = _named_writer(mechanism, Latex(), sizes)
    speaker = _named_writer(mechanism, speech, sizes)
    groups: list[dict[str, Any]] = []
    for stage in mechanism.stages:
        shape = writer.lengths.shapes[stage.array]
        rows = []
        for position in positions(shape):
            name = name_of(stage.array, position, notation)
            latex = f"{name} = {writer.entry(stage, position)}"
            said = f"{name_of(stage.array, position, speech)} = {speaker.entry(stage, position)}"
            rows.append({"maths": maths.inline(rf"\displaystyle {latex}", said), "latex": latex})
        groups.append({"title": STAGE_TITLES.get(stage.array, str(stage.array)), "rows": rows})
    return render(
        "written_out",
        groups=groups,
        latex="\n".join(row["latex"] + r" \\" for group in groups for row in group["rows"]),
        whole=_whole(mechanism, sizes),
        name=f"{mechanism.title}, {request.block.n} tokens",
    )


def properties(request: Request) -> Markup:
    """Return the mechanism's properties: each with its proof or its counterexample."""
    key = request.block.mechanism
    rows = [_property(found) for found in all_properties() if found.mechanism == key]
    return render("properties", rows=rows)


def array_code(request: Request) -> Markup:
    """Return the generated NumPy and torch code, the code that the checks run."""
    return render(
        "code",
        listings=[
            (label, code(source(request.mechanism, library)))
            for label, library in (("NumPy", "numpy"), ("torch", "torch"))
        ],
    )


def _shapes(mechanism: Mechanism, n: int, d: int) -> dict[Any, tuple[int, int]]:
    return dict.fromkeys(mechanism.inputs, (n, d))


def _named_writer(mechanism: Mechanism, notation: Any, sizes: dict[Any, Any]) -> WrittenOut:
    writer = WrittenOut(notation, {b: names(b, shape, notation) for b, shape in sizes.items()})
    for stage in mechanism.stages:
        writer.lengths.learn((stage,))
        writer.arrays[stage.array] = names(
            stage.array, [int(v) for v in writer.lengths.shapes[stage.array]], notation
        )
    return writer


def _whole(mechanism: Mechanism, sizes: dict[Any, Any]) -> list[dict[str, Any]]:
    notation = Latex()
    given = {base: names(base, shape, notation) for base, shape in sizes.items()}
    contexts = Elements(notation, given).run(mechanism.stages)[z]
    name = name_of(z, (1, 1))
    latex = f"{name} = {contexts[0, 0]}"
    return [{"maths": maths.display(latex, f"{name} in the inputs alone"), "latex": latex}]


def _property(found: Property) -> dict[str, Any]:
    conditions = [
        maths.inline(general(zero) + r" \neq 0", general(zero, Speech()) + " is not zero")
        for zero in found.conditions
    ]
    row: dict[str, Any] = {
        "name": found.claim.name,
        "title": found.claim.title,
        "verdict": found.verdict,
        "consequence": found.claim.consequence,
        "conditions": conditions,
        "proof": [],
        "witness": "",
    }
    if isinstance(found.evidence, Witness):
        row["witness"] = str(found.evidence)
    elif found.evidence is not None:
        row["proof"] = [_part(part) for part in found.evidence]
    return row


def _part(part: Derivation | Signs | MatrixProduct | Expansion) -> list[dict[str, Any]]:
    if isinstance(part, Derivation):
        first = part.steps[0].before
        steps = [{"maths": _typeset(first), "rule": ""}]
        steps += [
            {"maths": _typeset(step.after, leading="= "), "rule": step.rule} for step in part.steps
        ]
        return steps
    if isinstance(part, Signs):
        latex = f"{general(part.entry)} = {general(part.definition, lead=part.entry.indices)} > 0"
        spoken = f"{general(part.definition, Speech())} is positive"
        reason = "exponentials are positive, and so are sums and quotients of positive numbers"
        return [{"maths": maths.inline(latex, spoken), "rule": reason}]
    if isinstance(part, Expansion):
        return [{"maths": "", "rule": f"{part.entries} entries compared, each the same expression"}]
    latex = matrix_equation(part.stage, part.product)
    entry = equation(part.stage)
    return [
        {"maths": maths.inline(entry, equation(part.stage, Speech())), "rule": ""},
        {
            "maths": maths.inline(latex, matrix_equation(part.stage, part.product, spoken=True)),
            "rule": "the entries of a matrix product, by definition",
        },
    ]


def _typeset(expression: Expr, leading: str = "", lead: tuple[Symbol, ...] = ()) -> Markup:
    spoken = general(expression, Speech(), lead)
    return maths.inline(
        leading + r"\displaystyle " + general(expression, lead=lead), leading + spoken
    )
