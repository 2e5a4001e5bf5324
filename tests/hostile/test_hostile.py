"""Whatever strangers write gives a right page or one clear line, in time, and runs nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from derive.errors import InputError
from derive.publish.fence import Fences
from tests.hostile.kinds import KINDS
from tests.hostile.properties import Page, check_fence, check_latex, fence_of, rendered, watched

IN_TIME = 10.0
FEW = 25

EXPENSIVE = {"pages in other formats": 10, "fences with hostile words": 15}
"""Kinds of which each input takes long."""


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_input_gives_a_page_or_a_line(name: str) -> None:
    kind = KINDS[name]

    @settings(
        max_examples=EXPENSIVE.get(name, FEW),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(kind.inputs)
    def every_input(found: Any) -> None:
        kind.check(found)

    every_input()


SLOW = {
    "ten thousand tokens": fence_of(
        {"tokens": [f"t{p}" for p in range(10_000)], "vectors": [["1"]] * 10_000}
    ),
    "as many by name": fence_of(
        {
            "tokens": [f"t{p}" for p in range(10_000)],
            "vectors": {f"t{p}": ["1"] for p in range(10_000)},
        }
    ),
    "one token many times": fence_of(
        {"tokens": ["a"] * 10_000, "vectors": {"a": ["1"]}, "query": "a"}
    ),
    "ten thousand dimensions": fence_of({"tokens": ["a"], "vectors": [["1"] * 10_000]}),
    "a hundred tokens": fence_of(
        {"tokens": [f"t{p}" for p in range(100)], "vectors": [["0.1", "2"]] * 100}
    ),
    "the same part many times": "example: journey\nshow: [" + "heatmap, " * 20_000 + "heatmap]",
    "many labels": fence_of(
        {
            "queries": {f"q{p}": ["1"] for p in range(2000)},
            "keys": {f"k{p}": ["1"] for p in range(2000)},
            "values": {f"k{p}": ["1"] for p in range(2000)},
            "show": ["two-shapes"],
        }
    ),
    "deep nesting": "[" * 50_000,
    "deep mappings": "{a: " * 50_000,
    "many anchors": "".join(f"a{p}: &a{p} 1\n" for p in range(5000)),
    "a token without end": fence_of({"tokens": ["x" * 200_000], "vectors": [["1"]]}),
    "long tokens": fence_of({"tokens": ["x" * 30_000] * 16, "vectors": [["1"]] * 16}),
    "a key without end": "x" * 200_000 + ": 1",
    "a text without end": "x" * 5_000_000,
    "a billion laughs": "a: &a [1]\n" + "".join(f"b{p}: &b{p} [*a, *a, *a]\n" for p in range(1, 9)),
}


@pytest.mark.parametrize("name", SLOW)
def test_it_answers_in_time(name: str) -> None:
    # Of this process: a machine that has other work to do makes nothing slow.
    start = time.process_time()
    check_fence(SLOW[name])
    assert time.process_time() - start < IN_TIME


@given(st.integers(min_value=0))
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
def test_one_fence_leaves_nothing_to_the_next(number: int) -> None:
    fences, leak = Fences(), f"zwischenruf{number}"
    first = {"tokens": [leak, "b"], "vectors": [["0.123"], ["2"]], "title": leak}
    shown = {**first, "show": ["numbers", "heatmap", "step-through"]}
    assert leak in (rendered(fence_of(shown), fences) or "")
    for wrong in ({"vectors": [["x"]]}, {"query": leak + "?"}, {leak: "1"}, {"show": [leak]}):
        with pytest.raises(InputError):
            fences.render(fence_of({**first, **wrong}))
    # The same numbers under other names: what is kept of the first must not show.
    second = {**shown, "tokens": ["a", "b"], "title": "t"}
    for fence in (fence_of(second), "example: journey\nshow: [numbers, vectors, heatmap]"):
        assert leak not in (rendered(fence, fences) or leak)
    with pytest.raises(InputError) as caught:
        fences.render(fence_of({"tokens": ["a"], "vectors": [["y"]]}))
    assert leak not in str(caught.value)


# The checks are checked: each must refuse what it is there to find.


@pytest.mark.parametrize(
    "html",
    [
        "<img src=x>", "<script>alert(1)</script>", "<p onclick=x>", "<div><p></div></p>",
        "<p>", '<a href="javascript:x">', "<!-- x -->", "<p>\x00</p>", '<p id="\x02">', "<?x?>",
        '<p style="background:url(x)">', "<template>{</template>",
    ],
)  # fmt: skip
def test_a_page_that_is_not_ours_is_seen(html: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        assert Page.of(html).text == html


@pytest.mark.parametrize(
    "latex", [r"\input{x}", "{", "}", r"\begin{align*}", r"\end{tabular}", "\u202e", r"\write18{x}"]
)
def test_latex_that_is_not_ours_is_seen(latex: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        check_latex(latex)


def test_what_is_touched_is_seen(tmp_path: Any) -> None:
    with watched() as events:
        (tmp_path / "new").write_text("x")
        (tmp_path / "new").read_text()
        (tmp_path / "new").unlink()
    assert [event.split()[0] for event in events] == ["open", "open", "os.remove"]
