"""The parts of a page that tell one mechanism of the atlas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from sympy import Add, Expr, IndexedBase

from derive.code import source
from derive.comparing import Pair, compared
from derive.counting import memory, operations
from derive.examples import BUILT_IN, Example, load
from derive.formula import n, n_q
from derive.gradients import vector_jacobian_product
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.lines import rounded
from derive.publish.matrices import matrix_latex, name_latex
from derive.publish.notation import Speech
from derive.publish.rendering import code, render
from derive.publish.words import said, say, title_said
from derive.publish.writing import equation, general
from derive.symbolic_shapes import symbolic_shapes
from derive.variants import ATLAS
from derive.variants.variant import Variant
from derive.worked import work_out_variant

MARK = "attn-changed"
"""The class of what a formula has and the one that it is compared with has not."""

COMPACT_DIGITS = 3
"""Decimals in the tables of the atlas, which are for seeing more than for checking."""


def changes(request: Request) -> Markup:
    """Return the formula, with what is not in the mechanism that it is compared with marked."""
    variant = request.variant
    other = ATLAS[variant.against]
    pairs = compared(other.mechanism, variant.mechanism)
    return render(
        "changes",
        rows=[_changed(pair) for pair in pairs if pair.right is not None],
        gone=[_plain(pair) for pair in pairs if pair.right is None],
        other=other,
        latex=[equation(stage) for stage in variant.mechanism.stages],
    )


def _changed(pair: Pair) -> dict[str, Any]:
    stage = pair.right
    assert stage is not None  # noqa: S101 - the caller leaves the others out
    latex = equation(
        stage, None, pair.right_marks, lambda _, text: rf"\htmlClass{{{MARK}}}{{{text}}}"
    )
    return {
        "maths": maths.display(latex, equation(stage, Speech())),
        "latex": equation(stage),
        "new": pair.left is None,
    }


def _plain(pair: Pair) -> Markup:
    stage = pair.left
    assert stage is not None  # noqa: S101 - a pair has at least one side
    return maths.inline(rf"\displaystyle {equation(stage)}", equation(stage, Speech()))


def shapes(request: Request) -> Markup:
    """Return the shape of every array, given and computed, in letters."""
    mechanism = request.mechanism
    roles = {stage.array: choice.title for choice in mechanism.choices for stage in choice.stages}
    rows = [
        {
            "name": maths.inline(name_latex(base), str(base)),
            "shape": _shape(shape),
            "what": title_said(roles[base]) if base in roles else say("shapes.given"),
        }
        for base, shape in symbolic_shapes(mechanism).items()
    ]
    relations = [
        maths.inline(f"{general(left)} = {general(right)}") for left, right in mechanism.relations
    ]
    return render("shapes", rows=rows, relations=relations)


def _shape(shape: Sequence[Expr]) -> Markup:
    latex = r" \times ".join(general(size) for size in shape)
    return maths.inline(latex, f" {said('shapes.by')} ".join(str(size) for size in shape))


def inputs(request: Request) -> Markup:
    """Return where the worked numbers come from: products with printed matrices, or numbers."""
    variant = request.variant
    rows = []
    for base, given in variant.inputs.items():
        name = name_latex(base)
        if given.weights is not None:
            rows += [_product_row(name, given.label, given.weights)]
        elif given.label == str(base):
            rows.append({"maths": maths.inline(name), "what": [say("inputs.vectors")]})
        elif given.label:
            rows.append({"maths": maths.inline(f"{name} = {given.label}"), "what": ""})
        else:
            rows += _number_rows(name, base, variant)
    return render("inputs", rows=rows)


def _product_row(name: str, label: str, weights: Any) -> dict[str, Any]:
    tokens, _, matrix = label.partition(" ")
    letter = name_latex(IndexedBase(matrix))
    heads = [weights] if weights.ndim == 2 else list(weights)
    written = []
    for head, entries in enumerate(heads, start=1):
        of_head = f"_{{{head}}}" if len(heads) > 1 else ""
        written.append(rf"{letter}{of_head} = {matrix_latex(entries)}")
    return {
        "maths": maths.inline(
            f"{name} = {tokens}\\,{letter}", said("inputs.product", name=name, label=label)
        ),
        "what": [maths.inline(latex, matrix) for latex in written],
    }


def _number_rows(name: str, base: IndexedBase, variant: Variant) -> list[dict[str, Any]]:
    entries = variant.inputs[base].make(load(BUILT_IN[-1]).array())
    if entries.ndim <= 2:
        return [{"maths": maths.inline(f"{name} = {matrix_latex(entries)}", str(base)), "what": ""}]
    return [
        {
            "maths": maths.inline(f"{name}_{{{head}}} = {matrix_latex(rows)}", str(base)),
            "what": "",
        }
        for head, rows in enumerate(entries, start=1)
    ]


def weights(request: Request) -> Markup:
    """Return the weights of all queries as a heatmap for each head, and what comes out."""
    return heatmaps(request.variant, request.sentence)


def heatmaps(variant: Variant, example: Example) -> Markup:
    """Return a sentence's weights by a mechanism of the atlas, and the vectors that come out."""
    worked = work_out_variant(example, variant)
    stage = variant.mechanism.stage(variant.weights)
    found = worked[variant.weights]
    blocks = [found] if found.ndim == 2 else list(found.reshape(-1, *found.shape[-2:]))
    result = worked[variant.mechanism.stages[-1].array]
    outcomes = [result] if result.ndim == 2 else list(result.reshape(-1, *result.shape[-2:]))
    lengths = symbolic_shapes(variant.mechanism)[stage.array]
    return render(
        "weights",
        example=example,
        title=variant.title,
        blocks=[_block(entries) for entries in blocks],
        results=[_rounded(entries) for entries in outcomes],
        result=maths.inline(name_latex(variant.mechanism.stages[-1].array)),
        rows=_labels(lengths[-2], example, found.shape[-2]),
        columns=_labels(lengths[-1], example, found.shape[-1]),
        result_rows=_labels(
            symbolic_shapes(variant.mechanism)[variant.mechanism.stages[-1].array][-2],
            example,
            result.shape[-2],
        ),
    )


