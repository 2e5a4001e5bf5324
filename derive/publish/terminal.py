"""Tell a worked sentence in a terminal: aligned tables, no markup taken from a token."""

from __future__ import annotations

import unicodedata

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from derive.formula import a, s, z
from derive.publish.lines import rounded
from derive.publish.telling import Telling, ToldStage
from derive.written_out import MOST_TOKENS

BAR = 20
"""Width of a weight of 1, in characters."""


def show(telling: Telling, console: Console) -> None:
    """Print the title, each part's equations and lines, and a table of the query's numbers."""
    example = telling.example
    tokens, dimensions = example.shape
    query = safe(example.tokens[telling.query])
    console.print(Text(safe(example.title), style="bold"))
    console.print(
        Text(
            f"{_count(tokens, 'token')}, {_count(dimensions, 'dimension')}; "
            f"query: {query} (token {telling.query + 1}); {telling.worked.mechanism.title}"
        )
    )
    for told in telling.choices:
        console.print()
        console.print(Text(f"{told.choice.role}: {told.choice.title}", style="bold"))
        for stage in told.stages:
            _print_stage(stage, console)
    console.print()
    console.print(_numbers(telling))
    console.print()
    context = ", ".join(rounded(value, telling.digits) for value in telling.worked[z][telling.query])
    console.print(Text(f"context vector of {query}: [{context}]"))


def safe(token: str) -> str:
    """Return a token with the characters shown that would turn a terminal's line around."""
    return "".join(
        f"\\u{ord(character):04x}"
        if unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in _TURNING
        else character
        for character in token
    )


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _print_stage(told: ToldStage, console: Console) -> None:
    console.print(Padding(Text(told.equation), (0, 0, 0, 2)))
    if not told.lines:
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for line in told.lines:
        grid.add_row(Text(line.name), Text(f"= {line.in_numbers} = {line.value}"))
    console.print(Padding(grid, (0, 0, 0, 4)))


def _numbers(telling: Telling) -> Table:
    worked, query = telling.worked, telling.query
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", justify="right")
    table.add_column("token", no_wrap=True)
    for heading in ("vector", "score", "weight"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for place, token in enumerate(worked.example.tokens):
        weight = worked[a][query, place]
        vector = " ".join(number.text for number in worked.example.vectors[place])
        table.add_row(
            str(place + 1),
            Text(safe(token)),
            Text(vector if len(vector) <= 40 else vector[:37] + "..."),
            rounded(worked[s][query, place], telling.digits),
            rounded(weight, telling.digits),
            Text("█" * round(BAR * min(max(float(weight), 0.0), 1.0)), style="blue"),
        )
    return table


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def too_long(telling: Telling) -> str:
    """Say in words that a sentence is not written out, and what is shown instead."""
    tokens, dimensions = telling.example.shape
    return (
        f"{_count(tokens, 'token')} of {_count(dimensions, 'dimension')} are too many to write out "
        f"(at most {MOST_TOKENS} of each)"
    )
