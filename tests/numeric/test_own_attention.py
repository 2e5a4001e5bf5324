"""The attention that a sentence's own file describes, against torch's own operations."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from derive.cli import main
from derive.composition import Composition
from derive.evidence import REFUTED, SKIPPED, WITHIN_BOUND
from derive.examples import Example, example_from
from derive.sentence_file import SentenceFile
from numeric.own_attention import by_torch, own_computations
from numeric.precision import FLOAT32, FLOAT64
from numeric.verification import check

VECTORS = [["0.1", "0.7"], ["0.9", "-0.3"], ["0.4", "0.4"], ["-1", "0.25"]]
OWN_MATRICES = {
    "query": [["1.5", "0.25", "-1"], ["0.1", "2", "0.3"]],
    "key": [["0.9", "0.7", "0"], ["-1.1", "0.4", "1e-3"]],
    "value": [["1"], ["-0.2"]],
}


def sentence(**settings: Any) -> Example:
    data = {"tokens": ["the", "cat", "drinks", "milk"], "vectors": VECTORS, **settings}
    return example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")


@pytest.mark.parametrize("mechanism", ["softmax", "sum", "raw", "shifted"])
@pytest.mark.parametrize("scale", [None, "0.3", "1/sqrt(d)"])
@pytest.mark.parametrize("mask", [None, "causal"])
@pytest.mark.parametrize("projections", [None, "small", OWN_MATRICES], ids=["none", "small", "own"])
def test_every_way_stays_within_its_bound(
    mechanism: str, scale: str | None, mask: str | None, projections: Any
) -> None:
    written = {"mechanism": mechanism, "scale": scale, "mask": mask, "projections": projections}
    example = sentence(**{key: value for key, value in written.items() if value is not None})
    ways = list(own_computations(example))
    rows = check(example, ways)
    assert [row for row in rows if row.verdict != WITHIN_BOUND] == []
    stages = {row.stage for row in rows}
    if ways:
        assert {"s", "a", "z"} <= stages
        assert {row.implementation for row in rows} >= {"torch", "generated, torch", "as shown"}
    else:
        # What the notes have is among what is compared of every sentence.
        assert (mask, projections) == (None, None)
    assert (projections is not None) == ({"Q", "K", "V"} <= stages)


@pytest.mark.parametrize(
    "wrong",
    [
        {"causal": False}, {"scale": None}, {"normaliser": "sum"},
        {"scale": Composition().scale, "causal": False},
    ],
)  # fmt: skip
@pytest.mark.parametrize("precision", [FLOAT64, FLOAT32], ids=lambda precision: precision.name)
def test_another_attention_than_the_file_describes_is_refuted(wrong: Any, precision: Any) -> None:
    example = sentence(mask="causal", scale="0.3", projections="small")
    right = example.composition()
    way = by_torch(right, precision)
    other = by_torch(replace(right, **wrong), precision)
    rows = check(example, [replace(way, stages=other.stages)])
    assert REFUTED in {row.verdict for row in rows}


def test_where_a_causal_sum_is_zero_nothing_is_claimed() -> None:
    data = {"tokens": ["a", "b"], "vectors": [["0"], ["3"]], "mechanism": "sum", "mask": "causal"}
    example = example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")
    rows = check(example, own_computations(example))
    assert {row.verdict for row in rows} == {SKIPPED}
    assert "the denominator of row 1 is zero" in rows[0].reason


def test_the_command_checks_it_too(tmp_path: Any) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("tokens: [a, b]\nvectors: [[1, 2], [0, 0.5]]\nmask: causal\nscale: 0.3\n")
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 0, result.output
    assert re.search(r"my, softmax attention, scores times 3/10, causal: \d+ within", result.output)