def _block(entries: Any) -> list[list[dict[str, Any]]]:
    strongest = max(float(abs(entries).max()), 1e-300)
    return [
        [
            {
                "value": rounded(value, COMPACT_DIGITS),
                "strength": round(abs(float(value)) / strongest, 3),
                "negative": bool(value < 0),
                "none": bool(value == 0),
            }
            for value in row
        ]
        for row in entries
    ]


def _rounded(entries: Any) -> list[list[str]]:
    return [[rounded(value, COMPACT_DIGITS) for value in row] for row in entries]


def _labels(size: Any, example: Example, length: int) -> list[str]:
    """Return the tokens where an axis counts them, else numbers."""
    if size in (n, n_q) and length == len(example.tokens):
        return list(example.tokens)
    return [str(place) for place in range(1, length + 1)]


def gradient(request: Request) -> Markup:
    """Return the derived gradients, from the result back to every input."""
    backward = vector_jacobian_product(request.mechanism)
    rows = [
        {
            "title": choice.title,
            "maths": maths.display(equation(stage), equation(stage, Speech())),
            "latex": equation(stage),
        }
        for choice in backward.mechanism.choices[len(request.mechanism.choices) :]
        for stage in choice.stages
    ]
    return render("gradient", rows=rows)


def sources(request: Request) -> Markup:
    """Return where a mechanism was published."""
    return render("sources", sources=request.variant.sources)


def torch_code(request: Request) -> Markup:
    """Return the torch code of a mechanism, the code that the checks run."""
    return render("code", listings=[("torch", code(source(request.mechanism, "torch")))])


def cost(request: Request) -> Markup:
    """Return how many operations a mechanism takes, and how many numbers it holds."""
    counted, held = operations(request.mechanism), memory(request.mechanism)
    rows = [
        (name, getattr(counted.total, name))
        for name in ("multiplications", "additions", "divisions", "exponentials", "functions")
    ]
    return render(
        "cost",
        rows=[(name, _polynomial(count)) for name, count in rows if count != 0],
        leading=_polynomial(counted.total.leading()),
        held=[
            ("inputs", _polynomial(Add(*(size for _, size in held.inputs)))),
            ("on-the-way", _polynomial(Add(*(size for _, size in held.intermediate)))),
            ("result", _polynomial(held.result[1])),
        ],
        largest=held.largest and maths.inline(name_latex(held.largest[0])),
    )


def _polynomial(count: Expr) -> Markup:
    return maths.inline(general(count), general(count, Speech()))
