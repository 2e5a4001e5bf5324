"""Numbers at the limits: right to the last digit shown, or one line that says what to change."""

from __future__ import annotations

import re
from typing import Any

import pytest
from mpmath import mp, mpf
from sympy import IndexedBase

from derive.composition import Composition
from derive.errors import InputError
from derive.examples import Example, example_from
from derive.formula import D, a, s, z
from derive.publish.fence import Fences
from derive.publish.lines import rounded
from derive.publish.sentence_page import ENDINGS, SentencePage
from derive.sentence_file import SentenceFile
from derive.worked import Worked, work_out_composed
from tests.hostile.properties import check_fence, check_refusal, fence_of, rendered
from tests.sampling import one_in


def _example(*vectors: str, **settings: Any) -> Example:
    rows = [vector.split() for vector in vectors]
    data = {"tokens": [f"t{p}" for p in range(len(rows))], "vectors": rows, **settings}
    return example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")


def _worked(*vectors: str, **settings: Any) -> Worked:
    example = _example(*vectors, **settings)
    return work_out_composed(example, example.settings.composition(example.shape[1], "my.yaml"))


@pytest.mark.parametrize("text", ["1e308", "1e-320", "-1e151", "1e999999999", "1e-999999999"])
def test_beyond_the_limits_the_line_says_between_which(text: str) -> None:
    with pytest.raises(
        InputError, match="is too large or too small; stay between 1e-150 and 1e150"
    ):
        _example(text)


def test_weights_of_scores_ten_thousand_million_apart_are_right() -> None:
    worked = _worked("100000", "0")
    with mp.workdps(80):
        exact = mp.exp(mpf(-(10**10))) / (1 + mp.exp(mpf(-(10**10))))
        power = int(mp.floor(mp.log10(exact)))
        mantissa = mp.nstr(exact / mpf(10) ** power, 5, strip_zeros=False)
    assert rounded(worked[a][0, 1], 4) == f"{mantissa}e{power}"
    assert rounded(worked[a][0, 0], 4) == "1.0000"
    assert rounded(worked[z][0, 0], 4) == "100000.0000"


@pytest.mark.parametrize("format_", sorted(set(ENDINGS.values()) - {"html"}))
def test_every_format_writes_them_in_time(format_: Any) -> None:
    written = SentencePage(_example("100000", "0"), 0, Composition()).write(format_)
    assert "4342944820" in written or format_ in ("json", "svg", "notebook")


def test_a_page_shows_them_and_the_reader_may_play_with_them() -> None:
    shown = {"tokens": ["a", "b"], "vectors": [["100000"], ["0"]]}
    for part in ("numbers", "heatmap", "step-through"):
        html = rendered(fence_of({**shown, "show": [part]}))
        assert html is not None
        assert "4342944820" in html


@pytest.mark.parametrize("mechanism", ["softmax", "shifted", "scaled", "raw", "sum"])
@pytest.mark.parametrize(
    "number", one_in(3, ["1e150", "-1e150", "1e-150", "1e7", "1e40", "0", "1e-40"])
)
@pytest.mark.parametrize(
    "more",
    [
        {}, {"scale": "1e150"}, {"scale": "1e-150", "mask": "causal"},
        {"projections": {role: [["1e150"]] for role in ("query", "key", "value")}},
        {"projections": {role: [["0"]] for role in ("query", "key", "value")}},
    ],
    ids=["plain", "large scale", "small scale", "large matrices", "matrices of zeros"],
)  # fmt: skip
def test_at_the_ends_there_is_a_page_or_a_line(mechanism: str, number: str, more: Any) -> None:
    data = {"tokens": ["a", "b"], "vectors": [[number], ["1"]], "mechanism": mechanism}
    if mechanism == "scaled" and "scale" in more:
        return
    check_fence(fence_of({**data, **more, "show": ["numbers", "heatmap", "step-through"]}))


