"""A derived formula as a function: written out, its common parts shared, and compiled.

The entries are written out in named pieces (``s_1_2``, ``D_1``, ``a_1_2``), common subexpressions
such as exp(s_1_1) in D_1 and a_1_1 are computed once, and SymPy prints the result as numpy, torch
or mpmath code. One call takes the inputs and returns every stage.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import mpmath
import numpy
import sympy
import torch
from sympy import Expr, Function, IndexedBase, Max, Mul, Pow, Symbol, UnevaluatedExpr

from derive.algebras.symbolic import Symbolic
from derive.elements import Elements, split_quotient
from derive.formula import Mechanism
from derive.written_out import MOST_TOKENS

Backend = Literal["numpy", "torch", "mpmath"]
Arrays = Mapping[IndexedBase, Any]
Shape = tuple[int, ...]
Shapes = tuple[tuple[IndexedBase, Shape], ...]
Assignment = tuple[Symbol, Expr]


MOST_PRODUCTS = 2500
"""The most products of two numbers in all scores together, n n d, that are written out."""


class TooLong(ValueError):
    """A sentence with too many numbers to write out."""


def too_long(tokens: int, dimensions: int) -> str:
    """Say why a sentence is too long to write out; empty if it is not."""
    if tokens > MOST_TOKENS:
        return f"{tokens} tokens; formulas are written out for at most {MOST_TOKENS}"
    products = tokens * tokens * dimensions
    if products > MOST_PRODUCTS:
        return f"{products} products in the scores; at most {MOST_PRODUCTS} are written out"
    return ""


@dataclass(frozen=True, eq=False)
class Compiled:
    """The stages of ``mechanism`` for one shape, as one function of the inputs.

    ``source`` is the generated code.
    """

    mechanism: Mechanism
    backend: Backend
    source: str
    inputs: Shapes
    sizes: tuple[int, ...]
    stages: Shapes
    function: Callable[..., list[Any]]

    def __call__(self, given: Arrays) -> dict[IndexedBase, Any]:
        """Compute every stage from the inputs.

        The first axes of an input are the formula's, any further ones are a batch: x of shape
        (n, d, b) gives s of shape (n, n, b). The result has the inputs' type; float32 stays
        float32. For mpmath, inputs are object arrays and the working precision is the caller's.
        """
        arguments: list[Any] = []
        for base, shape in self.inputs:
            entries = given[base]
            if tuple(entries.shape[: len(shape)]) != shape:
                raise ValueError(f"{base} has shape {tuple(entries.shape)}, compiled for {shape}")
            arguments += [entries[place] for place in numpy.ndindex(*shape)]
        sizes = [_like(size, arguments[0], self.backend) for size in self.sizes]
        # An entry that a mask leaves out is a plain zero.
        results = iter(
            _like(entry, arguments[0], self.backend) if isinstance(entry, int) else entry
            for entry in self.function(*arguments, *sizes)
        )
        return {
            base: _stack([next(results) for _ in numpy.ndindex(*shape)], shape, self.backend)
            for base, shape in self.stages
        }


class _Unsimplified(Symbolic):
    """SymPy expressions; a maximum stays as it is, where SymPy would compare all pairs."""

    def largest(self, values: Sequence[Expr]) -> Expr:
        return Max(*values, evaluate=False)


class _Named(Elements[Expr]):
    """Entries in named pieces; a size such as d stays a symbol.

    A number in its place would be simplified: (p + q)/sqrt(4) into p/2 + q/2, another order of
    rounding, and in torch code sqrt(3) would meet a number that is no tensor.
    """

    def size(self, symbol: Symbol) -> Expr:
        return symbol


@cache
def compiled(mechanism: Mechanism, shapes: Shapes, backend: Backend) -> Compiled:
    """Write out ``mechanism`` for inputs of these ``shapes`` and compile it for ``backend``.

    Raises ``TooLong`` where there is too much to write out.
    """
    # The first input, x or Q, is as wide as the products in a score are many; V may be wider.
    reason = too_long(max(shape[0] for _, shape in shapes), shapes[0][1][1])
    if reason:
        raise TooLong(reason)
    pieces, shared, stages, sizes = _written(mechanism, shapes)
    arguments = [_name(base, place) for base, shape in shapes for place in numpy.ndindex(*shape)]
    symbols = sorted(sizes, key=str)
    function = sympy.lambdify(
        [*arguments, *symbols],
        [name for name, _ in pieces],
        modules=backend,
        cse=lambda outputs: (shared, outputs),
    )
    return Compiled(
        mechanism,
        backend,
        inspect.getsource(function),
        shapes,
        tuple(sizes[symbol] for symbol in symbols),
        stages,
        function,
    )


@cache
def _written(
    mechanism: Mechanism, shapes: Shapes
) -> tuple[list[Assignment], list[Assignment], Shapes, dict[Symbol, int]]:
    """Return the entries by name, the same with common parts shared, the stages' shapes, sizes."""
    elements = _Named(_Unsimplified(), {base: _names(base, shape) for base, shape in shapes})
    pieces: list[Assignment] = []
    stages: list[tuple[IndexedBase, Shape]] = []
    sizes: dict[Symbol, int] = {}
    for stage in mechanism.stages:
        entries = elements.stage(stage)
        stages.append((stage.array, entries.shape))
        elements.arrays[stage.array] = names = _names(stage.array, entries.shape)
        pieces += [(names[place], entries[place]) for place in numpy.ndindex(*entries.shape)]
        for symbol in stage.value.free_symbols:
            if symbol in elements.lengths and symbol not in stage.target.indices:
                sizes[symbol] = int(elements.lengths[symbol])
    used = set().union(*(entry.free_symbols for _, entry in pieces))
    kept = {symbol: size for symbol, size in sizes.items() if symbol in used}
    return pieces, _shared(pieces), tuple(stages), kept


