"""The parts of a page that show evidence: what the checks found, as they wrote it."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from markupsafe import Markup

from derive.errors import InputError
from derive.evidence import Comparison, Evidence, Reproduction
from derive.publish.block import Request
from derive.publish.rendering import render
from derive.publish.report import AS_PRINTED, figure


def summary(evidence: Evidence, _request: Request) -> Markup:
    """Return how many checks of each kind there are, and the command that repeats them."""
    compared = [row for row in evidence.comparisons if row.verdict != "skipped"]
    tightest = max((row.ratio for row in compared if row.ratio is not None), default=0.0)
    return render(
        "evidence_summary",
        evidence=evidence,
        compared=len(compared),
        elements=sum(row.elements for row in compared),
        within=sum(row.verdict == "within bound" for row in compared),
        reproduced=sum(row.verdict in AS_PRINTED for row in evidence.reproductions),
        proved=sum(row.verdict == row.stated == "proved" for row in evidence.properties),
        refuted=sum(row.verdict == row.stated == "refuted" for row in evidence.properties),
        tightest=tightest,
    )


def comparisons(evidence: Evidence, request: Request) -> Markup:
    """Return every comparison with torch and with the lambdified formulas, for one sentence."""
    name = request.sentence.name
    rows = [row for row in evidence.comparisons if row.example == name]
    tables = [
        _table(mechanism, list(group))
        for mechanism, group in groupby(rows, key=lambda row: row.mechanism)
    ]
    return render("comparisons", tables=tables, example=name, figure=figure)


def reproductions(evidence: Evidence, _request: Request) -> Markup:
    """Return the results printed in the notes, beside what was computed."""
    return render("reproductions", rows=evidence.reproductions)


def printed(evidence: Evidence, request: Request) -> Markup:
    """Return the printed results of one sentence that the fence names, as torch reproduced them.

    Raises ``InputError`` naming the titles there are.
    """
    rows = [row for row in evidence.reproductions if row.example == request.sentence.name]
    several = len(request.block.printed) > 1
    shown = [
        {
            "row": _titled(rows, title),
            "title": title if several else "",
            "derived": any(
                r.title == title and r.implementation.startswith("derived") for r in rows
            ),
        }
        for title in request.block.printed
    ]
    return render("printed", shown=shown)


def property_table(evidence: Evidence, _request: Request) -> Markup:
    """Return every property of every mechanism with its verdict and how it was reached."""
    return render("property_table", rows=evidence.properties)


def versions(evidence: Evidence, _request: Request) -> Markup:
    """Return what the checks ran with."""
    return render("versions", evidence=evidence)


def _titled(rows: list[Reproduction], title: str) -> Reproduction:
    for row in rows:
        if row.title == title:
            return row
    known = "; ".join(sorted({row.title for row in rows}))
    raise InputError("attention fence", "printed", f"there is no {title!r}", f"there are: {known}")


def _table(mechanism: str, rows: list[Comparison]) -> dict[str, Any]:
    """Return one row for each program, with the largest error and its bound for each stage."""
    titles = {row.stage: row.title for row in rows if row.stage}
    programs = [
        {"program": program, "precision": precision, "cells": {row.stage: row for row in group}}
        for (program, precision), group in groupby(
            rows, key=lambda row: (row.implementation, row.precision)
        )
    ]
    return {
        "mechanism": mechanism,
        "titles": titles,
        "programs": programs,
        "tally": Counter(row.verdict for row in rows),
        "reasons": [row for row in rows if row.reason],
    }
