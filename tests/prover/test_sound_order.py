"""Gradients are compared by the names of the inputs, whatever order a module registers them in."""

import torch
from torch import nn

from derive.verdict import Verdict
from numeric import verify


class Swapped(torch.autograd.Function):
    """The gradients by a and b are returned the wrong way round."""

    @staticmethod
    def forward(ctx, x, a, b):
        ctx.save_for_backward(x, a, b)
        return x * a * b * b

    @staticmethod
    def backward(ctx, gradient):
        x, a, b = ctx.saved_tensors
        return gradient * a * b * b, gradient * x * 2 * a * b, gradient * x * b * b


class Product(nn.Module):
    def __init__(self, names, swapped):
        super().__init__()
        self.swapped = swapped
        for name in names:
            self.register_parameter(name, nn.Parameter(torch.ones(2)))

    def forward(self, x):
        return Swapped.apply(x, self.a, self.b) if self.swapped else x * self.a * self.b * self.b


def compared(one, other):
    return verify(one, other, (torch.randn(2),), backward=True, other_shapes=False).verdict


def test_swapped_gradients_do_not_pass_for_parameters_in_another_order():
    assert compared(Product("ab", swapped=False), Product("ba", swapped=True)) is Verdict.REFUTED


def test_parameters_in_another_order_are_the_same_parameters():
    assert compared(Product("ab", swapped=False), Product("ba", swapped=False)) is Verdict.PROVED
