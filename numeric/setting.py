"""A program and its reference, ready to be compared at one set of shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy

from derive.algebras.floats import FloatArrays
from derive.arrays import Unsupported
from derive.errors import InputError
from derive.formula import Mechanism
from derive.formula_program import FormulaProgram
from derive.graph import Input
from derive.interpreter import missing
from derive.program import GraphProgram, Program
from derive.tensors import AS_FLOATS, ZERO, Tensor, Tensors
from numeric.capturing import Captured, capture, eager, fresh_inputs, largest, relative_error
from numeric.subject import subject

FRESH_SEED = 7
MARKS, LARGEST_MARK = 12, 1e9
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "clamp")
LIMIT, LIMIT_WITH_CASTS = 1e-9, 1e-3


@dataclass(frozen=True)
class Subjects:
    """What was asked: the callables, and how their inputs are to be read."""

    function: Any
    reference: Any
    backward: bool
    fixed: tuple[str, ...]
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class Setting:
    """Both sides captured at the shapes of the same example inputs."""

    program: GraphProgram
    reference: Program
    inputs: tuple[Input, ...]
    fixed: tuple[str, ...]
    notes: tuple[str, ...]
    unread: str = ""
    """Why a graph could not be run on floats and compared with torch; no claim is made then."""

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The shape of every free input by name."""
        return tuple((item.name, item.type.shape) for item in self.inputs)

    @property
    def landmarks(self) -> list[Fraction]:
        """Return the numbers that the programs compare or compute with, a few of them."""
        sides = (self.program, self.reference)
        found = {
            Fraction(argument)
            for side in sides
            if isinstance(side, GraphProgram)
            for node in side.graph.nodes
            for argument in (*node.arguments, *(value for _, value in node.keywords))
            if _is_mark(argument, node.operation)
        }
        return sorted(found, key=abs)[-MARKS:]

    @property
    def elements(self) -> int:
        """How many free numbers there are."""
        return sum(int(numpy.prod(item.type.shape)) for item in self.inputs)


def _is_mark(argument: Any, operation: str) -> bool:
    """Tell numbers that values are compared with from axes and lengths."""
    if isinstance(argument, int):
        compares = operation.removeprefix("aten.").startswith(COMPARISONS)
        return compares and not isinstance(argument, bool)
    return isinstance(argument, float) and isfinite(argument) and abs(argument) <= LARGEST_MARK


class Disagreement(InputError):
    """The graph, run on floats, does not give what torch gives: no claim is made from it."""


def prepare(subjects: Subjects, inputs: Sequence[Any] | Mapping[str, Any]) -> Setting:
    """Capture both sides; run each graph on floats and compare with torch.

    Raises:
        CaptureError: One of them cannot be read as a formula.
        InputError: The two do not take the same inputs, or a graph disagrees with torch.
    """
    program, captured, unread = _captured(subjects.function, subjects, inputs)
    free = captured.graph.inputs
    if isinstance(subjects.reference, Mechanism):
        reference: Program = _formula(subjects, inputs, captured)
        notes = captured.notes
    else:
        found, other, missed = _captured(subjects.reference, subjects, inputs)
        unread = unread or missed
        notes = tuple(dict.fromkeys((*captured.notes, *other.notes)))
        _require_same_inputs(program, found, free, other.graph.inputs)
        reference = _in_order(found, program.output_names)
    return Setting(
        program,
        reference,
        free,
        tuple(f"{item.name}: {item.reason}" for item in captured.fixed),
        notes,
        unread,
    )


def _captured(
    function: Any, subjects: Subjects, inputs: Sequence[Any] | Mapping[str, Any]
) -> tuple[GraphProgram, Captured, str]:
    captured = capture(
        function,
        inputs,
        backward=subjects.backward,
        fixed=subjects.fixed,
        names=subjects.names,
    )
    program = GraphProgram(title(function), captured.graph)
    unread = ""
    if not missing(captured.graph):
        unread = _refuse_other_floats(function, subjects, inputs, captured, program)
    return program, captured, unread


def title(thing: Any) -> str:
    """Name a callable, a module or a formula as a report shows it."""
    if isinstance(thing, Mechanism):
        return f"the formula of {thing.title}"
    name = getattr(thing, "__qualname__", None)
    if name is None:
        return type(thing).__qualname__
    module = getattr(thing, "__module__", None)
    return name if module in (None, "__main__", "builtins") else f"{module}:{name}"