@pytest.mark.parametrize(
    ("vectors", "settings", "said"),
    [
        (["1e150", "1"], {"mechanism": "raw"}, "an entry of z is larger than float64 can hold"),
        (["1e150", "1"], {"mechanism": "raw", "scale": "1e150"}, "an entry of s is larger than"),
        (["1e8", "1"], {}, "a score is so large that its exponential cannot be written"),
        (["1", "-1"], {"mechanism": "sum"}, "attention normalised by the sum divides by zero here"),
        (["0", "1"], {"mechanism": "sum", "mask": "causal"}, "divides by zero here"),
        (["0"], {"mechanism": "sum"}, "divides by zero here"),
    ],
)  # fmt: skip
def test_what_nobody_can_show_is_one_line(vectors: list[str], settings: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        _worked(*vectors, **settings)
    check_refusal(caught.value)


def test_the_part_that_answers_says_where_float64_ends() -> None:
    data = {"tokens": ["a", "b"], "vectors": [["1e-150"], ["1e-150"]], "mechanism": "sum"}
    assert rendered(fence_of({**data, "scale": "1e-150", "show": ["numbers"]})) is not None
    example = _example("1e-150", "1e-150", mechanism="sum", scale="1e-150")
    composition = example.settings.composition(1, "my.yaml")
    html = SentencePage(example, 0, composition).write("html")
    assert '<section class="attn attn-walk"' not in html
    told = _line({**data, "scale": "1e-150", "show": ["step-through"]})
    assert "a number on the way is too large or small for it; leave step-through out" in told


def _line(data: dict[str, Any]) -> str:
    try:
        Fences().render(fence_of(data))
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("mechanism", ["softmax", "shifted", "raw", "scaled"])
@pytest.mark.parametrize("vectors", [["0"], ["0 0", "0 0"], ["1"], ["0.5 -0.5"]])
def test_one_token_and_zeros_are_right(mechanism: str, vectors: list[str]) -> None:
    worked = _worked(*vectors, mechanism=mechanism)
    count = len(vectors)
    weights: Any = worked[a]
    if mechanism == "raw":
        assert all(weights[i, j] == worked[s][i, j] for i in range(count) for j in range(count))
    else:
        assert all(abs(sum(row) - 1) < 1e-40 for row in weights)
        assert all(abs(value - mpf(1) / count) < 1e-12 for value in weights.flat)


def test_projections_that_make_all_zero_weigh_all_alike() -> None:
    zeros = {role: [["0", "0"]] for role in ("query", "key", "value")}
    worked = _worked("3", "-7", "1e100", projections=zeros)
    assert {rounded(value, 4) for value in worked[a].flat} == {"0.3333"}
    assert {rounded(value, 4) for value in worked[z].flat} == {"0.0000"}


def test_a_causal_sum_whose_first_keys_cancel_is_refused_and_others_are_right() -> None:
    worked = _worked("2", "3", mechanism="sum", mask="causal")
    assert [str(value) for value in worked[a].flat] == ["1", "0", "2/5", "3/5"]
    with pytest.raises(InputError, match="divides by zero"):
        _worked("0", "3", mechanism="sum", mask="causal")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"queries": {"a": ["1"], "b": ["1", "2"]}}, "queries.b: this row has 2 numbers"),
        ({"queries": {"a": []}}, "queries: a row is empty"),
        ({"keys": {"k": ["1", "2"]}}, "keys: their rows have 2 numbers, those of queries have 1"),
        ({"values": {"v": ["1"], "w": ["2"]}}, "values: there are 2 rows, and 1 keys"),
        ({"queries": {"a": ["1e100"]}, "keys": {"k": ["1e100"]}}, "exponential cannot be written"),
        ({"values": {}}, "values: there is none"),
        ({"queries": {"a": ["x"]}}, "queries.a: 'x' is not a number"),
    ],
)  # fmt: skip
def test_two_sets_of_vectors_that_do_not_fit_are_one_line(rows: dict[str, Any], said: str) -> None:
    right = {"queries": {"a": ["1"]}, "keys": {"k": ["1"]}, "values": {"v": ["1"]}}
    assert said in _line({**right, **rows, "show": ["two-shapes"]})


def test_a_denominator_may_be_larger_than_any_float() -> None:
    base: IndexedBase = D
    assert rounded(_worked("1000", "0")[base][0], 4).endswith("e+434294")
