"""Show the evidence of a check in a terminal: every claim with its figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from derive.evidence import Comparison, Evidence
from derive.publish.trimmed import Trimmed

AS_PRINTED = {"reproduced", "within bound"}
"""Verdicts of a printed result that came out again, digit for digit or but for its rounding."""

MOST_STAGES = 5
"""How many stages stand side by side in a table."""

COLOURS = {"within bound": "green", "proved": "green", "reproduced": "green", "refuted": "red"}


def show(evidence: Evidence, console: Console) -> None:
    """Print one table for the comparisons with torch, one for the notes, one for the properties."""
    for (example, mechanism), group in groupby(
        evidence.comparisons, key=lambda row: (row.example, row.mechanism)
    ):
        rows = list(group)
        console.print(Text(f"{example}, {mechanism}: ", style="bold") + _tally(rows))
        for table in _comparisons(rows):
            console.print(Trimmed(table))
        for row in rows:
            if row.reason:
                where = f"{row.implementation}, {row.precision}, {row.stage or 'all stages'}: "
                found = Text(where) + verdict(row.verdict) + Text(f": {row.reason}")
                console.print(Trimmed(found))
        console.print()
    if evidence.reproductions:
        console.print(Text("results printed in the notes", style="bold"))
        console.print(Trimmed(_reproductions(evidence)))
        console.print()
    if evidence.properties:
        console.print(Text("properties, for every number of tokens", style="bold"))
        console.print(Trimmed(_properties(evidence)))
        console.print()
    console.print(Trimmed(Text(summary(evidence), style="green" if evidence.passed else "red")))


def summary(evidence: Evidence) -> str:
    """Return one line: how many checks of each kind, and how many are as they should be."""
    within = sum(row.verdict == "within bound" for row in evidence.comparisons)
    compared = sum(row.verdict != "skipped" for row in evidence.comparisons)
    reproduced = sum(row.verdict in AS_PRINTED for row in evidence.reproductions)
    decided = sum(row.verdict == row.stated for row in evidence.properties)
    parts = [f"{within} of {compared} stages within bound{_skipped(evidence)}"]
    if evidence.reproductions:
        parts.append(f"{reproduced} of {len(evidence.reproductions)} printed results reproduced")
    parts.append(f"{decided} of {len(evidence.properties)} properties as stated")
    return "; ".join([*parts, f"{evidence.seconds:.1f} s"])


def _skipped(evidence: Evidence) -> str:
    skipped = sum(row.verdict == "skipped" for row in evidence.comparisons)
    return f" ({skipped} comparisons skipped)" if skipped else ""


def figure(value: float | None) -> str:
    """Write an error or a bound in units in the last place."""
    if value is None:
        return ""
    return (
        f"{value:.2g}"
        if 0.01 <= value < 9.95
        else f"{value:.0f}"
        if value < 1e6
        else f"{value:.1e}"
    )


def verdict(word: str, stated: str | None = None) -> Text:
    """Return a verdict, coloured by whether it is as it should be."""
    expected = (
        COLOURS.get(word, "yellow") if stated is None else "green" if word == stated else "red"
    )
    return Text(word, style=expected)


def _tally(rows: Sequence[Comparison]) -> Text:
    """Say how many stages have which verdict."""
    counts = Counter(row.verdict for row in rows)
    return Text(", ").join(
        Text(f"{count} ").append_text(verdict(word)) for word, count in counts.items()
    )


def _comparisons(rows: Sequence[Comparison]) -> Iterator[Table]:
    """One row for each program: for each stage the largest error and its bound, in ulp.

    More stages than a narrow terminal has room for stand in several tables.
    """
    stages = list(dict.fromkeys(row.stage for row in rows if row.stage))
    tables = max(1, -(-len(stages) // MOST_STAGES))
    columns = -(-len(stages) // tables)
    for table in range(tables):
        yield _of_stages(rows, stages[table * columns : (table + 1) * columns])


def _of_stages(rows: Sequence[Comparison], stages: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.add_column("error / bound in ulp", overflow="fold")
    table.add_column("", no_wrap=True)
    for stage in stages:
        table.add_column(stage, justify="right", no_wrap=True)
    for (program, precision), group in groupby(
        rows, key=lambda row: (row.implementation, row.precision)
    ):
        figures = {row.stage: _figures(row) for row in group}
        table.add_row(program, precision, *(figures.get(stage, Text()) for stage in stages))
    return table


def _figures(row: Comparison) -> Text:
    colour = COLOURS.get(row.verdict, "yellow") if row.verdict != "within bound" else ""
    if row.error_ulp is None or row.bound_ulp is None:
        return Text(row.verdict, style=colour)
    return Text(f"{figure(row.error_ulp)}/{figure(row.bound_ulp)}", style=colour)


def _reproductions(evidence: Evidence) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("sentence", "printed result", "computed by", "verdict"):
        table.add_column(heading)
    for row in evidence.reproductions:
        table.add_row(row.example, row.title, row.implementation, verdict(row.verdict))
    return table


def _properties(evidence: Evidence) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("mechanism", "property", "verdict", "how"):
        table.add_column(heading)
    for row in evidence.properties:
        condition = f" (where {' and '.join(row.conditions)})" if row.conditions else ""
        table.add_row(
            row.mechanism,
            Text(row.statement + condition),
            verdict(row.verdict, row.stated),
            Text(row.method),
        )
    return table
