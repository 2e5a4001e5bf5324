"""Two mechanisms side by side: in a terminal, and as data."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text as Line
from sympy import Expr

from derive.comparing import compared
from derive.examples import Example
from derive.formula import Stage, i
from derive.publish.lines import DIGITS, rounded
from derive.publish.notation import Text
from derive.publish.trimmed import Trimmed
from derive.publish.writing import equation
from derive.variants.variant import Variant
from derive.visible import visible
from derive.worked import work_out_variant

OPEN, CLOSE = "⟦", "⟧"
"""What stands around a part that the other formula does not have."""


def show(
    left: Variant, right: Variant, example: Example | None, query: int, console: Console
) -> None:
    """Print both formulas with the differences marked, then both rows of weights."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(left.title, overflow="fold")
    table.add_column(right.title, overflow="fold")
    for pair in compared(left.mechanism, right.mechanism):
        table.add_row(
            _cell(pair.left, pair.left_marks, alone=pair.right is None),
            _cell(pair.right, pair.right_marks, alone=pair.left is None),
            style="dim" if pair.same else "",
        )
    console.print(Trimmed(table))
    console.print(Line(f"{OPEN} {CLOSE} marks what the other one has otherwise", style="dim"))
    if example is not None:
        console.print()
        console.print(Trimmed(_weights(left, right, example, query)))


def as_data(left: Variant, right: Variant, example: Example | None, query: int) -> dict[str, Any]:
    """Return the pairs of equations, each with the parts that the other does not have."""
    data: dict[str, Any] = {
        "left": left.key,
        "right": right.key,
        "equations": [
            {
                "same": pair.same,
                "left": _written(pair.left, pair.left_marks),
                "right": _written(pair.right, pair.right_marks),
            }
            for pair in compared(left.mechanism, right.mechanism)
        ],
    }
    if example is not None:
        data["sentence"] = example.name
        data["query"] = {"token": example.tokens[query], "position": query + 1}
        data["weights"] = {
            side: [[float(value) for value in row] for row in _rows(variant, example, query)]
            for side, variant in (("left", left), ("right", right))
        }
    return data


def _cell(stage: Stage | None, marks: frozenset[Expr], *, alone: bool) -> Line:
    if stage is None:
        return Line("")
    text = equation(stage, Text(), marks, lambda _, text: f"{OPEN}{text}{CLOSE}")
    return Line(f"{OPEN}{text}{CLOSE}" if alone else text)


def _written(stage: Stage | None, marks: frozenset[Expr]) -> dict[str, Any] | None:
    if stage is None:
        return None
    return {
        "array": str(stage.array),
        "text": equation(stage, Text()),
        "latex": equation(stage),
        "marked": equation(stage, None, marks, lambda _, text: rf"\boxed{{{text}}}"),
    }


def _rows(variant: Variant, example: Example, query: int) -> list[list[Any]]:
    """Return the query's row of weights of each head."""
    worked = work_out_variant(example, variant)
    stage = variant.mechanism.stage(variant.weights)
    found = worked[variant.weights]
    if i not in stage.target.indices:
        return [list(found.flat)]
    axis = stage.target.indices.index(i)
    place = min(query, found.shape[axis] - 1)
    rows = found.take(place, axis=axis)
    return [list(row) for row in rows.reshape(-1, rows.shape[-1])]


def _weights(left: Variant, right: Variant, example: Example, query: int) -> Table:
    table = Table(
        title=f"weights of {visible(example.tokens[query])}",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column("key")
    columns = []
    for variant in (left, right):
        rows = _rows(variant, example, query)
        for head, row in enumerate(rows, start=1):
            name = f"{variant.key}, head {head}" if len(rows) > 1 else variant.key
            table.add_column(name, justify="right")
            columns.append(row)
    longest = max(map(len, columns))
    # Where one side has other keys than the tokens, both are numbered.
    named = all(len(column) == len(example.tokens) for column in columns)
    for place in range(longest):
        key = visible(example.tokens[place]) if named else str(place + 1)
        cells = [rounded(row[place], DIGITS) if place < len(row) else "" for row in columns]
        table.add_row(Line(key), *cells)
    return table
