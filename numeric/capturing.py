"""A torch callable becomes a graph that is free of torch, forward or with its gradients.

    captured = capture(function, (query, key, value), backward=True)
    captured.graph

Example inputs give shapes, and values where they are held fixed. The program is traced on random
numbers of those shapes, in float64, with attention as plain mathematics. What a trace can hide is
looked for: a path or a constant that follows the values (two traces on numbers of different scale
and sign must agree), state and randomness, inputs in one memory, a fused kernel. At last the trace
is run on numbers that it has not seen, and must give what the function itself gives.

Not seen: a path that neither of the two traces takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from derive.graph import Graph
from numeric.capture_error import CaptureError
from numeric.folding import Given, folded
from numeric.plain_attention import float64, plain_attention, undisturbed
from numeric.refusals import refuse_different, refuse_learned, refuse_operations, same
from numeric.subject import Slot, Subject, subject
from numeric.tracing import (
    floating_tensors,
    traced,
    with_gradients_by_tape,
)

CASTS = ("float32", "float16", "bfloat16")
SCALES = ((1, 1.0, 0.0), (2, -3.0, 0.5), (3, 1.0, 0.0))
"""Seed, factor and shift of the random numbers of each run: two traces, and the check of both."""


@dataclass(frozen=True)
class FixedInput:
    """An input whose example values are part of the claim, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Captured:
    """A graph, with the tensors behind its inputs and what a reader of the claim must know.

    ``inputs`` are the free inputs that the graph names first, data before parameters; the upstream
    gradients, which have no example values, are the last of ``graph.inputs``.
    """

    graph: Graph
    inputs: tuple[Any, ...]
    fixed: tuple[FixedInput, ...]
    upstream: tuple[str, ...]
    notes: tuple[str, ...]


