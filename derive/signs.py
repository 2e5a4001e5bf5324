"""What is surely positive, or surely not negative: signs of expressions from those of their parts.

The rules hold for all real inputs and all sizes: e^u > 0; sizes and places are positive; squares
are not negative; a bracket is 0 or 1; sums, products, quotients and powers of terms that are not
negative are not negative, wherever they are defined. A sum of terms that are not negative is
positive if one of them is, such as the term of the query's own token, which a causal mask keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import product

from sympy import Add, Expr, Indexed, IndexedBase, Integer, Mul, Pow, Sum, Symbol, exp

from derive.binding import freshen
from derive.brackets import AtMost, Below, Bracket, Equals
from derive.formula import UPPER_LIMIT, Largest, Stage, opened

MOST_BRACKETS = 6
"""How many different brackets an expression may have for all their values to be tried."""


class Sign(IntEnum):
    """What is shown of a number, the weakest first."""

    UNKNOWN = 0
    NOT_NEGATIVE = 1
    POSITIVE = 2


def is_positive(expression: Expr, positive: Collection[IndexedBase] = ()) -> bool:
    """Tell whether ``expression`` is above zero for all real inputs.

    ``positive`` names arrays whose entries are known to be above zero. ``False`` means not shown,
    never shown to be otherwise.
    """
    signs = KnownSigns(dict.fromkeys(positive, Sign.POSITIVE))
    return signs.of(expression) is Sign.POSITIVE


def signs_of(
    stages: Iterable[Stage],
    indicators: Collection[IndexedBase] = (),
    sizes: Mapping[Symbol, Expr] | None = None,
    shapes: Mapping[IndexedBase, Sequence[Expr]] | None = None,
) -> KnownSigns:
    """Return what is known of the sign of each array, from the equations in order.

    ``indicators`` hold zeros and ones; ``sizes`` are equations between sizes; ``shapes`` say how
    far the indices of each array count, where that is not what their letters say.
    """
    signs = KnownSigns({}, frozenset(indicators), sizes or {})
    for stage in stages:
        shape = (shapes or {}).get(stage.array)
        own = {} if shape is None else dict(zip(stage.target.indices, shape, strict=True))
        signs.limits = {**UPPER_LIMIT, **own}
        signs.known[stage.array] = signs.of(stage.value)
    signs.limits = UPPER_LIMIT
    return signs


class KnownSigns:
    """Signs of expressions, given those of arrays in ``known``."""

    def __init__(
        self,
        known: Mapping[IndexedBase, Sign],
        indicators: frozenset[IndexedBase] = frozenset(),
        sizes: Mapping[Symbol, Expr] | None = None,
    ) -> None:
        self.known = dict(known)
        self.indicators = indicators
        self.sizes = dict(sizes or {})
        self.limits: Mapping[Symbol, Expr] = UPPER_LIMIT

    def of(self, expression: Expr) -> Sign:
        """Return what is shown of ``expression``."""
        if isinstance(expression, exp):
            return Sign.POSITIVE
        if self._is_flag(expression):
            return Sign.NOT_NEGATIVE
        if isinstance(expression, Indexed):
            sign: Sign = self.known.get(expression.base, Sign.UNKNOWN)
            return sign
        if isinstance(expression, Sum):
            return self._sum(expression)
        if isinstance(expression, Largest):
            return self.of(expression.function)
        if isinstance(expression, Mul):
            return Sign(min(self.of(part) for part in expression.args))
        if isinstance(expression, Add):
            return self._terms(expression)
        if isinstance(expression, Pow):
            return self._power(expression)
        plain = expression.is_Number or expression.is_Symbol
        if plain and expression.is_positive:
            return Sign.POSITIVE
        return Sign.NOT_NEGATIVE if plain and expression.is_nonnegative else Sign.UNKNOWN

    def chooses(self, expression: Expr) -> bool:
        """Tell whether an expression is made of brackets, entries of masks and numbers alone."""
        flags = _atoms(expression, self._is_flag)
        bare = _replaced(expression, dict.fromkeys(flags, Integer(1)))
        return bool(flags) and not bare.free_symbols

    def keeps(self, expression: Expr) -> bool:
        """Tell whether an expression that ``chooses`` is 0, or else always the same number."""
        # [v < u] = 1 - [u <= v], so that no two flags say opposite things at once.
        opposite = {below: 1 - AtMost(*reversed(below.args)) for below in expression.atoms(Below)}
        one_way = expression.xreplace(opposite)
        return self.chooses(one_way) and len(set(self._values(one_way)) - {0}) == 1

    def _terms(self, expression: Add) -> Sign:
        signs = [self.of(part) for part in expression.args]
        if min(signs) is not Sign.UNKNOWN:
            return max(signs)
        return self._flags(expression)

    def _power(self, expression: Pow) -> Sign:
        if not expression.exp.is_Rational:
            return Sign.UNKNOWN
        base = self.of(expression.base)
        if expression.exp.is_negative and base is not Sign.UNKNOWN:
            # What is divided by is not zero, so that not negative means positive.
            return Sign.POSITIVE
        if base is Sign.UNKNOWN and expression.exp.is_even and expression.base.is_real:
            return Sign.POSITIVE if expression.exp.is_negative else Sign.NOT_NEGATIVE
        return base

    def _sum(self, expression: Sum) -> Sign:
        body, index, low, high = opened(freshen(expression))
        sign = self.of(body)
        if low != 1 or not (high.is_integer and high.is_positive):
            # There may be no term at all, and then the sum is 0.
            return min(sign, Sign.NOT_NEGATIVE)
        if sign is not Sign.NOT_NEGATIVE:
            return sign
        # One term that is surely there and positive is enough: that of the first place, or that
        # of another index that counts as far.
        others = sorted(body.free_symbols & self.limits.keys(), key=str)
        places = [
            Integer(1),
            *(t for t in others if self._size(self.limits[t]) == self._size(high)),
        ]
        if any(self.of(settled(body.xreplace({index: p}))) is Sign.POSITIVE for p in places):
            return Sign.POSITIVE
        return sign

    def _flags(self, expression: Expr) -> Sign:
        """Try every value of the brackets and of the entries of masks in an expression."""
        values = self._values(expression) if self.chooses(expression) else []
        if not values:
            return Sign.UNKNOWN
        if all(value.is_positive for value in values):
            return Sign.POSITIVE
        return Sign.NOT_NEGATIVE if all(v.is_nonnegative for v in values) else Sign.UNKNOWN

    def _values(self, expression: Expr) -> list[Expr]:
        """Return all values that flags give an expression; nothing where there are too many."""
        flags = sorted(_atoms(expression, self._is_flag), key=str)
        if len(flags) > MOST_BRACKETS:
            return []
        return [
            _replaced(expression, dict(zip(flags, map(Integer, choice), strict=True)))
            for choice in product((0, 1), repeat=len(flags))
        ]

    def _is_flag(self, expression: Expr) -> bool:
        entry = isinstance(expression, Indexed) and expression.base in self.indicators
        return isinstance(expression, Bracket) or entry

    def _size(self, size: Expr) -> Expr:
        renamed: Expr = size.xreplace(self.sizes)
        return renamed


def settled(expression: Expr) -> Expr:
    """Put 1 or 0 in place of every bracket that is so for all places and sizes."""
    if isinstance(expression, Bracket):
        left, right = expression.args
        gap = (right - left).expand()
        if isinstance(expression, AtMost):
            holds, fails = gap.is_nonnegative, gap.is_negative
        elif isinstance(expression, Below):
            holds, fails = gap.is_positive, gap.is_nonpositive
        else:
            holds, fails = gap.is_zero, isinstance(expression, Equals) and gap.is_nonzero
        return Integer(1) if holds else Integer(0) if fails else expression
    if not expression.args or isinstance(expression, Indexed):
        return expression
    return expression.func(*(settled(part) for part in expression.args))


def _atoms(expression: Expr, wanted: Callable[[Expr], bool]) -> set[Expr]:
    if wanted(expression):
        return {expression}
    if isinstance(expression, Indexed):
        return set()
    return {found for part in expression.args for found in _atoms(part, wanted)}


def _replaced(expression: Expr, letters: Mapping[Expr, Expr]) -> Expr:
    if expression in letters:
        return letters[expression]
    if not expression.args or isinstance(expression, Indexed):
        return expression
    return expression.func(*(_replaced(part, letters) for part in expression.args))
