"""Every operation of the table means over floats what torch computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy
import pytest
import torch

from derive.algebras.floats import FloatArrays
from derive.algebras.residues import ResidueArrays
from derive.arrays import Unsupported
from derive.aten.table import TABLE, DuplicateOperation, operation
from derive.interpreter import OPERATIONS
from derive.tensors import AS_FLOATS, NOT_A_NUMBER, ZERO, Selection, Tensor, Tensors

INFINITY = math.inf
LOWEST = torch.finfo(torch.float64).min

GENERATOR = torch.Generator()


def real(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=GENERATOR)


def positive(*shape: int) -> torch.Tensor:
    return real(*shape).abs() + 0.5


def truth(*shape: int) -> torch.Tensor:
    return real(*shape) > 0


def places(below: int, *shape: int) -> torch.Tensor:
    return torch.randint(below, shape, generator=GENERATOR)


def masked(*shape: int) -> torch.Tensor:
    """Numbers, minus infinity, and one row of nothing but that."""
    tensor = real(*shape).masked_fill(truth(*shape), -INFINITY)
    tensor[..., 0] = real(*shape[:-1])
    tensor[..., 0, :] = -INFINITY
    return tensor


class Concrete:
    """An argument that is known when a graph is run, such as an index or a mask."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def known(tensor: torch.Tensor) -> Concrete:
    return Concrete(tensor)


CASES: dict[str, Sequence[Callable[[], tuple[Any, ...]]]] = {}
"""For each operation makers of arguments; a last dictionary holds keywords."""


def case(names: str, *makers: Callable[[], tuple[Any, ...]]) -> None:
    for name in names.split():
        CASES[f"aten.{name}"] = makers