def _shared(pieces: Sequence[Assignment]) -> list[Assignment]:
    """Share common parts: each is assigned once, before the first piece that needs it.

    A piece equal to an earlier one, as s[2, 1] is to s[1, 2], takes that one's value.
    """
    first: dict[Expr, Symbol] = {}
    for name, entry in pieces:
        first.setdefault(entry, name)
    # A quotient stays one: sharing the reciprocal 1/D would round once more.
    parts, reduced = sympy.cse(
        [_with_quotients(entry) for entry in first],
        symbols=sympy.numbered_symbols("shared_", start=1),
    )
    definitions = dict(parts) | dict(zip(first.values(), reduced, strict=True))
    definitions |= {name: first[entry] for name, entry in pieces if first[entry] != name}
    ordered: dict[Symbol, Expr] = {}

    def define(name: Symbol) -> None:
        if name in ordered or name not in definitions:
            return
        for needed in sorted(definitions[name].free_symbols, key=str):
            define(needed)
        ordered[name] = _printable(definitions[name])

    for name, _ in pieces:
        define(name)
    return list(ordered.items())


_quotient = Function("quotient")


def _with_quotients(entry: Expr) -> Expr:
    """Write p/q as quotient(p, q), which SymPy does not take apart into p and 1/q."""
    if isinstance(entry, Max) or not entry.args:
        return entry
    if isinstance(entry, Mul | Pow):
        above, below = split_quotient(Mul.make_args(entry))
        if below:
            return _quotient(_with_quotients(Mul(*above)), _with_quotients(Mul(*below)))
    return entry.func(*(_with_quotients(part) for part in entry.args))


def _printable(entry: Expr) -> Expr:
    """Undo ``_with_quotients``, and write x**2 as x*x: a power function may round more."""
    written = entry.replace(
        lambda part: isinstance(part, Pow) and part.exp.is_Integer and part.exp > 1,
        lambda part: UnevaluatedExpr(Mul(*[part.base] * int(part.exp), evaluate=False)),
    )
    return written.replace(_quotient, lambda above, below: above / below)


def _name(base: IndexedBase, place: Sequence[int]) -> Symbol:
    return Symbol("_".join([str(base), *(str(p + 1) for p in place)]), real=True)


def _names(base: IndexedBase, shape: Shape) -> Any:
    names = numpy.empty(shape, dtype=object)
    for place in numpy.ndindex(*shape):
        names[place] = _name(base, place)
    return names


def _like(size: int, entry: Any, backend: Backend) -> Any:
    """Return a whole number as a number of the entries' own type, so that nothing is widened."""
    if backend == "numpy":
        return entry.dtype.type(size)
    if backend == "torch":
        return torch.tensor(float(size), dtype=entry.dtype)
    return mpmath.mpf(size)


def _stack(entries: list[Any], shape: Shape, backend: Backend) -> Any:
    if backend == "torch":
        stacked = torch.stack(torch.broadcast_tensors(*entries))
        return stacked.reshape(*shape, *stacked.shape[1:])
    if backend == "numpy":
        stacked = numpy.stack(numpy.broadcast_arrays(*entries))
        return stacked.reshape(*shape, *stacked.shape[1:])
    result = numpy.empty(shape, dtype=object)
    for place, entry in zip(numpy.ndindex(*shape), entries, strict=True):
        result[place] = entry
    return result


def input_shapes(given: Arrays) -> Shapes:
    """Return the shapes of unbatched inputs, in the form that ``compiled`` takes."""
    return tuple((base, tuple(entries.shape)) for base, entries in given.items())
