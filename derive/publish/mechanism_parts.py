"""The parts of a page that tell one mechanism: general form, written out, properties, code."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sympy import Expr, Symbol

from derive.brackets import Bracket
from derive.claims.claim import Expansion, Line, Part, Signs, Structural
from derive.code import source
from derive.derivation import Derivation
from derive.formula import Mechanism, a, s, z
from derive.matrix_form import matrix_product
from derive.properties import Property, all_properties
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.entries import entries, substituted_entry
from derive.publish.notation import Latex, Speech
from derive.publish.proof_writing import written
from derive.publish.rendering import code, render
from derive.publish.words import said, title
from derive.publish.writing import equation, matrix_equation
from derive.small_sizes import small_sizes
from derive.variant_properties import variant_properties
from derive.variants import ATLAS
from derive.witness import Witness

LONGEST_WHOLE = 3000
"""An entry in the inputs alone that takes more characters of LaTeX is not shown."""

STAGE_TITLES = {s: "score", a: "weight", z: "context vector"}


def formula(request: Request) -> Markup:
    """Return each equation in general form, with its LaTeX to copy."""
    rows = []
    chosen = request.block.stages
    for choice in request.mechanism.choices:
        if chosen is not None and choice.role.replace(" ", "-") not in chosen:
            continue
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

    From three tokens on, a mechanism of the atlas shows the entries of the last query alone; the
    others read the same. A drawer holds an entry of the result with no piece named.
    """
    mechanism, tokens = request.mechanism, request.block.n
    sizes = small_sizes(mechanism, tokens, request.block.d)
    last_query = tokens if tokens > 2 and request.name in ATLAS else None
    written = entries(mechanism, sizes, Latex(), last_query)
    spoken = entries(mechanism, sizes, Speech(), last_query)
    groups: list[dict[str, Any]] = []
    for (stage, rows), (_, in_words) in zip(written, spoken, strict=True):
        lines = [
            {
                "maths": maths.inline(
                    rf"\displaystyle {row.name} = {row.value}", f"{other.name} = {other.value}"
                ),
                "latex": f"{row.name} = {row.value}",
            }
            for row, other in zip(rows, in_words, strict=True)
        ]
        groups.append({"title": STAGE_TITLES.get(stage.array, str(stage.array)), "rows": lines})
    return render(
        "written_out",
        groups=groups,
        latex="\n".join(row["latex"] + r" \\" for group in groups for row in group["rows"]),
        whole=_whole(mechanism, sizes),
        name=said("written-out.name", title=title(mechanism.title), count=tokens),
    )


def properties(request: Request) -> Markup:
    """Return the mechanism's properties: each with its proof or its counterexample."""
    key = request.name
    if key in ATLAS:
        decided = variant_properties(ATLAS[key])
    else:
        decided = tuple(found for found in all_properties() if found.mechanism == key)
    rows = [_property(found) for found in decided]
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


def _whole(mechanism: Mechanism, sizes: dict[Symbol, int]) -> list[dict[str, Any]]:
    entry = substituted_entry(mechanism, sizes, Latex())
    latex = f"{entry.name} = {entry.value}"
    if len(latex) > LONGEST_WHOLE:
        return []
    spoken = said("written-out.entry", entry=entry.name)
    return [{"maths": maths.display(latex, spoken), "latex": latex}]


def _property(found: Property) -> dict[str, Any]:
    conditions = [_condition(condition) for condition in found.conditions]
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


def _condition(condition: Expr) -> Markup:
    """Typeset what must hold: a bracket itself, of anything else that it is not zero."""
    if isinstance(condition, Bracket):
        left, right = condition.args
        sign, words = {"<=": (r"\le", "is at most"), "<": ("<", "is below"), "=": ("=", "is")}[
            condition.relation
        ]
        return maths.inline(
            f"{written(left)} {sign} {written(right)}",
            f"{written(left, Speech())} {words} {written(right, Speech())}",
        )
    return maths.inline(
        written(condition) + r" \neq 0", written(condition, Speech()) + " is not zero"
    )


def _part(part: Part) -> list[dict[str, Any]]:
    if isinstance(part, Derivation):
        first = part.steps[0].before
        steps = [{"maths": _typeset(first), "rule": ""}]
        steps += [
            {"maths": _typeset(step.after, leading="= "), "rule": step.rule} for step in part.steps
        ]
        return steps
    if isinstance(part, Signs):
        sign, word = (">", "positive") if part.strict else (r"\ge", "not negative")
        defined = written(part.definition, lead=part.entry.indices)
        latex = f"{written(part.entry)} = {defined} {sign} 0"
        spoken = f"{written(part.definition, Speech())} is {word}"
        reason = "exponentials are positive, and so are sums and quotients of positive numbers"
        return [{"maths": maths.inline(latex, spoken), "rule": reason}]
    if isinstance(part, Structural):
        return [{"maths": _line(line), "rule": line.words} for line in part.lines]
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


def _line(line: Line) -> Markup:
    """Typeset what a line of an argument is about; of a magnitude, what it is at most."""
    if line.bound is None:
        return _typeset(line.about)
    latex = rf"\displaystyle \left|{written(line.about)}\right| \le {written(line.bound)}"
    spoken = f"{written(line.about, Speech())} is at most {written(line.bound, Speech())} in size"
    return maths.inline(latex, spoken)


def _typeset(expression: Expr, leading: str = "", lead: tuple[Symbol, ...] = ()) -> Markup:
    spoken = written(expression, Speech(), lead)
    return maths.inline(
        leading + r"\displaystyle " + written(expression, lead=lead), leading + spoken
    )
