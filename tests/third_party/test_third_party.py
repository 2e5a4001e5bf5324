"""Modules that others wrote compute what they are said to compute, forward and backward."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest
import torch

from numeric import verify
from tests.third_party.case import Case
from tests.third_party.catalogue import CASES

pytestmark = [
    pytest.mark.third_party,
    # What these packages import and call is theirs.
    pytest.mark.filterwarnings("ignore"),
]

NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_module_is_what_its_reference_is(case: Case) -> None:
    try:
        version(case.package)
    except PackageNotFoundError:
        pytest.skip(f"{case.package} is not installed: see tests/third_party/requirements.txt")
    comparison = case.build()
    report = verify(
        comparison.program,
        comparison.reference,
        list(comparison.inputs.values()),
        names=list(comparison.inputs),
        backward=True,
        other_shapes=False,
        exact=False,
    )
    found = "passed" if report.verdict.passed else str(report.verdict)
    assert found == case.expected, f"{case.reason}\n{report}"


def test_names_are_given_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_no_module_changes_how_torch_makes_numbers() -> None:
    assert torch.get_default_dtype() == torch.float32
