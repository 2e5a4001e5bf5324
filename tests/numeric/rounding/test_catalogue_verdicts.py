"""Every bug of the catalogue is caught, and nothing correct is refuted, in every type."""

from __future__ import annotations

import pytest

from derive.rounding_claim import RoundingVerdict, lines
from derive.rounding_evidence import CAUGHT, OURS, PASSED
from numeric.catalogue.bugs import BUGS
from numeric.catalogue.case import Case
from numeric.catalogue.correct import CORRECT
from numeric.rounding.measuring import CASES, DTYPES, judged, measure
from tests.sampling import one_in

FEW_TOKENS = 6


def name(value: object) -> str:
    return value.name if isinstance(value, Case) else str(value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", one_in(3, BUGS), ids=name)
def test_a_bug_is_caught(case: Case, dtype: str) -> None:
    if dtype not in case.dtypes:
        pytest.skip(f"not wrong in {dtype}")
    claim = judged(case, dtype)
    assert claim.verdict is RoundingVerdict.REFUTED, "\n".join(lines(claim))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", one_in(3, CORRECT), ids=name)
def test_nothing_correct_is_refuted(case: Case, dtype: str) -> None:
    claim = judged(case, dtype)
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND, "\n".join(lines(claim))


@pytest.mark.third_party
@pytest.mark.parametrize("case", [*BUGS, *CORRECT], ids=name)
def test_the_verdict_in_float64(case: Case) -> None:
    if "float64" not in case.dtypes:
        pytest.skip("not wrong in float64")
    claim = judged(case, "float64")
    wanted = RoundingVerdict.REFUTED if case.source else RoundingVerdict.WITHIN_BOUND
    assert claim.verdict is wanted, "\n".join(lines(claim))


@pytest.mark.third_party
@pytest.mark.parametrize("case", BUGS, ids=name)
def test_the_simplest_inputs_are_printed(case: Case) -> None:
    dtype = next(dtype for dtype in ("float32", *DTYPES, "float64") if dtype in case.dtypes)
    claim = judged(case, dtype, shrink=True)
    assert claim.witness is not None
    assert claim.witness.output in "\n".join(lines(claim))
    if claim.witness.inputs:
        key = dict(claim.witness.inputs)["key"]
        assert len(key[0][0]) <= max(FEW_TOKENS, case.shape.tokens)


def test_measuring_gives_a_row_for_each_rule_and_type() -> None:
    places = (0, len(CASES) - 1)
    found = measure(places=places, dtypes=("float32",), shapes=((1, 1, 6, 3),))
    assert [dict(trial.verdicts)[OURS] for trial in found.trials] == [CAUGHT, PASSED]
    assert found.passed
    assert {row.dtype for row in found.tightness} == {"float64", "float32"}
    assert all(row.bound > row.error > 0 for row in found.tightness)
