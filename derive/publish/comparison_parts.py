"""The part of a page on which any two mechanisms of the atlas stand side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import combinations
from typing import Any

from markupsafe import Markup
from sympy import Expr

from derive.comparing import compared
from derive.examples import BUILT_IN, load
from derive.formula import Stage
from derive.publish import maths
from derive.publish.block import Request
from derive.publish.lines import rounded
from derive.publish.notation import Speech
from derive.publish.rendering import json_in_html, render
from derive.publish.variant_parts import COMPACT_DIGITS
from derive.publish.writing import equation
from derive.variants import ATLAS, by_family
from derive.variants.variant import Variant
from derive.worked import work_out_variant


def compare(_request: Request) -> Markup:
    """Return every mechanism's formula and weights, of which a page shows two side by side."""
    numbered = {key: _Numbered(variant) for key, variant in ATLAS.items()}
    pairs = {
        f"{left} {right}": _differences(numbered[left], numbered[right])
        for left, right in combinations(ATLAS, 2)
    }
    data = {
        "pairs": pairs,
        "tokens": {name: list(load(name).tokens) for name in BUILT_IN},
        "weights": {
            key: {name: _weights(variant, name) for name in BUILT_IN}
            for key, variant in ATLAS.items()
        },
    }
    return render(
        "compare",
        formulas=[{"variant": one.variant, "rows": one.typeset()} for one in numbered.values()],
        families=by_family(),
        sentences=[load(name) for name in BUILT_IN],
        data=json_in_html(data),
    )


class _Numbered:
    """The parts of a mechanism's equations that some other mechanism has otherwise, numbered."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.numbers: dict[tuple[str, Expr | None], int] = {}

    def of(self, stage: Stage | None, marks: Iterable[Expr], *, alone: bool) -> list[int]:
        """Return the numbers of an equation's marked parts, or of the equation as a whole."""
        if stage is None:
            return []
        parts: list[Expr | None] = [None] if alone else sorted(marks, key=str)
        return [
            self.numbers.setdefault((str(stage.array), part), len(self.numbers)) for part in parts
        ]

    def typeset(self) -> list[dict[str, Any]]:
        """Return each equation typeset, with a number on every part that may be marked."""
        rows = []
        for stage in self.variant.mechanism.stages:
            name = str(stage.array)
            parts = {
                part: number
                for (array, part), number in self.numbers.items()
                if array == name and part is not None
            }
            latex = equation(stage, None, parts, partial(_with_number, parts))
            rows.append(
                {
                    "whole": self.numbers.get((name, None)),
                    "maths": maths.inline(rf"\displaystyle {latex}", equation(stage, Speech())),
                }
            )
        return rows


def _with_number(numbers: Mapping[Expr, int], part: Expr, text: str) -> str:
    return rf"\htmlData{{p={numbers[part]}}}{{{text}}}"


def _differences(left: _Numbered, right: _Numbered) -> list[list[int]]:
    """Return the numbers of what differs on either side."""
    mine: list[int] = []
    theirs: list[int] = []
    for pair in compared(left.variant.mechanism, right.variant.mechanism):
        mine += left.of(pair.left, pair.left_marks, alone=pair.right is None)
        theirs += right.of(pair.right, pair.right_marks, alone=pair.left is None)
    return [mine, theirs]


def _weights(variant: Variant, name: str) -> list[list[list[str]]]:
    """Return the weights of each head as they are shown."""
    found = work_out_variant(load(name), variant)[variant.weights]
    blocks = found.reshape(-1, *found.shape[-2:])
    return [
        [[rounded(value, COMPACT_DIGITS) for value in row] for row in block] for block in blocks
    ]
