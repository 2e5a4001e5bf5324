"""Numbers stored in a narrow format: what copies cost, below the normal range too."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from sympy import Abs, Integer, Le, Max, Symbol

from derive.rounding.checks import SEED, at_most, told, value
from derive.rounding.formats import SHALLOW, TINY, Format
from derive.rounding.letters import h, number, positive, t, u, within
from derive.rounding.step import Step
from derive.rounding.typeset import latex

COPY, EXACT, ERROR = Symbol(r"\hat{s}", real=True), Symbol("s", real=True), Symbol("epsilon")
SCALE, QUERY, KEY = Symbol("sigma", positive=True), Symbol("q", real=True), Symbol("k", real=True)
PARTS, SIZES = Symbol("p", integer=True, positive=True), Symbol("A", nonnegative=True)
SUM = Symbol("S", real=True)


def copies(uncounted: int = 0, absolute: int = 1) -> Step:
    """Copies of one number, one after the other."""
    claim = Le(
        Abs(COPY - EXACT),
        ERROR + ((1 + u) ** (t - uncounted) - 1) * (Abs(EXACT) + ERROR) + absolute * t * h / 2,
        evaluate=False,
    )

    def checked(cases: int = 1500) -> str:
        random = Random(SEED)
        for _ in range(cases):
            fmt = Format(random.choice((8, 11)), -24)
            times, exact = random.randint(1, 6), number(random)
            error = random.choice((0, 1)) * positive(random) * Fraction(2) ** random.choice((0, -9))
            found = exact + within(random, error)
            way = random.choice(("up", "down", "mixed"))
            for _ in range(times):
                if random.random() < 0.25:
                    found += _pushed(random, way, fmt.smallest / 2)
                else:
                    found *= 1 + _pushed(random, way, fmt.unit)
            at = {COPY: found, EXACT: exact, ERROR: error, t: Fraction(times)}
            at |= {u: fmt.unit, h: fmt.smallest}
            at_most(value(claim.lhs, at), value(claim.rhs, at), at)
        return told(cases) + ", in formats of 8 and 11 bits"

    return Step(
        "copies",
        "Stored copies",
        latex(claim),
        "Each store multiplies by $1 + u$ at most, or adds $h/2$ at most, never both. Where some "
        "of $t$ stores add and the others multiply, what was added grows too: by less than the "
        "terms $h/2$ that are then to spare, as long as $t$ is small against $1/u$.",
        checked,
        ("contract.Stored", "relative.stored_growth", "relative.stored_underflow"),
    )


def _pushed(random: Random, way: str, size: Fraction) -> Fraction:
    return within(random, size) if way == "mixed" else size if way == "up" else -size


def scaled_copies(most: bool = True) -> Step:
    """What a copy loses where the scale comes first."""
    scale = Max(SCALE, 1) if most else SCALE
    claim = Le(
        Abs(COPY - SCALE * QUERY * KEY),
        u * SCALE * Abs(QUERY * KEY) + scale * Abs(KEY) * h / 2,
        evaluate=False,
    )

    def checked(cases: int = 2000) -> str:
        random = Random(SEED)
        for _ in range(cases):
            scale = Fraction(2) ** random.randint(-4, 2)
            query = SHALLOW.number(random, (-4, 1))
            other = positive(random) * 64
            first = random.random() < 0.5
            stored = SHALLOW.round(scale * query) if first else scale * SHALLOW.round(query)
            at = {COPY: stored * other, SCALE: scale, QUERY: query, KEY: other}
            at |= {u: SHALLOW.unit, h: SHALLOW.smallest}
            at_most(value(claim.lhs, at), value(claim.rhs, at), at)
        return told(cases) + ", scaled before and after the copy, near underflow"

    return Step(
        "scaled-copies",
        "A copy that is scaled first",
        latex(claim),
        r"Whether a program stores $q$ or $\sigma q$, it loses at most $h/2$ there. That is "
        "multiplied by the other factor, and by the scale only where the scale comes later. The "
        "same holds for gradients of scores, stored with the scale or without it.",
        checked,
        ("scores.score_error", "backward.backward_bound"),
    )


def parts(fewer: int = 0) -> Step:
    """A sum that is stored in parts."""
    claim = Le(Abs(COPY - SUM), ((1 + u) ** (PARTS - fewer) - Integer(1)) * SIZES, evaluate=False)

    def checked(cases: int = 1500) -> str:
        random = Random(SEED)
        for _ in range(cases):
            count = random.randint(1, 6)
            terms = [number(random) for _ in range(count)]
            if random.random() < 0.5:
                terms = [abs(term) for term in terms]
            found = Fraction(0)
            for term in terms:
                found = TINY.round(found + term)
            at = {COPY: found, SUM: sum(terms, Fraction(0)), PARTS: Fraction(count), u: TINY.unit}
            at[SIZES] = sum(map(abs, terms), Fraction(0))
            at_most(value(claim.lhs, at), value(claim.rhs, at) + count * TINY.smallest, terms)
        return told(cases) + ", up to six parts taken up in four bits"

    return Step(
        "parts",
        "A sum taken up in parts",
        latex(claim),
        "Kernels add a gradient up block by block, and store it in between; heads that share "
        "keys are added up after they were stored. No partial sum is larger than $A$, the sum of "
        "all magnitudes, so $p$ stores cost at most this. Underflow comes on top, $h/2$ each "
        "time.",
        checked,
        ("backward._Finish", "contract.Contract"),
    )


__all__ = ["copies", "parts", "scaled_copies"]
