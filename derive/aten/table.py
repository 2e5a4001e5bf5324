"""The table of operations: plain data, one entry for each overload, no entry twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy

from derive.arrays import Unsupported
from derive.tensors import Array, Selection, Tensor, Tensors

Value = Any
"""A Tensor; a numpy array where the value is concrete; a Selection; a Python number; a tuple."""

Meaning = Callable[..., Value]
"""Takes the arithmetic, then the arguments of the operator's schema."""

LEAST = 1e-6
"""By how small a factor finfo.min may be multiplied and still stand for less than all numbers."""

TABLE: dict[str, Meaning] = {}

_Function = TypeVar("_Function", bound=Meaning)


class DuplicateOperation(ValueError):
    """Two meanings for one operation: which one holds would depend on the order of imports."""


def operation(*names: str) -> Callable[[_Function], _Function]:
    """Enter a function into the table under the names of overloads, without ``aten.``."""

    def enter(meaning: _Function) -> _Function:
        for name in names:
            full = f"aten.{name}"
            if full in TABLE:
                raise DuplicateOperation(f"{full} has two meanings")
            TABLE[full] = meaning
        return meaning

    return enter


def symbolic(value: Value) -> bool:
    """Tell whether a value holds symbolic numbers."""
    return isinstance(value, Tensor | Selection)


def tensor(m: Tensors[Any], value: Value) -> Tensor[Any]:
    """Return a value as a tensor; concrete numbers are read as exact constants."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Selection):
        raise Unsupported("argmax", "the place of the largest element is used as a number")
    return m.lift(value)


def concrete(value: Value, operation_name: str, what: str) -> Array:
    """Return a value that must not depend on symbolic inputs."""
    if symbolic(value):
        raise Unsupported(operation_name, f"{what} depends on the values of the inputs")
    return numpy.asarray(value)


def signs(value: Value) -> Array | None:
    """Return the signs of a concrete value; None where they are not known.

    Times a number below ``LEAST`` the smallest float is one like others: it has no sign here.
    """
    if symbolic(value):
        return None
    numbers = numpy.asarray(value, dtype=numpy.float64)
    return numpy.where(numpy.abs(numbers) < LEAST, 0, numpy.sign(numbers))


def axes(dims: Any, rank: int) -> tuple[int, ...]:
    """Return axes counted from the front; no axes at all mean every axis."""
    if dims is None or (isinstance(dims, tuple) and not dims):
        return tuple(range(rank))
    if not isinstance(dims, tuple):
        dims = (dims,)
    return tuple(int(dim) % max(rank, 1) for dim in dims)
