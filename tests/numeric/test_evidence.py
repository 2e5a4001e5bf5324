from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derive import attention, evidence
from derive.attention import MECHANISMS, RAW, SOFTMAX
from derive.evidence import (
    PROVED,
    REFUTED,
    REPRODUCED,
    SKIPPED,
    UNDECIDED,
    WITHIN_BOUND,
    Comparison,
    Evidence,
    EvidenceError,
    PropertyResult,
    Reproduction,
    fingerprint,
)
from derive.examples import load

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
FIGURE = st.none() | st.floats(allow_nan=False, allow_infinity=False)

COMPARISON = Comparison(
    "journey", "softmax", "a", "attention weights", "torch, loops", "float32",
    36, 2.5, 23.2, 0.13, (2, 2), WITHIN_BOUND,
)  # fmt: skip
REPRODUCTION = Reproduction(
    "journey", "scores", "published for this sentence", "0.95", "0.95", "torch", REPRODUCED
)
PROPERTY = PropertyResult("raw", "rows-sum-to-one", "…", REFUTED, REFUTED, ("D ≠ 0",), "found")


def evidence_of(*rows: Any, **changes: Any) -> Evidence:
    def kind(wanted: type[Any]) -> tuple[Any, ...]:
        return tuple(row for row in rows if isinstance(row, wanted))

    made = Evidence(
        kind(Comparison),
        kind(Reproduction),
        kind(PropertyResult),
        fingerprint(),
        {"python": "3"},
        "derive check --all",
        "2020-02-02T00:00:00+00:00",
        1.5,
    )
    return replace(made, **changes)


WHOLE = evidence_of(COMPARISON, REPRODUCTION, PROPERTY)


@given(
    comparisons=st.lists(
        st.builds(Comparison, *[TEXT] * 6, st.integers(0), FIGURE, FIGURE, FIGURE,
                  st.lists(st.integers(1, 9)).map(tuple), TEXT, TEXT),
        max_size=3,
    ),
    properties=st.lists(
        st.builds(PropertyResult, *[TEXT] * 5, st.lists(TEXT).map(tuple), TEXT), max_size=3
    ),
    versions=st.dictionaries(TEXT, TEXT, max_size=3),
)  # fmt: skip
def test_json_gives_the_same_evidence_back(
    comparisons: list[Comparison], properties: list[PropertyResult], versions: dict[str, str]
) -> None:
    made = evidence_of(*comparisons, *properties, versions=versions)
    assert Evidence.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("made", "passed"),
    [
        (WHOLE, True),
        (evidence_of(COMPARISON), True),
        (evidence_of(REPRODUCTION, PROPERTY), False),
        (evidence_of(COMPARISON, replace(COMPARISON, verdict=SKIPPED)), True),
        (evidence_of(replace(COMPARISON, verdict=SKIPPED)), False),
        (evidence_of(COMPARISON, replace(COMPARISON, verdict=REFUTED)), False),
        (evidence_of(COMPARISON, replace(COMPARISON, verdict=UNDECIDED)), False),
        (evidence_of(COMPARISON, replace(COMPARISON, verdict="fine")), False),
        (evidence_of(COMPARISON, replace(REPRODUCTION, verdict=REFUTED)), False),
        (evidence_of(COMPARISON, replace(REPRODUCTION, verdict=WITHIN_BOUND)), True),
        (evidence_of(COMPARISON, replace(PROPERTY, verdict=PROVED)), False),
        (evidence_of(COMPARISON, replace(PROPERTY, verdict=UNDECIDED)), False),
    ],
)
def test_what_passes(made: Evidence, passed: bool) -> None:
    assert made.passed is passed


