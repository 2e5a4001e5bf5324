"""The bound itself is computed in float64: why what comes out is still a bound."""

from __future__ import annotations

from fractions import Fraction

from sympy import Eq, Le, Symbol

from derive.rounding.checks import at_most, identity, value
from derive.rounding.letters import u
from derive.rounding.step import Step
from derive.rounding.typeset import latex

COUNT, MORE = Symbol("N", integer=True, positive=True), Symbol("s", positive=True)
A, B = Symbol("a", nonnegative=True), Symbol("b", nonnegative=True)
OPERATIONS, SLACK = 22, -30


def slack(operations: int = OPERATIONS) -> Step:
    """A computed radius is made larger."""
    claim = Le(1, (1 - COUNT * u) * (1 + MORE) * (1 - u), evaluate=False)
    given = rf"u = 2^{{-53}}, \; s = 2^{{{SLACK}}}, \; N \leq 2^{{{operations}}}"

    def checked() -> str:
        counts = [2**power for power in range(operations + 1)]
        for count in counts:
            at = {COUNT: Fraction(count), u: Fraction(1, 2**53), MORE: Fraction(2) ** SLACK}
            at_most(Fraction(1), value(claim.rhs, at), count)
        return f"exact at {len(counts)} counts up to 2^{operations}; the right side falls with N"

    return Step(
        "slack",
        "The radius is made larger",
        rf"{latex(claim)} \qquad ({given})",
        "A radius is a sum of products of numbers that are not negative. $N$ operations in "
        "float64 make it too small by at most the first factor; it is then multiplied by $1 + "
        "s$, which rounds once. Differences of near numbers are not computed this way.",
        checked,
        ("enclosed.up",),
    )


def near_one(products: int = 1) -> Step:
    """Two factors near one, without a difference of near numbers."""
    claim = Eq((1 + A) * (1 + B) - 1, A + B + products * A * B, evaluate=False)
    return Step(
        "near-one",
        "Numbers near one",
        latex(claim),
        "In float64 the left side may lose all its digits, the right side loses next to none. "
        "Where more factors are multiplied, the sum of log1p and then expm1 do the same.",
        lambda: identity(claim, lengths=(2,)),
        ("contract.Contract", "relative.compounded"),
    )


__all__ = ["near_one", "slack"]