case("add.Tensor", lambda: (real(2, 3), real(3)), lambda: (real(2), real(2), {"alpha": 2}))
case("add.Scalar", lambda: (real(2, 3), 2.5), lambda: (masked(2, 3), 1.0))
case("add_.Tensor", lambda: (real(2, 3), real(3)))
case("add_.Scalar", lambda: (real(2, 3), 2.5))
case("sub.Tensor", lambda: (real(2, 3), real(3)), lambda: (real(2), real(2), {"alpha": 3}))
case("sub.Scalar", lambda: (real(2, 3), 2.5))
case("rsub.Scalar", lambda: (real(2, 3), 1), lambda: (real(2), 1, 2))
case("rsub.Tensor", lambda: (real(2, 3), real(3)))
case("mul.Tensor", lambda: (real(2, 3), real(3)), lambda: (known(real(2, 1)), real(2, 3)))
case("mul.Scalar", lambda: (real(2, 3), -2.5), lambda: (masked(2, 3), -2.0))
case("div.Tensor", lambda: (real(2, 3), positive(3)), lambda: (real(2), known(positive(2))))
case("div.Scalar", lambda: (real(2, 3), 2.5), lambda: (masked(2, 3), -2.0))
case("neg.default exp.default", lambda: (real(2, 3),), lambda: (masked(2, 3),))
case("reciprocal.default", lambda: (positive(2, 3),))
case("sqrt.default", lambda: (positive(2, 3),), lambda: (torch.tensor([INFINITY, 4.0]),))
case("rsqrt.default log.default log2.default", lambda: (positive(2, 3),))
case("log1p.default", lambda: (positive(2, 3),))
case("square.default expm1.default exp2.default", lambda: (real(2, 3),))
case(
    "pow.Tensor_Scalar",
    *(lambda e=e: (positive(2, 3), e) for e in (0, 1, 2, 3, 7, -1, -2, 0.5, -0.5, 1.5, -1.5)),
)
case("pow.Scalar", lambda: (2, real(2, 3)))
case("bmm.default", lambda: (real(2, 3, 4), real(2, 4, 5)))
case("mm.default", lambda: (real(3, 4), real(4, 5)), lambda: (known(real(3, 4)), real(4, 5)))
case("matmul.default", lambda: (real(2, 1, 3, 4), real(5, 4, 2)))
case("mv.default", lambda: (real(3, 4), real(4)))
case("dot.default", lambda: (real(4), real(4)))
case(
    "addmm.default",
    lambda: (real(5), real(3, 4), real(4, 5)),
    lambda: (real(3, 5), real(3, 4), real(4, 5), {"beta": 2, "alpha": 0.5}),
)
case(
    "baddbmm.default",
    lambda: (real(2, 3, 5), real(2, 3, 4), real(2, 4, 5), {"alpha": 0.5}),
    lambda: (real(2, 3, 5) * math.nan, real(2, 3, 4), real(2, 4, 5), {"beta": 0}),
)
case("sum.default", lambda: (real(2, 3),), lambda: (known(truth(2, 3)),))
case(
    "sum.dim_IntList",
    lambda: (real(2, 3, 4), (1,)),
    lambda: (real(2, 3, 4), (-1, 0), True),
    lambda: (real(2, 3), None),
    lambda: (masked(2, 3), (-1,)),
)
case("mean.default", lambda: (real(2, 3),))
case("mean.dim", lambda: (real(2, 3, 4), (1,)), lambda: (real(2, 3, 4), (-1, 0), True))
case("prod.default", lambda: (real(2, 3),))
case("prod.dim_int", lambda: (real(2, 3, 4), 1), lambda: (real(2, 3), -1, True))
case(
    "var.correction var_mean.correction",
    lambda: (real(2, 4), (1,)),
    lambda: (real(2, 4), (0, 1), {"correction": 0, "keepdim": True}),
    lambda: (real(2, 4), None, {"correction": 2}),
    lambda: (real(2, 1), (1,), {"keepdim": True}),
)
case("cumsum.default", lambda: (real(2, 3), 1), lambda: (real(2, 3), -2))
CONVOLUTIONS = (
    ((2, 3, 5), (4, 3, 2), (1,), (0,), (1,), 1),
    ((2, 4, 6), (6, 2, 3), (2,), (1,), (1,), 2),
    ((1, 2, 5, 4), (3, 2, 3, 1), (2, 1), (1, 0), (1, 2), 1),
    ((1, 4, 3, 3), (4, 1, 2, 2), (1,), (1,), (1,), 4),
)
case(
    "convolution.default",
    *(
        lambda c=c: (real(*c[0]), real(*c[1]), real(c[1][0]), *c[2:5], False, (0,), c[5])
        for c in CONVOLUTIONS
    ),
    lambda: (real(1, 2, 4), real(2, 2, 2), None, (1,), (0,), (1,), False, (0,), 1),
)


def of_convolution(x, weight, stride, padding, dilation, groups, wanted=(True, True, True)):
    options = (stride, padding, dilation, False, (0,), groups)
    x, weight = real(*x), real(*weight)
    upstream = real(*torch.ops.aten.convolution(x, weight, None, *options).shape)
    return upstream, x, weight, (weight.shape[0],), *options, wanted


case(
    "convolution_backward.default",
    *(lambda c=c: of_convolution(*c) for c in CONVOLUTIONS),
    lambda: of_convolution(*CONVOLUTIONS[0], wanted=(False, True, False)),
)
case("sigmoid.default tanh.default erf.default", lambda: (real(2, 3),), lambda: (masked(2, 3),))
case("sin.default cos.default silu.default", lambda: (real(2, 3),))
case("gelu.default", lambda: (real(2, 3),), lambda: (real(2, 3), {"approximate": "tanh"}))
SOFTMAX = (lambda: (real(2, 3), -1, False), lambda: (masked(2, 3, 4), 1, False))
case("_softmax.default", *SOFTMAX, lambda: (masked(3, 4), -1, False))
case("_log_softmax.default", *SOFTMAX, lambda: (masked(3, 4), -1, False))
case(
    "_safe_softmax.default",
    lambda: (real(2, 3), -1),
    lambda: (masked(3, 4), -1),
    lambda: (masked(3, 4), 0),
    lambda: (real(2, 3).clamp(max=LOWEST), -1),
)
case("logsumexp.default", lambda: (real(2, 3), (-1,)), lambda: (masked(3, 4), (1,), True))
case("_softmax_backward_data.default", lambda: (real(2, 3), real(2, 3), -1, torch.float64))
case(
    "native_layer_norm.default",
    lambda: (real(2, 3, 4), (4,), real(4), real(4), 1e-5),
    lambda: (real(2, 3, 4), (3, 4), None, None, 1e-3),
)
case(
    "native_group_norm.default",
    lambda: (real(2, 4, 3), real(4), real(4), 2, 4, 3, 2, 1e-5),
    lambda: (real(2, 4, 3), None, None, 2, 4, 3, 4, 1e-5),
)
case(
    "linalg_vector_norm.default",
    lambda: (real(2, 3),),
    lambda: (real(2, 3), 2, (-1,), True),
    lambda: (real(2, 3), 1, (0,)),
)

