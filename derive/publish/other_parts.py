"""Parts that stand alone: one live weight, two sets of vectors, torch source, a sentence's YAML."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from markupsafe import Markup
from sympy import IndexedBase, Rational

from derive.algebras.decimal import LARGEST_EXPONENT, Decimal
from derive.attention import CROSS
from derive.decimals import Number, Rows, read_decimal, values_of
from derive.elements import Elements
from derive.errors import InputError
from derive.evidence import Evidence
from derive.examples import BUILT_IN
from derive.formula import K, Q, V, a, s, z
from derive.matrix_form import matrix_product
from derive.publish import maths
from derive.publish.block import FENCE, Request
from derive.publish.lines import rounded
from derive.publish.notation import Speech
from derive.publish.rendering import code, render
from derive.publish.sentence_parts import SentencePage
from derive.publish.source import function_source
from derive.publish.writing import equation, matrix_equation
from derive.worked import MOST_PRODUCTS


def weight(evidence: Evidence, request: Request) -> Markup:
    """Return one weight with its formula, its numbers and the check of its stage against torch."""
    page = SentencePage(request)
    example = page.example
    key = example.position(request.block.key or example.tokens[page.query], key="key") + 1
    row = page.query + 1
    lines = [
        page.line(stage, (row, key) if stage.array in (s, a) else (row,))
        for stage in page.mechanism.stages
        if stage.array != z
    ]
    checked = [
        found
        for found in evidence.comparisons
        if (found.example, found.mechanism, found.stage) == (example.name, request.name, str(a))
        and found.verdict == "within bound"
        and found.precision == "float32"
    ]
    return render(
        "weight",
        query=example.tokens[page.query],
        key=example.tokens[key - 1],
        sentence=example.sentence,
        lines=lines,
        value=page.value(a, (row, key)),
        checked=checked,
    )


def two_shapes(request: Request) -> Markup:
    """Return attention of queries to keys in numbers, where rows and columns cannot be confused."""
    labelled = {Q: request.block.queries, K: request.block.keys, V: request.block.values}
    decimal = Decimal()
    given, labels = {}, {}
    for base, rows in labelled.items():
        numbers = _numbers(rows or {}, ROLES[base])
        given[base] = values_of(numbers, lambda value: decimal.number(Rational(value)))
        labels[base] = list(rows or {})
    _check_together(given)
    try:
        arrays = Elements(decimal, given).run(CROSS.stages)
    except OverflowError:
        raise InputError(
            FENCE,
            "queries",
            "a score is so large that its exponential cannot be written",
            f"scale the rows down until every score is below {LARGEST_EXPONENT:.0e}",
        ) from None
    digits = request.block.digits
    shown = {
        base: [[rounded(v, digits) for v in row] for row in arrays[base]] for base in (s, a, z)
    }
    return render(
        "two_shapes",
        given=[
            {"name": str(base), "labels": labels[base], "rows": list((rows or {}).values())}
            for base, rows in labelled.items()
        ],
        queries=labels[Q],
        keys=labels[K],
        results=[_result(base, shown[base]) for base in (s, a, z)],
        row_sums=[rounded(sum(row), digits) for row in arrays[a]],
        column_sums=[rounded(sum(column), digits) for column in arrays[a].T],
    )


ROLES = {Q: "queries", K: "keys", V: "values"}


def _numbers(rows: dict[str, list[str]], role: str) -> Rows:
    """Read labelled rows of numbers, all of one length."""
    if not rows or not all(rows.values()):
        remedy = "write a label and a row of numbers for each, as in who: [1, 0]"
        raise InputError(FENCE, role, "there is none" if not rows else "a row is empty", remedy)
    length = len(next(iter(rows.values())))
    for label, row in rows.items():
        if len(row) != length:
            raise InputError(
                FENCE,
                f"{role}.{label}",
                f"this row has {len(row)} numbers, the first has {length}",
                "give every row as many",
            )
    return tuple(
        tuple(Number(read_decimal(text, FENCE, f"{role}.{label}"), text) for text in row)
        for label, row in rows.items()
    )


def _check_together(given: dict[IndexedBase, Any]) -> None:
    """Refuse rows that do not fit each other, and more than a page can work out."""
    (queries, dimensions), (keys, of_keys), (values, _) = (given[base].shape for base in ROLES)
    if of_keys != dimensions:
        raise InputError(
            FENCE,
            "keys",
            f"their rows have {of_keys} numbers, those of queries have {dimensions}",
            "a score multiplies them one by one: give both as many",
        )
    if values != keys:
        raise InputError(
            FENCE,
            "values",
            f"there are {values} rows, and {keys} keys",
            "give each key its value",
        )
    if queries * keys * (dimensions + given[V].shape[1]) > MOST_PRODUCTS:
        raise InputError(
            FENCE, "queries", "these are too many rows", f"at most {MOST_PRODUCTS:,} products"
        )


def torch_source(request: Request) -> Markup:
    """Return the torch functions that the fence names, as ``numeric/reference.py`` has them."""
    listing = "\n\n".join(function_source(name) for name in request.block.functions)
    return Markup('<section class="attn attn-code" data-search-exclude>{}</section>').format(
        code(listing)
    )


def yaml_source(request: Request) -> Markup:
    """Return the YAML file of a built-in sentence."""
    name = request.sentence.name
    if name not in BUILT_IN:
        raise InputError(FENCE, "show", "yaml shows a built-in sentence", "name one")
    text = (files("derive") / "sentences" / f"{name}.yaml").read_text(encoding="utf-8")
    return Markup('<section class="attn attn-code" data-search-exclude>{}</section>').format(
        code(text, "yaml")
    )


def _result(base: Any, rows: list[list[str]]) -> dict[str, Any]:
    stage = CROSS.stage(base)
    product = matrix_product(stage)
    if product is None:
        formula = maths.inline(equation(stage), equation(stage, Speech()))
    else:
        spoken = matrix_equation(stage, product, spoken=True)
        formula = maths.inline(matrix_equation(stage, product), spoken)
    return {"name": str(base), "rows": rows, "formula": formula}