def test_writing_makes_the_folder_and_leaves_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "evidence.json"
    WHOLE.write(path)
    WHOLE.write(path)
    assert Evidence.read(path) == WHOLE
    assert [entry.name for entry in path.parent.iterdir()] == ["evidence.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evidence.json"
    WHOLE.write(path)

    def fail(*_: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no room"):
        evidence_of(COMPARISON).write(path)
    assert Evidence.read(path) == WHOLE
    assert [entry.name for entry in tmp_path.iterdir()] == ["evidence.json"]


def test_what_json_cannot_say_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        evidence_of(replace(COMPARISON, ratio=float("inf"))).to_json()


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"there is no evidence in .*; run 'derive check"):
        Evidence.read(tmp_path / "none.json")


def _edited(change: Callable[[Any], Any]) -> str:
    document = json.loads(WHOLE.to_json())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda doc: doc.update(format=1), "evidence of format 1, not 2"),
        (lambda doc: doc.pop("format"), "evidence of format None"),
        (lambda doc: doc.pop("digest"), "the file: the key 'digest' is missing"),
        (lambda doc: doc.update(more=1), "the file: the key 'more' is unknown"),
        (lambda doc: doc.update(evidence=[]), "Evidence: an object is expected"),
        (lambda doc: doc["evidence"].pop("date"), "Evidence: the key 'date' is missing"),
        (lambda doc: doc["evidence"].update(comparisons={}), "Evidence.comparisons"),
        (lambda doc: doc["evidence"].update(versions=[]), "Evidence.versions"),
        (lambda doc: doc["evidence"].update(seconds="1"), "Evidence.seconds: '1' is not"),
        (lambda doc: doc["evidence"].update(seconds=None), "Evidence.seconds: None is not"),
        (lambda doc: doc["evidence"]["comparisons"].append(3), "Comparison: an object"),
        (lambda doc: doc["evidence"]["comparisons"][0].update(a=1), "key 'a'"),
        (lambda doc: doc["evidence"]["comparisons"][0].update(elements=True), "True is not"),
        (lambda doc: doc["evidence"]["comparisons"][0].update(worst=["1"]), "'1' is not"),
        (lambda doc: doc["evidence"]["properties"][0].pop("stated"), "'stated' is missing"),
        (
            lambda doc: doc["evidence"]["comparisons"][0].update(verdict=REFUTED),
            "changed after it was written",
        ),
        (lambda doc: doc["evidence"].update(fingerprint="0" * 64), "changed after it was written"),
        (lambda doc: doc.update(digest="0" * 64), "changed after it was written"),
    ],
)
def test_a_file_of_another_form_or_content_is_refused(
    change: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(EvidenceError, match="derive check --all' again") as refusal:
        Evidence.from_json(_edited(change))
    assert message in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_what_is_no_evidence_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError, match="derive check --all' again"):
        Evidence.from_json(text)


def test_the_message_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"evidence\.json: evidence of format None"):
        Evidence.read(path)


@pytest.fixture
def forgotten() -> Any:
    """Compute the fingerprint afresh within a test and after it."""
    fingerprint.cache_clear()
    yield
    fingerprint.cache_clear()


@pytest.mark.usefixtures("forgotten")
def test_evidence_goes_stale_with_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    WHOLE.check_current()
    monkeypatch.setitem(MECHANISMS, "softmax", replace(SOFTMAX, choices=RAW.choices))
    fingerprint.cache_clear()
    with pytest.raises(EvidenceError, match=r"changed since .*; run 'derive check --all' again"):
        WHOLE.check_current()


@pytest.mark.usefixtures("forgotten")
def test_evidence_goes_stale_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(name: str) -> Any:
        example = load(name)
        first, *rest = example.vectors
        longer = replace(first[0], text=first[0].text + "0")
        return replace(example, vectors=((longer, *first[1:]), *rest))

    monkeypatch.setattr(evidence, "load", other)
    fingerprint.cache_clear()
    with pytest.raises(EvidenceError, match="changed since"):
        WHOLE.check_current()


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from derive.evidence import fingerprint; print(fingerprint())"
    for seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": _root()},
        )
        assert found.stdout.strip() == fingerprint()


def test_evidence_is_read_without_torch() -> None:
    code = (
        "import sys, derive.evidence; "
        "print(*[name for name in ('torch', 'numeric') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": _root()},
    )
    assert found.stdout.strip() == ""


def _root() -> str:
    return str(Path(attention.__file__).parent.parent)
