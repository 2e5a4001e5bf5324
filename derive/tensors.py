"""Tensors over any algebra: finite numbers, and what is not one.

An algebra computes with finite numbers. Masks put minus infinity into scores, a masked weight is
exactly zero, an empty row divides zero by zero: these are the same in every algebra, so they
are kept beside the numbers, as the kind of each element, and handled here once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy

from derive.arrays import ArrayAlgebra, Places, Rearrangement, Unsupported, choosing
from derive.constants import ExactNumber, recognised

Data = TypeVar("Data")
Array = numpy.ndarray[Any, numpy.dtype[Any]]

FINITE, ZERO, MINUS_INFINITY, PLUS_INFINITY, NOT_A_NUMBER, LOWEST, HIGHEST, UNKNOWN = range(8)
"""Kinds of elements.

ZERO is zero for structural reasons, such as exp(-infinity). LOWEST is the smallest finite float,
with which programs mask: adding anything finite to it changes nothing, the difference of two is
zero. UNKNOWN is a value that depends on what the algebra cannot tell, such as the sign of a
number that infinity is multiplied with.
"""

KINDS = ("finite", "zero", "-inf", "inf", "nan", "finfo.min", "finfo.max", "unknown")

SMALLEST_DOUBLE = float(numpy.finfo(numpy.float64).min)

AS_FLOATS = numpy.array(
    [0, 0, -numpy.inf, numpy.inf, numpy.nan, SMALLEST_DOUBLE, -SMALLEST_DOUBLE, numpy.nan]
)
"""What stands in a float array for each kind of element that is no number."""


@dataclass(frozen=True, eq=False)
class Tensor(Generic[Data]):
    """An array of numbers with the kind of each element; the data of a ZERO is zero.

    Where an element is neither finite nor zero its data means nothing. ``truth`` marks numbers
    that stand for 0 (false) and 1 (true).
    """

    data: Data
    kinds: Places
    truth: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        shape: tuple[int, ...] = self.kinds.shape
        return shape

    @property
    def plain(self) -> bool:
        """Whether every element is a finite number."""
        return not self.kinds.any()


@dataclass(frozen=True, eq=False)
class Selection:
    """Which element along ``axis`` is the largest: one free number for each, of sum one.

    ``weights`` has the axis at its full length; as indices they would have length one there.
    """

    weights: Tensor[Any]
    axis: int
    kept: bool


def _table(rows: dict[tuple[int, int], int], default: Any) -> Places:
    table = numpy.empty((8, 8), dtype=numpy.uint8)
    for left in range(8):
        for right in range(8):
            value = rows.get((left, right), rows.get((right, left)))
            table[left, right] = default(left, right) if value is None else value
    return table.ravel()


def _sum_kind(left: int, right: int) -> int:
    pair = {left, right}
    for kind in (UNKNOWN, NOT_A_NUMBER):
        if kind in pair:
            return kind
    if {MINUS_INFINITY, PLUS_INFINITY} <= pair:
        return NOT_A_NUMBER
    for kind in (MINUS_INFINITY, PLUS_INFINITY):
        if kind in pair:
            return kind
    if {LOWEST, HIGHEST} <= pair:
        return ZERO
    if left == right:
        # Twice the smallest finite float overflows.
        return {LOWEST: MINUS_INFINITY, HIGHEST: PLUS_INFINITY}.get(left, left)
    return max(pair - {ZERO}) if pair & {LOWEST, HIGHEST} else FINITE


def _product_kind(left: int, right: int) -> int:
    pair = {left, right}
    for kind in (UNKNOWN, NOT_A_NUMBER):
        if kind in pair:
            return kind
    if ZERO in pair:
        return NOT_A_NUMBER if pair & {MINUS_INFINITY, PLUS_INFINITY} else ZERO
    return FINITE if pair == {FINITE} else UNKNOWN


_SUMS, _PRODUCTS = _table({}, _sum_kind), _table({}, _product_kind)

_NEGATED = numpy.array(
    [FINITE, ZERO, PLUS_INFINITY, MINUS_INFINITY, NOT_A_NUMBER, HIGHEST, LOWEST, UNKNOWN],
    dtype=numpy.uint8,
)
_EXPONENTIALS = numpy.array(
    [FINITE, FINITE, ZERO, PLUS_INFINITY, NOT_A_NUMBER, ZERO, PLUS_INFINITY, UNKNOWN],
    dtype=numpy.uint8,
)
_INVERSES = numpy.array(
    [FINITE, UNKNOWN, ZERO, ZERO, NOT_A_NUMBER, UNKNOWN, UNKNOWN, UNKNOWN], dtype=numpy.uint8
)
_RANKS = numpy.array([0, 0, -2, 2, 9, -1, 1, 9])
"""Order of the kinds: minus infinity, the smallest float, every number, and so on."""

_LIMITS = {"tanh": (-1, 1), "sigmoid": (0, 1), "erf": (-1, 1)}
"""Values at minus and plus infinity."""


class Tensors(Generic[Data]):
    """Arithmetic on tensors over ``algebra``. Operands of one operation broadcast."""

    def __init__(self, algebra: ArrayAlgebra[Data]) -> None:
        self.algebra = algebra
        self.constants_read: dict[str, str] = {}
        self.lowest_read = False

    # Making and moving

    def finite(self, data: Data, shape: Sequence[int]) -> Tensor[Data]:
        """Wrap an array of finite numbers."""
        return Tensor(data, numpy.zeros(tuple(shape), dtype=numpy.uint8))

    def lift(self, values: Any) -> Tensor[Data]:
        """Read floats, integers or booleans as exact constants."""
        array = numpy.asarray(values)
        if array.dtype == object:
            raise Unsupported("constant", "an array of Python objects")
        if array.dtype == numpy.bool_ or array.dtype.kind in "iu":
            whole = numpy.unique(array)
            numbers = [ExactNumber.of(int(number)) for number in whole]
            return self.exactly(numbers, numpy.searchsorted(whole, array))
        array = array.astype(numpy.float64)
        kinds = numpy.zeros(array.shape, dtype=numpy.uint8)
        kinds[array == 0] = ZERO
        kinds[numpy.isnan(array)] = NOT_A_NUMBER
        kinds[array == numpy.inf] = PLUS_INFINITY
        kinds[array == -numpy.inf] = MINUS_INFINITY
        kinds[array == SMALLEST_DOUBLE] = LOWEST
        kinds[array == -SMALLEST_DOUBLE] = HIGHEST
        self.lowest_read = self.lowest_read or bool(numpy.isin(kinds, (LOWEST, HIGHEST)).any())
        array = numpy.where(kinds == FINITE, array, 0.0)
        unique = numpy.unique(array)
        numbers = [recognised(float(value)) for value in unique]
        for number in numbers:
            if number.read_from:
                self.constants_read[number.read_from] = str(number)
        places = numpy.searchsorted(unique, array)
        return Tensor(self.algebra.constants(numbers, places), kinds)

    def exactly(self, numbers: Sequence[ExactNumber], places: Places) -> Tensor[Data]:
        """Return the tensor with ``numbers[places[p]]`` at each place p."""
        zeros = numpy.array([not number.coefficient for number in numbers])
        kinds = numpy.where(zeros[places], ZERO, FINITE).astype(numpy.uint8)
        return Tensor(self.algebra.constants(numbers, places), kinds)

    def full(self, shape: Sequence[int], number: ExactNumber) -> Tensor[Data]:
        """Return a tensor filled with one exact number."""
        return self.exactly([number], numpy.zeros(tuple(shape), dtype=numpy.intp))

    def rearrange(self, how: Rearrangement, *tensors: Tensor[Data]) -> Tensor[Data]:
        """Move, repeat, join or replace elements by a function of numpy arrays."""
        data = self.algebra.rearranged(how, *(tensor.data for tensor in tensors))
        kinds = how(*(tensor.kinds for tensor in tensors))
        return Tensor(data, kinds, all(tensor.truth for tensor in tensors))

    def broadcast(self, *tensors: Tensor[Data]) -> list[Tensor[Data]]:
        """Repeat elements so that all have one shape."""
        shape = numpy.broadcast_shapes(*(tensor.shape for tensor in tensors))
        return [self.expand(tensor, shape) for tensor in tensors]

    def expand(self, tensor: Tensor[Data], shape: tuple[int, ...]) -> Tensor[Data]:
        """Repeat elements along axes of length one."""
        if tensor.shape == shape:
            return tensor
        return self.rearrange(lambda a: numpy.broadcast_to(a, shape), tensor)

    # Arithmetic

    def add(self, left: Tensor[Data], right: Tensor[Data]) -> Tensor[Data]:
        """Return left + right."""
        left, right = self.broadcast(left, right)
        return Tensor(
            self.algebra.add(left.data, right.data), _combined(_SUMS, left.kinds, right.kinds)
        )

    def negate(self, tensor: Tensor[Data]) -> Tensor[Data]:
        """Return minus the tensor."""
        return Tensor(self.algebra.negate(tensor.data), _NEGATED[tensor.kinds])

    def subtract(self, left: Tensor[Data], right: Tensor[Data]) -> Tensor[Data]:
        """Return left - right."""
        return self.add(left, self.negate(right))

    def multiply(
        self, left: Tensor[Data], right: Tensor[Data], signs: Array | None = None
    ) -> Tensor[Data]:
        """Return left * right; ``signs`` are those of right, where they are known."""
        left, right = self.broadcast(left, right)
        kinds = _combined(_PRODUCTS, left.kinds, right.kinds)
        if signs is not None and not left.plain:
            signs = numpy.broadcast_to(signs, left.shape)
            kinds = numpy.where((signs > 0) & (left.kinds > ZERO), left.kinds, kinds)
            kinds = numpy.where((signs < 0) & (left.kinds > ZERO), _NEGATED[left.kinds], kinds)
        data = self.algebra.multiply(left.data, right.data)
        return Tensor(data, kinds, left.truth and right.truth)

    def inverse(self, tensor: Tensor[Data]) -> Tensor[Data]:
        """Return one over each element; one over a structural zero is unknown."""
        kinds = _INVERSES[tensor.kinds]
        ones = self.full(tensor.shape, ExactNumber.of(1))
        filled = tensor.data if tensor.plain else self._where(kinds == FINITE, tensor, ones)
        inverted = self.algebra.inverse(filled)
        if (kinds == ZERO).any():
            inverted = self._zeroed(kinds == ZERO, inverted, tensor.shape)
        return Tensor(inverted, kinds)

    def divide(self, left: Tensor[Data], right: Tensor[Data]) -> Tensor[Data]:
        """Return left / right; zero over a structural zero is not a number."""
        quotient = self.multiply(left, self.inverse(right))
        zeros = left.kinds == ZERO, right.kinds == ZERO
        undefined = numpy.logical_and(*numpy.broadcast_arrays(*zeros))
        if undefined.any():
            quotient = Tensor(quotient.data, numpy.where(undefined, NOT_A_NUMBER, quotient.kinds))
        return quotient

    def matmul(self, left: Tensor[Data], right: Tensor[Data]) -> Tensor[Data]:
        """Return matrix products over the last two axes, leading axes broadcast."""
        lead = numpy.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        left = self.expand(left, (*lead, *left.shape[-2:]))
        right = self.expand(right, (*lead, *right.shape[-2:]))
        data = self.algebra.matmul(self._cleaned(left), self._cleaned(right))
        return Tensor(data, _matmul_kinds(left.kinds, right.kinds))

    def sum(self, how: Rearrangement, tensor: Tensor[Data]) -> Tensor[Data]:
        """Apply a linear function with coefficients 0 and 1, such as a sum over axes."""
        data = self.algebra.reduced(how, self._cleaned(tensor))

        def found(kind: int) -> Places:
            places: Places = numpy.asarray(how((tensor.kinds == kind).astype(numpy.int64))) > 0
            return places

        present = {kind: found(kind) for kind in range(8) if (tensor.kinds == kind).any()}
        absent = numpy.zeros_like(how(tensor.kinds.astype(numpy.int64)), dtype=bool)
        kinds = numpy.full(absent.shape, ZERO, dtype=numpy.uint8)
        for kind in (FINITE, LOWEST, HIGHEST, PLUS_INFINITY, MINUS_INFINITY):
            kinds[present.get(kind, absent)] = kind
        both = present.get(PLUS_INFINITY, absent) & present.get(MINUS_INFINITY, absent)
        kinds[both] = NOT_A_NUMBER
        # How far below all numbers several of them are together is not told.
        extreme = numpy.isin(tensor.kinds, (LOWEST, HIGHEST))
        if extreme.any():
            crowded = numpy.isin(tensor.kinds, (LOWEST, HIGHEST, MINUS_INFINITY, PLUS_INFINITY))
            several = numpy.asarray(how(crowded.astype(numpy.int64))) > 1
            kinds[several & (numpy.asarray(how(extreme.astype(numpy.int64))) > 0)] = UNKNOWN
        kinds[present.get(NOT_A_NUMBER, absent)] = NOT_A_NUMBER
        kinds[present.get(UNKNOWN, absent)] = UNKNOWN
        return Tensor(data, kinds)

    def total(self, tensor: Tensor[Data], axes: tuple[int, ...], keep: bool) -> Tensor[Data]:
        """Sum over axes."""
        return self.sum(lambda a: a.sum(axis=axes, keepdims=keep), tensor)

    # Functions

    def exp(self, tensor: Tensor[Data]) -> Tensor[Data]:
        """Return e to the power of each element; of minus infinity it is exactly zero."""
        kinds = _EXPONENTIALS[tensor.kinds]
        data = self.algebra.exp(self._cleaned(tensor))
        return Tensor(self._zeroed(kinds == ZERO, data, tensor.shape), kinds)

    def log(self, tensor: Tensor[Data]) -> Tensor[Data]:
        """Return the natural logarithm; of a structural zero it is minus infinity."""
        kinds = tensor.kinds.copy()
        kinds[tensor.kinds == ZERO] = MINUS_INFINITY
        kinds[numpy.isin(tensor.kinds, (MINUS_INFINITY, LOWEST))] = NOT_A_NUMBER
        # The logarithm of the largest float is 709: a number like others.
        kinds[tensor.kinds == HIGHEST] = UNKNOWN
        ones = self.full(tensor.shape, ExactNumber.of(1))
        filled = tensor.data if tensor.plain else self._where(kinds == FINITE, tensor, ones)
        return Tensor(self.algebra.log(filled), kinds)

    def sqrt(self, tensor: Tensor[Data]) -> Tensor[Data]:
        """Return the square root of each element."""
        kinds = tensor.kinds.copy()
        kinds[numpy.isin(tensor.kinds, (MINUS_INFINITY, LOWEST))] = NOT_A_NUMBER
        kinds[tensor.kinds == HIGHEST] = UNKNOWN
        data = self.algebra.sqrt(self._cleaned(tensor))
        return Tensor(self._zeroed(kinds == ZERO, data, tensor.shape), kinds)

    def function(self, name: str, *tensors: Tensor[Data]) -> Tensor[Data]:
        """Return a named function of each element; at an infinity only where it has a limit."""
        tensors = tuple(self.broadcast(*tensors))
        data = self.algebra.function(name, *(self._cleaned(tensor) for tensor in tensors))
        kinds = numpy.zeros(tensors[0].shape, dtype=numpy.uint8)
        for tensor in tensors:
            kinds = numpy.where(tensor.kinds > ZERO, UNKNOWN, kinds).astype(numpy.uint8)
            kinds[tensor.kinds == NOT_A_NUMBER] = NOT_A_NUMBER
        result = Tensor(data, kinds)
        if name in _LIMITS and not tensors[0].plain:
            for limit, low in zip(_LIMITS[name], (True, False), strict=True):
                ends = (MINUS_INFINITY, LOWEST) if low else (PLUS_INFINITY, HIGHEST)
                there = numpy.isin(tensors[0].kinds, ends)
                value = self.full(result.shape, ExactNumber.of(limit))
                result = self.rearrange(choosing(there), value, result)
        return result

    # Order

    def largest(self, tensor: Tensor[Data]) -> Tensor[Data]:
        """Return the largest over the last axis, which is kept with length one."""
        ranks = _RANKS[tensor.kinds]
        invalid = (ranks == 9).any(axis=-1)
        best = numpy.where(ranks == 9, -3, ranks).max(axis=-1)
        present = (ranks == 0) & (best == 0)[..., None]
        # A row without a number still needs one present; its data means nothing.
        present = present | ~present.any(axis=-1, keepdims=True)
        data = self.algebra.largest(self._cleaned(tensor), present)
        names = {-2: MINUS_INFINITY, -1: LOWEST, 0: FINITE, 1: HIGHEST, 2: PLUS_INFINITY}
        kinds = numpy.full(best.shape, UNKNOWN, dtype=numpy.uint8)
        for rank, kind in names.items():
            kinds[best == rank] = kind
        zeros = (tensor.kinds == ZERO) | (ranks < 0)
        kinds[(best == 0) & zeros.all(axis=-1)] = ZERO
        kinds[invalid] = UNKNOWN
        kinds[(tensor.kinds == NOT_A_NUMBER).any(axis=-1)] = NOT_A_NUMBER
        result = self.rearrange(lambda a: a[..., None], Tensor(data, kinds))
        return Tensor(self._zeroed(result.kinds == ZERO, result.data, result.shape), result.kinds)

    def maximum(self, left: Tensor[Data], right: Tensor[Data]) -> Tensor[Data]:
        """Return the larger of two, element by element."""
        left, right = self.broadcast(left, right)
        both = self.rearrange(lambda a, b: numpy.stack([a, b], axis=-1), left, right)
        return self.rearrange(lambda a: a[..., 0], self.largest(both))

    def less(self, left: Tensor[Data], right: Tensor[Data], *, or_equal: bool) -> Any:
        """Return where left < right: booleans, or a truth tensor of free numbers."""
        left, right = self.broadcast(left, right)
        mine, theirs = _RANKS[left.kinds], _RANKS[right.kinds]
        decided = mine <= theirs if or_equal else mine < theirs
        return self._compared(
            left, right, decided, lambda a, b: self.algebra.less(a, b, or_equal=or_equal)
        )

    def equal(self, left: Tensor[Data], right: Tensor[Data]) -> Any:
        """Return where left = right: booleans, or a truth tensor of free numbers."""
        left, right = self.broadcast(left, right)
        decided = _RANKS[left.kinds] == _RANKS[right.kinds]
        return self._compared(left, right, decided, self.algebra.equal)

    def _compared(self, left: Tensor[Data], right: Tensor[Data], decided: Places, ask: Any) -> Any:
        if ((left.kinds == UNKNOWN) | (right.kinds == UNKNOWN)).any():
            raise Unsupported("comparison", "of a value that is not known")
        invalid = (left.kinds == NOT_A_NUMBER) | (right.kinds == NOT_A_NUMBER)
        open_places = (_RANKS[left.kinds] == 0) & (_RANKS[right.kinds] == 0)
        open_places &= ~((left.kinds == ZERO) & (right.kinds == ZERO))
        decided = decided & ~invalid
        if not open_places.any():
            return decided
        answer = ask(self._cleaned(left), self._cleaned(right))
        if self.algebra.decides_order:
            return numpy.where(open_places, answer, decided)
        known = self.lift(decided)
        opened = self.finite(answer, left.shape)
        mixed = self.rearrange(choosing(open_places), opened, known)
        return Tensor(mixed.data, mixed.kinds, truth=True)

    def select(self, where: Any, left: Tensor[Data], right: Tensor[Data]) -> Tensor[Data]:
        """Return left where ``where`` holds, right elsewhere.

        With a truth tensor it is where * left + (1 - where) * right.
        """
        if isinstance(where, Tensor):
            where, left, right = self.broadcast(where, left, right)
            mixed = self.add(self.multiply(where, left), self.multiply(self.negation(where), right))
            kinds = mixed.kinds
            if not (left.plain and right.plain):
                # Not a number on one side alone says nothing of what is chosen.
                special = (left.kinds > ZERO) | (right.kinds > ZERO)
                same = numpy.where(left.kinds == right.kinds, left.kinds, UNKNOWN)
                kinds = numpy.where(special, same, kinds)
                kinds = numpy.where(where.kinds == ZERO, right.kinds, kinds).astype(numpy.uint8)
            return Tensor(mixed.data, kinds, truth=left.truth and right.truth)
        shape = numpy.broadcast_shapes(numpy.shape(where), left.shape, right.shape)
        left, right = self.expand(left, shape), self.expand(right, shape)
        places = numpy.broadcast_to(where, shape)
        return self.rearrange(choosing(places), left, right)

    def negation(self, truth: Tensor[Data]) -> Tensor[Data]:
        """Return 1 - truth."""
        ones = self.full(truth.shape, ExactNumber.of(1))
        opposite = self.subtract(ones, truth)
        return Tensor(opposite.data, opposite.kinds, truth=True)

    # Inside

    def _where(self, keep: Places, left: Tensor[Data], right: Tensor[Data]) -> Data:
        return self.algebra.rearranged(choosing(keep), left.data, right.data)

    def _cleaned(self, tensor: Tensor[Data]) -> Data:
        """Put zeros where an element is no number."""
        return self._zeroed(tensor.kinds > ZERO, tensor.data, tensor.shape)

    def _zeroed(self, places: Places, data: Data, shape: tuple[int, ...]) -> Data:
        if not places.any():
            return data
        zeros = self.algebra.constants([ExactNumber.of(0)], numpy.zeros(shape, dtype=numpy.intp))
        return self.algebra.rearranged(choosing(places), zeros, data)


def _combined(table: Places, left: Places, right: Places) -> Places:
    if not left.any() and not right.any():
        return numpy.zeros(left.shape, dtype=numpy.uint8)
    # The code of a pair is 8 * left + right.
    return table.take((left << 3) | right)


def _matmul_kinds(left: Places, right: Places) -> Places:
    shape = (*left.shape[:-1], right.shape[-1])
    kinds = numpy.zeros(shape, dtype=numpy.uint8)
    if not left.any() and not right.any():
        return kinds
    kinds[numpy.broadcast_to((left == ZERO).all(-1)[..., :, None], shape)] = ZERO
    kinds[numpy.broadcast_to((right == ZERO).all(-2)[..., None, :], shape)] = ZERO
    for kind in (LOWEST, HIGHEST, MINUS_INFINITY, PLUS_INFINITY, UNKNOWN, NOT_A_NUMBER):
        # The sign of what an infinity is multiplied with is not known.
        outcome = kind if kind == NOT_A_NUMBER else UNKNOWN
        kinds[numpy.broadcast_to((left == kind).any(-1)[..., :, None], shape)] = outcome
        kinds[numpy.broadcast_to((right == kind).any(-2)[..., None, :], shape)] = outcome
    return kinds
