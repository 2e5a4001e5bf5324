"""The soft cap: c tanh(s / c), its slope, and what errors become on the way through it."""

from __future__ import annotations

from random import Random

import mpmath
from sympy import Abs, Eq, Le, Symbol, cosh, diff, simplify, tanh

from derive.rounding.checks import SEED, holds, identity
from derive.rounding.letters import number, positive, within
from derive.rounding.step import Step, StepRefuted
from derive.rounding.typeset import latex

A, B = Symbol("a", real=True), Symbol("b", real=True)
R, R_HAT, E = Symbol("r", real=True), Symbol(r"\hat{r}", real=True), Symbol("E", nonnegative=True)
DS, DS_HAT = Symbol("s'", real=True), Symbol(r"\hat{s}'", real=True)


def slope(farthest: bool = False) -> Step:
    """The slope of tanh between two numbers."""
    worst = Symbol(r"\max(|a|, |b|)" if farthest else r"\min_{[a, b]}|\cdot|", real=True)
    claim = Le(Abs(tanh(A) - tanh(B)), Abs(A - B) / cosh(worst) ** 2, evaluate=False)

    def checked(cases: int = 1500) -> str:
        if simplify(diff(tanh(A), A) - 1 / cosh(A) ** 2) != 0:
            raise StepRefuted("the derivative of tanh is not 1 / cosh^2")
        random = Random(SEED)
        with mpmath.workdps(60):
            for _ in range(cases):
                one, other = (mpmath.mpf(random.uniform(-6, 6)) for _ in range(2))
                if random.random() < 0.3:
                    other = one + mpmath.mpf(2) ** -random.randint(4, 40)
                nearest = min(abs(one), abs(other)) if one * other > 0 else mpmath.mpf(0)
                size = max(abs(one), abs(other)) if farthest else nearest
                most = abs(one - other) / mpmath.cosh(size) ** 2
                if abs(mpmath.tanh(one) - mpmath.tanh(other)) > most * (1 + mpmath.mpf(10) ** -50):
                    raise StepRefuted(f"at {one} and {other} tanh is steeper")
        return f"the derivative by SymPy; no exception in {cases:,} pairs, with 60 digits"

    return Step(
        "slope",
        "The slope of the cap",
        latex(claim),
        r"By the mean value theorem, for the derivative of tanh is $1 / \cosh^2$, which falls on "
        "either side of zero. The interval is all that the argument may be: the exact one, give "
        "or take its whole error.",
        checked,
        ("scores._slope", "scores.score_error"),
    )


def slope_error(linear: int = 2) -> Step:
    """The slope that the gradient uses."""
    claim = Le(Abs(R_HAT**2 - R**2), E * (linear * Abs(R) + E), evaluate=False)

    def draw(random: Random, _length: int) -> dict[object, object]:
        error, exact = positive(random) * random.choice((1, 1000)) / 1000, number(random)
        return {E: error, R: exact, R_HAT: exact + within(random, error)}

    return Step(
        "slope-error",
        "The slope in the gradient",
        latex(claim),
        r"The gradient uses $1 - \hat{r}^2$ with the hyperbolic tangent $\hat{r}$ that the "
        "program has. Here $E$ bounds its error; the square, the difference and the products "
        "with it round once each.",
        lambda: holds(claim, draw, lengths=(1,), cases=2000),  # type: ignore[arg-type]
        ("backward._through_cap",),
    )


def through_slope(sign: int = 1) -> Step:
    """A product of two numbers that both err."""
    b, b_hat = Symbol("b", real=True), Symbol(r"\hat{b}", real=True)
    claim = Eq(
        DS_HAT * b_hat - DS * b,
        (DS_HAT - DS) * b + sign * DS_HAT * (b_hat - b),
        evaluate=False,
    )
    return Step(
        "product-rule",
        "The product rule for errors",
        latex(claim),
        "Nothing is left out: the second term has the computed factor, whose magnitude is at most "
        "the exact one plus its error. Each product of the gradient uses this.",
        lambda: identity(claim, lengths=(2,)),
        ("backward._through_cap", "backward._scores", "backward._Finish"),
    )


__all__ = ["slope", "slope_error", "through_slope"]
