"""The output: weights that are divided by their own sum, centred on the exact output."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from sympy import Abs, Eq, IndexedBase, Le, Max, Min, Sum, Symbol, exp

from derive.rounding.checks import (
    CASES,
    LENGTHS,
    Evaluated,
    Numbers,
    compiled,
    holds,
    identity,
    told,
    written_out,
)
from derive.rounding.letters import (
    P,
    between,
    e,
    entry,
    factor,
    h,
    j,
    l,
    n,
    number,
    o,
    omega,
    positive,
    power,
    theta,
    u,
    v,
    weights,
    within,
    x,
    xi,
    zeta,
)
from derive.rounding.step import Step
from derive.rounding.typeset import aligned, latex

A, B = Symbol("a", nonnegative=True), Symbol("b", nonnegative=True)
ETA = IndexedBase("eta")
OUT, T = Symbol(r"\hat{o}", real=True), Symbol("T", nonnegative=True)
L, R, KAPPA = (
    Symbol("L", positive=True),
    Symbol("r", nonnegative=True),
    Symbol("kappa", nonnegative=True),
)


def _sum(term: Any) -> Sum:
    return Sum(term, (j, 1, n))


def draw(random: Random, length: int) -> Numbers:
    """Draw weights, values, and errors within their bounds; exp(x_j) is a rational letter."""
    share = weights(random, length)
    at: Numbers = {omega: Fraction(0)}
    least = Fraction(0)
    for i, one in enumerate(share, 1):
        most = factor(random)
        at |= {entry(P, i): one, entry(v, i): number(random), power(x, i): most}
        at[power(xi, i)] = between(random, 1 / most, most)
        least += one / most
    if random.random() < 0.5:
        at[omega] = least / length * Fraction(random.randint(1, 90), 100)
    for i in range(1, length + 1):
        # What is computed is never negative.
        least = -at[entry(P, i)] * at[power(xi, i)]
        at[entry(zeta, i)] = max(within(random, at[omega]), least)
    terms = (at[entry(P, i)] * at[entry(v, i)] for i in range(1, length + 1))
    at[o] = sum(terms, Fraction(0))
    return at


def centred(centre: Any = o) -> Step:
    """The quotient, centred."""
    claim = Eq(
        _sum(e[j] * v[j]) / _sum(e[j]) - o,
        _sum((e[j] - P[j]) * (v[j] - centre)) / _sum(e[j]),
        evaluate=False,
    )

    def given(length: int) -> dict[Any, Any]:
        first = {o: sum(P[i] * v[i] for i in range(1, length + 1))}
        return first | {P[length]: 1 - sum(P[i] for i in range(1, length))}

    return Step(
        "centred",
        "The output, centred",
        latex(claim),
        "The weights $e$ are divided by their own sum, and the sum of $P_j (v_j - o)$ is zero, "
        "for $o$ is that mean. So an error that all weights share has no effect, and only the "
        "distance of a value from the output counts, not its size.",
        lambda: identity(claim, given),
        ("forward._spread",),
    )


def perturbed(symmetric: bool = True) -> Step:
    """One weight, up or down."""
    most = exp(x[l]) - 1 if symmetric else 1 - exp(-x[l])
    claim = Le(Abs(P[l] * exp(xi[l]) + zeta[l] - P[l]), P[l] * most + omega, evaluate=False)
    return Step(
        "perturbed-weight",
        "One weight",
        latex(claim),
        r"For $\xi$ between $-x$ and $x$: what a weight can gain, $e^x - 1$, is at least what it "
        r"can lose, since $t - 1 \geq 1 - 1/t$ for $t \geq 1$. And $|\zeta| \leq \omega$ is what "
        "underflow takes.",
        lambda: holds(claim, draw),
        ("forward._grown",),
    )


def denominator(lost: bool = True) -> Step:
    """The sum of the weights, from below."""
    least = _sum(P[j] * exp(-x[j])) - (n * omega if lost else 0)
    claim = Le(least, _sum(P[j] * exp(xi[j]) + zeta[j]), evaluate=False)
    return Step(
        "denominator",
        "The sum, from below",
        latex(claim),
        "Term by term. Where the left side is not positive, nothing is divided by it: the limits "
        "of a mean, below, are all there is.",
        lambda: holds(claim, draw),
        ("forward.forward_bound",),
    )


def spread(terms: str = "both") -> Step:
    """The error of weights that are divided exactly."""
    gain = P[j] * (exp(x[j]) - 1) + (omega if terms == "both" else 0)
    claim = Le(
        Abs(_sum((P[j] * exp(xi[j]) + zeta[j]) * (v[j] - o))),
        _sum(gain * Abs(v[j] - o)),
        evaluate=False,
    )
    return Step(
        "spread",
        "What the weights do to the output",
        latex(claim),
        "The centred form, term by term. Divided by the sum from below, this is the first part of "
        "the bound.",
        lambda: holds(claim, draw),
        ("forward._spread",),
    )


def convex(nearest: bool = False) -> Step:
    """The error is never more than the farthest value."""

    def claimed(length: int) -> Le:
        cap = Min if nearest else Max
        mean = _sum(e[j] * v[j]) / _sum(e[j])
        return Le(
            Abs(mean - o), cap(*(Abs(v[i] - o) for i in range(1, length + 1))), evaluate=False
        )

    def check() -> str:
        for length in LENGTHS:
            holds(claimed(length), _convex_case, lengths=(length,))
        return told(CASES * len(LENGTHS))

    return Step(
        "convex",
        "A mean stays among the values",
        latex(Abs(_sum(e[j] * v[j]) / _sum(e[j]) - o)) + r" \leq \max_j \left|{v}_{j} - o\right|",
        "The weights $e$ are not negative, and at least the one of the largest score is not "
        "zero. So the quotient is a mean of values that the query sees, for any errors at all. "
        "In the same way the sum of $e_j |v_j|$ over that of $e_j$ is at most the largest "
        "$|v_j|$.",
        check,
        ("forward._sizes", "forward._spread"),
    )


def _convex_case(random: Random, length: int) -> Numbers:
    at: Numbers = {o: number(random)}
    for i in range(1, length + 1):
        at[entry(e, i)] = random.choice((0, 1, 1)) * positive(random)
        at[entry(v, i)] = number(random)
    at[entry(e, 1)] = positive(random)
    return at


def quotient(inverse: bool = True) -> Step:
    """Relative errors above and below."""
    below = B / (1 - B) if inverse else B
    claim = Le(
        Abs(
            _sum(e[j] * (1 + theta[j]) * v[j]) / _sum(e[j] * (1 + ETA[j]))
            - _sum(e[j] * v[j]) / _sum(e[j])
        ),
        ((1 + A) * (1 + below) - 1) * _sum(e[j] * Abs(v[j])) / _sum(e[j]),
        evaluate=False,
    )

    def case(random: Random, length: int) -> Numbers:
        above, under = (Fraction(random.randint(0, 45), 100) for _ in range(2))
        at: Numbers = {A: above, B: under}
        same = random.choice((None, 1, -1))
        for i in range(1, length + 1):
            at |= {entry(e, i): positive(random), entry(v, i): number(random)}
            at[entry(theta, i)] = above if same == 1 else within(random, above)
            at[entry(ETA, i)] = -under if same == 1 else within(random, under)
        return at

    return Step(
        "quotient",
        "Errors above and below the line",
        latex(claim),
        r"Each term above errs by a factor within $1 \pm a$: the stored weight, its product, the "
        "sums it goes through, rescaling, the division. The sum below errs by a factor within $1 "
        r"\pm b$, and $1 / (1 - b) = 1 + b / (1 - b)$. Values that are copied multiply in their "
        "own factor.",
        lambda: holds(claim, case),
        ("forward._relative", "contract.Contract"),
    )


def output(relative: bool = True, underflow: bool = True) -> Step:
    """All of it."""
    least = Eq(L, _sum(P[j] * exp(-x[j])) - n * omega, evaluate=False)
    gained = _sum((P[j] * (exp(x[j]) - 1) + omega) * Abs(v[j] - o)) / L
    sizes = _sum((P[j] * exp(x[j]) + omega) * Abs(v[j])) / L
    before = gained + (R * sizes if relative else 0) + (KAPPA if underflow else 0)
    claim = Le(Abs(OUT - o), T + u * (Abs(o) + T) + h / 2, evaluate=False)

    def case(random: Random, length: int) -> Numbers:
        at = draw(random, length)
        above, under = (Fraction(random.randint(0, 30), 100) for _ in range(2))
        at |= {R: (1 + above) / (1 - under) - 1, KAPPA: positive(random) / 100}
        at |= {u: Fraction(1, 256), h: Fraction(1, 64)}
        same, total, divisor = random.random() < 0.5, Fraction(0), Fraction(0)
        for i in range(1, length + 1):
            weight = at[entry(P, i)] * at[power(xi, i)] + at[entry(zeta, i)]
            value_ = at[entry(v, i)]
            total += weight * value_ * (1 + (above if same else within(random, above)))
            divisor += weight * (1 - (under if same else within(random, under)))
        found = total / divisor + random.choice((-1, 1)) * at[KAPPA]
        rounded = found * (1 + random.choice((-1, 1)) * at[u])
        at[OUT] = random.choice((rounded, found + random.choice((-1, 1)) * at[h] / 2))
        return at

    def checked() -> str:
        for length in LENGTHS:
            bound = compiled(written_out(before.subs(L, least.rhs), length))

            def whole(random: Random, size: int, bound: Evaluated = bound) -> Numbers:
                at = case(random, size)
                return at | {T: bound(at)}

            holds(claim, whole, lengths=(length,))
        return told(CASES * len(LENGTHS))

    return Step(
        "output",
        "The output, all together",
        aligned(claim, Eq(T, before, evaluate=False), least),
        "$T$ is what the steps before add up to, with $r$ for the relative errors above and "
        r"below the line and $\kappa$ for what underflows. The quotient with $|o - v_j|$ is never "
        "more than the largest of these, the other, without $r$, never more than the largest "
        "$|v_j|$. The output is then stored, with the $u$ and $h$ of its own format.",
        checked,
        ("forward.forward_bound",),
    )


__all__ = ["centred", "convex", "denominator", "output", "perturbed", "quotient", "spread"]
