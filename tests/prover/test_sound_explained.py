"""What a line says in words and signs is what the program computes."""

import pytest
import torch

from derive.arrays import Unsupported
from derive.explaining import explain, to_text
from numeric.capturing import capture

KEPT = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 0]]).bool()


def told(program, *inputs, backward=False):
    text = to_text(explain(capture(program, inputs, backward=backward).graph))
    return " ".join(text.split())


def blocks(query, key, value):
    above, below = 0, 0
    for start in (0, 2):
        weights = torch.exp(-(query @ key[:, start : start + 2].mT))
        below = below + weights.sum(-1, keepdim=True)
        above = above + weights @ value[:, start : start + 2]
    return above / below


def test_the_sign_of_the_scores_is_told():
    assert "softmax(-query keyᵀ) value" in told(blocks, *(torch.randn(2, 4, 3) for _ in range(3)))


def test_the_gradient_of_a_softmax_over_columns_sums_columns():
    text = told(lambda x: x.softmax(-2), torch.randn(3, 4), backward=True)
    assert "columnsum" in text
    assert "rowsum" not in text


def test_what_a_drawn_mask_puts_in_the_other_places_is_told():
    assert "-10000 elsewhere" in told(
        lambda s: torch.where(KEPT, s, -10000.0).softmax(-1), torch.randn(3, 3)
    )


def test_axes_in_another_order_are_told_where_the_shape_does_not_show_it():
    text = told(lambda x: x.transpose(0, 1) + torch.tanh(x), torch.randn(2, 2, 3))
    assert "the axes of x in the order 2, 1, 3" in text


def test_a_value_of_unknown_kind_is_no_defect_of_a_line():
    with pytest.raises(Unsupported):
        told(lambda x: torch.where(x > 0, x, -torch.inf), torch.randn(3))
