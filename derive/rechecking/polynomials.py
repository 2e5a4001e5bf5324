"""Polynomials in generators, and the rewriting of their monomials by rules.

A monomial is one integer: the exponent of generator g stands in byte g, so that a product of
monomials is a sum of integers. A negative exponent borrows from the next byte; with 128 added to
each, all bytes are exponents + 128. A polynomial is whole numerators by monomial, and a common
denominator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from derive.rechecking.layout import integer, refuse

Powers = tuple[tuple[int, int], ...]
"""Generators with their exponents."""

GREATEST = 31
"""Exponents of stored polynomials lie between -31 and 31, those of a product within 62."""
MOST_STEPS = 5_000_000
MOST_TERMS = 2_000_000


@dataclass(frozen=True)
class Polynomial:
    """A sum of terms ``numerator / denominator * monomial``."""

    terms: dict[int, int]
    denominator: int = 1


@dataclass(frozen=True)
class Rule:
    """What the lead divides may be replaced; a negative exponent divides itself and lower ones."""

    lead: Powers
    monomial: int
    """The lead, packed."""
    replacement: Polynomial


ZERO, ONE = Polynomial({}), Polynomial({0: 1})


def constant(value: Fraction | int) -> Polynomial:
    """Return a number as a polynomial."""
    value = Fraction(value)
    return Polynomial({0: value.numerator} if value else {}, value.denominator)


def packed(*powers: tuple[int, int]) -> int:
    """Return a product of powers of generators as a monomial."""
    return sum(exponent << (8 * generator) for generator, exponent in powers)


def lowest(polynomial: Polynomial) -> Polynomial:
    """Return the same polynomial with its one least denominator."""
    common = gcd(polynomial.denominator, *polynomial.terms.values())
    terms = {m: number // common for m, number in polynomial.terms.items()}
    return Polynomial(terms, polynomial.denominator // common)


def same(left: Polynomial, right: Polynomial) -> bool:
    """Return whether two reduced polynomials are one."""
    return lowest(left) == lowest(right)


def add(parts: Sequence[Polynomial]) -> Polynomial:
    """Return the sum."""
    denominator = lcm(*(part.denominator for part in parts))
    terms: dict[int, int] = {}
    for part in parts:
        factor = denominator // part.denominator
        for m, number in part.terms.items():
            terms[m] = terms.get(m, 0) + number * factor
    return Polynomial({m: number for m, number in terms.items() if number}, denominator)


def scale(polynomial: Polynomial, factor: Fraction | int) -> Polynomial:
    """Return factor * polynomial."""
    factor = Fraction(factor)
    terms = {m: n * factor.numerator for m, n in polynomial.terms.items() if factor}
    return Polynomial(terms, polynomial.denominator * factor.denominator)


class Ring:
    """Polynomials in a known number of generators, reduced by rules."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ones = sum(packed((generator, 1)) for generator in range(size))
        # By the first generator of the lead; the bytes of those generators are watched.
        self.rules: dict[int, list[Rule]] = {}
        self.watched = 0
        self.steps = 0

    def powers(self, monomial: int) -> list[tuple[int, int]]:
        """Return the generators of a monomial with their exponents."""
        held = (monomial + 128 * self.ones).to_bytes(self.size, "little")
        return [(g, byte - 128) for g, byte in enumerate(held) if byte != 128]

    def add_rule(self, lead: Powers, replacement: Polynomial) -> None:
        """Replace by this rule from now on."""
        self.rules.setdefault(lead[0][0], []).append(Rule(lead, packed(*lead), replacement))
        self.watched |= 255 << (8 * lead[0][0])

    def settle(self, polynomial: Polynomial) -> Polynomial:
        """Return the polynomial reduced, in lowest terms."""
        polynomial = self.small(self.reduce(polynomial))
        if len(polynomial.terms) > MOST_TERMS:
            refuse(f"a polynomial has more than {MOST_TERMS} terms")
        return polynomial if polynomial.denominator == 1 else lowest(polynomial)

    def small(self, polynomial: Polynomial) -> Polynomial:
        """Return the polynomial itself, after the check that its exponents are small enough."""
        # An exponent from -32 to 31, raised by 32, leaves the two upper bits of its byte free.
        raised, upper = 32 * self.ones, 0xC0 * self.ones
        if any((m + raised) & upper for m in polynomial.terms):
            refuse(f"an exponent is greater than {GREATEST}")
        return polynomial

    def multiply(self, factors: Iterable[Polynomial]) -> Polynomial:
        """Return the product, reduced."""
        result = ONE
        for factor in sorted(factors, key=lambda factor: len(factor.terms)):
            if len(factor.terms) * len(result.terms) > 10 * MOST_TERMS:
                refuse("a product is too long")
            terms: dict[int, int] = {}
            get = terms.get
            for m, number in result.terms.items():
                for n, other in factor.terms.items():
                    terms[m + n] = get(m + n, 0) + number * other
            kept = {m: number for m, number in terms.items() if number}
            result = self.settle(Polynomial(kept, result.denominator * factor.denominator))
        return result

    def power(self, base: Polynomial, exponent: int) -> Polynomial:
        """Return base to a power that is not negative."""
        return self.multiply([base] * integer(exponent, 0, 2 * GREATEST, "a multiplicity"))

    def reduce(self, polynomial: Polynomial) -> Polynomial:
        """Apply the rules, as long as any applies."""
        bias, watched = 128 * self.ones, self.watched
        # A monomial is calm if it holds no generator with which a lead begins.
        calm = bias & watched
        dirty = [m for m in polynomial.terms if (m + bias) & watched != calm]
        if not dirty:
            return polynomial
        finished: dict[int, Fraction | int] = dict(polynomial.terms)
        waiting = {m: finished.pop(m) for m in dirty}
        while waiting:
            m, number = waiting.popitem()
            rule = self.applicable(m)
            parts: Iterator[tuple[int, Fraction | int]] = iter([(m, number)])
            if rule is not None:
                self.steps += 1
                base, other = m - rule.monomial, rule.replacement
                factor = number if other.denominator == 1 else Fraction(number) / other.denominator
                parts = ((base + n, factor * value) for n, value in other.terms.items())
            if self.steps > MOST_STEPS:
                refuse("rewriting does not come to an end")
            for new, share in parts:
                # From -64 to 63, raised by 64, leaves the upper bit free: so no step can carry.
                if (new + 64 * self.ones) & bias:
                    refuse(f"an exponent is greater than {2 * GREATEST}")
                place = finished if rule is None or (new + bias) & watched == calm else waiting
                place[new] = place.get(new, 0) + share
                if not place[new]:
                    del place[new]
        denominator = lcm(*(Fraction(value).denominator for value in finished.values()))
        terms = {m: int(value * denominator) for m, value in finished.items()}
        return lowest(Polynomial(terms, denominator * polynomial.denominator))

    def applicable(self, monomial: int) -> Rule | None:
        """Return a rule whose lead divides the monomial."""
        held = (monomial + 128 * self.ones).to_bytes(self.size, "little")
        for generator, rules in self.rules.items():
            if held[generator] != 128:
                for rule in rules:
                    if all(0 < e <= held[g] - 128 or 0 > e >= held[g] - 128 for g, e in rule.lead):
                        return rule
        return None