case(
    "where.self",
    lambda: (known(truth(2, 3)), real(2, 3), real(3)),
    lambda: (known(truth(2, 3)), real(2, 3), known(torch.tensor(-INFINITY))),
    lambda: (known(truth(2)), known(real(2)), known(real(2))),
)
case("where.ScalarOther", lambda: (known(truth(2, 3)), real(2, 3), -INFINITY))
case("where.ScalarSelf", lambda: (known(truth(2, 3)), 0.0, real(2, 3)))
case("where.Scalar", lambda: (known(truth(2, 3)), 0.0, -INFINITY))
ORDER = (
    lambda: (real(2, 3), real(3)),
    lambda: (masked(2, 3), real(2, 3)),
    lambda: (torch.tensor([1.0, 2.0, math.nan]), torch.tensor([1.0, math.nan, math.nan])),
)
WITH_NUMBER = (
    lambda: (real(2, 3), 0.1),
    lambda: (torch.tensor([0.0, 1.0, 2.0, -INFINITY]), 1),
    lambda: (masked(2, 3), -INFINITY),
)
case("lt.Tensor le.Tensor gt.Tensor ge.Tensor eq.Tensor ne.Tensor", *ORDER)
case("lt.Scalar le.Scalar gt.Scalar ge.Scalar eq.Scalar ne.Scalar", *WITH_NUMBER)
case("isnan.default isinf.default", lambda: (torch.tensor([1.0, math.nan, INFINITY, -INFINITY]),))
case("logical_not.default bitwise_not.default", lambda: (known(truth(2, 3)),))
case(
    "logical_and.default logical_or.default bitwise_and.Tensor bitwise_or.Tensor",
    lambda: (known(truth(2, 3)), known(truth(3))),
)
case("any.default all.default", lambda: (known(truth(2, 3)),))
case("any.dim all.dim", lambda: (known(truth(2, 3)), -1), lambda: (known(truth(2, 3)), 0, True))
case("any.dims", lambda: (known(truth(2, 3, 2)), (0, 2)))
case(
    "amax.default amin.default",
    lambda: (real(2, 3), (-1,)),
    lambda: (real(2, 3, 4), (0, 2), True),
    lambda: (real(2, 3),),
    lambda: (masked(2, 3), (-1,)),
)
case("max.default min.default", lambda: (real(2, 3),))
case("max.dim min.dim", lambda: (real(2, 3), 1), lambda: (real(2, 3, 4), -2, True))
case(
    "argmax.default",
    lambda: (real(2, 3), 1),
    lambda: (real(2, 3), 0, True),
    lambda: (torch.tensor([[1.0, 2.0, 2.0]]), 1),
)
case("maximum.default minimum.default", *ORDER[:2])
case(
    "clamp.default",
    lambda: (real(2, 3), -0.5, 0.5),
    lambda: (real(2, 3), None, 0.1),
    lambda: (masked(2, 3), -1.0),
)
case("clamp.Tensor", lambda: (real(2, 3), real(3)), lambda: (real(3), real(3), real(3)))
case("clamp_min.default clamp_max.default", lambda: (real(2, 3), 0.1))
case("clamp_min.Tensor", lambda: (real(2, 3), real(3)))
case("relu.default", lambda: (real(2, 3),))
case("leaky_relu.default", lambda: (real(2, 3),), lambda: (real(2, 3), 0.2))
case("abs.default sign.default sgn.default", lambda: (real(2, 3),))
case(
    "topk.default",
    lambda: (real(2, 5), 3),
    lambda: (real(4, 2), 2, 0, False),
    lambda: (real(2, 1, 4), 4, -1, True),
)
case(
    "sort.default",
    lambda: (real(2, 5),),
    lambda: (real(4, 2), 0, True),
)

