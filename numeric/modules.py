"""The modules that a program holds: find them, copy them, call the program on the copies."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from derive.visible import visible


def is_module(function: Any) -> bool:
    """Whether a callable is a module of torch."""
    import torch

    return isinstance(function, torch.nn.Module)


def held_modules(function: Any) -> dict[str, Any]:
    """Return the modules that a callable is, is a method of, or closes over."""
    if is_module(function):
        return {"": function}
    owner = getattr(function, "__self__", None)
    if is_module(owner):
        return {"": owner}
    if not isinstance(function, types.FunctionType):
        return {}
    seen: dict[int, tuple[str, Any]] = {}
    for name, value in _variables(function).items():
        if is_module(value):
            seen.setdefault(id(value), (name, value))
    return dict(seen.values())


def rebuilt(function: Any, modules: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the callable with its modules exchanged for the given ones."""
    if is_module(function):
        call: Callable[..., Any] = modules[""]
        return call
    if "" in modules:
        method: Callable[..., Any] = getattr(modules[""], function.__name__)
        return method
    if not modules:
        plain: Callable[..., Any] = function
        return plain
    variables = _variables(function)
    new_of = {id(variables[name]): module for name, module in modules.items()}
    new = {name: new_of.get(id(value), value) for name, value in variables.items()}
    cells = tuple(
        types.CellType(new[name]) if name in new else cell
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        )
    )
    names = {
        **function.__globals__,
        **{name: new[name] for name in function.__code__.co_names if name in new},
    }
    again = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, cells
    )
    again.__kwdefaults__ = function.__kwdefaults__
    return again


def holder_of(modules: Mapping[str, Any], call: Callable[..., Any]) -> Any:
    """Return one module that holds all, so that one functional call exchanges every tensor."""
    import torch

    class Holder(torch.nn.Module):
        def forward(self, *arguments: Any, **keywords: Any) -> Any:
            return call(*arguments, **keywords)

    holder = Holder()
    for place, module in enumerate(modules.values()):
        holder.add_module(f"m{place}", module)
    return holder


def tensors_of(modules: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, bool]]:
    """Yield key in the holder, name to show, tensor, and whether it is a buffer.

    A tensor under several names comes once, under its first name.
    """
    seen: set[int] = set()
    for is_buffer in (False, True):
        for place, (title, module) in enumerate(modules.items()):
            found = module.named_buffers() if is_buffer else module.named_parameters()
            for name, tensor in found:
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    # A parameter may be called anything that has no dot in it.
                    shown = visible(f"{title}.{name}" if len(modules) > 1 else name)
                    yield f"m{place}.{name}", shown, tensor, is_buffer


def copied(modules: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return copies of modules, or None where Python cannot copy them.

    Their parameters and buffers are not copied: every call exchanges them for other tensors. Other
    floating tensors that they hold become float64.
    """
    import torch

    memo: dict[int, Any] = {
        id(tensor): tensor
        for module in modules.values()
        for tensor in (*module.parameters(), *module.buffers())
    }
    try:
        copies = copy.deepcopy(dict(modules), memo)
    except (RuntimeError, TypeError):  # a tensor with a history, a lock, a generator
        return None
    for module in (part for top in copies.values() for part in top.modules()):
        held = {
            name: float64_copy(value).requires_grad_(value.requires_grad)
            for name, value in vars(module).items()
            if isinstance(value, torch.Tensor) and value.is_floating_point()
        }
        vars(module).update(held)
    return copies


def float64_copy(tensor: Any) -> Any:
    """Return an exact float64 copy, in which the smallest number is that of float64.

    Its strides are the same, unless elements share memory.
    """
    import torch

    result = tensor.detach().to(torch.float64, copy=True)
    smallest = tensor == torch.finfo(tensor.dtype).min
    return result.masked_fill_(smallest, torch.finfo(torch.float64).min)


def _variables(function: types.FunctionType) -> dict[str, Any]:
    """Return what a function reads by name from around it."""
    found = {
        name: function.__globals__[name]
        for name in function.__code__.co_names
        if name in function.__globals__
    }
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return found | {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}
