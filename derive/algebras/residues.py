"""Numbers are residues modulo a chain of primes: a random point at which formulas are compared.

Two formulas that are the same agree at every point. Two that are not agree at a random point with
a probability that Schwartz and Zippel's lemma bounds by degree / prime, where each exponential
counts as a free number of its own.

An array holds its residues modulo each prime of a chain, lowest first. exp takes the residue
modulo one prime to a power modulo the next (see ``prime_chain``), so each exponential loses the
lowest level. A function of which nothing is used but that equal arguments give equal values gets
a value by a seeded hash of its argument, at every level.

Source: Schwartz 1980; Zippel 1979; the homomorphism of exp as in Li and Wu, arXiv 2506.04529.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

import numpy

from derive.algebras import prime_chain
from derive.algebras.degrees import CONSTANT, FREE, Degree
from derive.arrays import Places, Rearrangement, Unsupported, choosing
from derive.constants import ExactNumber

Level = numpy.ndarray[Any, numpy.dtype[numpy.int64]]
Levels = tuple[Level | None, ...]


class NeedsSquare(Exception):
    """A constant's root is needed, and the number is no square modulo a prime of this chain."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} must be a square modulo every prime of the chain")
        self.number = number


class NeedsLevel(Exception):
    """An exponential of an exponential needs a longer chain."""


class Unlucky(Exception):
    """A value that need not be zero is zero at this point; another point must be drawn."""


@dataclass(frozen=True)
class Residues:
    """x, or x + log(m) where ``cofactor`` holds m: the logarithm of m itself has no residue.

    ``levels[0]`` is modulo the lowest prime; None where the value is not known at that level.
    """

    levels: Levels
    degree: Degree
    cofactor: Levels | None = None
    cofactor_degree: Degree = CONSTANT

    @property
    def top(self) -> Level:
        """The residues modulo the largest prime."""
        level = self.levels[-1]
        if level is None:
            raise NeedsLevel
        return level


