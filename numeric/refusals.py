"""What a trace may not hold if a graph is to stand for its program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numeric.capture_error import CaptureError
from numeric.folding import BY_SHAPE, base_name
from numeric.tracing import writes

FUSED = (
    "scaled_dot_product",
    "_flash_attention",
    "_efficient_attention",
    "_cudnn_attention",
    "_native_multi_head_attention",
    "_triton_",
    "_transformer_encoder_layer",
    "flex_attention",
)
"""Parts of the names of operations that compute attention in one opaque step."""


def refuse_operations(module: Any, free: Sequence[int], title: str) -> None:
    """Refuse fused attention, randomness, and what reads the values of free inputs.

    Raises:
        CaptureError: The trace holds such an operation.
    """
    import torch

    depends = _dependent(module.graph, free)
    for node in module.graph.nodes:
        if node.op != "call_function":
            continue
        name = str(node.target)
        if any(part in name for part in FUSED):
            raise CaptureError(
                "fused attention",
                title,
                name,
                "attention stays one opaque operation",
                "let it run as plain mathematics: no kernel of its own choice",
            )
        if writes(node):
            raise CaptureError(
                "mutation",
                title,
                _line(node),
                f"it writes into a tensor that it does not own ({name})",
                "clone the tensor first",
            )
        tags = getattr(node.target, "tags", ())
        if torch.Tag.nondeterministic_seeded in tags:
            raise CaptureError(
                "random",
                title,
                _line(node),
                f"it draws random numbers ({name})",
                "call .eval() on the module, or set dropout to 0",
            )
        if torch.Tag.data_dependent_output in tags and node in depends:
            raise _value_dependent(title, f"a branch or a number at {_line(node)}")
        if torch.Tag.dynamic_output_shape in tags and any(
            source in depends for source in _shape_deciding(node)
        ):
            raise _value_dependent(title, f"the shape of a result at {_line(node)}")


def refuse_different(one: Any, other: Any, title: str) -> None:
    """Refuse two traces that differ: their program follows the values of the inputs.

    Raises:
        CaptureError: An operation, an argument, a shape or a constant differs.
    """
    difference = next(_differences(one, other), None)
    if difference is not None:
        raise _value_dependent(title, difference)


def refuse_learned(lifted: Sequence[Any], title: str) -> None:
    """Refuse a learned tensor that the function hides: it would count as a constant.

    Raises:
        CaptureError: A tensor that the program holds requires a gradient.
    """
    for tensor in lifted:
        if tensor.requires_grad:
            raise CaptureError(
                "closure",
                title,
                f"a tensor of shape {list(tensor.shape)}",
                "it is learned, but hidden in the function, and would be a constant",
                "pass the module itself, or pass the tensor as an input",
            )


def same(one: Any, other: Any) -> bool:
    """Whether two tensors hold the same numbers, NaN equal to NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _dependent(graph: Any, free: Sequence[int]) -> set[Any]:
    """Return the nodes whose values the placeholders at ``free`` decide."""
    found: set[Any] = set()
    place = 0
    for node in graph.nodes:
        if node.op == "placeholder":
            if place in free:
                found.add(node)
            place += 1
        elif base_name(node) not in BY_SHAPE and any(
            source in found for source in node.all_input_nodes
        ):
            found.add(node)
    return found


def _shape_deciding(node: Any) -> Sequence[Any]:
    """Return the arguments whose values decide the shape of the result."""
    import torch

    if base_name(node) != "aten.index":
        everything: Sequence[Any] = node.all_input_nodes
        return everything
    return [
        index
        for index in node.args[1]
        if index is not None and index.meta["val"].dtype in (torch.bool, torch.uint8)
    ]


def _value_dependent(title: str, what: str) -> CaptureError:
    return CaptureError(
        "value-dependent",
        title,
        "",
        f"its path depends on the values of its inputs: {what}",
        "use torch.where, or capture each branch as a function of its own",
    )


def _line(node: Any) -> str:
    return node.meta.get("stack_trace") or str(node.target)


def _differences(one: Any, other: Any) -> Iterator[str]:
    import torch

    nodes, others = _read(one), _read(other)
    for (node, operands), (twin, twins) in zip(nodes, others, strict=False):
        if (node.op, str(node.target)) != (twin.op, str(twin.target)):
            yield f"{node.target} or {twin.target} at {_line(node)}"
        elif operands != twins:
            yield f"a number or a shape at {_line(node)}"
        elif _shape(node) != _shape(twin):
            yield f"the shape of a result at {_line(node)}"
        elif node.op == "get_attr":
            pair = getattr(one, node.target), getattr(other, twin.target)
            if all(isinstance(part, torch.Tensor) for part in pair) and not same(*pair):
                yield f"a tensor of shape {list(pair[0].shape)}, made outside of torch"
    if len(nodes) != len(others):
        yield f"{len(nodes)} or {len(others)} operations"


def _read(module: Any) -> list[tuple[Any, str]]:
    """Return each operation with its operands as text, by their places.

    An alias is the tensor that it is of: torch traces one now and then, and as often does not.
    """
    from torch.fx.node import map_arg

    places: dict[Any, str] = {}
    read: list[tuple[Any, str]] = []
    for node in module.graph.nodes:
        if base_name(node) == "aten.alias":
            places[node] = places[node.args[0]]
            continue
        places[node] = f"%{len(read)}"
        operands = map_arg((node.args, node.kwargs), lambda operand: places[operand])
        read.append((node, repr(operands)))
    return read


def _shape(node: Any) -> Any:
    return getattr(node.meta.get("val"), "shape", None)
