"""The torch program that is to be captured: its tensors by name, and how to call it anew.

Data inputs come first, then the parameters of modules, then their buffers. Everything that floats
is a float64 copy; the caller's tensors and modules are never written to.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numeric.capture_error import CaptureError
from numeric.modules import (
    copied,
    float64_copy,
    held_modules,
    holder_of,
    is_module,
    rebuilt,
    tensors_of,
)
from numeric.shared_memory import refuse_shared_memory

NOT_FLOATING = "not floating point"
INFINITE = "holds infinities"
SMALLEST = "holds the smallest finite number"
NAMED = "named in fixed="
BUFFER = "a buffer of the module"

Plain = bool | int | float | str | None
Tensors = Sequence[Any]


@dataclass(frozen=True)
class Slot:
    """One tensor that the program reads, and why it is held fixed (empty where it is not)."""

    name: str
    value: Any
    reason: str = ""

    @property
    def is_free(self) -> bool:
        """Whether every element is a free real number."""
        return not self.reason


@dataclass(frozen=True)
class Subject:
    """A program over ``slots``; ``new()`` returns a copy of it that no earlier run has touched."""

    title: str
    slots: tuple[Slot, ...]
    new: Callable[[], Callable[[Tensors], Any]]
    notes: tuple[str, ...]

    @property
    def free(self) -> tuple[int, ...]:
        """The positions of the slots that are free."""
        return tuple(place for place, slot in enumerate(self.slots) if slot.is_free)


def subject(
    function: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    fixed: Sequence[str],
    names: Sequence[str] | None,
) -> Subject:
    """Return the program of a callable or a module with example inputs.

    Raises:
        CaptureError: An input is of a kind that no graph of real numbers has.
    """
    import torch

    notes: list[str] = []
    original = getattr(function, "_orig_mod", getattr(function, "_torchdynamo_orig_callable", None))
    if original is not None:
        function = original
        notes.append("read as the program that was compiled, not as what the compiler made of it")
    title = _title(function)
    modules = held_modules(function)
    called = next(iter(modules.values())).forward if is_module(function) else function
    given = _named_inputs(called, inputs, names, title)
    tensors = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
    for name, value in given.items():
        if name not in tensors and not isinstance(value, bool | int | float | str | None):
            raise CaptureError(
                "not a tensor",
                title,
                name,
                f"{type(value).__name__} is neither a tensor nor a plain value",
                "pass tensors, numbers, text or None",
            )
    parts = list(tensors_of(modules))
    for name, tensor in (*tensors.items(), *((name, tensor) for _, name, tensor, _ in parts)):
        _refuse_kind(name, tensor, title)
    parameters = ((name, tensor) for _, name, tensor, is_buffer in parts if not is_buffer)
    refuse_shared_memory((*tensors.items(), *parameters), title)

    slots = [_slot(name, value, fixed, title, notes) for name, value in tensors.items()]
    places: list[str] = []
    for key, name, tensor, is_buffer in parts:
        own = name
        while own in {slot.name for slot in slots}:
            own = f"module.{own}"
        slot = _slot(own, tensor, fixed, title, notes)
        slots.append(Slot(own, slot.value, BUFFER) if is_buffer else slot)
        places.append(key)
    unknown = [name for name in fixed if name not in {slot.name for slot in slots}]
    if unknown:
        raise CaptureError(
            "unknown name",
            title,
            "fixed=",
            f"there is no input {unknown[0]}",
            f"the inputs are {', '.join(slot.name for slot in slots) or 'none'}",
        )

    if not any(slot.is_free for slot in slots):
        raise CaptureError(
            "nothing free",
            title,
            "",
            "no input is free: each is held fixed",
            "pass at least one tensor of finite floating point numbers",
        )
    by_keyword = isinstance(inputs, Mapping)
    if copied(modules) is None:
        notes.append("the module cannot be copied: state that it keeps is seen by every trace")

    def new() -> Callable[[Tensors], Any]:
        fresh = copied(modules) or modules
        call = rebuilt(function, fresh)
        holder = holder_of(fresh, call)

        def run(values: Tensors) -> Any:
            rest = iter(values)
            arguments = {
                name: next(rest) if name in tensors else value for name, value in given.items()
            }
            state = dict(zip(places, rest, strict=True))
            positional = () if by_keyword else tuple(arguments.values())
            keywords = arguments if by_keyword else {}
            if not modules:
                return call(*positional, **keywords)
            return torch.func.functional_call(holder, state, positional, keywords)

        return run

    return Subject(title, tuple(slots), new, tuple(notes))


def _title(function: Any) -> str:
    if is_module(function):
        return type(function).__name__
    return str(getattr(function, "__qualname__", type(function).__name__)).split(".")[-1]


def _named_inputs(
    function: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    names: Sequence[str] | None,
    title: str,
) -> dict[str, Any]:
    if isinstance(inputs, Mapping):
        return dict(inputs)
    if names is None:
        names = _signature_names(function, len(inputs))
    if len(names) != len(inputs) or len(set(names)) != len(names):
        raise CaptureError(
            "names",
            title,
            "names=",
            f"{len(names)} names for {len(inputs)} inputs, or one name twice",
            "give each input one name",
        )
    return dict(zip(names, inputs, strict=True))


def _signature_names(function: Any, count: int) -> list[str]:
    plain = [f"input_{place}" for place in range(count)]
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return plain
    positional = [
        parameter.name
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return positional[:count] + plain[len(positional) :]


def _slot(name: str, tensor: Any, fixed: Sequence[str], title: str, notes: list[str]) -> Slot:
    import torch

    value = tensor.detach().cpu()
    if not value.is_floating_point():
        return Slot(name, value.clone(), NOT_FLOATING)
    smallest = bool((value == torch.finfo(value.dtype).min).any())
    value = float64_copy(value)
    reason = NAMED if name in fixed else ""
    if bool(torch.isnan(value).any()):
        raise CaptureError(
            "not a number", title, name, "it holds NaN", "pass finite numbers or infinities"
        )
    if bool(torch.isinf(value).any()):
        reason = INFINITE
    if smallest:
        reason = SMALLEST
        if tensor.dtype != torch.float64:
            notes.append(
                f"in {name} the smallest {_dtype_name(tensor.dtype)} is read as that of float64"
            )
    if not reason and any(
        n > 1 and not s for n, s in zip(tensor.shape, tensor.stride(), strict=True)
    ):
        notes.append(f"{name} repeats elements; each is read as a number of its own")
    return Slot(name, value, reason)


def _dtype_name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _refuse_kind(name: str, tensor: Any, title: str) -> None:
    import torch

    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin) or tensor.is_meta:
        raise CaptureError("storage", title, name, "it has no values", "pass a tensor with values")
    if tensor.is_quantized or tensor.layout != torch.strided or tensor.is_nested:
        raise CaptureError(
            "storage", title, name, "it is sparse, nested or quantized", "pass a dense tensor"
        )
    if tensor.is_complex():
        raise CaptureError(
            "complex",
            title,
            name,
            "it is complex; claims are about real numbers",
            "pass real and imaginary parts as two tensors",
        )
