"""finfo.max and finfo.min stand for more and less than all numbers only where that is so."""

import torch

from numeric import verify

FLOATS = torch.finfo(torch.float64)
FIRST = torch.tensor([[True, False, False], [False] * 3, [False] * 3])


def filled(fill, factor=1.0):
    def f(scores, values):
        seen = torch.where(FIRST, fill, scores * factor) / factor
        return seen.softmax(-1) @ values

    return f


INPUTS = (torch.randn(3, 3), torch.randn(3, 2))


def verdict(one, other):
    return verify(one, other, INPUTS, other_shapes=False)


def test_a_row_with_the_largest_float_is_no_row_of_nan():
    assert not verdict(filled(FLOATS.max), filled(torch.nan)).verdict.passed


def test_the_smallest_float_made_small_leaks():
    # finfo.min / 2^1014 is -1024: its weight is e^-1024.
    assert not verdict(filled(FLOATS.min, 2.0**1014), filled(-torch.inf)).verdict.passed


def test_the_logarithm_of_the_largest_float_is_a_number():
    one = verify(
        lambda x: (-torch.where(FIRST[0], FLOATS.max, x).log()).exp(),
        lambda x: torch.where(FIRST[0], 0.0, 1 / x),
        (torch.rand(3) + 1,),
        other_shapes=False,
    )
    assert not one.verdict.passed


def test_a_clamp_at_the_largest_float_is_said():
    report = verify(
        lambda x: x.clamp(max=FLOATS.max), lambda x: 1 * x, (torch.randn(3),), other_shapes=False
    )
    assert "finfo.min" in " ".join(report.assumptions)