def capture(
    function: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    *,
    backward: bool = False,
    fixed: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> Captured:
    """Return the graph of a callable or module at the shapes of example inputs.

    Args:
        function: A callable, a module, or a method of one. Parameters of a module, also of one
            that a plain function closes over, become inputs after the data.
        inputs: Tensors and plain values by position, or by keyword.
        backward: Whether the gradients of all free inputs follow the results, for a free upstream
            gradient of each result.
        fixed: Names of floating inputs or parameters that keep their example values.
        names: Names of the positional inputs, where the signature has no good ones.

    Raises:
        CaptureError: A graph would not stand for the program; the message says why.
    """
    with undisturbed():
        return _captured(subject(function, inputs, fixed, names), backward)


def _captured(program: Subject, backward: bool) -> Captured:
    free = program.free
    notes = list(program.notes)
    modules = []
    stateful = False
    upstream: list[Any] = []
    outputs: list[Any] = []
    for seed, factor, shift in SCALES[:2]:
        run = program.new()
        values = _random_values(program, seed, factor, shift)
        outputs, again = (_run_eagerly(program, run, values) for _ in range(2))
        upstream = _upstream(outputs, seed) if backward else []
        modules.append(traced(run, values, free, upstream, program.title))
        stateful |= not all(map(same, outputs, again))
        if not modules[1:]:
            symbols = [*free, *range(len(values), len(values) + len(upstream))]
            refuse_operations(modules[0], symbols, program.title)
    if stateful:
        raise CaptureError(
            "state",
            program.title,
            "",
            "two runs on the same inputs differ: it keeps state or draws random numbers",
            "pass the state as an input",
        )
    refuse_different(modules[0], modules[1], program.title)

    upstream_names = _numbered("grad_output", len(upstream))
    output_names = _numbered("output", len(outputs))
    if backward:
        output_names += [f"gradient of {program.slots[place].name}" for place in free]
    given = [Given(slot.name, None if slot.is_free else slot.value) for slot in program.slots] + [
        Given(name) for name in upstream_names
    ]
    graph, lifted = folded(modules[0], given, output_names, program.title)
    refuse_learned(lifted, program.title)
    notes += _notes(graph, lifted)
    _refuse_disagreement(program, modules[0], graph, backward)
    return Captured(
        graph,
        tuple(program.slots[place].value for place in free),
        tuple(FixedInput(slot.name, slot.reason) for slot in program.slots if not slot.is_free),
        tuple(upstream_names),
        tuple(notes),
    )


def eager(
    function: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    values: Sequence[Any],
    *,
    backward: bool = False,
    fixed: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> list[Any]:
    """Return what the function itself gives in float64, in the order of ``graph.outputs``.

    Args:
        function: As for ``capture``, like every argument but this one:
        inputs: Example inputs; the values of those that are held fixed are used.
        values: One tensor for each of ``graph.inputs``, upstream gradients last.
        backward: Whether gradients follow the results.
        fixed: As for ``capture``.
        names: As for ``capture``.
    """
    with undisturbed():
        return _eager(subject(function, inputs, fixed, names), values, backward)


def fresh_inputs(captured: Captured, seed: int) -> list[Any]:
    """Return random tensors for all of ``graph.inputs``, with their shapes and strides."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [
        _random(generator, item.type.shape, item.type.strides) for item in captured.graph.inputs
    ]


def _eager(program: Subject, values: Sequence[Any], backward: bool) -> list[Any]:
    free = program.free
    full = [slot.value.clone() for slot in program.slots]
    for place, value in zip(free, values, strict=False):
        full[place] = value.detach().clone()
    run = program.new()
    with plain_attention():
        if backward:
            return list(
                with_gradients_by_tape(run, full, free, [u.clone() for u in values[len(free) :]])
            )
        return [tensor.detach() for tensor in floating_tensors(run(full))]


def _random(generator: Any, shape: Sequence[int], strides: Sequence[int]) -> Any:
    import torch

    result = torch.empty_strided(shape, strides, dtype=torch.float64)
    return result.copy_(torch.randn(shape, dtype=torch.float64, generator=generator))


def _random_values(program: Subject, seed: int, factor: float, shift: float) -> list[Any]:
    import torch

    generator = torch.Generator().manual_seed(seed)

    def value(slot: Slot) -> Any:
        if not slot.is_free:
            return slot.value.clone()
        drawn = _random(generator, slot.value.shape, slot.value.stride())
        return drawn.mul_(factor).add_(shift)

    return [value(slot) for slot in program.slots]


def _upstream(outputs: Sequence[Any], seed: int) -> list[Any]:
    import torch

    generator = torch.Generator().manual_seed(seed + 100)
    return [
        torch.randn(output.shape, dtype=torch.float64, generator=generator) for output in outputs
    ]


def _run_eagerly(program: Subject, run: Any, values: Sequence[Any]) -> list[Any]:
    """Run once outside of the tracer: fills caches with true tensors, finds what fails."""
    versions = [value._version for value in values]
    try:
        with plain_attention():
            result = run(values)
    except Exception as error:
        text = " ".join(str(error).split())
        raise CaptureError(
            "fails",
            program.title,
            "",
            f"it fails in float64: {type(error).__name__}: {text}",
            "pass the module itself, or what the function holds of another type, as an input"
            if "dtype" in text or "same type" in text
            else "see that it runs on tensors of these shapes",
        ) from error
    for slot, value, version in zip(program.slots, values, versions, strict=True):
        if value._version != version:
            raise CaptureError(
                "mutation",
                program.title,
                slot.name,
                "the program writes into it",
                "clone it first, or call .eval() if the module updates statistics",
            )
    outputs = floating_tensors(result)
    if any(tensor.is_complex() for tensor in _tensors(result)):
        raise CaptureError(
            "complex",
            program.title,
            "output",
            "it is complex; claims are about real numbers",
            "return real and imaginary parts",
        )
    dropped = [tensor for tensor in _tensors(result) if not tensor.is_floating_point()]
    if dropped and outputs:
        kind = str(dropped[0].dtype).removeprefix("torch.")
        raise CaptureError(
            "not compared",
            program.title,
            "output",
            f"a tensor of type {kind} comes out; claims are about floating point results",
            "wrap it in a function that returns what the claim is about, or cast it",
        )
    if not outputs:
        raise CaptureError(
            "no output",
            program.title,
            "output",
            "no floating point tensor comes out",
            "return the tensor that the claim is about",
        )
    return [output.detach() for output in outputs]


def _tensors(result: Any) -> list[Any]:
    import torch
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]


def _refuse_disagreement(program: Subject, module: Any, graph: Graph, backward: bool) -> None:
    """Run the trace on new numbers: it must give what the function gives."""
    import torch

    seed, factor, shift = SCALES[2]
    full = _random_values(program, seed, factor, shift)
    count = len(graph.inputs) - len(program.free)
    generator = torch.Generator().manual_seed(seed + 100)
    upstream = [
        torch.randn(item.type.shape, dtype=torch.float64, generator=generator)
        for item in graph.inputs[len(graph.inputs) - count :]
    ]
    values = [*(full[place] for place in program.free), *upstream]
    expected = _eager(program, values, backward)
    with float64(), torch.no_grad():
        found = module(*(value.clone() for value in full), *upstream)
    allowed = 1e-3 if _casts(graph) else 1e-9
    scale = max((largest(one) for one in expected), default=0.0)
    for name, one, other in zip(graph.output_names, expected, found, strict=True):
        error = relative_error(one, other, scale)
        if not error <= allowed:
            raise CaptureError(
                "disagrees",
                program.title,
                name,
                f"the trace does not give what the function gives (relative error {error:.1g})",
                "look for state, or for a derivative that is not that of the forward program",
            )


def relative_error(expected: Any, found: Any, scale: float) -> float:
    """Return the largest error relative to ``scale``; NaN and infinities must be where expected.

    The scale is of all outputs together: a gradient that is 0 comes out as noise of the size of
    what cancels in it.
    """
    import torch

    if expected.shape != found.shape:
        return float("inf")
    finite = torch.isfinite(expected)
    if not same(expected[~finite].double(), found[~finite].double()):
        return float("inf")
    return largest(expected[finite].double() - found[finite].double()) / max(scale, 1e-300)


def largest(tensor: Any) -> float:
    """Return the largest finite absolute value, 0 if there is none."""
    import torch

    finite = tensor[torch.isfinite(tensor)]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _casts(graph: Graph) -> list[str]:
    """Return the narrower types that the program passes through."""
    found = {
        part.dtype
        for node in graph.nodes
        for part in (node.result if isinstance(node.result, tuple) else (node.result,))
        if part is not None
    }
    return [name for name in CASTS if name in found]


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{place}" for place in range(1, count + 1)]


def _notes(graph: Graph, lifted: Sequence[Any]) -> Iterator[str]:
    for name in _casts(graph):
        yield f"casts to {name} inside the program are read as the identity over the reals"
    for tensor in lifted:
        kind = str(tensor.dtype).removeprefix("torch.")
        yield f"a tensor that the program holds is a constant: {kind}{list(tensor.shape)}"
    if any(
        item.values.dtype.kind == "f" and (item.values != item.values).any()
        for item in graph.constants
    ):
        yield "elements that no one wrote (torch.empty) are NaN"
