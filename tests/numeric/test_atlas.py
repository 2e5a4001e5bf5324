"""The checks of the atlas: what they find when something is wrong, and what they keep."""

import json
from dataclasses import replace

import numpy
import pytest
import torch

from derive import atlas_evidence
from derive.atlas_evidence import (
    AtlasEvidence,
    CodeCheck,
    MechanismChecks,
    NumbersCheck,
    ProgramCheck,
    TheoremChecks,
    digest,
    theorem_digest,
)
from derive.code import function, result_function
from derive.evidence import EvidenceError, PropertyResult
from derive.examples import load
from derive.formula import K, Q, V
from derive.theorems import THEOREMS
from derive.variants import ATLAS
from derive.variants.inputs import numbers
from numeric import atlas

CAUSAL, SCALED, PLAIN = (ATLAS[key] for key in ("causal", "scaled-dot-product", "dot-product"))


def mechanism_row(key, **changed):
    row = MechanismChecks(
        key=key,
        digest=digest(ATLAS[key]),
        properties=(PropertyResult(key, "p", "statement", "proved", "proved", (), "how"),),
        code=CodeCheck("proved", "", (("Q", (3, 2)),), passed=True),
        numbers=(NumbersCheck("journey", "within bound", "", 10, 0.5),),
        seconds=1.0,
    )
    return replace(row, **changed)


def theorem_row(name, **changed):
    row = TheoremChecks(name, theorem_digest(THEOREMS[name]), "compared", (), 1.0)
    return replace(row, **changed)


def evidence(**changed):
    whole = AtlasEvidence(
        mechanisms=tuple(map(mechanism_row, ATLAS)),
        theorems=tuple(map(theorem_row, THEOREMS)),
        versions=(),
        command="derive atlas",
        date="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )
    return replace(whole, **changed)


# Code and numbers


def test_right_code_is_proved_and_its_numbers_are_within_bound():
    found = atlas.check_code(CAUSAL)
    assert (found.verdict, found.passed) == ("proved", True)
    assert dict(found.shapes)["Q"] == (3, 2)
    row = atlas.check_numbers(CAUSAL, load("journey"))
    assert row.verdict == "within bound"
    assert 0 < row.ratio < 1
    assert row.elements == 6 * 6 * 2 + 6 + 6 * 2


def test_code_of_another_formula_is_refuted(monkeypatch):
    monkeypatch.setattr(
        atlas, "result_function", lambda _, library: result_function(PLAIN.mechanism, library)
    )
    found = atlas.check_code(SCALED)
    assert (found.verdict, found.passed) == ("refuted", False)


def test_code_whose_gradient_alone_is_wrong_is_refuted(monkeypatch):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(_context, tensor):
            return tensor.clone()

        @staticmethod
        def backward(_context, gradient):
            return 2 * gradient

    def wrong(mechanism, library):
        right = result_function(mechanism, library)
        return lambda *tensors: Doubled.apply(right(*tensors))

    monkeypatch.setattr(atlas, "result_function", wrong)
    assert not atlas.check_code(SCALED).passed


def test_numbers_of_another_formula_are_refuted(monkeypatch):
    monkeypatch.setattr(atlas, "function", lambda _, library: function(PLAIN.mechanism, library))
    row = atlas.check_numbers(SCALED, load("journey"))
    assert row.verdict == "refuted"
    assert row.reason.startswith("s: element")


def test_a_number_that_is_off_by_a_millionth_of_itself_is_refuted(monkeypatch):
    def off(mechanism, library):
        right = function(mechanism, library)

        def attention(**inputs):
            arrays = right(**inputs)
            arrays["a"] = arrays["a"].clone()
            arrays["a"][1, 0] *= 1 + 1e-6
            return arrays

        return attention

    monkeypatch.setattr(atlas, "function", off)
    row = atlas.check_numbers(SCALED, load("journey"))
    assert row.verdict == "refuted"
    assert "[2, 1]" in row.reason


def test_torchs_functions_stay_within_the_error_that_is_taken_on_trust():
    # In units in the last place, against mpmath, where the arguments of the atlas lie.
    from mpmath import cos, exp, mp, mpf, sin, tanh

    mp.dps = 40
    points = torch.linspace(-8, 8, 1001, dtype=torch.float64)
    for name, reference in (("exp", exp), ("tanh", tanh), ("cos", cos), ("sin", sin)):
        computed = getattr(torch, name)(points).tolist()
        worst = 0.0
        for point, value in zip(points.tolist(), computed, strict=True):
            exact = reference(mpf(point))
            unit = mpf(float(numpy.spacing(abs(float(exact))))) if exact else mpf(5e-324)
            worst = max(worst, float(abs(mpf(value) - exact) / unit))
        assert worst <= atlas.FUNCTION_ULP / 2, name


# What is kept


def test_all_is_kept_where_nothing_has_changed(monkeypatch):
    monkeypatch.setattr(atlas, "check_mechanism", lambda _: pytest.fail("checked again"))
    monkeypatch.setattr(atlas, "check_theorem", lambda _: pytest.fail("checked again"))
    found = atlas.check_atlas(evidence())
    assert found.mechanisms == evidence().mechanisms
    assert found.passed


def checked_again(monkeypatch, earlier):
    asked = []

    def mechanism(key):
        asked.append(key)
        return mechanism_row(key)

    def theorem(name):
        asked.append(name)
        return theorem_row(name)

    monkeypatch.setattr(atlas, "check_mechanism", mechanism)
    monkeypatch.setattr(atlas, "check_theorem", theorem)
    assert atlas.check_atlas(earlier).is_complete
    return asked


def test_what_failed_is_checked_again(monkeypatch):
    failed = CodeCheck("undecided", "why", (), passed=False)
    rows = tuple(
        replace(row, code=failed) if row.key == "alibi" else row for row in evidence().mechanisms
    )
    assert checked_again(monkeypatch, evidence(mechanisms=rows)) == ["alibi"]


def test_what_has_changed_is_checked_again(monkeypatch):
    rows = tuple(
        replace(row, digest="old") if row.key == "sink" else row for row in evidence().mechanisms
    )
    theorems = (theorem_row(next(iter(THEOREMS)), digest="old"), *evidence().theorems[1:])
    earlier = evidence(mechanisms=rows, theorems=theorems)
    assert checked_again(monkeypatch, earlier) == ["sink", next(iter(THEOREMS))]


def test_without_anything_earlier_all_is_checked(monkeypatch):
    assert checked_again(monkeypatch, None) == [*ATLAS, *THEOREMS]


# The digest


def test_the_digest_changes_with_what_is_stated():
    shown = {digest(CAUSAL)}
    shown.add(digest(replace(CAUSAL, mechanism=SCALED.mechanism)))
    shown.add(digest(replace(CAUSAL, holds=("another",))))
    shown.add(digest(replace(CAUSAL, inputs={**CAUSAL.inputs, V: numbers("1 2; 3 4")})))
    shown.add(digest(replace(CAUSAL, weights=Q)))
    assert len(shown) == 5
    assert digest(CAUSAL) == digest(replace(CAUSAL, summary="Other words."))


def test_the_digest_changes_with_versions_and_code(monkeypatch):
    before = digest(CAUSAL)
    monkeypatch.setattr(atlas_evidence, "versions", lambda: {"torch": "0"})
    assert digest(CAUSAL) != before
    monkeypatch.undo()
    monkeypatch.setattr(atlas_evidence, "_engine", lambda: "other code")
    assert digest(CAUSAL) != before
    assert K in CAUSAL.inputs


# The file


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "atlas.json"
    evidence().write(path)
    assert AtlasEvidence.read(path) == evidence()
    AtlasEvidence.read(path).check_current()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 99}', '{"format": 1, "more": 1}'],
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "atlas.json"
    path.write_text(text)
    with pytest.raises(EvidenceError, match="run 'derive atlas' again"):
        AtlasEvidence.read(path)


