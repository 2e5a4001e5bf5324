"""Put an array's entry in place of its definition, wherever a product holds all of it.

A definition is read as a product of powers: a[i, j] = exp(s[i, j]) D[i]^-1. A product that holds
each of them, at the same indices, is the entry times what is left::

    exp(s[i, l]) zbar[i, c] / D[i]^2  =  a[i, l] zbar[i, c] / D[i]

Bound indices are compared whatever their letters: where sum_k W[e, k] Q[i, k] defines an entry,
sum_c W[e, c] Q[i, c] is the same entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Mul,
    Pow,
    Rational,
    Symbol,
    exp,
)

from derive.binding import freshen, rename
from derive.brackets import Bracket
from derive.formula import Largest, Stage
from derive.rewriting import matches

Factors = dict[Expr, Rational]
"""The exponent of each factor of a product."""

Binding = Mapping[Symbol, Expr]


@dataclass(frozen=True)
class Definition:
    """target = coefficient times the product of all factor^exponent, times ``choosing``.

    The factors in ``choosing`` are zero or one, so that a product with the target keeps its value
    when they are multiplied in once more.
    """

    target: Indexed
    coefficient: Rational
    factors: tuple[tuple[Expr, Rational], ...]
    choosing: tuple[Expr, ...]

    @property
    def letters(self) -> frozenset[Symbol]:
        """The indices of the target, which stand for any."""
        return frozenset(self.target.indices)

    def fold(self, expression: Expr) -> Expr:
        """Divide a product by the definition and multiply it by the target, while that goes."""
        factors, folded = factors_of(expression), expression
        while (found := self._found(factors)) is not None:
            target, used, times = found
            left = {f: e - used.get(f, 0) for f, e in factors.items()}
            left[target] = left.get(target, Rational(0)) + times
            folded = product_of(left) * self.coefficient**-times
            factors = factors_of(folded)
        return folded

    def complement(self, expression: Expr) -> Expr:
        """Put 1 - a in place of a e^(-s), where a = 1 / (1 + e^(-s)) is the definition.

        In general, where a = c / (r + q E) with numbers c, r and q: a E = (c - r a) / q.
        """
        parts = _numbers_and_exponential(self)
        if parts is None:
            return expression
        rest, times, pattern = parts
        factors = factors_of(expression)
        for factor, exponent in factors.items():
            if exponent < 1:
                continue
            for binding in matches(pattern, factor, self.letters, {}):
                target = self.target.xreplace(dict(binding))
                power = factors.get(target, Rational(0))
                if power < 1:
                    continue
                left = {**factors, factor: exponent - 1, target: power - 1}
                # What is left of the target is zero wherever a chosen factor is.
                whole = Mul(*(rename(c, binding) for c in self.choosing)) if power == 1 else 1
                return Mul(product_of(left), (self.coefficient * whole - rest * target) / times)
        return expression

    def _found(self, factors: Factors) -> tuple[Expr, Factors, Rational] | None:
        """Return an entry that the factors hold, the powers it takes, and how often it is there."""
        for binding, places in self._places(self.factors, factors, {}, {}):
            target = self.target.xreplace(dict(binding))
            times = _least(factors[f] / e for f, e in places.items())
            used = {f: e * times for f, e in places.items()}
            chosen = [rename(factor, binding) for factor in self.choosing]
            # Where the target itself is a factor, what it chooses is chosen already.
            if all(c in factors or factors.get(target, 0) > 0 for c in chosen):
                return target, {**used, **{c: Rational(1) for c in chosen if c in factors}}, times
        return None

    def _places(
        self,
        patterns: Sequence[tuple[Expr, Rational]],
        factors: Factors,
        binding: Binding,
        places: Factors,
    ) -> Iterator[tuple[Binding, Factors]]:
        """Yield the indices, and the factor that each pattern is, for all ways to match them."""
        if not patterns:
            if self.letters <= binding.keys():
                yield binding, places
            return
        (pattern, exponent), *others = patterns
        for factor, available in factors.items():
            if factor in places or not self._reaches(available / exponent):
                continue
            for found in matches(pattern, factor, self.letters, binding):
                yield from self._places(others, factors, found, {**places, factor: exponent})

    def _reaches(self, times: Rational) -> bool:
        """Tell whether a power holds another at least once; a single one may also divide."""
        alone = len(self.factors) == 1 and not self.choosing
        return bool(times >= 1 or (alone and times.is_Integer))


def definition(stage: Stage, indicators: frozenset[IndexedBase]) -> Definition | None:
    """Read a stage as a product of powers; one that is shorter as it stands is none.

    ``indicators`` hold zeros and ones alone.
    """
    if stage.value.has(Largest):
        return None
    coefficient, value = freshen(stage.value).as_coeff_Mul()
    powers = factors_of(value)
    choosing = tuple(f for f in powers if _chooses(f, indicators))
    factors = tuple((f, e) for f, e in powers.items() if f not in choosing)
    plain = all(isinstance(f, Indexed | Symbol | Add) and e > 0 and e.q == 1 for f, e in factors)
    return None if plain else Definition(stage.target, coefficient, factors, choosing)


def factors_of(expression: Expr) -> Factors:
    """Return a product as powers of its factors."""
    found: Factors = {}
    for factor in Mul.make_args(expression):
        is_power = isinstance(factor, Pow) and factor.exp.is_Rational
        base, exponent = factor.args if is_power else (factor, Rational(1))
        found[base] = found.get(base, Rational(0)) + exponent
    return found


def product_of(factors: Factors) -> Expr:
    """Multiply powers, the other way of ``factors_of``."""
    return Mul(*(Pow(base, exponent) for base, exponent in factors.items()))


def _chooses(factor: Expr, indicators: frozenset[IndexedBase]) -> bool:
    entry = isinstance(factor, Indexed) and factor.base in indicators
    return entry or isinstance(factor, Bracket)


def _least(ratios: Iterator[Rational]) -> Rational:
    """Return how often all powers are there: whole times, below zero where they divide."""
    return min((Rational(int(ratio)) for ratio in ratios), key=abs)


def _numbers_and_exponential(found: Definition) -> tuple[Rational, Rational, Expr] | None:
    """Return r, q and E where the definition is c / (r + q E)."""
    if len(found.factors) != 1 or found.factors[0][1] != -1:
        return None
    rest, term = found.factors[0][0].as_coeff_Add()
    times, exponential = term.as_coeff_Mul()
    return (rest, times, exponential) if isinstance(exponential, exp) and rest else None
