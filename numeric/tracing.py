"""Run a program under torch's tracer: forward, or forward with its vector-Jacobian product.

Attention runs as plain mathematics: torch's fused kernels have a backward of their own that the
tracer would keep as one opaque operation, and that reads wrong values after decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from numeric.capture_error import CaptureError
from numeric.plain_attention import forget_line, plain_attention

Program = Callable[[Sequence[Any]], Any]


NOT_FUNCTIONAL = (
    "setup_context",  # an autograd.Function of the older form
    "custom_function_call",  # and of the newer
    "mutating a non-functional tensor",  # a copy of a tensor that the program holds
    "saved tensor hooks",  # a checkpoint, which computes again what its backward needs
)
"""Signs in torch's errors of a program that runs only on the tape, outside of every transform."""


def floating_tensors(result: Any) -> list[Any]:
    """Return the floating tensors of a result, from tuples, lists and dictionaries in order."""
    import torch
    from torch.utils._pytree import tree_leaves

    return [
        leaf
        for leaf in tree_leaves(result)
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
    ]


def traced(
    program: Program,
    values: Sequence[Any],
    free: Sequence[int],
    upstream: Sequence[Any],
    title: str,
) -> Any:
    """Return the ``GraphModule`` of a program over all values, then the upstream gradients.

    Its outputs are the floating results and, where there are upstream gradients, the gradient of
    each free value.

    Raises:
        CaptureError: The tracer refuses the program.
    """
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.traceback import preserve_node_meta

    count = len(values)

    def run(*flat: Any) -> tuple[Any, ...]:
        if not upstream:
            return tuple(floating_tensors(program(flat[:count])))
        return _with_gradients(program, flat[:count], free, flat[count:])

    def run_by_tape(*flat: Any) -> tuple[Any, ...]:
        return with_gradients_by_tape(program, flat[:count], free, flat[count:])

    def trace(function: Any, held: Sequence[Any] = (), functional: bool = True) -> Any:
        table = _decompositions()
        if functional:
            function = torch.func.functionalize(function, remove="mutations")
        try:
            with plain_attention(), preserve_node_meta():
                # A number that the program reads from a tensor stays in the trace, where one can
                # see whether a free input decides it.
                return make_fx(
                    function, decomposition_table=table, _error_on_data_dependent_ops=False
                )(*values, *upstream, *held)
        finally:
            forget_line()

    try:
        try:
            module = trace(run)
        except RuntimeError as error:
            if not any(sign in str(error) for sign in NOT_FUNCTIONAL):
                raise
            module = trace(run_by_tape if upstream else run, functional=False)
        # What a program writes into tensors of its own, made from others that it holds, is still
        # there: only inputs of the tracer are followed.
        return _held_as_inputs(module, trace) if any(map(writes, module.graph.nodes)) else module
    except CaptureError:
        raise
    except Exception as error:
        raise _refusal(error, title) from error


def writes(node: Any) -> bool:
    """Whether an operation writes into one of its arguments."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _held_as_inputs(module: Any, trace: Callable[..., Any]) -> Any:
    """Trace a module again with the tensors that it holds as inputs, then give them back to it."""
    held = [node for node in module.graph.nodes if node.op == "get_attr"]
    tensors = {node.target: getattr(module, node.target) for node in held}
    last = [node for node in module.graph.nodes if node.op == "placeholder"][-1]
    given = {}
    for target in tensors:
        with module.graph.inserting_after(last):
            last = given[target] = module.graph.placeholder(target)
    for node in held:
        node.replace_all_uses_with(given[node.target])
        module.graph.erase_node(node)
    module.recompile()
    again = trace(module, list(tensors.values()))
    placeholders = [node for node in again.graph.nodes if node.op == "placeholder"]
    for node, (target, tensor) in zip(
        placeholders[len(placeholders) - len(tensors) :], tensors.items(), strict=True
    ):
        setattr(again, target, tensor)
        with again.graph.inserting_after(placeholders[-1]):
            attribute = again.graph.create_node("get_attr", target)
        attribute.meta = dict(node.meta)
        node.replace_all_uses_with(attribute)
        again.graph.erase_node(node)
    again.recompile()
    return again


def _with_gradients(
    program: Program, values: Sequence[Any], free: Sequence[int], upstream: Sequence[Any]
) -> tuple[Any, ...]:
    import torch

    def forward(*symbols: Any) -> tuple[Any, ...]:
        full = list(values)
        for place, symbol in zip(free, symbols, strict=True):
            full[place] = symbol
        return tuple(floating_tensors(program(full)))

    results, pull = torch.func.vjp(forward, *(values[place] for place in free))
    forget_line()
    given = tuple(
        gradient.to(result.dtype) for gradient, result in zip(upstream, results, strict=True)
    )
    return (*results, *pull(given))


def with_gradients_by_tape(
    program: Program, values: Sequence[Any], free: Sequence[int], upstream: Sequence[Any]
) -> tuple[Any, ...]:
    """Return results and gradients as ``backward()`` would give them."""
    import torch

    full = list(values)
    for place in free:
        full[place] = values[place].detach().requires_grad_()
    symbols = [full[place] for place in free]
    results = floating_tensors(program(full))
    forget_line()
    reached = [
        (result, gradient.to(result.dtype))
        for result, gradient in zip(results, upstream, strict=True)
        if result.requires_grad
    ]
    if not reached:
        return (*results, *(torch.zeros_like(symbol) for symbol in symbols))
    gradients = torch.autograd.grad(
        [result for result, _ in reached],
        symbols,
        [gradient for _, gradient in reached],
        allow_unused=True,
    )
    return (
        *(result.detach() for result in results),
        *(
            torch.zeros_like(symbol) if gradient is None else gradient
            for symbol, gradient in zip(symbols, gradients, strict=True)
        ),
    )


@cache
def _decompositions() -> Any:
    from torch._decomp import core_aten_decompositions

    return core_aten_decompositions()


def _refusal(error: Exception, title: str) -> CaptureError:
    text = " ".join(str(error).split())
    steered = (
        "get value out of a tracing tensor",
        "data-dependent",
        ".item()",
        "Cannot access data pointer",
        "unallocated storage",
        "DataDependentOutput",
    )
    if any(sign in text for sign in steered):
        return CaptureError(
            "value-dependent",
            title,
            "",
            "its path depends on the values of its inputs (a branch, .item() or a conversion)",
            "use torch.where, or capture each branch as a function of its own",
        )
    return CaptureError(
        "not traced",
        title,
        "",
        f"torch cannot trace it: {type(error).__name__}: {text}",
        "see that it runs in float64 on plain tensors",
    )