COPIES = "clone alias detach lift_fresh_copy contiguous lift_fresh positive"
case(" ".join(f"{name}.default" for name in COPIES.split()), lambda: (real(2, 3),))
case("_to_copy.default", lambda: (real(2, 3), {"dtype": torch.float64}))
case("to.dtype", lambda: (real(2, 3), torch.float64))
case("_assert_tensor_metadata.default")
case(
    "view.default _unsafe_view.default reshape.default view_copy.default",
    lambda: (real(2, 3, 4), (6, -1)),
)
case("_reshape_alias.default", lambda: (real(2, 3), (3, 2), (2, 1)))
case("permute.default", lambda: (real(2, 3, 4), (2, 0, 1)), lambda: (real(2, 3), (-1, 0)))
case("transpose.int", lambda: (real(2, 3, 4), -1, 0))
case("t.default", lambda: (real(2, 3),), lambda: (real(3),))
case("expand.default", lambda: (real(1, 3), (2, -1)), lambda: (real(3, 1), (2, -1, 4)))
case("unsqueeze.default", lambda: (real(2, 3), 1), lambda: (real(2, 3), -1))
case("squeeze.default", lambda: (real(1, 3, 1),))
case("squeeze.dim", lambda: (real(1, 3, 1), -1), lambda: (real(1, 3), 1))
case("squeeze.dims", lambda: (real(1, 3, 1), (0, 2)), lambda: (real(1, 3, 1), (0, 1)))
case(
    "slice.Tensor",
    lambda: (real(5, 3), 0, 1, 4),
    lambda: (real(5, 3), 0, -2, 9223372036854775807),
    lambda: (real(2, 5), -1, None, None, 2),
    lambda: (real(5), 0, -9, 2),
)
case("select.int", lambda: (real(2, 3), 1, 2), lambda: (real(2, 3), -2, -1))
case("split_with_sizes.default", lambda: (real(5, 3), (2, 3)), lambda: (real(2, 4), (1, 3), -1))
case("split.Tensor", lambda: (real(5, 3), 2), lambda: (real(2, 4), 3, -1))
case("unbind.int", lambda: (real(2, 3),), lambda: (real(2, 3), -1))
case(
    "cat.default",
    lambda: ((real(2, 3), real(1, 3)),),
    lambda: ((real(2, 3), torch.empty(0), real(2, 1)), -1),
)
case("stack.default", lambda: ((real(2, 3), real(2, 3)), -1))
case("repeat.default", lambda: (real(2, 3), (2, 1, 2)))
case("flip.default", lambda: (real(2, 3), (0, -1)))
case("roll.default", lambda: (real(2, 3), (1,)), lambda: (real(2, 3), (1, -2), (0, 1)))
case("unfold.default", lambda: (real(2, 6), -1, 3, 2), lambda: (real(5, 2), 0, 2, 1))
case("as_strided.default", lambda: (real(2, 6), (2, 2, 3), (6, 2, 1), 1))
case("as_strided_scatter.default", lambda: (real(2, 6), real(2, 3), (2, 3), (6, 2), 1))
case("copy.default", lambda: (real(2, 3), real(3)))
case("copy_.default", lambda: (real(2, 3), real(3)))
case("slice_scatter.default", lambda: (real(5, 3), real(2, 3), 0, 1, 5, 2))
case("select_scatter.default", lambda: (real(5, 3), real(5), 1, -1))
case(
    "index.Tensor _unsafe_index.Tensor",
    lambda: (real(4, 3), (known(places(4, 5)),)),
    lambda: (real(4, 3, 2), (None, known(places(3, 2, 2)))),
    lambda: (real(4, 3, 2), (known(places(4, 2)), None, known(places(2, 2)))),
    lambda: (real(4, 3, 2), (None, known(places(3, 2)), known(places(2, 2)))),
)
case(
    "index_put.default _unsafe_index_put.default",
    lambda: (real(4, 3), (known(torch.tensor([2, 0])),), real(2, 3)),
    lambda: (real(4, 3), (known(torch.tensor([2, 0, 2])),), real(3), True),
    lambda: (real(4, 3), (None, known(torch.tensor([1, 1]))), real(4, 2), True),
)
case("index_select.default", lambda: (real(4, 3), 0, known(places(4, 5))))
case("embedding.default", lambda: (real(4, 3), known(places(4, 2, 5))))
case(
    "gather.default",
    lambda: (real(4, 3), 1, known(places(3, 4, 5))),
    lambda: (real(4, 3), -1, known(places(3, 2, 5))),
    lambda: (real(4, 3), 1, known(places(3, 1, 5))),
    lambda: (real(4, 3, 2), 0, known(places(4, 5, 2, 1))),
)
case(
    "scatter.src",
    lambda: (real(4, 3), 0, known(torch.tensor([[2, 0, 1]])), real(2, 3)),
    lambda: (real(4, 3), 1, known(torch.tensor([[2], [0]])), real(2, 2)),
)
case("scatter.value", lambda: (real(4, 3), 1, known(torch.tensor([[2], [0]])), 1.5))
case(
    "scatter_add.default",
    lambda: (real(4, 3), 0, known(torch.tensor([[2, 0, 1], [2, 2, 1]])), real(2, 3)),
    lambda: (real(4, 3), -1, known(torch.tensor([[2], [2]])), real(2, 2)),
)
case(
    "constant_pad_nd.default",
    lambda: (real(2, 3), (1, 2)),
    lambda: (real(2, 3), (-1, 2, 1, 0), -INFINITY),
    lambda: (real(2, 5), (2, -3), 1.5),
)
case("tril.default triu.default", lambda: (real(3, 3),), lambda: (real(2, 3, 4), -1))
case("diagonal.default", lambda: (real(3, 4), 1), lambda: (real(2, 3, 4), 0, 1, 2))