class ResidueArrays:
    """Arithmetic at one random point, drawn with ``random``.

    ``roots_of`` are the numbers that must be squares; ``expand`` says whether tanh and sigmoid
    are computed from exp, which sees their identities and costs a level.
    """

    decides_order = False

    def __init__(
        self, random: Random, *, levels: int = 2, squares: Sequence[int] = (), expand: bool = False
    ) -> None:
        try:
            self.chain = prime_chain.draw(random, levels, squares)
        except prime_chain.NoChain as error:
            raise Unsupported("identity test", f"too few primes have {error}") from None
        self.random = numpy.random.default_rng(random.getrandbits(64))
        self.expand = expand
        self.used: set[str] = set()
        self._salt = random.getrandbits(63)
        self._powers = [_PowerTable(*parts) for parts in _steps(self.chain)]

    # Making arrays

    def free(self, shape: tuple[int, ...]) -> Residues:
        """Draw an array of free numbers: the elements of an input."""
        levels = tuple(self.random.integers(0, p, size=shape) for p in self.chain.primes)
        return Residues(levels, FREE)

    def constants(self, numbers: Sequence[ExactNumber], places: Places) -> Residues:
        """Return exact constants; a root's residue is itself a square."""
        values = [
            numpy.array([self._constant(number, prime) for number in numbers], dtype=numpy.int64)
            for prime in self.chain.primes
        ]
        return Residues(tuple(value[places] for value in values), CONSTANT)

    def _constant(self, number: ExactNumber, prime: int) -> int:
        value = number.coefficient.numerator * pow(number.coefficient.denominator, -1, prime)
        if number.degree > 1:
            above = _root(number.radicand.numerator, number.degree, prime)
            below = _root(number.radicand.denominator, number.degree, prime)
            value = value * above * pow(below, -1, prime) % prime
        if number.logarithms:
            logarithm = (self._salt ^ 0x5DEECE66D) % (prime - 2) + 1
            value = value * pow(logarithm, number.logarithms, prime)
        return value % prime

    # Moving elements

    def rearranged(self, how: Rearrangement, *arrays: Residues) -> Residues:
        degree = arrays[0].degree
        for array in arrays[1:]:
            degree = degree.plus(array.degree)
        levels = _each(how, [array.levels for array in arrays])
        if all(array.cofactor is None for array in arrays):
            return Residues(levels, degree)
        cofactors = [array.cofactor or self._ones(array) for array in arrays]
        below = arrays[0].cofactor_degree
        for array in arrays[1:]:
            below = below.plus(array.cofactor_degree)
        return Residues(levels, degree, _each(how, cofactors), below)

    def reduced(self, how: Rearrangement, array: Residues) -> Residues:
        array = self.plain(array)
        return Residues(self._map(lambda x, p: _mod(how(x), p), array.levels), array.degree)

    # Arithmetic

    def add(self, left: Residues, right: Residues) -> Residues:
        levels = self._map(_add, left.levels, right.levels)
        degree = left.degree.plus(right.degree)
        if left.cofactor is None and right.cofactor is None:
            return Residues(levels, degree)
        cofactor = self._map(
            _multiply, left.cofactor or self._ones(left), right.cofactor or self._ones(right)
        )
        return Residues(levels, degree, cofactor, left.cofactor_degree.times(right.cofactor_degree))

    def negate(self, array: Residues) -> Residues:
        levels = self._map(lambda x, p: (p - x) * (x != 0), array.levels)
        if array.cofactor is None:
            return Residues(levels, array.degree)
        below = array.cofactor_degree
        return Residues(
            levels,
            array.degree,
            self._map(_inverse, array.cofactor),
            below.inverse(_size(array)),
        )

    def multiply(self, left: Residues, right: Residues) -> Residues:
        left, right = self.plain(left), self.plain(right)
        return Residues(
            self._map(_multiply, left.levels, right.levels), left.degree.times(right.degree)
        )

    def matmul(self, left: Residues, right: Residues) -> Residues:
        left, right = self.plain(left), self.plain(right)
        return Residues(
            self._map(_matmul, left.levels, right.levels), left.degree.times(right.degree)
        )

    def inverse(self, array: Residues) -> Residues:
        array = self.plain(array)
        distinct = _size(array)
        return Residues(self._map(_inverse, array.levels), array.degree.inverse(distinct))

    # Functions

    def exp(self, array: Residues) -> Residues:
        """Raise w to the power x, one level up; a cofactor m becomes a factor."""
        levels: list[Level | None] = [None]
        for place, table in enumerate(self._powers):
            level = array.levels[place]
            levels.append(None if level is None else table.power(level))
        if levels[-1] is None:
            if len(self.chain.primes) < LONGEST_CHAIN:
                raise NeedsLevel
            self.used.add("exp")
            return self._opaque("exp", array)
        degree = FREE
        if array.cofactor is not None:
            levels = list(self._map(_multiply, tuple(levels), array.cofactor))
            degree = degree.times(array.cofactor_degree)
        return Residues(tuple(levels), degree)

    def log(self, array: Residues) -> Residues:
        array = self.plain(array)
        zeros = self._map(lambda x, _: numpy.zeros_like(x), self._everywhere(array))
        return Residues(zeros, CONSTANT, array.levels, array.degree)

    def plain(self, array: Residues) -> Residues:
        """Return x + log(m) as one free number, the same for equal values of exp(x) m."""
        if array.cofactor is None:
            return array
        self.used.add("log")
        return self._opaque("log", self.exp(array))

    def sqrt(self, array: Residues) -> Residues:
        """Return a free number for each value: that its square is the value is not used."""
        self.used.add("sqrt")
        return self._opaque("sqrt", self.plain(array))

    def function(self, name: str, *arrays: Residues) -> Residues:
        if self.expand and name in ("tanh", "sigmoid"):
            return self._through_exp(name, arrays[0])
        self.used.add(name)
        return self._opaque(name, *(self.plain(array) for array in arrays))

    def _through_exp(self, name: str, array: Residues) -> Residues:
        """sigmoid(x) = 1/(1 + exp(-x)); tanh(x) = 1 - 2/(1 + exp(2x))."""
        places = numpy.zeros(array.top.shape, dtype=numpy.intp)
        ones, twos = (self.constants([ExactNumber.of(n)], places) for n in (1, 2))
        if name == "sigmoid":
            return self.inverse(self.add(ones, self.exp(self.negate(array))))
        twice = self.exp(self.add(array, array))
        quotient = self.multiply(twos, self.inverse(self.add(ones, twice)))
        return self.add(ones, self.negate(quotient))

    def largest(self, array: Residues, present: Places) -> Residues:
        """Return a free number for each set of values.

        An identity that holds with it holds whatever number stands there, the largest too.
        """
        self.used.add("max")
        array = self.plain(array)
        keys = numpy.where(present, _mixed(array.top, self._salt), numpy.uint64(0))
        key = keys.sum(axis=-1, dtype=numpy.uint64)
        alone = present.sum(axis=-1) == 1
        drawn = self._drawn("max", key)
        only = numpy.argmax(present, axis=-1)[..., None]
        levels = tuple(
            None
            if level is None
            else choosing(alone)(numpy.take_along_axis(level, only, -1)[..., 0], fresh)
            for level, fresh in zip(array.levels, drawn, strict=True)
        )
        return Residues(levels, FREE.plus(array.degree))

    def less(self, left: Residues, right: Residues, *, or_equal: bool) -> Residues:
        """Return a free number for each difference; left <= right is 1 - (right < left)."""
        if or_equal:
            return self._not(self.less(right, left, or_equal=False))
        self.used.add("comparison")
        return self._opaque("less", self.add(self.plain(left), self.negate(self.plain(right))))

    def equal(self, left: Residues, right: Residues) -> Residues:
        """Return a free number for each difference, the same for a difference and its negative."""
        self.used.add("comparison")
        difference = self.add(self.plain(left), self.negate(self.plain(right)))
        return self._opaque("equal", self.multiply(difference, difference))

    def _not(self, indicator: Residues) -> Residues:
        ones = self.constants([ExactNumber.of(1)], numpy.zeros(indicator.top.shape, numpy.intp))
        return self.add(ones, self.negate(indicator))

    # Comparing

    def same(self, left: Residues, right: Residues) -> Places:
        """Return where two arrays agree modulo every prime at which both are known."""
        left, right = self.plain(left), self.plain(right)
        agree: Places = left.top == right.top
        for mine, theirs in zip(left.levels[:-1], right.levels[:-1], strict=True):
            if mine is not None and theirs is not None:
                agree = agree & (mine == theirs)
        return agree

    # Inside

    def _map(self, function: Any, *arrays: Levels) -> Levels:
        return tuple(
            None if any(level is None for level in levels) else function(*levels, prime)
            for prime, *levels in zip(self.chain.primes, *arrays, strict=True)
        )

    def _ones(self, array: Residues) -> Levels:
        return self._map(lambda x, _: numpy.ones_like(x), self._everywhere(array))

    def _everywhere(self, array: Residues) -> Levels:
        return tuple(array.top for _ in self.chain.primes)

    def _opaque(self, name: str, *arrays: Residues) -> Residues:
        key = numpy.zeros(arrays[0].top.shape, dtype=numpy.uint64)
        for array in arrays:
            key = _mixed(key ^ array.top.astype(numpy.uint64), self._salt)
        return Residues(self._drawn(name, key), FREE)

    def _drawn(self, name: str, key: Any) -> Levels:
        """Draw residues at every level, determined by the function's name and the key."""
        # All of the name counts: two functions with one key would be taken for each other.
        named = int.from_bytes(sha256(name.encode()).digest()[:8], "little") ^ self._salt
        drawn = []
        for place, prime in enumerate(self.chain.primes):
            mixed = _mixed(key, named + 0x1000003 * (place + 1))
            drawn.append((mixed % numpy.uint64(prime)).astype(numpy.int64))
        return tuple(drawn)