def test_a_part_too_many_is_refused(tmp_path):
    path = tmp_path / "atlas.json"
    evidence().write(path)
    content = json.loads(path.read_text())
    content["mechanisms"][0]["trusted"] = True
    path.write_text(json.dumps(content))
    with pytest.raises(EvidenceError):
        AtlasEvidence.read(path)


def test_evidence_that_lacks_something_or_is_stale_is_not_current():
    with pytest.raises(EvidenceError, match="is missing"):
        evidence(mechanisms=evidence().mechanisms[1:]).check_current()
    stale = (mechanism_row(next(iter(ATLAS)), digest="old"), *evidence().mechanisms[1:])
    with pytest.raises(EvidenceError, match="has changed since 2026-01-01"):
        evidence(mechanisms=stale).check_current()


@pytest.mark.parametrize(
    "changed",
    [
        {"properties": ()},
        {"properties": (PropertyResult("k", "p", "s", "refuted", "proved", (), "how"),)},
        {"code": CodeCheck("refuted", "", (), passed=False)},
        {"numbers": ()},
        {"numbers": (NumbersCheck("journey", "refuted", "s: why", 1, None),)},
    ],
)
def test_a_mechanism_passes_only_if_all_of_it_does(changed):
    assert mechanism_row("causal").passed
    assert not mechanism_row("causal", **changed).passed


def test_a_theorem_passes_only_with_its_programs():
    name = next(iter(THEOREMS))
    assert theorem_row(name).passed
    wrong = ProgramCheck("p", "def p(): ...", "refuted", "n = 3", passed=False)
    assert not theorem_row(name, programs=(wrong,)).passed
    assert not theorem_row(name, method="").passed
