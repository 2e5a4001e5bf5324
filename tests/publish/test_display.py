"""In a notebook values show themselves: Markdown with maths, and nothing that a token could run."""

from __future__ import annotations

import base64
import re

import markdown
import pytest

from derive import SCALED, SOFTMAX, load, work_out
from derive.composition import Composition, Projections
from derive.examples import example_from
from derive.geometry import score_by_angle
from derive.publish.display import markdown_of
from derive.sentence_file import SentenceFile
from derive.worked import work_out_composed


def _shown(value: object) -> str:
    bundle = value._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == repr(value)
    return bundle["text/markdown"]


def test_a_mechanism_shows_its_equations() -> None:
    shown = _shown(SCALED)
    assert r"s_{ij} = \frac{\sum_{k=1}^{d} x_{ik} \, x_{jk}}{\sqrt{d}}" in shown
    assert shown.count("$$") == 2 * len(SCALED.stages)


def test_a_derivation_shows_each_step_with_its_rule() -> None:
    derivation = score_by_angle()
    shown = _shown(derivation)
    for step in derivation.steps:
        assert re.sub(r"\W+", "", step.rule) in re.sub(r"&#\d+;|\W+", "", shown)


def test_a_sentence_shows_its_vectors() -> None:
    shown = _shown(load("journey"))
    assert "| 2 | journey | $0.55$ | $0.87$ | $0.66$ |" in shown


@pytest.mark.parametrize(
    "worked",
    [
        work_out(load("journey"), SOFTMAX),
        work_out_composed(load("journey"), Composition(projections=Projections.small(3))),
    ],
    ids=["plain", "projected"],
)
def test_worked_numbers_show_formulas_numbers_and_a_drawing(worked: object) -> None:
    shown = _shown(worked)
    drawing = re.search(r"data:image/svg\+xml;base64,([^\"]+)", shown)
    assert drawing
    assert b"<svg" in base64.b64decode(drawing[1])
    assert r"e^{s_{ij}}" in shown


def test_what_a_stranger_wrote_stays_text() -> None:
    hostile = "<img src=x onerror=alert(1)>$x$`"
    data = {"tokens": [hostile], "vectors": [["1"]], "title": hostile}
    example = example_from(SentenceFile.from_data(data, where="my"), "my", "my")
    for value in (example, work_out(example, SOFTMAX)):
        html = markdown.markdown(_shown(value), extensions=["tables"])
        assert "<img src=x" not in html
        assert "&lt;img src=x" in html or "&#60;img src" in html


def test_what_has_no_display_says_so() -> None:
    with pytest.raises(TypeError, match="int"):
        markdown_of(1)
