"""Laurent polynomials with rational coefficients, and rewriting by polynomial equations.

A monomial is one integer: the exponent of generator g, from -31 to 31, stands in byte g, and the
product of two monomials is the sum of their integers. A polynomial holds whole numerators over
one common denominator, which is several times faster than a fraction for each term.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

BITS = 8
HALF = 1 << (BITS - 1)
GREATEST = 31
"""No exponent of a finished polynomial is greater.

A product of two then stays within 62, and a rewriting step from there within 124: a byte holds
that, so that an exponent never spills into its neighbour unseen.
"""


class ExponentOverflow(ArithmeticError):
    """An exponent is too large to be held in its byte."""


class TooManyTerms(ArithmeticError):
    """A polynomial has more terms than the limit allows."""


@dataclass(frozen=True, slots=True, eq=False)
class Polynomial:
    """A sum of terms ``numerator / denominator * monomial``; numerators are never zero."""

    terms: Mapping[int, int]
    denominator: int = 1
    reach: int = 0
    """No exponent in it is larger than this, in size."""

    def __bool__(self) -> bool:
        return bool(self.terms)

    def fractions(self) -> Iterator[tuple[int, Fraction]]:
        """Yield each monomial with its coefficient."""
        for monomial, numerator in self.terms.items():
            yield monomial, Fraction(numerator, self.denominator)

    def lowest(self) -> Polynomial:
        """Return the same polynomial with the least denominator."""
        if self.denominator == 1:
            return self
        common = gcd(self.denominator, *self.terms.values())
        if common == 1:
            return self
        terms = {monomial: number // common for monomial, number in self.terms.items()}
        return Polynomial(terms, self.denominator // common, self.reach)

    def key(self) -> tuple[int, frozenset[tuple[int, int]]]:
        """Return something hashable that is equal for equal polynomials."""
        lowest = self.lowest()
        return lowest.denominator, frozenset(lowest.terms.items())


ZERO = Polynomial({})
ONE = Polynomial({0: 1})


def constant(value: Fraction | int) -> Polynomial:
    """Return the polynomial that is the number ``value``."""
    value = Fraction(value)
    return Polynomial({0: value.numerator} if value else {}, value.denominator)


def power(generator: int, exponent: int = 1) -> int:
    """Return the monomial generator^exponent."""
    if abs(exponent) > GREATEST:
        raise ExponentOverflow(f"the exponent {exponent} is beyond {GREATEST}")
    return exponent << (BITS * generator)


def generator_power(generator: int, exponent: int = 1) -> Polynomial:
    """Return the polynomial generator^exponent."""
    return Polynomial({power(generator, exponent): 1}, reach=abs(exponent))


def monomial(value: int, coefficient: Fraction | int = 1, reach: int = GREATEST) -> Polynomial:
    """Return the polynomial with one term, in which no exponent is larger than ``reach``."""
    coefficient = Fraction(coefficient)
    return Polynomial({value: coefficient.numerator}, coefficient.denominator, reach)


def from_fractions(terms: Mapping[int, Fraction], reach: int) -> Polynomial:
    """Return the polynomial with these coefficients, none of them zero."""
    denominator = lcm(*(value.denominator for value in terms.values()))
    return Polynomial(
        {m: value.numerator * (denominator // value.denominator) for m, value in terms.items()},
        denominator,
        reach,
    )


def total(parts: Iterable[Polynomial]) -> Polynomial:
    """Return the sum."""
    parts = list(parts)
    denominator = lcm(*(part.denominator for part in parts))
    terms: dict[int, int] = {}
    get = terms.get
    for part in parts:
        factor = denominator // part.denominator
        for m, number in part.terms.items():
            terms[m] = get(m, 0) + number * factor
    kept = {m: number for m, number in terms.items() if number}
    return Polynomial(kept, denominator, max((part.reach for part in parts), default=0))


def scaled(polynomial: Polynomial, factor: Fraction | int) -> Polynomial:
    """Return factor * polynomial."""
    if not factor:
        return ZERO
    factor = Fraction(factor)
    terms = {m: number * factor.numerator for m, number in polynomial.terms.items()}
    return Polynomial(terms, polynomial.denominator * factor.denominator, polynomial.reach).lowest()


def same(left: Polynomial, right: Polynomial) -> bool:
    """Return whether two polynomials are equal, term by term."""
    if left.denominator == right.denominator:
        return left.terms == right.terms
    if left.terms.keys() != right.terms.keys():
        return False
    return all(
        number * right.denominator == right.terms[m] * left.denominator
        for m, number in left.terms.items()
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewriting rule: whatever the lead divides is replaced.

    Exponents of the lead may be negative; then it divides what has that exponent or a lower one.
    """

    lead: tuple[tuple[int, int], ...]
    """Generators with exponents; the first of them is looked for first."""
    replacement: Polynomial

    @property
    def monomial(self) -> int:
        """The lead as a monomial."""
        return sum(power(generator, exponent) for generator, exponent in self.lead)


