"""Read stages in index form as whole arrays, over any algebra.

Each free index is an axis. A product under a sum is contracted, by matrix products where two
factors each have an axis of their own, in the order that costs least; nothing is as large as the
product of all its indices. Brackets and positions are whole numbers, computed exactly; a factor
that is zero or one there chooses places, and what it excludes does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy
from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Pow,
    S,
    Sum,
    Symbol,
    cos,
    exp,
    sin,
    tanh,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import Lengths
from derive.brackets import AtMost, Bracket
from derive.contraction import contracted
from derive.elements import UnknownNode, split_quotient
from derive.exact_values import exact_value
from derive.formula import FormulaError, Largest, Mechanism, Stage, opened
from derive.labelled import Labelled, LabelledArrays
from derive.sizes import sizes as sizes_of
from derive.tensors import Tensor, Tensors
from derive.whole_numbers import Axes, WholeArray, WholeNumbers

FUNCTIONS = (tanh, cos, sin)
"""Functions that an algebra knows by name, or not at all."""

Given = Mapping[IndexedBase, Any]
"""A tensor, or a numpy array: of booleans or integers it is whole numbers, else constants."""


def evaluate(
    stages: Iterable[Stage],
    arrays: Given,
    tensors: Tensors[Any],
    sizes: Mapping[Symbol, int] | None = None,
) -> dict[IndexedBase, Tensor[Any]]:
    """Compute every stage in order; return all arrays, the given ones included.

    ``sizes`` are those that the shapes of the arrays do not tell by themselves.
    """
    return IndexArrays(arrays, tensors, sizes or {}).run(tuple(stages))


def evaluate_mechanism(
    mechanism: Mechanism, arrays: Given, tensors: Tensors[Any]
) -> dict[IndexedBase, Tensor[Any]]:
    """Compute a mechanism from the arrays that it takes, whose shapes are checked first."""
    shapes = {base: tuple(array.shape) for base, array in arrays.items()}
    return evaluate(mechanism.stages, arrays, tensors, sizes_of(mechanism, shapes))


class IndexArrays:
    """The interpreter; ``LabelledArrays`` does the arithmetic, ``WholeNumbers`` the places."""

    def __init__(self, given: Given, tensors: Tensors[Any], sizes: Mapping[Symbol, int]) -> None:
        self.tensors = tensors
        self.labelled = LabelledArrays(tensors)
        self.lengths = Lengths({base: tuple(array.shape) for base, array in given.items()})
        self.lengths.assume(sizes)
        self.whole = WholeNumbers(self.lengths)
        self.arrays: dict[IndexedBase, Tensor[Any]] = {}
        for base, array in given.items():
            if isinstance(array, numpy.ndarray) and array.dtype.kind in "biu":
                self.whole.arrays[base] = array.astype(numpy.int64)
            self.arrays[base] = array if isinstance(array, Tensor) else tensors.lift(array)
        self._uses: dict[Expr, int] = {}
        self._kept: dict[tuple[Expr, tuple[int, ...]], Labelled] = {}

    def run(self, stages: tuple[Stage, ...]) -> dict[IndexedBase, Tensor[Any]]:
        """Compute every stage in order; return all arrays, the given ones included."""
        self._uses = _repeated(stages)
        for stage in stages:
            self.arrays[stage.array] = self.stage(stage)
        return self.arrays

    def stage(self, stage: Stage) -> Tensor[Any]:
        """Compute one array whose inputs are known."""
        self.lengths.learn((stage,))
        axes: Axes = stage.target.indices
        shape = self.lengths.numbers(stage.array)
        with self.whole.counting() as count:
            for index, length in zip(axes, shape, strict=True):
                count(index, Integer(length))
            if self.whole.knows(stage.value):
                entries = self.whole.value(stage.value).aligned(axes)
                whole = numpy.ascontiguousarray(numpy.broadcast_to(entries, shape))
                self.whole.arrays[stage.array] = whole
                return self.tensors.lift(whole)
            found = self.labelled.aligned(self.value(stage.value), axes)
        return self.tensors.expand(found, shape)

    def value(self, expression: Expr) -> Labelled:
        """Evaluate ``expression`` for all values of its free indices at once."""
        uses = self._uses.get(expression, 0)
        if not uses:
            return self._value(expression)
        # Equal expressions are computed once, and forgotten after their last use.
        indices = sorted(filter(self.whole.is_index, expression.free_symbols), key=str)
        key = expression, tuple(map(self.whole.length, indices))
        found = self._kept.pop(key, None) or self._value(expression)
        self._uses[expression] = uses - 1
        if uses > 1:
            self._kept[key] = found
        return found

    def _value(self, expression: Expr) -> Labelled:
        if isinstance(expression, Indexed) and expression.base not in self.whole.arrays:
            return self.entries(expression)
        number = exact_value(expression, self.whole.size)
        if number is not None:
            return self.labelled.constant(number)
        if self.whole.knows(expression):
            return self.labelled.lifted(self.whole.value(expression))
        if isinstance(expression, Sum):
            return self.total(expression)
        if isinstance(expression, Largest):
            return self.largest(expression)
        if isinstance(expression, Add):
            return self.labelled.add([self.value(term) for term in expression.args])
        if isinstance(expression, Mul | Pow):
            return self.product(expression)
        if isinstance(expression, Bracket) and expression.atoms(Indexed):
            raise FormulaError(
                f"{expression} compares whole numbers: give masks as arrays of integers or booleans"
            )
        if isinstance(expression, exp):
            inner = self.value(expression.args[0])
            return Labelled(inner.axes, self.tensors.exp(inner.tensor))
        if isinstance(expression, FUNCTIONS):
            inner = self.value(expression.args[0])
            name = type(expression).__name__
            return Labelled(inner.axes, self.tensors.function(name, inner.tensor))
        raise UnknownNode(expression)

    def entries(self, expression: Indexed) -> Labelled:
        """Return an array with an axis for each free index of the entry."""
        tensor = self.arrays.get(expression.base)
        if tensor is None:
            raise FormulaError(f"{expression}: no array was given for {expression.base}")
        axes = tuple(expression.indices)
        if len(set(axes)) == len(axes) and self.whole.count_all(axes, tensor.shape):
            return Labelled(axes, tensor)
        gather = self.whole.gather(expression, tensor.shape)
        return Labelled(gather.axes, self.tensors.rearrange(gather, tensor))

    def product(self, expression: Expr) -> Labelled:
        """Multiply factors; those with a negative power divide."""
        chosen, number, factors = self._split(expression)
        above, below = split_quotient(factors)
        top = self.labelled.multiply([self.value(number), *map(self._power, above)])
        if chosen is not None:
            # Before the division: a row that excludes everything is zero over zero.
            top = self.labelled.chosen(top, chosen)
        if not below:
            return top
        return self.labelled.divide(top, self.labelled.multiply([*map(self._power, below)]))

    def total(self, expression: Sum) -> Labelled:
        """Sum over indices: term by term, and each product contracted."""
        summed: list[Symbol] = []
        body: Expr = expression
        with self.whole.counting() as count:
            while isinstance(body, Sum) and opened(body)[1] not in summed:
                body, index, low, high = opened(body)
                if low != 1:
                    raise FormulaError(f"{expression}: arrays are summed from 1, not from {low}")
                if self.whole.is_index(high):
                    # A sum up to another index is a sum as far as that can count, with a bracket.
                    body = AtMost(index, high) * body
                    high = Integer(self.whole.length(high))
                count(index, high)
                summed.append(index)
            return self.labelled.add([self._term(term, summed) for term in Add.make_args(body)])

    def largest(self, expression: Largest) -> Labelled:
        """Take the largest value over one index."""
        body, index, low, high = opened(expression)
        if low != 1 or self.whole.is_index(high):
            raise FormulaError(f"{expression}: arrays take the largest of a whole axis")
        with self.whole.counting() as count:
            count(index, high)
            inner = self.value(body)
        if index not in inner.axes:
            return inner
        rest = tuple(t for t in inner.axes if t != index)
        found = self.tensors.largest(self.labelled.aligned(inner, (*rest, index)))
        return Labelled(rest, self.tensors.rearrange(lambda array: array[..., 0], found))

    # Inside

    def _term(self, term: Expr, summed: Sequence[Symbol]) -> Labelled:
        """Sum a product: what the indices do not reach stays outside."""
        factors = Mul.make_args(term)
        outside = [factor for factor in factors if not factor.free_symbols & set(summed)]
        inside = Mul(*(factor for factor in factors if factor not in outside))
        chosen, number, rest = self._split(inside)
        operands = [self._power(factor) for factor in rest]
        lengths = {index: self.whole.length(index) for index in summed}
        result = contracted(self.labelled, operands, chosen, lengths)
        return self.labelled.multiply([self.value(Mul(number, *outside)), result])

    def _split(self, expression: Expr) -> tuple[WholeArray | None, Expr, list[Expr]]:
        """Separate factors that choose places, the product of numbers, and the other factors."""
        number: Expr = S.One
        whole: list[Expr] = []
        rest: list[Expr] = []
        for factor in Mul.make_args(expression):
            if exact_value(factor, self.whole.size) is not None:
                number *= factor
            else:
                (whole if self.whole.knows(factor) else rest).append(factor)
        return self.whole.value(Mul(*whole)) if whole else None, number, rest

    def _power(self, factor: Expr) -> Labelled:
        if not isinstance(factor, Pow) or exact_value(factor, self.whole.size) is not None:
            return self.value(factor)
        base, exponent = factor.args
        if exponent.is_negative:
            return self.product(factor)
        inner = self.value(base)
        if exponent == S.Half:
            return Labelled(inner.axes, self.tensors.sqrt(inner.tensor))
        if exponent.is_Integer:
            return self.labelled.multiply([inner] * int(exponent))
        raise UnknownNode(factor)


def _repeated(stages: Iterable[Stage]) -> dict[Expr, int]:
    """Count the functions of arrays that occur more than once with the same letters."""
    counts: dict[Expr, int] = {}

    def visit(expression: Expr) -> None:
        if isinstance(expression, exp | tanh | cos | sin):
            counts[expression] = counts.get(expression, 0) + 1
            if counts[expression] > 1:
                return
        for part in (
            expression.args[:1] if isinstance(expression, ExprWithLimits) else (expression.args)
        ):
            visit(part)

    for stage in stages:
        visit(stage.value)
    return {expression: count for expression, count in counts.items() if count > 1}
