"""Rounding once, many times, in sums and products: any order, any tree."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from sympy import Abs, Eq, Le, Max, Rational, Sum, Symbol

from derive.rounding.checks import SEED, at_most, identity, told, value
from derive.rounding.formats import SHALLOW, TINY, Format
from derive.rounding.letters import d, entry, growth, h, j, k, key, m, q, u, within
from derive.rounding.step import Step
from derive.rounding.typeset import latex

FL = Symbol(r"\operatorname{fl}(x)", real=True)
X = Symbol("x", real=True)
SCORE = Symbol(r"\hat{s}", real=True)
SCALE = Symbol("sigma", positive=True)


def rounding(relative: int = 1, halves: int = 1) -> Step:
    """What one rounding does."""
    claim = Le(Abs(FL - X), Max(u * Abs(X) / relative, h * Rational(halves, 2)), evaluate=False)

    def checked() -> str:
        numbers = [Fraction(numerator, 256) for numerator in range(-2000, 2001)]
        for exact in numbers:
            at = {FL: SHALLOW.round(exact), X: exact, u: SHALLOW.unit, h: SHALLOW.smallest}
            at_most(value(claim.lhs, at), value(claim.rhs, at), exact)
        return f"all {len(numbers):,} multiples of 1/256 up to 8, in a format of four bits"

    return Step(
        "rounding",
        "One rounding",
        latex(claim),
        "The spacing of numbers of $p$ bits around $x$ is at most $2 u |x|$, with $u = 2^{-p}$, "
        "and $h$ where numbers are too small to be normal; the nearest is at most half as far "
        "away. Only one of the two happens at a time. Sums lose nothing to underflow, for a sum "
        "of multiples of $h$ is one.",
        checked,
        ("contract.unit", "relative.underflow", "contract.Stored"),
    )


def one_more(extra: int = 1) -> Step:
    """One more rounding turns g(m) into g(m + 1)."""
    gap = (m + extra) * u**2 / ((1 - m * u) * (1 - (m + extra) * u))
    claim = Eq(1 + growth(m + extra) - (1 + growth(m)) * (1 + u), gap, evaluate=False)
    return Step(
        "one-more-rounding",
        "One more rounding",
        latex(claim),
        "The right side is not negative while $(m + 1) u < 1$. So $m$ factors of at most $1 + u$ "
        "each, or at least $1 - u$, are within $g_m = m u / (1 - m u)$ of one, by induction on "
        "$m$.",
        lambda: identity(claim, lengths=(2,)),
        ("contract.Contract", "enclosed.growth"),
    )


def two_counts(product: int = 1) -> Step:
    """Two counts add up."""
    gap = product * m * k * u**2 / ((1 - m * u) * (1 - k * u) * (1 - (m + k) * u))
    claim = Eq(1 + growth(m + k) - (1 + growth(m)) * (1 + growth(k)), gap, evaluate=False)
    return Step(
        "two-counts",
        "Two counts of roundings",
        latex(claim),
        "Where two results are multiplied, their counts add up. For two precisions the product of "
        "the two factors is taken as it is.",
        lambda: identity(claim, lengths=(2,)),
        ("relative.compounded",),
    )


def inner_product(fewer: int = 0) -> Step:
    """A sum of products."""
    claim = Le(
        Abs(SCORE - Sum(q[j] * key[j], (j, 1, d))),
        growth(d - fewer) * Sum(Abs(q[j]) * Abs(key[j]), (j, 1, d)),
        evaluate=False,
    )

    def checked(cases: int = 400) -> str:
        random = Random(SEED)
        for length in (2, 3, 5):
            left, right = (side.subs(d, length).doit() for side in (claim.lhs, claim.rhs))
            for _ in range(cases):
                case = {entry(q, i): TINY.number(random) for i in range(1, length + 1)}
                case |= {entry(key, i): TINY.number(random) for i in range(1, length + 1)}
                terms = [
                    TINY.round(case[entry(q, i)] * case[entry(key, i)])
                    for i in range(1, length + 1)
                ]
                case |= {SCORE: TINY.total(terms, random), u: TINY.unit}
                at_most(value(left, case), value(right, case), case)
        return told(3 * cases) + ", of 2, 3 and 5 products of four bits added in a random order"

    return Step(
        "inner-product",
        "A sum of products, in any order",
        latex(claim),
        "Whatever the order, a product meets its own rounding and at most $d - 1$ of the sums, "
        "so at most $d$ factors (Higham 2002, section 3.1). Products that are kept exactly, as "
        "in a fused multiply-add, only leave some out.",
        checked,
        ("scores.score_error", "backward._scores"),
    )


SCALING = {
    "the root of the scale, computed for the query and for the key": 4,
    "its products with them": 2,
    "log2(e), rounded, for a power of two in place of exp": 1,
    "its product": 1,
}
"""What a score meets beside its sum of products: at most so many roundings."""


def scaled_product(roundings: int = sum(SCALING.values())) -> Step:
    """The scale, wherever it is applied."""
    claim = Le(
        Abs(SCORE - SCALE * Sum(q[j] * key[j], (j, 1, d))),
        growth(d + roundings) * SCALE * Sum(Abs(q[j]) * Abs(key[j]), (j, 1, d)),
        evaluate=False,
    )

    def checked(cases: int = 300) -> str:
        constants, fresh = 5, 3  # the root twice, and log2(e); their products
        random = Random(SEED)
        fine = Format(20, -400)
        for length in (2, 3):
            left, right = (side.subs(d, length).doit() for side in (claim.lhs, claim.rhs))
            for _ in range(cases):
                case = {entry(q, i): TINY.number(random) for i in range(1, length + 1)}
                case |= {entry(key, i): TINY.number(random) for i in range(1, length + 1)}
                pushed = random.choice((1, -1, None))

                def off(pushed: int | None = pushed) -> Fraction:
                    return 1 + (within(random, fine.unit) if pushed is None else pushed * fine.unit)

                root = Fraction(random.randint(1, 9), random.randint(1, 9))
                shared = [off() for _ in range(constants)]
                total = Fraction(0)
                for i in range(1, length + 1):
                    factors = [off() for _ in range(length + fresh)]
                    term = case[entry(q, i)] * case[entry(key, i)] * root**2
                    for one in shared + factors:
                        term *= one
                    total += term
                case |= {SCORE: total, SCALE: root**2, u: fine.unit}
                at_most(value(left, case), value(right, case), case)
        return told(2 * cases) + ", every factor 1 + u, every one 1 - u, or mixed"

    listed = ", ".join(f"{words} ({count})" for words, count in SCALING.items())
    return Step(
        "scaled-product",
        "The scale, on either side",
        latex(claim),
        f"Beside the $d$ roundings of the sum of products, a term meets at most these: {listed}. A "
        "program that scales once, or uses exp itself, meets fewer.",
        checked,
        ("scores.SCALING", "scores.score_error"),
    )


__all__ = ["inner_product", "one_more", "rounding", "scaled_product", "two_counts"]