def test_every_operation_has_a_case_and_every_case_an_operation() -> None:
    assert sorted(CASES) == sorted(TABLE)


def _symbolic(m: Tensors[Any], value: Any) -> Any:
    if isinstance(value, Concrete):
        return value.tensor.numpy()
    if isinstance(value, torch.Tensor):
        return m.lift(value.numpy())
    if isinstance(value, tuple):
        return tuple(_symbolic(m, part) for part in value)
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    return value


def _for_torch(value: Any) -> Any:
    if isinstance(value, Concrete):
        return value.tensor
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, tuple):
        return [_for_torch(part) for part in value]
    return value


def _as_numpy(value: Any) -> Any:
    if isinstance(value, Selection):
        found = numpy.argmax(value.weights.data, axis=value.axis, keepdims=value.kept)
        assert numpy.sort(value.weights.data, axis=value.axis).max() == 1
        return found
    if isinstance(value, Tensor):
        return numpy.where(value.kinds > ZERO, AS_FLOATS[value.kinds], value.data)
    return numpy.asarray(value)


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, makers in CASES.items() for number in range(len(makers))],
)
def test_an_operation_gives_over_floats_what_torch_gives(name: str, number: int) -> None:
    GENERATOR.manual_seed(number)
    arguments = CASES[name][number]()
    keywords = arguments[-1] if isinstance(arguments[-1], dict) else {}
    arguments = arguments[: len(arguments) - bool(keywords)]
    m: Tensors[Any] = Tensors(FloatArrays())
    with numpy.errstate(all="ignore"):
        found = TABLE[name](
            m,
            *(_symbolic(m, argument) for argument in arguments),
            **{key: _symbolic(m, value) for key, value in keywords.items()},
        )
    _, packet, overload = name.split(".")
    expected = getattr(getattr(torch.ops.aten, packet), overload)(
        *map(_for_torch, arguments), **keywords
    )
    if isinstance(expected, torch.Tensor):
        found, expected = (found,), (expected,)
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        if theirs is None:
            assert mine is None
            continue
        assert tuple(mine.shape if not isinstance(mine, Selection) else theirs.shape) == tuple(
            theirs.shape
        )
        numpy.testing.assert_allclose(_as_numpy(mine), theirs.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("pow.Tensor_Scalar", (0.3,)),
        ("linalg_vector_norm.default", (3,)),
        ("argmax.default", ()),
        ("logical_not.default", ()),
        ("var.correction", ((1,), 2)),
    ],
)
def test_what_an_operation_does_not_cover_is_said(name: str, arguments: tuple[Any, ...]) -> None:
    m: Tensors[Any] = Tensors(FloatArrays())
    with pytest.raises(Unsupported):
        TABLE[f"aten.{name}"](m, m.lift(numpy.ones((2, 2))), *arguments)


