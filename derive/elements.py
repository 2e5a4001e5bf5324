"""Read a formula entry by entry, over any algebra.

The interpreter knows sums, products, quotients and entries; what a scalar is, the algebra says:
a SymPy expression gives the entry written out, a 50-digit number its value, a ball a certified
enclosure, a phrase of LaTeX the line that a reader sees. One interpreter, many algebras.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, Generic, Protocol, TypeVar

import numpy
from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mod,
    Mul,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    cos,
    exp,
    floor,
    sin,
    tanh,
)

from derive.binding import Lengths, ShapeError
from derive.brackets import Bracket
from derive.formula import UPPER_LIMIT, FormulaError, Largest, Stage, opened

Scalar = TypeVar("Scalar")
Arrays = Mapping[IndexedBase, "numpy.ndarray[Any, numpy.dtype[Any]]"]
"""Arrays of scalars by name; entry [0, 0] of the array is the formula's entry [1, 1]."""


class Algebra(Protocol[Scalar]):
    """What a scalar is. Sums and products come whole: an algebra may order or bound them."""

    def number(self, value: Rational) -> Scalar:
        """Return an exact rational number as a scalar."""

    def add(self, terms: Sequence[Scalar]) -> Scalar:
        """Return the sum of one or more terms."""

    def multiply(self, factors: Sequence[Scalar]) -> Scalar:
        """Return the product of one or more factors."""

    def divide(self, numerator: Scalar, denominator: Scalar) -> Scalar:
        """Return the quotient; where the denominator is zero, raise ``ZeroDivisionError``."""

    def exp(self, exponent: Scalar) -> Scalar:
        """Return e to the power of ``exponent``."""

    def tanh(self, argument: Scalar) -> Scalar:
        """Return the hyperbolic tangent."""

    def cos(self, angle: Scalar) -> Scalar:
        """Return the cosine of an angle in radians."""

    def sin(self, angle: Scalar) -> Scalar:
        """Return the sine of an angle in radians."""

    def sqrt(self, radicand: Scalar) -> Scalar:
        """Return the square root."""

    def largest(self, values: Sequence[Scalar]) -> Scalar:
        """Return the largest of one or more values."""


class UnknownNode(FormulaError):
    """A formula holds an operation that this interpreter has no meaning for.

    Leaving it out silently would make the result a different formula's.
    """

    def __init__(self, expression: Expr) -> None:
        super().__init__(
            f"{type(expression).__name__} in {expression}: formulas are made of entries, numbers, "
            "sums, products, quotients, exp, tanh, cos, sin, sqrt, largest and brackets; "
            "rewrite it with those"
        )


@lru_cache(maxsize=1024)
def ordered_factors(expression: Mul, lead: tuple[Symbol, ...]) -> tuple[Expr, ...]:
    """Return the factors as a person writes them: numbers, then by the indices of the target.

    SymPy sorts factors by name, so Q[i, k] * K[j, k] comes back as K[j, k] * Q[i, k]; the factor
    that holds the first index of the target goes first again.
    """
    places = {index: place for place, index in enumerate(lead)}

    def key(factor: Expr) -> tuple[int, int, tuple[int, ...]]:
        if factor.is_Number or isinstance(factor, Bracket):
            return (0, int(not factor.is_Number), ())
        compound = 2 if isinstance(factor, Sum) else int(isinstance(factor, Add))
        found = sorted(places[t] for t in factor.free_symbols if t in places)
        return (1, compound, tuple(found) or (len(lead),))

    return tuple(sorted(expression.args, key=key))


def ordered_terms(expression: Add, lead: tuple[Symbol, ...] = ()) -> list[Expr]:
    """Return the terms of a sum as a person writes them, those with a minus sign last.

    s[i, j] - m[i]; and a number first, then what holds the first index of the target, entries
    before sums and s[i, j] before b[i].
    """
    places = {index: place for place, index in enumerate(lead)}

    def key(term: Expr) -> tuple[bool, bool, int, bool, int]:
        found = [places[t] for t in term.free_symbols if t in places]
        first = min(found, default=len(lead))
        minus = bool(term.could_extract_minus_sign())
        return minus, not term.is_number, first, bool(term.has(Sum)), -len(found)

    return sorted(expression.args, key=key)