def _formula(
    subjects: Subjects, inputs: Sequence[Any] | Mapping[str, Any], captured: Captured
) -> FormulaProgram:
    """Give the formula its arrays: the data inputs in order, free or held fixed."""
    mechanism = subjects.reference
    slots = subject(subjects.function, inputs, subjects.fixed, subjects.names).slots
    data = slots[: len(inputs)]
    wanted = mechanism.inputs
    free = {item.name for item in captured.graph.inputs} - set(captured.upstream)
    extra = sorted(free - {slot.name for slot in data})
    if len(data) != len(wanted) or extra:
        takes = ", ".join(map(str, wanted))
        given = ", ".join([*(slot.name for slot in data), *extra])
        raise InputError(
            title(mechanism),
            "inputs",
            f"the formula is given {takes}, the program {given}",
            "wrap the program in a function that takes what the formula is given, in this order",
        )
    if len(captured.graph.output_names) - len(free) * subjects.backward != 1:
        raise InputError(
            title(subjects.function),
            "outputs",
            "a formula has one result, the program returns several",
            "wrap it in a function that returns the one that the formula is about",
        )
    return FormulaProgram.of(
        mechanism,
        {
            base: slot.name if slot.is_free else slot.value.numpy()
            for base, slot in zip(wanted, data, strict=True)
        },
        captured.upstream,
    )


def _require_same_inputs(
    program: Program, reference: Program, mine: Sequence[Input], theirs: Sequence[Input]
) -> None:
    left = {item.name: item.type.shape for item in mine}
    right = {item.name: item.type.shape for item in theirs}
    if left != right:
        only = sorted(set(left.items()) ^ set(right.items()))
        listed = ", ".join(f"{name} {shape}" for name, shape in only)
        raise InputError(
            reference.title,
            "inputs",
            f"it does not take the same inputs as {program.title}: {listed}",
            "wrap one of the two so that both take the same tensors, and return as many",
        )
    if len(program.output_names) != len(reference.output_names):
        raise InputError(
            reference.title,
            "outputs",
            f"it returns {', '.join(reference.output_names)}, "
            f"{program.title} {', '.join(program.output_names)}",
            "wrap one of the two so that both return the same tensors",
        )


def _in_order(program: GraphProgram, names: Sequence[str]) -> GraphProgram:
    """Return the program with its outputs in the order of ``names``.

    Gradients follow the order in which a module registers its parameters, which may differ.
    """
    outputs = dict(zip(program.output_names, program.graph.outputs, strict=True))
    ordered = tuple(outputs[name] for name in names)
    return replace(
        program, graph=replace(program.graph, outputs=ordered, output_names=tuple(names))
    )


def _refuse_other_floats(
    function: Any,
    subjects: Subjects,
    inputs: Sequence[Any] | Mapping[str, Any],
    captured: Captured,
    program: GraphProgram,
) -> str:
    """Run the graph on floats by the op table; it must give what torch gives on fresh inputs.

    Returns why it cannot be run, if so: then nothing shows that the table reads it rightly.
    """
    import torch

    values = fresh_inputs(captured, FRESH_SEED)
    expected = eager(
        function,
        inputs,
        values,
        backward=subjects.backward,
        fixed=subjects.fixed,
        names=subjects.names,
    )
    tensors: Tensors[Any] = Tensors(FloatArrays())
    given = {
        item.name: tensors.finite(value.numpy(), item.type.shape)
        for item, value in zip(captured.graph.inputs, values, strict=True)
    }
    try:
        found = [_as_floats(tensor) for tensor in program.outputs(given, tensors)]
    except Unsupported as unsupported:
        return str(unsupported)
    narrow = any("casts to" in note for note in captured.notes)
    scale = max(map(largest, expected), default=0.0)
    for name, one, other in zip(program.output_names, expected, found, strict=True):
        error = relative_error(one, torch.from_numpy(other), scale)
        if not error <= (LIMIT_WITH_CASTS if narrow else LIMIT):
            raise Disagreement(
                program.title,
                name,
                f"the graph read by our table of operations differs from torch by {error:.1g}",
                "please report it: an operation is misread, or torch's own kernel is wrong here",
            )
    return ""


def _as_floats(tensor: Tensor[Any]) -> Any:
    data = numpy.asarray(tensor.data, dtype=numpy.float64)
    return numpy.where(tensor.kinds > ZERO, AS_FLOATS[tensor.kinds], data)
