"""Infinities, structural zeros and the smallest float, against what torch does with them."""

import itertools
from random import Random

import numpy
import pytest
import torch

from derive.algebras.floats import FloatArrays
from derive.algebras.residues import ResidueArrays
from derive.arrays import Unsupported
from derive.tensors import AS_FLOATS, UNKNOWN, ZERO, Tensors

LOWEST = float(numpy.finfo(numpy.float64).min)
SPECIAL = (1.5, 0.0, -numpy.inf, numpy.inf, numpy.nan, LOWEST)


def floats(tensor):
    return numpy.where(tensor.kinds > ZERO, AS_FLOATS[tensor.kinds], tensor.data)


@pytest.fixture
def tensors():
    return Tensors(FloatArrays())


OPERATIONS = {
    "add": (lambda m, a, b: m.add(a, b), torch.add),
    "subtract": (lambda m, a, b: m.subtract(a, b), torch.sub),
    "multiply": (lambda m, a, b: m.multiply(a, b), torch.mul),
    "divide": (lambda m, a, b: m.divide(a, b), torch.div),
    "maximum": (lambda m, a, b: m.maximum(a, b), torch.maximum),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(("a", "b"), list(itertools.product(SPECIAL, SPECIAL)))
def test_what_is_known_of_two_special_values_is_what_torch_gives(name, a, b, tensors):
    mine, theirs = OPERATIONS[name]
    found = mine(tensors, tensors.lift(a), tensors.lift(b))
    if int(found.kinds) == UNKNOWN:
        return
    expected = theirs(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    assert numpy.array_equal(floats(found), expected.numpy(), equal_nan=True)


@pytest.mark.parametrize("value", SPECIAL)
def test_exp_of_a_special_value_is_what_torch_gives(value, tensors):
    expected = torch.exp(torch.tensor(value, dtype=torch.float64)).item()
    found = float(floats(tensors.exp(tensors.lift(value))))
    assert found == pytest.approx(expected, nan_ok=True)


def test_the_sign_of_a_constant_decides_what_infinity_becomes(tensors):
    scores = tensors.lift(numpy.array([-numpy.inf, 2.0]))
    half = tensors.multiply(scores, tensors.lift(0.5), numpy.array(1.0))
    assert floats(half).tolist() == [-numpy.inf, 1.0]
    unknown = tensors.multiply(scores, tensors.lift(0.5))
    assert int(unknown.kinds[0]) == UNKNOWN


@pytest.mark.parametrize("row", list(itertools.product((*SPECIAL[:4], LOWEST), repeat=3)))
def test_sums_and_maxima_of_special_values_are_what_torch_gives(row, tensors):
    lifted = tensors.lift(numpy.array([row]))
    given = torch.tensor([row], dtype=torch.float64)
    for found, expected in (
        (tensors.total(lifted, (1,), True), given.sum(1, keepdim=True)),
        (tensors.largest(lifted), given.amax(1, keepdim=True)),
    ):
        if int(found.kinds[0, 0]) != UNKNOWN and not (row.count(LOWEST) and expected.isinf()):
            assert numpy.array_equal(floats(found), expected.numpy(), equal_nan=True)


def test_an_infinity_in_a_matrix_product_is_not_known(tensors):
    left = tensors.lift(numpy.array([[1.0, -numpy.inf], [1.0, 1.0]]))
    found = tensors.matmul(left, tensors.lift(numpy.ones((2, 1))))
    assert found.kinds.ravel().tolist() == [UNKNOWN, 0]


def test_a_comparison_is_decided_where_order_is_known():
    symbolic = Tensors(ResidueArrays(Random(0)))
    free = symbolic.finite(symbolic.algebra.free((2,)), (2,))
    masked = symbolic.lift(numpy.array([-numpy.inf, LOWEST]))
    assert symbolic.equal(free, symbolic.lift(-numpy.inf)).tolist() == [False, False]
    assert symbolic.less(masked, free, or_equal=False).tolist() == [True, True]
    assert symbolic.less(free, free, or_equal=False).truth
    unknown = symbolic.multiply(masked, free)
    with pytest.raises(Unsupported, match="not known"):
        symbolic.equal(unknown, free)


def test_python_objects_are_refused(tensors):
    with pytest.raises(Unsupported, match="Python objects"):
        tensors.lift(numpy.array([None]))