class Ring:
    """Counts generators and holds the rules by which polynomials in them are reduced."""

    def __init__(self, limit_terms: int) -> None:
        self.limit_terms = limit_terms
        self.size = 0
        self.rules: dict[int, list[Rule]] = {}
        self._bias = 0
        self._watched = 0
        self._calm = 0

    def new(self) -> int:
        """Return a new generator."""
        self._bias |= HALF << (BITS * self.size)
        self.size += 1
        return self.size - 1

    def add_rule(self, rule: Rule) -> None:
        """Reduce by this rule from now on."""
        first = rule.lead[0][0]
        self.rules.setdefault(first, []).append(rule)
        self._watched |= (2 * HALF - 1) << (BITS * first)
        self._calm = self._bias & self._watched

    def exponents(self, value: int) -> dict[int, int]:
        """Return the exponents of a monomial, by generator."""
        packed = (value + self._bias).to_bytes(self.size, "little")
        return {g: byte - HALF for g, byte in enumerate(packed) if byte != HALF}

    def exponent(self, value: int, generator: int) -> int:
        """Return the exponent of one generator in a monomial."""
        return ((value + self._bias) >> (BITS * generator) & (2 * HALF - 1)) - HALF

    def support(self, polynomial: Polynomial) -> set[int]:
        """Return the generators that occur."""
        found: set[int] = set()
        for value in polynomial.terms:
            found.update(self.exponents(value))
        return found

    def multiply(self, left: Polynomial, right: Polynomial) -> Polynomial:
        """Return the product, reduced."""
        if len(left.terms) > len(right.terms):
            left, right = right, left
        reach = left.reach + right.reach
        if reach > 2 * GREATEST:
            left, right = self._measured(left), self._measured(right)
            reach = left.reach + right.reach
        if len(left.terms) * len(right.terms) > 50 * self.limit_terms:
            raise TooManyTerms(f"a product may have more than {50 * self.limit_terms} terms")
        terms: dict[int, int] = {}
        get = terms.get
        for m, number in left.terms.items():
            if not terms:
                terms = {m + n: number * other for n, other in right.terms.items()}
                get = terms.get
                continue
            for n, other in right.terms.items():
                terms[m + n] = get(m + n, 0) + number * other
        kept = {m: number for m, number in terms.items() if number}
        product = self.reduce(Polynomial(kept, left.denominator * right.denominator, reach))
        if product.reach > GREATEST:
            product = self._measured(product)
        if len(product.terms) > self.limit_terms:
            raise TooManyTerms(f"a polynomial has more than {self.limit_terms} terms")
        return product.lowest() if product.denominator >> 60 else product

    def product(self, factors: Iterable[Polynomial]) -> Polynomial:
        """Return the product of several, the smallest first."""
        result = ONE
        for factor in sorted(factors, key=lambda factor: len(factor.terms)):
            result = self.multiply(result, factor)
        return result

    def reduce(self, polynomial: Polynomial) -> Polynomial:
        """Apply the rules until none applies."""
        bias, watched, calm = self._bias, self._watched, self._calm
        raised = bias // 2
        if not watched:
            return polynomial
        dirty = [m for m in polynomial.terms if (m + bias) & watched != calm]
        if not dirty:
            return polynomial
        finished: dict[int, Fraction | int] = dict(polynomial.terms)
        waiting: dict[int, Fraction | int] = {m: finished.pop(m) for m in dirty}
        rewritten = False
        steps = 0
        while waiting:
            m, number = waiting.popitem()
            rule = self._applicable(m)
            if rule is None:
                value = finished.get(m, 0) + number
                if value:
                    finished[m] = value
                else:
                    finished.pop(m, None)
                continue
            rewritten = True
            steps += 1
            if steps > 50 * self.limit_terms:
                raise TooManyTerms("rewriting did not come to an end")
            base = m - rule.monomial
            denominator = rule.replacement.denominator
            for n, factor in rule.replacement.terms.items():
                new = base + n
                if (new + raised) & bias:
                    raise ExponentOverflow(f"an exponent grew beyond {2 * GREATEST}")
                share = (
                    number * factor if denominator == 1 else Fraction(number * factor) / denominator
                )
                place = waiting if (new + bias) & watched != calm else finished
                value = place.get(new, 0) + share
                if value:
                    place[new] = value
                else:
                    place.pop(new, None)
        if not rewritten:
            return polynomial
        result = from_fractions({m: Fraction(v) for m, v in finished.items()}, 2 * GREATEST)
        return self._measured(
            Polynomial(result.terms, result.denominator * polynomial.denominator, result.reach)
        ).lowest()

    def _applicable(self, value: int) -> Rule | None:
        biased = value + self._bias
        for generator, rules in self.rules.items():
            if (biased >> (BITS * generator)) & (2 * HALF - 1) == HALF:
                continue
            for rule in rules:
                for other, exponent in rule.lead:
                    held = ((biased >> (BITS * other)) & (2 * HALF - 1)) - HALF
                    if held < exponent if exponent > 0 else held > exponent:
                        break
                else:
                    return rule
        return None

    def _measured(self, polynomial: Polynomial) -> Polynomial:
        """Return the polynomial with a bound on its exponents that is close to the least."""
        for reach in (GREATEST // 4, GREATEST // 2, GREATEST):
            if self._within(polynomial.terms, reach):
                return Polynomial(polynomial.terms, polynomial.denominator, reach)
        raise ExponentOverflow(f"an exponent grew beyond {GREATEST}")

    def _within(self, terms: Iterable[int], reach: int) -> bool:
        """Return whether no exponent is larger than ``reach``, a power of two less one.

        Such exponents, raised by reach + 1, leave the upper bits of their bytes free.
        """
        raised = self._bias // HALF * (reach + 1)
        upper = self._bias // HALF * (2 * HALF - 2 * (reach + 1))
        return not any((m + raised) & upper for m in terms)
