"""How steps are checked: identities by SymPy, inequalities on exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from math import prod
from random import Random
from typing import Any

from sympy import Abs, Add, Expr, Indexed, Max, Min, Mul, Pow, Symbol, cancel, exp, together
from sympy.core.relational import Relational

from derive.rounding.letters import l, n
from derive.rounding.step import StepRefuted

LENGTHS = (2, 3, 4)
CASES = 200
SEED = 2002

Numbers = dict[Any, Fraction]
"""What stands for a letter; ``exp(x[j])`` may be such a letter, so that exp needs no rounding."""


Evaluated = Callable[[Mapping[Any, Fraction]], Fraction]
"""A formula as a function of its letters' numbers."""


def written_out(expression: Expr, length: int) -> Expr:
    """Write every sum out for ``length`` terms; an index l that stands alone is the first."""
    return expression.subs(l, 1).subs(n, length).doit()


def identity(
    relation: Relational,
    given: Callable[[int], Mapping[Any, Any]] | None = None,
    lengths: tuple[int, ...] = LENGTHS,
) -> str:
    """Compare both sides as rational functions, after putting in what ``given`` defines.

    Raises:
        StepRefuted: They differ.
    """
    for length in lengths:
        difference = written_out(relation.lhs - relation.rhs, length)
        for name, meaning in (given(length) if given else {}).items():
            difference = difference.subs(name, meaning)
        if cancel(together(difference)) != 0:
            raise StepRefuted(f"at length {length} the two sides differ by {difference}")
    if len(lengths) == 1:
        return "both sides are the same rational function (SymPy)"
    said = ", ".join(map(str, lengths[:-1]))
    return f"both sides are the same rational function at lengths {said} and {lengths[-1]} (SymPy)"


def holds(
    relation: Relational,
    draw: Callable[[Random, int], Numbers],
    lengths: tuple[int, ...] = LENGTHS,
    cases: int = CASES,
) -> str:
    """Evaluate both sides of ``lhs <= rhs`` exactly, on random numbers that ``draw`` gives.

    Raises:
        StepRefuted: The left side is larger.
    """
    for length in lengths:
        random = Random(SEED + length)
        sides = (written_out(side, length) for side in (relation.lhs, relation.rhs))
        left, right = map(compiled, sides)
        for _ in range(cases):
            numbers = draw(random, length)
            at_most(left(numbers), right(numbers), numbers)
    return told(cases * len(lengths))


def told(cases: int) -> str:
    """Say how many exact cases were looked at."""
    return f"no exception in {cases:,} random cases, in exact rational arithmetic"


def at_most(left: Fraction, right: Fraction, case: object) -> None:
    """Compare two exact numbers.

    Raises:
        StepRefuted: The first is larger.
    """
    if left > right:
        raise StepRefuted(f"{float(left):.6g} exceeds {float(right):.6g} at {case}")


def value(expression: Expr, at: Mapping[Any, Fraction]) -> Fraction:
    """Evaluate exactly: sums, products, whole powers, magnitudes, and exp of given letters."""
    return compiled(expression)(at)


@cache
def compiled(expression: Expr) -> Evaluated:
    """Return a function of the letters' numbers; ``exp(x)`` is a letter, its powers are too."""
    if expression.is_Rational:
        constant = Fraction(int(expression.p), int(expression.q))
        return lambda _: constant
    if isinstance(expression, Symbol | Indexed):
        return lambda at: at[expression]
    if isinstance(expression, exp):
        return _exponential(expression.args[0])
    parts = [compiled(argument) for argument in expression.args]
    if isinstance(expression, Pow):
        base, power = parts
        return lambda at: base(at) ** int(power(at))
    if isinstance(expression, Add):
        return lambda at: sum((part(at) for part in parts), Fraction(0))
    if isinstance(expression, Mul):
        return lambda at: prod((part(at) for part in parts), start=Fraction(1))
    if isinstance(expression, Abs):
        return lambda at: abs(parts[0](at))
    if isinstance(expression, Max | Min):
        best = max if isinstance(expression, Max) else min
        return lambda at: best(part(at) for part in parts)
    raise TypeError(f"{expression} is not evaluated here")


def _exponential(exponent: Expr) -> Evaluated:
    terms = [term.as_coeff_Mul() for term in Add.make_args(exponent)]
    letters = [(exp(letter), int(times)) for times, letter in terms]
    return lambda at: prod((at[letter] ** times for letter, times in letters), start=Fraction(1))