LONGEST_CHAIN = 4
"""Levels; the lowest prime of such a chain still has 22 bits."""


LARGEST_FACTOR = 10_000
"""Factors of radicands are looked for up to here."""


class _PowerTable:
    """w^x for whole arrays: two tables of powers, for the high and the low bits of x."""

    def __init__(self, generator: int, order: int, prime: int) -> None:
        self.prime = prime
        self.bits = (order.bit_length() + 1) // 2
        self.low = _powers(generator, 1 << self.bits, prime)
        step = pow(generator, 1 << self.bits, prime)
        self.high = _powers(step, (order >> self.bits) + 1, prime)

    def power(self, exponents: Level) -> Level:
        low = self.low[exponents & ((1 << self.bits) - 1)]
        return _multiply(self.high[exponents >> self.bits], low, self.prime)


def _powers(base: int, count: int, prime: int) -> Level:
    """Return base^0, base^1, ..., by doubling."""
    table = numpy.ones(count, dtype=numpy.int64)
    filled, factor = 1, base
    while filled < count:
        more = min(filled, count - filled)
        table[filled : filled + more] = _mod(table[:more] * factor, prime)
        filled, factor = filled + more, factor * factor % prime
    return table


def _root(number: int, degree: int, prime: int) -> int:
    """Return a root as the product of its prime factors' roots, so that sqrt(18) is 3 sqrt(2)."""
    root = 1
    for factor, times in _factors(number):
        whole, left = divmod(times, degree)
        root = root * pow(factor, whole, prime) % prime
        if left:
            if not prime_chain.is_square(factor, prime):
                raise NeedsSquare(factor)
            part = factor
            for _ in range(degree.bit_length() - 1):
                part = prime_chain.square_root(part, prime)
            root = root * pow(part, left, prime) % prime
    return root


