"""How large the degree of a computed value can be: what Schwartz and Zippel's lemma needs.

A value computed by a program is a quotient of polynomials in the free numbers: the inputs, the
exponentials, the results of functions of which nothing but congruence is used. All elements of an
array share one common denominator, the product over the arrays that were inverted on the way of
the numerators of all their elements, each to some multiplicity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Inverted:
    """An array that was inverted: the product of its numerators has degree at most ``degree``.

    Two arrays with the same bound are two: each is equal to itself alone.
    """

    degree: int


@dataclass(frozen=True)
class Degree:
    """numerator / product of inverted^multiplicity, for every element of an array.

    ``numerator`` bounds the degree of each element's numerator over the common denominator.
    """

    numerator: int = 0
    below: Mapping[Inverted, int] = field(default_factory=dict)

    @property
    def denominator(self) -> int:
        """The degree of the common denominator."""
        return sum(times * item.degree for item, times in self.below.items())

    def plus(self, other: Degree) -> Degree:
        """Bound a + b, over the least common multiple of the denominators."""
        if not self.below and not other.below:
            return Degree(max(self.numerator, other.numerator))
        below = {
            item: max(self.below.get(item, 0), other.below.get(item, 0))
            for item in {**self.below, **other.below}
        }
        whole = sum(times * item.degree for item, times in below.items())
        numerator = max(
            self.numerator + whole - self.denominator,
            other.numerator + whole - other.denominator,
        )
        return Degree(numerator, below)

    def times(self, other: Degree) -> Degree:
        """Bound a b. A sum of such products over any index has the same bound."""
        below = {
            item: self.below.get(item, 0) + other.below.get(item, 0)
            for item in {**self.below, **other.below}
        }
        return Degree(self.numerator + other.numerator, below)

    def inverse(self, elements: int) -> Degree:
        """Bound 1/a, where the array a has ``elements`` different elements.

        Over the product of all numerators, one element's inverse is its denominator times the
        other elements' numerators.
        """
        inverted = Inverted(elements * self.numerator)
        return Degree(self.denominator + (elements - 1) * self.numerator, {inverted: 1})


FREE = Degree(1)
"""A free number: an element of an input, an exponential, the result of an opaque function."""

CONSTANT = Degree(0)
