"""The letters of the proof, and what to draw for them: exact numbers, extremes included."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from random import Random

from sympy import Expr, IndexedBase, Integer, Symbol, exp

n = Symbol("n", integer=True, positive=True)
j, l = Symbol("j", integer=True), Symbol("l", integer=True)  # noqa: E741 - as in the formulas
d, m, k, t = (Symbol(name, integer=True, positive=True) for name in "dmkt")
u, h = Symbol("u", positive=True), Symbol("h", positive=True)
omega = Symbol("omega", nonnegative=True)
P, x, xi, zeta, theta = (IndexedBase(name) for name in ("P", "x", "xi", "zeta", "theta"))
v, e, q, key, G = (IndexedBase(name) for name in ("v", "e", "q", "k", "G"))
o = Symbol("o", real=True)


@cache
def entry(base: IndexedBase, place: int) -> Expr:
    """Return one letter with an index: SymPy makes them slowly."""
    return base[place]


@cache
def power(base: IndexedBase, place: int) -> Expr:
    """Return exp of such a letter, which is a letter to the checks."""
    return exp(base[place])


def growth(roundings: Expr | int) -> Expr:
    """Return g(m) = m u / (1 - m u), which bounds m factors of at most 1 + u each."""
    return roundings * u / (Integer(1) - roundings * u)


def number(random: Random) -> Fraction:
    """Draw a number of either sign: often of size one, at times tiny, huge or zero."""
    if random.random() < 0.05:
        return Fraction(0)
    size = random.choice((0, 0, 0, -30, 30))
    return random.choice((-1, 1)) * positive(random) * Fraction(2) ** size


def positive(random: Random) -> Fraction:
    """Draw a positive number of about size one."""
    return Fraction(random.randint(1, 999), random.randint(1, 99))


def weights(random: Random, length: int) -> list[Fraction]:
    """Draw positive weights that add up to one; at times one of them outweighs the others."""
    sizes = [positive(random) * Fraction(2) ** random.choice((0, 0, -40)) for _ in range(length)]
    total = sum(sizes)
    return [size / total for size in sizes]


def factor(random: Random) -> Fraction:
    """Draw exp(x) for an x that is not negative: near one, or large."""
    return 1 + positive(random) * Fraction(2) ** random.choice((-40, -10, -4, 0))


def between(random: Random, low: Fraction, high: Fraction) -> Fraction:
    """Draw a number of an interval, often one of its ends."""
    part = random.choice((Fraction(0), Fraction(1), Fraction(random.randint(0, 64), 64)))
    return low + (high - low) * part


def within(random: Random, size: Fraction) -> Fraction:
    """Draw a number of at most this magnitude, often just that."""
    return between(random, -size, size)