def _factors(number: int) -> list[tuple[int, int]]:
    """Return prime factors with their multiplicities; what has only large ones stays whole."""
    found = []
    factor = 2
    while factor * factor <= number and factor < LARGEST_FACTOR:
        times = 0
        while number % factor == 0:
            number, times = number // factor, times + 1
        if times:
            found.append((factor, times))
        factor += 1
    return [*found, (number, 1)] if number > 1 else found


def _steps(chain: prime_chain.PrimeChain) -> list[tuple[int, int, int]]:
    return list(zip(chain.generators, chain.primes, chain.primes[1:], strict=False))


def _each(how: Rearrangement, arrays: Sequence[Levels]) -> Levels:
    return tuple(
        None if any(level is None for level in levels) else how(*levels)
        for levels in zip(*arrays, strict=True)
    )


def _mod(values: Any, prime: int) -> Level:
    # numpy divides by a scalar with multiplications; its remainder is twice as slow.
    reduced: Level = values - (values // prime) * prime
    return reduced


def _add(left: Level, right: Level, prime: int) -> Level:
    total = left + right
    total -= prime * (total >= prime)
    return total


def _multiply(left: Level, right: Level, prime: int) -> Level:
    return _mod(left * right, prime)


def _inverse(values: Level, prime: int) -> Level:
    """Return values^(prime - 2); a zero means that another point must be drawn."""
    repeated, values = values, _distinct(values)
    if not values.all():
        raise Unlucky
    power, result = values, numpy.ones_like(values)
    exponent = prime - 2
    while exponent:
        if exponent & 1:
            result = _multiply(result, power, prime)
        exponent >>= 1
        if exponent:
            power = _multiply(power, power, prime)
    return numpy.broadcast_to(result, repeated.shape)


HALF = 16
"""Bits in the lower half of a residue: sums of products of halves are exact in doubles."""

LONGEST_SUM = 2**18


def _matmul(left: Level, right: Level, prime: int) -> Level:
    """Multiply matrices exactly, by three products of halves in floating point (Karatsuba)."""
    if left.shape[-1] > LONGEST_SUM:
        raise Unsupported("matmul", f"sums of more than {LONGEST_SUM} terms")
    mask = (1 << HALF) - 1
    high, low = (left >> HALF).astype(float), (left & mask).astype(float)
    right_high, right_low = (right >> HALF).astype(float), (right & mask).astype(float)
    above = (high @ right_high).astype(numpy.int64)
    below = (low @ right_low).astype(numpy.int64)
    both = ((high + low) @ (right_high + right_low)).astype(numpy.int64)
    middle = _mod(both - above - below, prime)
    above = _mod(above, prime)
    return _mod((_mod((above << HALF) + middle, prime) << HALF) + below, prime)


def _mixed(key: Any, salt: int) -> Any:
    """Mix the bits of 64-bit keys (the finaliser of splitmix64)."""
    with numpy.errstate(over="ignore"):
        mixed = key.astype(numpy.uint64) + numpy.uint64(salt & (2**64 - 1))
        mixed = mixed + numpy.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> numpy.uint64(31))


def _size(array: Residues) -> int:
    """Count the elements that can differ: an axis of stride zero repeats one element."""
    return max(1, _distinct(array.top).size)


def _distinct(values: Level) -> Level:
    """Return a view without the repetitions that broadcasting made."""
    return values[tuple(slice(0, 1) if s == 0 else slice(None) for s in values.strides)]
