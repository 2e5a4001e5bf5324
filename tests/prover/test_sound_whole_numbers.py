"""What torch computes in whole numbers and booleans is not read as arithmetic of real numbers."""

import pytest
import torch

from derive.verdict import Verdict
from numeric import verify


def truncated(x):
    whole = torch.zeros(x.shape, dtype=torch.int64)
    whole[:] = torch.where(x > 100, x, 1.0)
    return whole.double()


def hidden_behind_a_negation(x):
    whole = torch.zeros(x.shape, dtype=torch.int64)
    whole[:] = x
    return whole.double() + torch.logical_not((x > 0).int()).double()


PAIRS = {
    "not 1 is -2": (lambda x: (~(x > 0).int()).double(), lambda x: 1 - (x > 0).double()),
    "a sum of booleans is a boolean": (
        lambda x: ((x > 100) + (x > 200)).double(),
        lambda x: (x > 100).double() + (x > 200).double(),
    ),
    "uint8 wraps": (
        lambda x: ((x > 100).to(torch.uint8) * 200 + (x > 200).to(torch.uint8) * 200).double(),
        lambda x: 200 * (x > 100).double() + 200 * (x > 200).double(),
    ),
    "a sum may be a boolean": (
        lambda x: (x > 100).sum(dtype=torch.bool).double() + 0 * x,
        lambda x: (x > 100).sum().double() + 0 * x,
    ),
    "a copy truncates": (truncated, lambda x: torch.where(x > 100, x, 1.0)),
    "a graph that floats cannot be run on": (
        hidden_behind_a_negation,
        lambda x: x + torch.logical_not(x > 0).double(),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_different_functions_do_not_pass(name):
    torch.manual_seed(0)
    report = verify(*PAIRS[name], (torch.randn(3),), other_shapes=False)
    assert report.verdict is Verdict.UNDECIDED


def test_truth_values_are_still_counted():
    report = verify(
        lambda x: (x > 0).sum().double() + (x > 0).int().double(),
        lambda x: (x > 0).double().sum() + (x > 0).double(),
        (torch.randn(3),),
        other_shapes=False,
    )
    assert report.verdict is Verdict.PROVED