def split_quotient(factors: Iterable[Expr]) -> tuple[list[Expr], list[Expr]]:
    """Separate factors into those above and those below the fraction line."""
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in factors:
        if isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp.is_negative:
            below.append(Pow(factor.base, -factor.exp))
        elif isinstance(factor, Rational) and factor.q != 1:
            if factor.p != 1:
                above.append(Integer(factor.p))
            below.append(Integer(factor.q))
        else:
            above.append(factor)
    return above, below


class Elements(Generic[Scalar]):
    """Evaluate stages entry by entry over ``algebra``, from the arrays in ``given``.

    ``sizes`` are those that the shapes of the arrays do not tell by themselves.
    """

    def __init__(
        self, algebra: Algebra[Scalar], given: Arrays, sizes: Mapping[Symbol, int] | None = None
    ) -> None:
        self.algebra = algebra
        self.arrays: dict[IndexedBase, Any] = dict(given)
        self.lengths = Lengths({base: entries.shape for base, entries in given.items()})
        self.lengths.assume(sizes or {})
        self._lead: tuple[Symbol, ...] = ()

    def run(self, stages: Iterable[Stage]) -> dict[IndexedBase, Any]:
        """Compute every stage in order; return all arrays, the given ones included."""
        for stage in stages:
            self.arrays[stage.array] = self.stage(stage)
        return self.arrays

    def stage(self, stage: Stage) -> Any:
        """Compute one array whose inputs are known."""
        self.lengths.learn((stage,))
        shape = self.lengths.numbers(stage.array)
        entries = numpy.empty(shape, dtype=object)
        for position in product(*(range(1, length + 1) for length in shape)):
            entries[tuple(p - 1 for p in position)] = self.entry(stage, position)
        return entries

    def entry(self, stage: Stage, position: Sequence[int]) -> Scalar:
        """Compute one entry of ``stage``, at a position that counts from 1."""
        if stage.array not in self.lengths.shapes:
            self.lengths.learn((stage,))
        self._lead = stage.target.indices
        return self.value(stage.value, dict(zip(stage.target.indices, position, strict=True)))

    def value(self, expression: Expr, where: Mapping[Symbol, int]) -> Scalar:
        """Evaluate ``expression`` with each free index at its place in ``where``."""
        algebra = self.algebra
        if isinstance(expression, Indexed):
            return self.leaf(expression, where)
        if isinstance(expression, Rational):
            return algebra.number(expression)
        if isinstance(expression, Bracket | floor | Mod) or expression in where:
            return self.whole(expression, where)
        if isinstance(expression, Symbol):
            return self.size(expression)
        if isinstance(expression, Sum):
            return self.terms(expression, where, algebra.add)
        if isinstance(expression, Largest):
            return self.terms(expression, where, algebra.largest)
        if isinstance(expression, Add):
            return algebra.add(
                [self.value(t, where) for t in ordered_terms(expression, self._lead)]
            )
        if isinstance(expression, exp):
            return algebra.exp(self.value(expression.args[0], where))
        if isinstance(expression, tanh):
            return algebra.tanh(self.value(expression.args[0], where))
        if isinstance(expression, cos | sin):
            function = algebra.cos if isinstance(expression, cos) else algebra.sin
            return function(self.value(expression.args[0], where))
        if isinstance(expression, Mul):
            return self.product(ordered_factors(expression, self._lead), where)
        if isinstance(expression, Pow):
            return self.power(expression, where)
        raise UnknownNode(expression)

    def leaf(self, expression: Indexed, where: Mapping[Symbol, int]) -> Scalar:
        """Return an entry of a known array; a position outside of it is a ``ShapeError``."""
        base, position = expression.base, [self.position(t, where) for t in expression.indices]
        entries = self.arrays.get(base)
        if entries is None:
            raise ShapeError(f"{expression}: no array was given for {base}")
        if len(position) != entries.ndim:
            raise ShapeError(f"{expression} names {len(position)} axes, {base} has {entries.ndim}")
        if not all(1 <= p <= length for p, length in zip(position, entries.shape, strict=True)):
            raise ShapeError(f"{base}{list(position)} lies outside its shape {entries.shape}")
        found: Scalar = entries[tuple(p - 1 for p in position)]
        return found

    def whole(self, expression: Expr, where: Mapping[Symbol, int]) -> Scalar:
        """Return a whole number made of indices and sizes, or a bracket, as a scalar."""
        if isinstance(expression, Bracket):
            left, right = (self.counted(side, where) for side in expression.args)
            return self.algebra.number(expression.func(left, right))
        return self.algebra.number(Integer(self.position(expression, where)))

    def counted(self, side: Expr, where: Mapping[Symbol, int]) -> Integer:
        """Return a side of a bracket: places, sizes, and sums of brackets and of mask entries."""
        if isinstance(side, Indexed):
            return _whole(side, self.leaf(side, where))
        if isinstance(side, Bracket):
            return side.func(*(self.counted(part, where) for part in side.args))
        if isinstance(side, Sum):
            return Integer(self.terms_of(side, where, self.counted, sum))
        if isinstance(side, Add | Mul):
            return side.func(*(self.counted(part, where) for part in side.args))
        return Integer(self.position(side, where))

    def position(self, index: Expr, where: Mapping[Symbol, int]) -> int:
        """Return the number that an index such as j, 2 or floor((h - 1)/2) + 1 stands for."""
        if index in where:
            return where[index]
        numbers = {symbol: Integer(p) for symbol, p in where.items()}
        for symbol in index.free_symbols - numbers.keys() - UPPER_LIMIT.keys():
            if symbol in self.lengths:
                numbers[symbol] = Integer(self.lengths[symbol])
        place = index.xreplace(numbers)
        if not place.is_Integer:
            raise FormulaError(f"nothing says which entry the index {index} means")
        return int(place)

    def size(self, symbol: Symbol) -> Scalar:
        """Return the value of a size such as d."""
        if symbol not in self.lengths:
            raise UnknownNode(symbol)
        return self.algebra.number(Integer(self.lengths[symbol]))

    def terms(self, expression: Sum | Largest, where: Mapping[Symbol, int], combine: Any) -> Scalar:
        """Evaluate the body of a sum (or maximum) at each place of its index, and combine."""
        combined: Scalar = self.terms_of(expression, where, self.value, combine)
        return combined

    def terms_of(
        self, expression: Sum | Largest, where: Mapping[Symbol, int], value: Any, combine: Any
    ) -> Any:
        """Read the body with ``value`` at each place of the index, and combine what comes out."""
        body, index, low, high = opened(expression)
        places = range(int(low), self._last(high, where) + 1)
        return combine([value(body, {**where, index: p}) for p in places])

    def product(self, factors: Sequence[Expr], where: Mapping[Symbol, int]) -> Scalar:
        """Evaluate a product; factors with a negative power go below one fraction line."""
        above, below = split_quotient(factors)
        numerator = self._multiplied(above or [S.One], where)
        return (
            self.algebra.divide(numerator, self._multiplied(below, where)) if below else numerator
        )

    def power(self, expression: Pow, where: Mapping[Symbol, int]) -> Scalar:
        """Evaluate whole powers, square roots and their reciprocals."""
        if expression.exp.is_negative:
            return self.product([expression], where)
        base = self.value(expression.base, where)
        if expression.exp == S.Half:
            return self.algebra.sqrt(base)
        if expression.exp.is_Integer:
            return self.algebra.multiply([base] * int(expression.exp))
        raise UnknownNode(expression)

    def _last(self, high: Expr, where: Mapping[Symbol, int]) -> int:
        """Return how far a sum counts: to a number, a size, or the place of an outer index."""
        if high.is_Integer:
            return int(high)
        if high in where:
            return where[high]
        length = self.lengths.length(high)
        if not isinstance(length, int):
            raise FormulaError(f"nothing says how much {high} is")
        return length

    def _multiplied(self, factors: Sequence[Expr], where: Mapping[Symbol, int]) -> Scalar:
        values = [self.value(factor, where) for factor in factors]
        return values[0] if len(values) == 1 else self.algebra.multiply(values)


def _whole(name: Expr, entry: Any) -> Integer:
    try:
        number = int(entry)
    except (TypeError, ValueError):
        number = None
    if number is None or entry != number:
        raise FormulaError(f"{name} is {entry}: a bracket compares whole numbers")
    return Integer(number)
