"""From a traced module to a graph: what does not depend on a free input becomes a constant.

The constant is torch's own result. A tensor that a program makes without writing it (``empty``)
is NaN there, so that whatever reads it shows.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from derive.graph import Argument, Constant, Graph, Input, Node, Reference, TensorType
from numeric.capture_error import CaptureError
from numeric.plain_attention import float64

DROPPED = frozenset({"device", "layout", "pin_memory", "memory_format", "non_blocking"})
"""Keywords that say where and how numbers are stored."""

BY_SHAPE = frozenset(
    f"aten.{name}"
    for name in (
        "empty_like",
        "full_like",
        "new_empty",
        "new_empty_strided",
        "new_full",
        "new_ones",
        "new_zeros",
        "ones_like",
        "zeros_like",
    )
)
"""Operations that read the shape and type of their argument, never its values."""

UNWRITTEN = frozenset(
    f"aten.{name}"
    for name in ("empty", "empty_like", "empty_permuted", "empty_strided", "new_empty")
) | {"aten.new_empty_strided"}


@dataclass(frozen=True)
class Given:
    """What a placeholder of the traced module stands for; ``value`` where it is held fixed."""

    name: str
    value: Any = None


def folded(
    module: Any, given: Sequence[Given], output_names: Sequence[str], title: str
) -> tuple[Graph, tuple[Any, ...]]:
    """Return the graph of a traced module, and the tensors that it closed over.

    Raises:
        CaptureError: A node is not an operation of torch on tensors.
    """
    return _Folding(module, given, title).graph(output_names)


class _Folding:
    def __init__(self, module: Any, given: Sequence[Given], title: str) -> None:
        self.module, self.title = module, title
        self.given = list(given)
        self.values: dict[Any, Any] = {}
        self.names: dict[Any, str] = {}
        self.taken = {item.name for item in given}
        self.inputs: list[Input] = []
        self.nodes: list[Node] = []
        self.constants: dict[Any, Constant] = {}
        self.by_value: dict[Any, str] = {}
        self.lifted: dict[str, Any] = {}

    def graph(self, output_names: Sequence[str]) -> tuple[Graph, tuple[Any, ...]]:
        placeholders = iter(self.given)
        needed = _needed(self.module.graph)
        outputs: tuple[Any, ...] = ()
        for node in self.module.graph.nodes:
            if node.op == "placeholder":
                self.placeholder(node, next(placeholders))
            elif node.op == "output":
                outputs = tuple(node.args[0])
            elif node not in needed:
                continue
            elif node.op == "get_attr":
                self.values[node] = self.lifted_tensor(node)
            elif node.op == "call_function":
                self.call(node)
            else:
                raise self.unknown(node)
        references = tuple(self.reference(node) for node in outputs)
        graph = Graph(
            tuple(self.inputs),
            tuple(self.constants.values()),
            tuple(self.nodes),
            references,
            tuple(output_names),
        )
        return graph, tuple(self.lifted.values())

    def placeholder(self, node: Any, given: Given) -> None:
        self.names[node] = given.name
        if given.value is None:
            self.inputs.append(Input(given.name, _type(node.meta["val"])))
        else:
            self.values[node] = given.value

    def lifted_tensor(self, node: Any) -> Any:
        import torch

        value = getattr(self.module, node.target)
        if not isinstance(value, torch.Tensor):
            raise self.unknown(node)
        # A literal such as torch.tensor(0.1) is copied first; a tensor from elsewhere is not.
        if any(base_name(user) != "aten.lift_fresh_copy" for user in node.users):
            self.lifted[node.target] = value
        return value

    def call(self, node: Any) -> None:
        import torch

        if node.target is not operator.getitem and not isinstance(
            node.target, torch._ops.OpOverload
        ):
            raise self.unknown(node)
        by_shape = base_name(node) in BY_SHAPE
        if by_shape or all(source in self.values for source in node.all_input_nodes):
            self.values[node] = self.run(node)
        else:
            self.keep(node)

    def run(self, node: Any) -> Any:
        import torch
        from torch.fx.node import map_arg

        def value(source: Any) -> Any:
            if source in self.values:
                return self.values[source]
            like = source.meta["val"]
            return torch.empty_strided(like.shape, like.stride(), dtype=like.dtype)

        with float64(), torch.no_grad():
            result = node.target(*map_arg(node.args, value), **map_arg(node.kwargs, value))
            if base_name(node) in UNWRITTEN:
                result.fill_(_poison(result.dtype))
        return result

    def keep(self, node: Any) -> None:
        self.names[node] = name = self.free_name(node.name)
        operation = "getitem" if node.target is operator.getitem else str(node.target)
        self.nodes.append(
            Node(
                name,
                operation,
                tuple(self.argument(part) for part in node.args),
                tuple(
                    (key, self.argument(part))
                    for key, part in node.kwargs.items()
                    if key not in DROPPED
                ),
                _result(node.meta["val"]),
                node.meta.get("stack_trace") or "",
            )
        )

    def argument(self, value: Any) -> Argument:
        import torch

        if isinstance(value, torch.fx.Node):
            return self.reference(value)
        if isinstance(value, list | tuple):
            return tuple(self.argument(part) for part in value)
        if isinstance(value, torch.dtype):
            return str(value).removeprefix("torch.")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise CaptureError(
            "not an operation",
            self.title,
            "",
            f"an operation has an argument of type {type(value).__name__}",
            "write this part with tensors and real numbers",
        )

    def reference(self, node: Any) -> Reference:
        if node in self.values:
            return Reference(self.constant(node, self.values[node]))
        return Reference(self.names[node])

    def constant(self, node: Any, tensor: Any) -> str:
        """Return the name of the constant of this value, which is made once."""
        import torch

        tensor = tensor.detach()
        kind = str(tensor.dtype).removeprefix("torch.")
        if tensor.dtype == torch.bfloat16:  # numpy has no such type; float32 holds every value
            tensor = tensor.to(torch.float32)
        values = numpy.ascontiguousarray(tensor.resolve_conj().resolve_neg().numpy()).copy()
        values = values.reshape(tuple(tensor.shape))
        # What has a name of its own keeps it, even if another constant has the same values.
        key = self.names.get(node) or (kind, values.shape, values.tobytes())
        if key not in self.by_value:
            name = self.names.get(node) or self.free_name(node.name)
            self.by_value[key] = name
            self.constants[name] = Constant(name, values, node.meta.get("stack_trace") or "")
        return self.by_value[key]

    def free_name(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name

    def unknown(self, node: Any) -> CaptureError:
        return CaptureError(
            "not an operation",
            self.title,
            node.name,
            f"{node.target} is not an operation on tensors that a graph can hold",
            "write this part with plain tensor operations",
        )


def _needed(graph: Any) -> set[Any]:
    """Return the nodes that some output reads."""
    found: set[Any] = set()
    waiting = [node for node in graph.nodes if node.op == "output"]
    while waiting:
        for source in waiting.pop().all_input_nodes:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def base_name(node: Any) -> str:
    """Return an operation without its overload: ``aten.mul`` of ``aten.mul.Tensor``."""
    return str(node.target).rpartition(".")[0]


def _poison(dtype: Any) -> Any:
    import torch

    if dtype.is_floating_point or dtype.is_complex:
        return float("nan")
    return True if dtype == torch.bool else torch.iinfo(dtype).min


def _result(value: Any) -> TensorType | tuple[TensorType | None, ...]:
    if isinstance(value, list | tuple):
        return tuple(None if part is None else _type(part) for part in value)
    return _type(value)


def _type(value: Any) -> TensorType:
    return TensorType(
        tuple(int(size) for size in value.shape),
        str(value.dtype).removeprefix("torch."),
        tuple(int(step) for step in value.stride()),
    )
