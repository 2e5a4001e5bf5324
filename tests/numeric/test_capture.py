"""Programs that become graphs, and programs that must not: each refusal has a near neighbour."""

from __future__ import annotations

import copy
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import numpy
import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import dropout, scaled_dot_product_attention, softmax
from torch.utils.checkpoint import checkpoint

from derive.errors import InputError
from derive.graph import Graph, Reference, TensorType
from numeric.capture_error import CaptureError
from numeric.capturing import Captured, FixedInput, capture, eager, fresh_inputs
from numeric.refusals import refuse_different


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def qkv(heads: int = 2, tokens: int = 3, width: int = 2) -> tuple[torch.Tensor, ...]:
    return tuple(random(1, heads, tokens, width, seed=seed) for seed in range(3))


def rerun(graph: Graph, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Run a graph by torch's own operations."""
    known = {item.name: value for item, value in zip(graph.inputs, values, strict=True)}
    known |= {item.name: torch.from_numpy(item.values.copy()) for item in graph.constants}

    def argument(value: Any) -> Any:
        if isinstance(value, Reference):
            return known[value.name]
        if isinstance(value, tuple):
            return [argument(part) for part in value]
        if isinstance(value, str):
            return getattr(torch, value)
        return value

    for node in graph.nodes:
        arguments = [argument(part) for part in node.arguments]
        if node.operation == "getitem":
            known[node.name] = arguments[0][arguments[1]]
            continue
        operation: Any = torch.ops
        for part in node.operation.split("."):
            operation = getattr(operation, part)
        keywords = {key: argument(part) for key, part in node.keywords}
        result = operation(*arguments, **keywords)
        if isinstance(node.result, TensorType) and "view" not in node.operation:
            result = laid_out(result, node.result.strides)
        known[node.name] = result
    return [known[output.name] for output in graph.outputs]


def laid_out(tensor: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    """Return the tensor with the strides that it had when the program was traced: views need them.

    A stride of 0 is where one element stands for many; torch makes it by itself.
    """
    if tensor.stride() == strides or 0 in strides:
        return tensor
    return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor)


def agrees(function: Any, inputs: Any, *, backward: bool = True, **options: Any) -> Captured:
    """Capture, and see that the graph gives what the function gives on numbers of its own."""
    captured = capture(function, inputs, backward=backward, **options)
    for seed in (11, 12):
        values = fresh_inputs(captured, seed)
        expected = eager(function, inputs, values, backward=backward, **options)
        found = rerun(captured.graph, values)
        assert len(expected) == len(found) == len(captured.graph.output_names)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    return captured


def refused(function: Any, inputs: Any, reason: str, text: str, **options: Any) -> None:
    with pytest.raises(CaptureError, match=re.escape(text)) as caught:
        capture(function, inputs, **options)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


def plain(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1) @ value


def operations(captured: Captured) -> set[str]:
    return {node.operation.rpartition(".")[0] for node in captured.graph.nodes}


# What a graph holds


def test_names_types_and_the_order_of_outputs() -> None:
    captured = agrees(plain, qkv())
    graph = captured.graph
    assert [item.name for item in graph.inputs] == ["query", "key", "value", "grad_output"]
    assert graph.output_names == (
        "output",
        "gradient of query",
        "gradient of key",
        "gradient of value",
    )
    assert captured.upstream == ("grad_output",)
    assert graph.inputs[0].type.shape == (1, 2, 3, 2)
    assert graph.inputs[0].type.dtype == "float64"
    assert [tensor.shape for tensor in captured.inputs] == [(1, 2, 3, 2)] * 3
    assert not captured.fixed
    assert not captured.notes


def test_forward_alone_has_no_gradients() -> None:
    captured = agrees(plain, qkv(), backward=False)
    assert captured.graph.output_names == ("output",)
    assert captured.upstream == ()


def test_a_node_names_the_line_that_it_comes_from() -> None:
    captured = capture(plain, qkv(), backward=True)
    origins = {node.operation: node.origin for node in captured.graph.nodes[:6]}
    assert re.match(r"test_capture.py:\d+: return softmax\(query @", origins["aten.bmm.default"])
    assert captured.graph.nodes[-1].origin == ""


def test_several_outputs_have_an_upstream_gradient_each() -> None:
    def both(query: torch.Tensor, key: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor]:
        scores = query @ key.mT
        return scores, None, scores.sum(-1)

    captured = agrees(both, qkv()[:2])
    assert captured.upstream == ("grad_output_1", "grad_output_2")
    assert captured.graph.output_names[:2] == ("output_1", "output_2")


def test_inputs_by_keyword() -> None:
    query, key, value = qkv()
    captured = agrees(plain, {"value": value, "query": query, "key": key})
    assert [item.name for item in captured.graph.inputs][:3] == ["value", "query", "key"]


def test_names_where_there_is_no_signature_and_names_that_are_given() -> None:
    def unnamed(*tensors: torch.Tensor) -> torch.Tensor:
        return tensors[0] * tensors[1]

    pair = random(2), random(3, seed=1)[:2].clone()
    assert [i.name for i in capture(unnamed, pair).graph.inputs] == ["input_0", "input_1"]
    named = capture(unnamed, pair, names=("left", "right"))
    assert [i.name for i in named.graph.inputs] == ["left", "right"]
    refused(unnamed, pair, "names", "1 names for 2 inputs", names=("left",))


def test_an_input_may_have_the_name_of_an_operation() -> None:
    captured = agrees(lambda mul, add: mul * add + mul, (random(2), random(2, seed=1)))
    assert len({node.name for node in captured.graph.nodes} & {"mul", "add"}) == 0


def test_plain_values_pass_through() -> None:
    def scaled(x: torch.Tensor, factor: float, mask: None, flag: bool) -> torch.Tensor:
        return x * factor if flag and mask is None else x

    captured = agrees(scaled, (random(2), 0.25, None, True))
    assert [item.name for item in captured.graph.inputs] == ["x", "grad_output"]


def test_float32_is_converted_exactly() -> None:
    given = random(2, 3, dtype=torch.float32)
    captured = agrees(lambda x: x @ x.mT, (given,))
    assert captured.inputs[0].dtype == torch.float64
    assert torch.equal(captured.inputs[0], given.double())
    assert given.dtype == torch.float32


def test_strides_are_kept() -> None:
    captured = agrees(lambda x: x * 2.0, (random(3, 2).mT,))
    assert captured.graph.inputs[0].type.strides == (1, 2)


def test_an_input_that_nothing_reads_has_gradient_zero() -> None:
    captured = agrees(
        lambda used, other: used * 2.0 + 0.0 * other.sum().detach(), (random(2), random(3))
    )
    (constant,) = (c for c in captured.graph.constants if c.values.shape == (3,))
    assert not constant.values.any()
    assert captured.graph.outputs[-1] == Reference(constant.name)


# Folding


def test_a_mask_that_the_program_makes_becomes_one_constant() -> None:
    def causal(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        scores = query @ key.mT
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        return softmax(scores.masked_fill(mask, -math.inf), -1)

    captured = agrees(causal, qkv()[:2])
    masks = [c for c in captured.graph.constants if c.values.dtype == numpy.bool_]
    assert len(masks) == 1
    assert (masks[0].values == numpy.triu(numpy.ones((3, 3), bool), 1)).all()
    assert "masked_fill" in masks[0].origin or "torch.ones" in masks[0].origin
    assert not operations(captured) & {"aten.triu", "aten.arange", "aten.full"}


def test_minus_infinity_and_the_smallest_number_are_kept_apart() -> None:
    def masked(x: torch.Tensor) -> torch.Tensor:
        smallest = torch.full((3,), torch.finfo(x.dtype).min)
        return softmax(x + torch.full((3, 3), -math.inf).triu(1), -1) + (x + smallest).tanh()

    captured = agrees(masked, (random(3, 3),))
    values = numpy.concatenate([c.values.ravel() for c in captured.graph.constants])
    assert numpy.isneginf(values).any()
    assert (values == numpy.finfo(numpy.float64).min).any()


def test_only_the_shape_of_a_free_tensor_makes_a_constant() -> None:
    def like(x: torch.Tensor) -> torch.Tensor:
        return x * torch.full_like(x, 3.0) + torch.zeros_like(x) + x.new_full((2,), 5.0)

    captured = agrees(like, (random(2),))
    assert operations(captured) <= {"aten.mul", "aten.add"}


def test_what_no_one_writes_is_not_a_number() -> None:
    def unwritten(x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(torch.empty(1, 2, 2), x, x, beta=0)

    def written(x: torch.Tensor) -> torch.Tensor:
        result = torch.empty(2, 2)
        result[0] = x[0]
        result[1] = 1.0
        return result * x

    agrees(unwritten, (random(1, 2, 2),))
    captured = agrees(written, (random(2, 2),))
    poisoned = [c for c in captured.graph.constants if numpy.isnan(c.values).any()]
    assert poisoned
    assert any("no one wrote" in note for note in captured.notes)


def test_operations_of_several_results_are_read_by_getitem() -> None:
    captured = agrees(lambda x: x.sort(-1).values, (random(2, 3),))
    names = [node.operation for node in captured.graph.nodes]
    assert "getitem" in names
    assert isinstance(captured.graph.nodes[names.index("aten.sort.default")].result, tuple)


def test_storage_keywords_are_dropped_and_types_are_text() -> None:
    captured = capture(lambda x: x.to(torch.float32).double() * 2.0, (random(2),))
    keywords = {pair for node in captured.graph.nodes for pair in node.keywords}
    assert keywords == {("dtype", "float32"), ("dtype", "float64")}
    assert captured.notes == (
        "casts to float32 inside the program are read as the identity over the reals",
    )


def test_writing_into_an_intermediate_result() -> None:
    def rows(x: torch.Tensor) -> torch.Tensor:
        result = torch.zeros(3, 2)
        for place in range(3):
            result[place] = x[: place + 1].sum(0)
        result.mul_(2.0)
        return result

    captured = agrees(rows, (random(3, 2),))
    assert not any(name.endswith("_") for name in operations(captured))


# Fixed inputs


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (torch.ones(3, 3, dtype=torch.bool).tril(), "not floating point"),
        (torch.full((3, 3), -math.inf).triu(1), "holds infinities"),
        (
            torch.full((3, 3), torch.finfo(torch.float32).min).triu(1),
            "holds the smallest finite number",
        ),
    ],
)
def test_a_mask_is_held_fixed(mask: torch.Tensor, reason: str) -> None:
    def masked(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        scores = query @ key.mT
        scores = scores + mask if mask.is_floating_point() else scores.where(mask, -math.inf)
        return softmax(scores, -1)

    captured = agrees(masked, (*qkv()[:2], mask))
    assert captured.fixed == (FixedInput("mask", reason),)
    assert [item.name for item in captured.graph.inputs] == ["query", "key", "grad_output"]
    (constant,) = (item for item in captured.graph.constants if item.name == "mask")
    if "smallest" in reason:
        assert constant.values[0, 1] == numpy.finfo(numpy.float64).min
        assert captured.notes == ("in mask the smallest float32 is read as that of float64",)


def test_an_input_is_held_fixed_by_name_and_its_neighbour_is_free() -> None:
    bias = random(3)
    pair = random(3, seed=1), bias
    captured = agrees(lambda x, bias: x * bias, pair, fixed=("bias",))
    assert captured.fixed == (FixedInput("bias", "named in fixed="),)
    assert (captured.graph.constants[0].values == bias.numpy()).all()
    assert not capture(lambda x, bias: x * bias, pair).fixed
    refused(lambda x, bias: x * bias, pair, "unknown name", "no input mask", fixed=("mask",))


def test_a_branch_on_a_fixed_input_is_no_branch() -> None:
    def shortcut(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x if bool(mask.all()) else x.where(mask, 0.0)

    mask = torch.tensor([True, False])
    assert operations(agrees(shortcut, (random(2), mask))) >= {"aten.where"}
    assert not agrees(shortcut, (random(2), mask | True), backward=False).graph.nodes


# Modules


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("table", torch.tensor([1.0, 2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x))) * self.table

    def half(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.first(x))


def test_parameters_become_inputs_after_the_data() -> None:
    module = nn.Linear(2, 3)
    captured = agrees(module, (random(4, 2),))
    names = [item.name for item in captured.graph.inputs]
    assert names == ["input", "weight", "bias", "grad_output"]
    assert torch.equal(captured.inputs[1], module.weight.double())


def test_a_shared_parameter_is_one_input_and_a_buffer_is_a_constant() -> None:
    module = Tied()
    before = copy.deepcopy(module.state_dict())
    captured = agrees(module, (random(4, 2),))
    assert [item.name for item in captured.graph.inputs][:-1] == ["x", "first.weight", "first.bias"]
    assert captured.fixed == (FixedInput("table", "a buffer of the module"),)
    assert "table" in [item.name for item in captured.graph.constants]
    assert module.first.weight.dtype == torch.float32
    assert module.second.weight is module.first.weight
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_methods_and_functions_around_a_module_lift_its_parameters() -> None:
    module = Tied()
    assert len(agrees(module.half, (random(4, 2),)).inputs) == 3
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    captured = agrees(lambda x: attention(x, x, x)[0], (random(1, 3, 4),))
    assert [item.name for item in captured.graph.inputs][:3] == [
        "x",
        "in_proj_weight",
        "in_proj_bias",
    ]
    pair = agrees(
        lambda x: module(x) + attention.out_proj(torch.cat([x, x], -1))[:, :2], (random(4, 2),)
    )
    assert "module.first.weight" in [item.name for item in pair.graph.inputs]
    assert "attention.out_proj.weight" in [item.name for item in pair.graph.inputs]


def test_tensors_that_a_module_holds_besides_are_constants_in_float64() -> None:
    class Summing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.triangle = torch.ones(3, 3).tril()
            self.register_buffer("mask", torch.full((3, 3), torch.finfo(torch.float32).min).triu(1))

        def forward(self, scores: torch.Tensor) -> torch.Tensor:
            return softmax(scores + self.mask, -1) @ self.triangle + torch.tensor(0.1)

    module = Summing()
    captured = agrees(module, (random(3, 3),))
    assert module.triangle.dtype == torch.float32
    assert captured.notes == (
        "in mask the smallest float32 is read as that of float64",
        "a tensor that the program holds is a constant: float64[3, 3]",
    )
    numbers = {float(v) for c in captured.graph.constants for v in c.values.ravel()}
    assert 0.1 in numbers
    assert numpy.finfo(numpy.float64).min in numbers


def test_a_module_with_a_parameter_named_as_its_input() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x = nn.Parameter(torch.ones(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.x

    assert [i.name for i in agrees(Scale(), (random(2),)).graph.inputs][:2] == ["x", "module.x"]


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_multihead_attention(need_weights: bool, training: bool) -> None:
    module = nn.MultiheadAttention(4, 2, batch_first=True).train(training)
    inputs = {name: random(1, 3, 4, seed=seed) for seed, name in enumerate(("query", "key"))}
    inputs["value"] = random(1, 3, 4, seed=7)
    captured = agrees(module, {**inputs, "need_weights": need_weights})
    assert len(captured.upstream) == 1 + need_weights
    assert "aten._softmax" in operations(captured)


# torch's own attention


@pytest.mark.parametrize(
    ("options", "heads", "value_width"),
    [
        ({}, 2, 2),
        ({"is_causal": True}, 2, 2),
        ({"scale": 0.3}, 2, 2),
        ({"enable_gqa": True}, 1, 2),
        ({}, 2, 5),
        ({"attn_mask": torch.ones(3, 3, dtype=torch.bool).tril()}, 2, 2),
    ],
)
def test_scaled_dot_product_attention(
    options: dict[str, Any], heads: int, value_width: int
) -> None:
    def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return scaled_dot_product_attention(query, key, value, **options)

    inputs = (
        random(1, 2, 3, 2),
        random(1, heads, 3, 2, seed=1),
        random(1, heads, 3, value_width, seed=2),
    )
    captured = agrees(attention, inputs)
    assert "aten._softmax" in operations(captured)
    assert not any("scaled_dot_product" in name for name in operations(captured))


def test_a_floating_mask_has_a_gradient() -> None:
    def attention(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        return scaled_dot_product_attention(query, key, value, mask)

    captured = agrees(attention, (*qkv(), random(3, 3)))
    assert captured.graph.output_names[-1] == "gradient of mask"


def test_a_program_that_chooses_its_kernel_still_runs_as_plain_mathematics() -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return scaled_dot_product_attention(query, key, value)

    agrees(attention, qkv())


def test_a_fused_kernel_that_is_called_directly_is_refused() -> None:
    def fused(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Any:
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)[0]

    refused(fused, qkv(), "fused attention", "one opaque operation", backward=True)


def test_flex_attention_runs_as_plain_mathematics() -> None:
    from torch.nn.attention.flex_attention import flex_attention

    def soft_capped(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        def capped(score: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return 2.0 * torch.tanh(score / 2.0)

        result: torch.Tensor = flex_attention(query, key, value, score_mod=capped)
        return result

    assert "aten.tanh" in operations(agrees(soft_capped, qkv()))


# Derivatives that a program states itself


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x * 2.0

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * 5.0


class OldDoubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        result = torch.empty(2)
        result[:] = x
        return result.mul_(2.0)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * 5.0 + ctx.saved_tensors[0]


@pytest.mark.parametrize("function", [Doubled, OldDoubled])
def test_a_stated_backward_is_what_the_graph_holds(function: Any) -> None:
    captured = agrees(lambda x: function.apply(x), (random(2),))
    fives = [node for node in captured.graph.nodes if 5.0 in node.arguments]
    assert fives


def test_a_checkpoint_computes_again_what_its_backward_needs() -> None:
    def recomputed(x: torch.Tensor) -> Any:
        return checkpoint(lambda y: torch.tanh(y) * y, x, use_reentrant=False)

    assert "aten.tanh" in operations(agrees(recomputed, (random(2),)))


def test_no_gradient_flows_through_detach() -> None:
    captured = agrees(lambda x: x * x.detach(), (random(2),))
    assert sum(node.operation.startswith("aten.mul") for node in captured.graph.nodes) == 2


# Refusals


def by_branch(x: torch.Tensor) -> torch.Tensor:
    return x * 2.0 if x.sum() > 0 else x


def by_where(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.sum() > 0, x * 2.0, x)


def by_item(x: torch.Tensor) -> torch.Tensor:
    return x * x.max().item()


def by_max(x: torch.Tensor) -> torch.Tensor:
    return x * x.max()


def by_choice(x: torch.Tensor) -> torch.Tensor:
    return x[x > 0]


def by_position(x: torch.Tensor) -> torch.Tensor:
    return x[torch.tensor([1, 0])]


def by_list(x: torch.Tensor) -> torch.Tensor:
    return x * torch.tensor(x.detach().tolist())


def by_detached(x: torch.Tensor) -> torch.Tensor:
    return x * x.detach()


def by_equal(x: torch.Tensor) -> torch.Tensor:
    return x if torch.equal(x, x.abs()) else -x


def by_numpy(x: torch.Tensor) -> torch.Tensor:
    return x * torch.from_numpy(numpy.abs(x.detach().numpy()))


def by_abs(x: torch.Tensor) -> torch.Tensor:
    return x * x.detach().abs()


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (by_branch, by_where),
        (by_item, by_max),
        (by_choice, by_position),
        (by_list, by_detached),
        (by_equal, by_abs),
        (by_numpy, by_abs),
    ],
)
def test_a_path_that_follows_the_values(
    wrong: Callable[..., Any], right: Callable[..., Any], backward: bool
) -> None:
    refused(wrong, (random(2),), "value-dependent", "depends on the values", backward=backward)
    agrees(right, (random(2),), backward=backward)


@pytest.mark.parametrize("backward", [False, True])
def test_randomness(backward: bool) -> None:
    def dropped(x: torch.Tensor) -> torch.Tensor:
        return dropout(x, 0.5)

    def noisy(x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(2)

    for function in (dropped, noisy):
        refused(function, (random(2),), "random", "draws random numbers", backward=backward)
    agrees(lambda x: dropout(x, 0.5, training=False), (random(2),), backward=backward)
    module = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)
    inputs = tuple(random(1, 3, 4, seed=seed) for seed in range(3))
    refused(module, inputs, "random", "call .eval()", backward=backward)
    agrees(module.eval(), inputs, backward=backward)


def test_inputs_in_one_memory() -> None:
    x = random(4)
    refused(lambda a, b: a * b, (x, x), "aliased", "a and b: the two inputs share memory")
    refused(lambda a, b: a * b, (x[:3], x[1:]), "aliased", "pass clones")
    agrees(lambda a, b: a * b, (x[:2], x[2:]))
    agrees(lambda a, b: a * b, (x, x.clone()))
    left, right = random(3, 4).chunk(2, -1)
    agrees(lambda a, b: a * b, (left, right))
    module = nn.Linear(2, 2)
    refused(module, (module.weight,), "aliased", "input and weight: the two inputs share memory")


def test_a_learned_tensor_in_a_closure() -> None:
    weight = nn.Parameter(random(2))
    table = random(2)
    for backward in (False, True):
        refused(
            lambda x: x * weight,
            (random(2),),
            "closure",
            "pass the module itself",
            backward=backward,
        )
    captured = agrees(lambda x: x * table, (random(2),))
    assert captured.notes == ("a tensor that the program holds is a constant: float64[2]",)
    agrees(lambda x, weight: x * weight, (random(2), weight))


def test_a_learned_tensor_that_is_no_parameter() -> None:
    class Scaled(nn.Module):
        def __init__(self, learned: bool) -> None:
            super().__init__()
            self.scale = torch.ones(2, requires_grad=learned)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    refused(Scaled(True), (random(2),), "closure", "it is learned, but hidden")
    agrees(Scaled(False), (random(2),))


def test_writing_into_an_input() -> None:
    refused(lambda x: x.mul_(2.0), (random(2),), "mutation", "x: the program writes into it")
    agrees(lambda x: x.clone().mul_(2.0), (random(2),))
    norm = nn.BatchNorm1d(2, dtype=torch.float64)
    refused(norm, (random(3, 2),), "mutation", "call .eval()")
    agrees(norm.eval(), (random(3, 2),), backward=False)


def test_state_from_run_to_run() -> None:
    runs = count()

    def counted(x: torch.Tensor) -> torch.Tensor:
        return x * float(next(runs))

    class Cache(nn.Module):
        def __init__(self, keeps: bool) -> None:
            super().__init__()
            self.keeps, self.last = keeps, torch.zeros(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result = x + self.last
            if self.keeps:
                self.last = result.detach()
            return result

    refused(counted, (random(2),), "state", "two runs on the same inputs differ")
    refused(Cache(True), (random(2),), "state", "pass the state as an input")
    agrees(Cache(False), (random(2),))


def test_a_table_that_is_cached_by_shape_is_no_state() -> None:
    class Cached(nn.Module):
        table: Any = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.table is None:
                self.table = torch.arange(x.shape[0]).double()
            return x * self.table

    module = Cached()
    agrees(module, (random(2),))
    assert module.table is None


def test_state_that_shows_late() -> None:
    def late(after: int) -> Any:
        runs = count()
        return lambda x: x * 2.0 if next(runs) < after else x * 3.0

    refused(late(6), (random(2),), "disagrees", "output: the trace does not give what the function")
    capture(late(100), (random(2),))


def test_writing_into_a_tensor_that_the_function_holds() -> None:
    table = torch.zeros(2)
    refused(lambda x: x + table.zero_(), (random(2),), "mutation", "clone the tensor first")
    agrees(lambda x: x + table.clone().zero_(), (random(2),))


def test_writing_into_a_copy_of_a_tensor_that_the_function_holds() -> None:
    table = torch.full((3, 2), 7.0)

    def filled(x: torch.Tensor) -> torch.Tensor:
        result = table.clone()
        result[0] = x[0]
        seen = result * 2.0
        result[1].copy_(x[1] + result[0])
        return result + seen

    for backward in (False, True):
        agrees(filled, (random(3, 2),), backward=backward)
        agrees(lambda x: OldDoubled.apply(filled(x)[0]), (random(3, 2),), backward=backward)
    assert torch.equal(table, torch.full((3, 2), 7.0))


def test_what_is_cached_from_the_values_of_the_first_run() -> None:
    class Cached(nn.Module):
        first: Any = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.first is None:
                self.first = x.detach().clone()
            return x * self.first

    refused(Cached(), (random(2),), "value-dependent", "depends on the values")


def test_kinds_of_tensors_that_are_no_real_numbers() -> None:
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x + x

    refused(twice, (torch.ones(2, dtype=torch.complex64),), "complex", "x: it is complex")
    refused(lambda x: torch.complex(x, x), (random(2),), "complex", "output: it is complex")
    refused(twice, (random(2, 2).to_sparse(),), "storage", "x: it is sparse")
    refused(twice, (torch.tensor([1.0, math.nan]),), "not a number", "x: it holds NaN")
    refused(twice, (torch.ones(2, device="meta"),), "storage", "x: it has no values")
    refused(twice, (object(),), "not a tensor", "x: object is neither a tensor nor a plain value")
    agrees(twice, (random(2),))


def test_no_output_and_nothing_free() -> None:
    refused(lambda x: x > 0, (random(2),), "no output", "no floating point tensor comes out")
    refused(lambda x: str(x.shape), (random(2),), "no output", "no floating point tensor")
    refused(lambda x: (x > 0, x * 2.0), (random(2),), "not compared", "type bool comes out")
    agrees(lambda x: (x * 3.0, x * 2.0), (random(2),))
    refused(lambda x: x * 2.0, (torch.arange(2),), "nothing free", "no input is free")


def test_a_function_that_fails_says_so() -> None:
    weight = torch.ones(2, 2)
    refused(lambda x: x @ weight, (random(2),), "fails", "RuntimeError: expected m")
    agrees(lambda x, weight: x @ weight, (random(2), weight))


def test_the_error_is_a_persons_own_input() -> None:
    with pytest.raises(InputError, match="by_branch: its path depends"):
        capture(by_branch, (random(2),))


def test_a_value_in_a_program_with_a_backward_of_its_own() -> None:
    def leaking(x: torch.Tensor) -> Any:
        return OldDoubled.apply(x) * torch.tensor(x.detach().tolist())

    refused(leaking, (random(2),), "value-dependent", "depends on the values", backward=True)


# Around the capture


def test_a_compiled_program_is_read_as_its_source() -> None:
    for program, inputs in ((plain, qkv()), (nn.Bilinear(2, 2, 2), qkv()[:2])):
        captured = agrees(torch.compile(program, backend="eager"), inputs)
        assert captured.notes[0].startswith("read as the program that was compiled")


def test_a_capture_in_inference_mode() -> None:
    with torch.inference_mode():
        inputs = tuple(tensor.clone() for tensor in qkv())
        agrees(plain, inputs)


def test_repeated_elements_are_noted() -> None:
    captured = agrees(lambda x: x * 2.0, (random(1, 2).expand(3, 2),))
    assert captured.notes == ("x repeats elements; each is read as a number of its own",)
    assert not capture(lambda x: x * 2.0, (random(3, 2),)).notes


def test_nothing_is_left_changed() -> None:
    settings = (
        torch.get_default_dtype,
        torch.is_grad_enabled,
        torch.backends.mha.get_fastpath_enabled,
        torch.get_rng_state,
    )
    before = [setting() for setting in settings]
    capture(plain, qkv(), backward=True)
    with pytest.raises(CaptureError):
        capture(by_branch, (random(2),))
    for setting, value in zip(settings, before, strict=True):
        assert bool(torch.as_tensor(setting() == value).all())


def test_reading_the_module_reads_no_torch() -> None:
    code = "import sys, numeric.capturing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_alias_in_one_of_two_traces_is_no_difference() -> None:
    def traced(aliased: bool, number: float) -> Any:
        def program(x: Any) -> Any:
            return torch.ops.aten.mul.Tensor(
                torch.ops.aten.alias.default(x) if aliased else x, number
            )

        return make_fx(program)(random(2))

    refuse_different(traced(True, 2.0), traced(False, 2.0), "program")
    with pytest.raises(CaptureError, match="a number or a shape"):
        refuse_different(traced(True, 2.0), traced(False, 3.0), "program")


def test_captures_in_several_threads_do_not_disturb_each_other() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: capture(plain, qkv(), backward=True), range(8)))
    assert all(captured.graph == found[0].graph for captured in found)
