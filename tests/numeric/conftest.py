from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

import mpmath
import numpy
import pytest
from hypothesis import HealthCheck, settings

from derive.examples import Example, Number
from numeric.precision import Precision

# Compiling a formula or starting torch takes longer than one example of a property.
settings.register_profile(
    "numeric",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("numeric")

MakeExample = Callable[..., Example]


@pytest.fixture
def sentence() -> MakeExample:
    """Make a sentence from rows of decimals as text."""

    def make(*rows: Sequence[str], query: int = 0) -> Example:
        vectors = tuple(tuple(Number(Fraction(text), text) for text in row) for row in rows)
        tokens = tuple(f"token{place}" for place in range(1, len(rows) + 1))
        return Example("made", "made", tokens, vectors, query, " ".join(tokens))

    return make


@dataclass
class Adversary:
    """An algebra that rounds as badly as the model allows, in any order of sums and products.

    Scalars are mpmath numbers of many more digits than ``precision``; each operation moves its
    result by a relative error of up to u. ``towards`` is 1 or -1 to push every rounding one way,
    or 0 to push each at random.
    """

    precision: Precision
    exp_ulp: int
    random: Random
    towards: int

    def rounded(self, value: Any, relative: Any = None) -> Any:
        u = mpmath.mpf(self.precision.unit_roundoff.numerator)
        u /= self.precision.unit_roundoff.denominator
        error = u if relative is None else relative * u
        return value * (1 + error * (self.towards or self.random.choice((-1, 0, 1))))

    def number(self, value: Any) -> Any:
        exact = mpmath.mpf(int(value.p)) / int(value.q)
        return exact if value.q == 1 else self.rounded(exact)

    def add(self, terms: Sequence[Any]) -> Any:
        left = list(terms)
        while len(left) > 1:
            self.random.shuffle(left)
            left.append(self.rounded(left.pop() + left.pop()))
        return left[0]

    def multiply(self, factors: Sequence[Any]) -> Any:
        left = list(factors)
        while len(left) > 1:
            self.random.shuffle(left)
            one, other = left.pop(), left.pop()
            product = one * other
            fused = len(left) == 0 and self.random.random() < 0.3
            # Multiplying by one or minus one rounds nothing.
            whole = 1 in (abs(one), abs(other))
            left.append(product if fused or whole else self.rounded(product))
        return left[0]

    def divide(self, numerator: Any, denominator: Any) -> Any:
        if self.random.random() < 0.5:
            return self.rounded(numerator / denominator)
        return self.rounded(numerator * self.rounded(1 / denominator))

    def exp(self, exponent: Any) -> Any:
        return self.rounded(mpmath.exp(exponent), 2 * self.exp_ulp)

    def sqrt(self, radicand: Any) -> Any:
        return self.rounded(mpmath.sqrt(radicand))

    def largest(self, values: Sequence[Any]) -> Any:
        return max(values)


@dataclass
class Floats:
    """An algebra of numpy scalars of one type, summed in a random order."""

    kind: Any
    random: Random

    def number(self, value: Any) -> Any:
        return self.kind(int(value.p) / int(value.q))

    def add(self, terms: Sequence[Any]) -> Any:
        left = list(terms)
        while len(left) > 1:
            self.random.shuffle(left)
            left.append(left.pop() + left.pop())
        return left[0]

    def multiply(self, factors: Sequence[Any]) -> Any:
        result = factors[0]
        for factor in factors[1:]:
            result = result * factor
        return result

    def divide(self, numerator: Any, denominator: Any) -> Any:
        if self.random.random() < 0.5:
            return numerator / denominator
        return numerator * (self.kind(1) / denominator)

    def exp(self, exponent: Any) -> Any:
        return numpy.exp(exponent)

    def sqrt(self, radicand: Any) -> Any:
        return numpy.sqrt(radicand)

    def largest(self, values: Sequence[Any]) -> Any:
        return max(values)


@pytest.fixture
def adversary() -> type[Adversary]:
    return Adversary


@pytest.fixture
def floats() -> type[Floats]:
    return Floats
