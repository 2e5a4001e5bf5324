"""The parts of a page that show what ``derive measure`` found out about rounding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup

from derive.publish.plot import Mark, log_plot
from derive.publish.rendering import render
from derive.rounding_evidence import (
    CANNOT,
    CAUGHT,
    FALSE_ALARM,
    MISSED,
    OURS,
    PASSED,
    RoundingEvidence,
    Tightness,
    Trial,
)

MARKS = {CAUGHT: "✓", PASSED: "✓", MISSED: "✗", FALSE_ALARM: "!", CANNOT: "–", "": "·"}
"""A sign for each verdict; "" stands for a type in which a program is not wrong."""

SAID = {
    CAUGHT: "caught",
    PASSED: "passed",
    MISSED: "missed",
    FALSE_ALARM: "false alarm",
    CANNOT: "cannot judge",
    "": "not wrong in this type",
}

RULES = {
    OURS: "this bound",
    "torch.testing.assert_close": "assert close",
    "torch.allclose": "all\u00adclose",
    "torch.autograd.gradcheck": "grad\u00adcheck",
    "flash-attention's tests": "flash-attn",
    "KernelBench": "Kernel\u00adBench",
}
"""Names for the heads of narrow columns."""

LOOSER = "it keeps the looser contract"
LIKE = "it looks like this: "


def summary(found: RoundingEvidence) -> Markup:
    """Return how many programs each rule judges rightly in each type, and what repeats it."""
    dtypes = _dtypes(found.trials)
    rows = [
        {
            "rule": rule,
            "ours": rule == OURS,
            "cells": [
                {
                    "dtype": dtype,
                    "caught": _counted(_of(found.wrong, dtype), rule, CAUGHT),
                    "alarms": _counted(_of(found.correct, dtype), rule, FALSE_ALARM),
                }
                for dtype in dtypes
            ],
        }
        for rule in _rules(found)
    ]
    ratios = [trial.ratio for trial in found.correct if trial.ratio is not None]
    return render(
        "measured_summary",
        found=found,
        caught=_counted(found.wrong, OURS, CAUGHT),
        passed=_counted(found.correct, OURS, PASSED),
        programs={
            kind: len({trial.name for trial in trials})
            for kind, trials in (("wrong", found.wrong), ("correct", found.correct))
        },
        highest=max(ratios, default=None),
        dtypes=dtypes,
        rows=rows,
    )


def bugs(found: RoundingEvidence) -> Markup:
    """Return the catalogue of bugs: which rule catches which, and what our report says of it."""
    dtypes, rules = _dtypes(found.trials), _rules(found)
    rows = []
    for trials in _programs(found.wrong):
        first = trials[0]
        by_type = {trial.dtype: dict(trial.verdicts) for trial in trials}
        rows.append(
            {
                "trial": first,
                "linked": first.address.startswith("https://"),
                "cells": [
                    [(dtype, by_type[dtype][rule] if dtype in by_type else "") for dtype in dtypes]
                    for rule in rules
                ],
                "likely": _likely(trials),
            }
        )
    return render(
        "measured_bugs",
        rows=rows,
        rules=[RULES.get(rule, rule) for rule in rules],
        dtypes=dtypes,
        marks=MARKS,
        said=SAID,
    )


def alarms(found: RoundingEvidence) -> Markup:
    """Return, for each correct program, the share of its bound, and who raised a false alarm."""
    rows = []
    for trials in _programs(found.correct):
        ratios = {trial.dtype: trial.ratio for trial in trials}
        alarmed: dict[str, list[str]] = {}
        for trial in trials:
            for rule, verdict in trial.verdicts:
                if verdict == FALSE_ALARM:
                    alarmed.setdefault(rule, []).append(trial.dtype)
        rows.append({"name": trials[0].name, "ratios": ratios, "alarmed": alarmed})
    return render("measured_alarms", rows=rows, dtypes=_dtypes(found.trials), percent=_percent)


def tightness(found: RoundingEvidence) -> Markup:
    """Return how far bounds lie above errors, as a plot and as tables."""
    dtypes = list(dict.fromkeys(row.dtype for row in found.tightness))
    programs = list(dict.fromkeys(row.program for row in found.tightness))
    shapes = list(dict.fromkeys(row.shape for row in found.tightness))
    marks = [
        Mark(
            group=shapes.index(row.shape),
            series=dtypes.index(row.dtype),
            style=programs.index(row.program),
            value=row.bound / row.error,
            label=f"{row.program}, {row.dtype}, {row.shape}, {row.output}: {_times(row)}",
        )
        for row in found.tightness
    ]
    plot = log_plot(
        "tightness",
        title="How many times its error a bound is",
        description=(
            f"One mark for each output and gradient, at {_listed(shapes)} tokens x dimensions, "
            f"in {_listed(dtypes)}; {_listed(programs)}. The tables below have the numbers."
        ),
        groups=shapes,
        series=dtypes,
        styles=programs,
        marks=marks,
    )
    tables = [
        {
            "shape": shape,
            "rows": _tight_rows([row for row in found.tightness if row.shape == shape]),
        }
        for shape in shapes
    ]
    return render(
        "measured_tightness", plot=plot, tables=tables, dtypes=dtypes, times=_times, figure=_figure
    )


def _tight_rows(rows: Sequence[Tightness]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Tightness]] = {}
    for row in rows:
        found.setdefault((row.program, row.output), {})[row.dtype] = row
    return [
        {"program": program, "output": output, "cells": cells}
        for (program, output), cells in found.items()
    ]


def _times(row: Tightness) -> str:
    ratio = row.bound / row.error
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def _figure(value: float) -> str:
    return f"{value:.1e}" if value < 1e-3 else f"{value:.2g}"


def _percent(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{100 * ratio:.0f} %" if ratio >= 0.095 else f"{100 * ratio:.1f} %"


def _likely(trials: Iterable[Trial]) -> str:
    """Shorten what the report says is wrong; types that say the same stand together."""
    said: dict[str, list[str]] = {}
    for trial in trials:
        said.setdefault(_shortened(trial.likely), []).append(trial.dtype)
    spoken = {text: dtypes for text, dtypes in said.items() if text}
    if len(said) == 1:
        return "".join(spoken)
    return "; ".join(f"{text} ({', '.join(dtypes)})" for text, dtypes in spoken.items())


def _shortened(likely: str) -> str:
    """Leave out what a looser contract consists of: its name says it."""
    kept = []
    for sentence in likely.split("; "):
        if sentence.startswith(LOOSER):
            name = sentence.removeprefix(LOOSER).split("': ")[0].strip(" '")
            kept.append(f"it computes with {name}")
            break
        kept.append(sentence.removeprefix(LIKE))
    return "; ".join(kept)


def _dtypes(trials: Iterable[Trial]) -> list[str]:
    return list(dict.fromkeys(trial.dtype for trial in trials))


def _rules(found: RoundingEvidence) -> list[str]:
    return list(dict.fromkeys(rule for trial in found.trials for rule, _ in trial.verdicts))


def _of(trials: Iterable[Trial], dtype: str) -> list[Trial]:
    return [trial for trial in trials if trial.dtype == dtype]


def _counted(trials: Iterable[Trial], rule: str, word: str) -> tuple[int, int]:
    """Return how often a rule says so, of how many programs that it can judge."""
    said = [dict(trial.verdicts).get(rule, CANNOT) for trial in trials]
    return said.count(word), len(said) - said.count(CANNOT)


def _programs(trials: Iterable[Trial]) -> list[list[Trial]]:
    return [list(group) for _, group in groupby(trials, key=lambda trial: trial.name)]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
