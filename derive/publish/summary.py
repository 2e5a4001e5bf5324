"""The last screen of ``make``: what was derived, every check with its figure, where the site is."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from derive.attention import MECHANISMS
from derive.evidence import Evidence
from derive.examples import load
from derive.publish.report import figure, summary


def show(evidence: Evidence, site: Path, console: Console) -> None:
    """Print one row for each sentence and mechanism, then where to look."""
    table = Table(box=None, pad_edge=False)
    for heading in ("sentence", "mechanism", "stages checked", "largest error", "of its bound"):
        table.add_column(
            heading, justify="left" if heading in ("sentence", "mechanism") else "right"
        )
    for example in dict.fromkeys(row.example for row in evidence.comparisons):
        tokens, dimensions = load(example).shape
        for mechanism in MECHANISMS:
            rows = [
                row
                for row in evidence.comparisons
                if (row.example, row.mechanism) == (example, mechanism) and row.verdict != "skipped"
            ]
            if rows:
                within = sum(row.verdict == "within bound" for row in rows)
                worst = max(row.error_ulp or 0.0 for row in rows)
                ratio = max(row.ratio or 0.0 for row in rows)
                table.add_row(
                    f"{example} ({tokens} x {dimensions})",
                    mechanism,
                    f"{within} of {len(rows)} within bound",
                    f"{figure(worst)} ulp",
                    f"{ratio:.0%}",
                )
    console.print()
    console.print(table)
    console.print()
    console.print(summary(evidence), style="green" if evidence.passed else "red")
    console.print(f"The site is in {site}: open {site / 'index.html'}, or run 'make serve'")


def main(arguments: list[str]) -> None:
    """Show the evidence in the first path and name the site in the second."""
    evidence, site = map(Path, arguments)
    show(Evidence.read(evidence), site, Console(highlight=False, markup=False, emoji=False))


if __name__ == "__main__":
    main(sys.argv[1:])
