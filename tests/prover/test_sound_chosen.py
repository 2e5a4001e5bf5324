"""What a comparison chooses is a number or not a number as the chosen side is."""

import pytest
import torch

from derive.verdict import Verdict
from numeric import verify

HIDDEN = torch.tensor([True, False, False])


def not_a_number_below_zero(factor):
    return lambda x: (torch.where(x > 0, factor * x, torch.nan), x.sum())


def guarded(factor):
    def f(x):
        scores = torch.where(HIDDEN, -torch.inf, x)
        return torch.where(scores > 0, scores - scores, torch.where(HIDDEN, factor * x, x))

    return f


@pytest.mark.parametrize("program", [not_a_number_below_zero, guarded])
def test_a_nan_on_one_side_hides_no_difference(program):
    report = verify(program(1), program(2), (torch.randn(3),), other_shapes=False)
    assert not report.verdict.passed


def test_a_guard_at_decided_places_is_read():
    report = verify(guarded(2), guarded(2), (torch.randn(3),), other_shapes=False)
    assert report.verdict is Verdict.PROVED
