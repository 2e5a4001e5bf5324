"""Chains of primes in which exp has a meaning: p0 divides p1 - 1, p1 divides p2 - 1, ...

An element of order p0 in the field of p1 elements turns addition modulo p0 into multiplication
modulo p1: w^(x + y) = w^x w^y. So a number that is known modulo p0 has an exponential modulo p1,
and exp(a + b) = exp(a) exp(b) holds exactly.

Every prime is 7 modulo 8: then -1 has no square root, so exactly one of r and -r is a square
itself, and the root that is one is the same whichever way it is reached: the fourth root of u is
the root of the root of u, and sqrt(a) sqrt(b) = sqrt(a b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

LARGEST_PRIME = 2**31
"""Products of two residues fit in 63 bits."""

COFACTORS = (2, 10, 18, 26, 34, 42, 50, 58)
"""(p1 - 1) / p0; two modulo eight, so that 7 modulo 8 is kept."""

MOST_DRAWN = 200_000
"""Candidates for the lowest prime, after which there are too few chains, or none."""

WITNESSES = (2, 3, 5, 7)
"""Miller and Rabin's test with these bases is exact below 3.2e9."""


class NoChain(ArithmeticError):
    """Hardly any chain of primes is as long and has all the square roots that are needed."""


@dataclass(frozen=True)
class PrimeChain:
    """Primes from the lowest to the top, and for each but the lowest an element w.

    ``generators[0]`` has order ``primes[0]`` modulo ``primes[1]``, and so on.
    """

    primes: tuple[int, ...]
    generators: tuple[int, ...]
    drawn: int = 1
    """How many candidates were drawn for the lowest prime until this chain was found."""
    candidates: int = 1
    """How many there are."""

    @property
    def top(self) -> int:
        """The largest prime, in whose field results are compared."""
        return self.primes[-1]


def draw(random: Random, length: int, squares: Sequence[int] = ()) -> PrimeChain:
    """Draw a chain of ``length`` primes modulo each of which all of ``squares`` are squares."""
    spare = 3 * (length - 1)
    high = LARGEST_PRIME >> (spare - 2 if length > 1 else 0)
    for drawn in range(1, MOST_DRAWN + 1):
        candidate = random.randrange(high // 2, high) // 8 * 8 + 7
        primes = [candidate] if _suitable(candidate, squares) else []
        while primes and len(primes) < length:
            above = [c * primes[-1] + 1 for c in COFACTORS if c * primes[-1] + 1 < LARGEST_PRIME]
            found = [prime for prime in above if _suitable(prime, squares)]
            primes = [*primes, random.choice(found)] if found else []
        if len(primes) == length:
            return PrimeChain(tuple(primes), _generators(random, primes), drawn, high // 16)
    raise NoChain(f"{length} levels, and square roots of {', '.join(map(str, squares))}")


def is_prime(number: int) -> bool:
    """Tell whether a number below 3.2e9 is prime."""
    if number < 2:
        return False
    for small in WITNESSES:
        if number % small == 0:
            return number == small
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in WITNESSES:
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def is_square(number: int, prime: int) -> bool:
    """Tell whether ``number`` is a square modulo ``prime``, by Euler's criterion."""
    return pow(number, (prime - 1) // 2, prime) in (0, 1)


def square_root(number: int, prime: int) -> int:
    """Return the root that is a square itself; ``number`` must be a square, prime 3 modulo 4."""
    return pow(number, (prime + 1) // 4, prime)


def _suitable(candidate: int, squares: Sequence[int]) -> bool:
    return is_prime(candidate) and all(is_square(s % candidate, candidate) for s in squares)


def _generators(random: Random, primes: Sequence[int]) -> tuple[int, ...]:
    found = []
    for low, high in pairwise(primes):
        generator = 1
        while generator == 1:
            generator = pow(random.randrange(2, high), (high - 1) // low, high)
        found.append(generator)
    return tuple(found)
