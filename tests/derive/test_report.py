"""The report of a check in a terminal: every figure, every verdict, within the width there is."""

import dataclasses
import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from derive.evidence import Comparison, Evidence, PropertyResult, Reproduction
from derive.publish.report import figure, show, summary

COMPARISON = Comparison(
    example="journey",
    mechanism="softmax",
    stage="s",
    title="score",
    implementation="torch, loops",
    precision="float64",
    elements=36,
    error_ulp=0.76,
    bound_ulp=3.2,
    ratio=0.2,
    worst=(1, 2),
    verdict="within bound",
)
REFUTED = dataclasses.replace(
    COMPARISON, stage="a", error_ulp=7.1e8, verdict="refuted", reason="a[1, 2] is off by far"
)
EVIDENCE = Evidence(
    comparisons=(COMPARISON,),
    reproductions=(
        Reproduction("journey", "weights", "published", "0.1385", "0.1385", "torch", "reproduced"),
    ),
    properties=(
        PropertyResult("raw", "rows-sum-to-one", "Rows sum to 1", "refuted", "refuted", (), "s"),
        PropertyResult("sum", "rows-sum-to-one", "Rows sum to 1", "proved", "proved", ("D",), "t"),
    ),
    fingerprint="",
    versions={},
    command="derive check --all",
    date="",
    seconds=1.25,
)


def lines(evidence: Evidence, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    show(evidence, console)
    return console.file.getvalue().splitlines()


def test_what_a_passing_check_says():
    text = "\n".join(lines(EVIDENCE))
    assert "journey, softmax: 1 within bound" in text
    assert "0.76/3.2" in text
    assert "(where D)" in text
    assert summary(EVIDENCE) == (
        "1 of 1 stages within bound; 1 of 1 printed results reproduced; "
        "2 of 2 properties as stated; 1.2 s"
    )


def test_what_failed_is_said_with_its_reason():
    text = "\n".join(lines(dataclasses.replace(EVIDENCE, comparisons=(COMPARISON, REFUTED))))
    assert "torch, loops, float64, a: refuted: a[1, 2] is off by far" in text
    assert "7.1e+08/3.2" in text
    assert "1 of 2 stages within bound" in text.replace("\n", " ")


def test_markup_in_the_name_of_a_sentence_stays_text():
    marked = dataclasses.replace(COMPARISON, example="[red]mine[/red]")
    text = "\n".join(lines(dataclasses.replace(EVIDENCE, comparisons=(marked,))))
    assert "[red]mine[/red], softmax" in text


@pytest.mark.parametrize("width", [50, 80, 200])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(width):
    printed = lines(dataclasses.replace(EVIDENCE, comparisons=(COMPARISON, REFUTED)), width)
    assert max(map(cell_len, printed)) <= width
    assert [line for line in printed if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, ""), (0.0, "0"), (0.756, "0.76"), (9.94, "9.9"), (12.4, "12"), (7.1e8, "7.1e+08")],
)
def test_figures(value, written):
    assert figure(value) == written
