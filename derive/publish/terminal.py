"""Tell a worked sentence in a terminal: aligned tables, no markup taken from a token."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from derive.formula import a, s, z
from derive.publish.lines import rounded
from derive.publish.telling import Telling, ToldStage
from derive.publish.trimmed import Trimmed
from derive.visible import shortened, visible
from derive.written_out import MOST_TOKENS

BAR = 20
"""Width in characters of the bar for a weight of 1, or for the largest weight above it."""

TOKEN = 24
"""Width in characters at which a token is cut in the table; the query stands whole above it."""

GAP = 2
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show(telling: Telling, console: Console) -> None:
    """Print the title, each part's equations and lines, and a table of the query's numbers."""
    example = telling.example
    tokens, dimensions = example.shape
    query = visible(example.tokens[telling.query])
    console.print(Trimmed(Text(visible(example.title), style="bold")))
    console.print(
        Trimmed(
            Text(
                f"{_count(tokens, 'token')}, {_count(dimensions, 'dimension')}; "
                f"query: {query} (token {telling.query + 1}); {telling.worked.mechanism.title}"
            )
        )
    )
    for told in telling.choices:
        role, title = told.choice.role, told.choice.title
        console.print()
        console.print(Text(role if role == title else f"{role}: {title}", style="bold"))
        for stage in told.stages:
            _print_stage(stage, console)
    console.print()
    console.print(Trimmed(_numbers(telling, console.width)))
    console.print()
    context = ", ".join(
        rounded(value, telling.digits) for value in telling.worked[z][telling.query]
    )
    console.print(Trimmed(Text(f"context vector of {query}: [{context}]")))


def too_long(telling: Telling) -> str:
    """Say in words that a sentence is not written out, and from which length on."""
    tokens, dimensions = telling.example.shape
    return (
        f"{_count(tokens, 'token')} of {_count(dimensions, 'dimension')} are too many to write out "
        f"(at most {MOST_TOKENS} of each)"
    )


def _print_stage(told: ToldStage, console: Console) -> None:
    console.print(Trimmed(Padding(Text(told.equation), (0, 0, 0, 2))))
    if not told.lines:
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for line in told.lines:
        grid.add_row(Text(line.name), Text(line.worked().strip()))
    console.print(Trimmed(Padding(grid, (0, 0, 0, 4))))


def _numbers(telling: Telling, width: int) -> Table:
    """Return one row for each key: its token, its vector as far as there is room, its weight."""
    worked, query, digits = telling.worked, telling.query, telling.digits
    tokens = [visible(token) for token in worked.example.tokens]
    vectors = [" ".join(number.text for number in row) for row in worked.example.vectors]
    scores = [rounded(score, digits) for score in worked[s][query]]
    weights = [rounded(weight, digits) for weight in worked[a][query]]
    taken = sum(
        GAP + min(most, max(len(heading), *map(cell_len, cells)))
        for heading, cells, most in (
            ("", [str(len(tokens))], width),
            ("token", tokens, TOKEN),
            ("score", scores, width),
            ("weight", weights, width),
        )
    )
    room = max(width - taken - GAP - BAR, 0)
    longest = max(map(len, vectors))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("", justify="right")
    table.add_column("token", no_wrap=True, max_width=TOKEN)
    # Less than one number's worth of a vector says nothing.
    has_vector = longest <= room or room >= len("vector, 0")
    if has_vector:
        table.add_column("vector", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="crop")
    largest = max(1.0, *(float(weight) for weight in worked[a][query]))
    for place, token in enumerate(tokens):
        vector = [Text(shortened(vectors[place], room))] if has_vector else []
        share = float(worked[a][query, place]) / largest
        table.add_row(
            str(place + 1), Text(token), *vector, scores[place], weights[place], _bar(share)
        )
    return table


def _bar(share: float) -> Text:
    eighths = round(8 * BAR * max(share, 0.0))
    return Text("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip(), style="blue")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
