"""A basis of exponents: every exponent is a combination of its elements with whole multiplicities.

Then the exponential of any of them is a monomial in the exponentials of the basis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from derive.exact.polynomials import GREATEST, Polynomial, from_fractions

Coefficients = dict[int, Fraction]


@dataclass(frozen=True)
class _Row:
    """A combination of the basis that has a monomial which no later row has."""

    pivot: int
    terms: Coefficients
    combination: Coefficients


class Basis:
    """Exponents that are linearly independent over the rationals, each under a number."""

    def __init__(self, elements: Iterable[tuple[int, Polynomial]] = ()) -> None:
        self._rows: list[_Row] = []
        for number, exponent in elements:
            self.add(number, exponent)

    def add(self, number: int, exponent: Polynomial) -> None:
        """Add an element; one that depends on those before it adds nothing."""
        combination, rest = self.express(exponent)
        if rest:
            own = {each: -factor for each, factor in combination.items()}
            own[number] = Fraction(1)
            self._rows.append(_Row(max(rest), rest, own))

    def express(self, exponent: Polynomial) -> tuple[Coefficients, Coefficients]:
        """Return multiplicities of the elements, and the terms that they leave over."""
        rest = dict(exponent.fractions())
        combination: Coefficients = {}
        for row in self._rows:
            if row.pivot in rest:
                factor = rest[row.pivot] / row.terms[row.pivot]
                _accumulate(rest, row.terms, -factor)
                _accumulate(combination, row.combination, factor)
        return combination, rest


def _accumulate(into: Coefficients, terms: Mapping[int, Fraction], factor: Fraction) -> None:
    for key, value in terms.items():
        new = into.get(key, Fraction(0)) + factor * value
        if new:
            into[key] = new
        else:
            into.pop(key, None)


def whole(combination: Mapping[int, Fraction]) -> bool:
    """Return whether every multiplicity is a whole number."""
    return all(value.denominator == 1 for value in combination.values())


def extension(basis: Basis, exponents: Iterable[Polynomial]) -> list[Coefficients] | None:
    """Return new elements by which every exponent gets whole multiplicities.

    Exponents with fewer terms come first, and what they leave of the others becomes an element:
    of s and s - m, the elements are s and m. Returns None where an old element would have to be
    divided.
    """
    ordered = sorted(exponents, key=lambda each: (len(each.terms), sorted(each.terms)))
    divided: dict[int, int] = {}
    while True:
        trial = Basis()
        trial._rows.extend(basis._rows)
        elements: list[Coefficients] = []
        again = False
        for exponent in ordered:
            combination, rest = trial.express(exponent)
            if rest:
                number = -1 - len(elements)
                element = rest if whole(combination) else dict(exponent.fractions())
                share = Fraction(1, divided.get(number, 1))
                element = {m: value * share for m, value in element.items()}
                elements.append(element)
                trial.add(number, as_polynomial(element))
                continue
            for number, value in combination.items():
                if value.denominator > 1:
                    if number >= 0:
                        return None
                    divided[number] = lcm(divided.get(number, 1), 1) * value.denominator
                    again = True
            if again:
                break
        if not again:
            return elements


def as_polynomial(terms: Mapping[int, Fraction]) -> Polynomial:
    """Return the polynomial with these coefficients."""
    return from_fractions(terms, GREATEST)
