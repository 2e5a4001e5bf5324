"""Modules that others wrote compute what they are said to compute, forward and backward."""

from __future__ import annotations

from importlib.metadata import version

import pytest
import torch

from derive.rechecking import recheck
from derive.verdict import Verdict
from numeric import verify
from tests.third_party.case import Case
from tests.third_party.catalogue import CASES

pytestmark = [
    pytest.mark.third_party,
    # What these packages import and call is theirs.
    pytest.mark.filterwarnings("ignore"),
]

NAMES = [case.name for case in CASES]

NOT_PROVED = {
    "ALBERT": "layer norm after the attention: the proof takes longer than it may",
    "BLOOM by hand": "slopes that are eighths: an exponent beyond 31",
    "DeepSeek-V3 latent attention": "proved in about the time that a proof may take",
    "TransformerEncoderLayer": "layer norm after the attention: the proof takes longer than it may",
    "diffusers with_residual": "group norm before the attention: the proof takes longer",
    "vit-pytorch talking_heads": "heads mixed before and after softmax: the proof takes longer",
}
"""Cases that are identity-tested at least; all others that pass are proved exactly."""


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_module_is_what_its_reference_is(case: Case) -> None:
    comparison = case.build()
    report = verify(
        comparison.program,
        comparison.reference,
        list(comparison.inputs.values()),
        names=list(comparison.inputs),
        backward=True,
        other_shapes=False,
    )
    found = "passed" if report.verdict.passed else str(report.verdict)
    assert found == case.expected, f"{case.reason}\n{report}"
    if report.verdict.passed and case.name not in NOT_PROVED:
        assert report.verdict is Verdict.PROVED, str(report)
        recheck(report.certificate)


def test_names_are_given_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert set(NOT_PROVED) <= set(NAMES)


@pytest.mark.parametrize("package", sorted({case.package for case in CASES}))
def test_every_package_is_there(package: str) -> None:
    assert version(package)


def test_no_module_changes_how_torch_makes_numbers() -> None:
    assert torch.get_default_dtype() == torch.float32