def test_the_variance_of_one_number_is_no_number() -> None:
    m: Tensors[Any] = Tensors(FloatArrays())
    variance = TABLE["aten.var.correction"](m, m.lift(numpy.ones((2, 1))), (1,))
    assert (variance.kinds == NOT_A_NUMBER).all()


def test_truth_values_that_depend_on_inputs_meet_known_ones() -> None:
    algebra = ResidueArrays(Random(0))
    m: Tensors[Any] = Tensors(algebra)
    x, y = (m.finite(algebra.free((2,)), (2,)) for _ in range(2))
    less = TABLE["aten.lt.Tensor"](m, x, y)
    keep = numpy.array([True, False])
    both = TABLE["aten.logical_and.default"](m, less, keep)
    either = TABLE["aten.logical_or.default"](m, keep, less)
    ones, zeros = m.lift(numpy.ones(2)), m.lift(numpy.zeros(2))
    expected_both = m.select(keep, less, zeros)
    expected_either = m.select(keep, ones, less)
    assert algebra.same(both.data, expected_both.data).all()
    assert algebra.same(either.data, expected_either.data).all()
    assert both.truth
    assert either.truth


def test_the_gradients_of_max_and_amax_differ_where_elements_are_equal() -> None:
    algebra = ResidueArrays(Random(0))
    m: Tensors[Any] = Tensors(algebra)
    x = m.finite(algebra.free((2, 3)), (2, 3))
    _, place = TABLE["aten.max.dim"](m, x, 1)
    shared = m.equal(*m.broadcast(x, TABLE["aten.amax.default"](m, x, (1,), True)))
    shared = m.divide(shared, m.total(shared, (1,), keep=True))
    assert not algebra.same(place.weights.data, shared.data).any()
    total = m.total(place.weights, (1,), keep=False)
    assert algebra.same(total.data, m.lift(numpy.ones(2)).data).all()
    kept = TABLE["aten.unsqueeze.default"](m, place, -1)
    assert kept.kept


def test_a_number_is_equal_to_itself() -> None:
    algebra = ResidueArrays(Random(0))
    m: Tensors[Any] = Tensors(algebra)
    x = m.finite(algebra.free((2,)), (2,))
    assert TABLE["aten.eq.Tensor"](m, x, x).all()


def test_a_transposed_convolution_is_refused() -> None:
    m: Tensors[Any] = Tensors(FloatArrays())
    x = m.lift(numpy.ones((1, 1, 3)))
    with pytest.raises(Unsupported, match="transposed"):
        TABLE["aten.convolution.default"](m, x, x, None, (1,), (0,), (1,), True, (0,), 1)


@pytest.mark.parametrize("name", ["sort.default", "topk.default"])
def test_elements_in_order_are_refused_where_order_is_not_known(name: str) -> None:
    algebra = ResidueArrays(Random(0))
    m: Tensors[Any] = Tensors(algebra)
    x = m.finite(algebra.free((2, 3)), (2, 3))
    with pytest.raises(Unsupported, match="order"):
        TABLE[f"aten.{name}"](m, x, *([2] if name == "topk.default" else []))


def test_no_operation_is_entered_twice() -> None:
    with pytest.raises(DuplicateOperation):
        operation("exp.default")(TABLE["aten.exp.default"])


def test_each_module_of_operations_is_read_by_the_interpreter() -> None:
    assert {module.__name__ for module in OPERATIONS} <= {
        function.__module__ for function in TABLE.values()
    }
