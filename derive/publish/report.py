"""Show the evidence of a check in a terminal: every claim with its figure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from derive.evidence import Comparison, Evidence

COLOURS = {"within bound": "green", "proved": "green", "reproduced": "green", "refuted": "red"}


def show(evidence: Evidence, console: Console) -> None:
    """Print one table for the comparisons with torch, one for the notes, one for the properties."""
    for example, rows in groupby(evidence.comparisons, key=lambda row: row.example):
        console.print(Text(f"{example}: largest error, in units in the last place", style="bold"))
        console.print(_comparisons(rows))
        console.print()
    if evidence.reproductions:
        console.print(Text("results printed in the notes", style="bold"))
        console.print(_reproductions(evidence))
        console.print()
    if evidence.properties:
        console.print(Text("properties, for every number of tokens", style="bold"))
        console.print(_properties(evidence))
        console.print()
    console.print(Text(summary(evidence), style="green" if evidence.passed else "red"))


def summary(evidence: Evidence) -> str:
    """Return one line: how many checks of each kind, and how many are as they should be."""
    within = sum(row.verdict == "within bound" for row in evidence.comparisons)
    compared = sum(row.verdict != "skipped" for row in evidence.comparisons)
    reproduced = sum(row.verdict == "reproduced" for row in evidence.reproductions)
    decided = sum(row.verdict == row.stated for row in evidence.properties)
    return (
        f"{within} of {compared} stages within bound; "
        f"{reproduced} of {len(evidence.reproductions)} printed results reproduced; "
        f"{decided} of {len(evidence.properties)} properties as stated; {evidence.seconds:.1f} s"
    )


def figure(value: float | None) -> str:
    """Write an error or a bound in units in the last place."""
    return "" if value is None else f"{value:.2g}" if 0 < value < 10 else f"{value:.0f}"


def verdict(word: str, stated: str | None = None) -> Text:
    """Return a verdict, coloured by whether it is as it should be."""
    expected = COLOURS.get(word, "yellow") if stated is None else "green" if word == stated else "red"
    return Text(word, style=expected)


def _comparisons(rows: Iterable[Comparison]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("mechanism", "stage", "computed by", "precision"):
        table.add_column(heading, no_wrap=True)
    table.add_column("error", justify="right")
    table.add_column("bound", justify="right")
    table.add_column("verdict")
    for row in rows:
        judged = verdict(row.verdict)
        if row.reason:
            judged.append(f": {row.reason}")
        table.add_row(
            row.mechanism,
            row.stage,
            row.implementation,
            row.precision,
            figure(row.error_ulp),
            figure(row.bound_ulp),
            judged,
        )
    return table


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
            row.mechanism, Text(row.statement + condition), verdict(row.verdict, row.stated), Text(row.method)
        )
    return table
