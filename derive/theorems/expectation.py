"""The mean of an expression in independent random entries, and the rules that it follows.

E[X] is the sum of X over all outcomes, each times its probability. It is linear, it goes through
products of independent entries, and the entries' own means are given. That is all that is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympy import Add, Expr, Indexed, IndexedBase, Mul, Sum

from derive.binding import freshen
from derive.formula import opened
from derive.rewriting import Rule
from derive.sum_rules import everywhere


class Expectation(Expr):
    """E[body], the mean over every random entry in ``body``."""

    is_commutative = True
    is_real = True

    def __new__(cls, body: Expr) -> Expectation:
        """Make E[body]."""
        made: Expectation = Expr.__new__(cls, body)
        return made

    @property
    def body(self) -> Expr:
        """What the mean is taken of."""
        body: Expr = self.args[0]
        return body

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer.doprint(self.body)}]"


@dataclass(frozen=True)
class Distribution:
    """What values each entry of an array takes, and with which probability; entries independent."""

    array: IndexedBase
    outcomes: tuple[tuple[Expr, Expr], ...]


def linear(*random: IndexedBase) -> Rule:
    """E[X + Y] = E[X] + E[Y] and E[u X] = u E[X], for sums of any length; u reads no ``random``."""

    def is_random(expression: Expr) -> bool:
        return any(entry.base in random for entry in expression.atoms(Indexed))

    def mean(body: Expr) -> Expr:
        if not is_random(body):
            return body
        if isinstance(body, Add):
            return Add(*map(mean, body.args))
        if isinstance(body, Sum):
            inner, *limits = opened(freshen(body))
            return Sum(mean(inner), tuple(limits))
        if isinstance(body, Mul):
            certain = [factor for factor in body.args if not is_random(factor)]
            chance = Mul(*(factor for factor in body.args if is_random(factor)))
            return Mul(*certain, Expectation(chance) if isinstance(chance, Mul) else mean(chance))
        return Expectation(body)

    return _of_expectations(mean)


def independent(*groups: IndexedBase) -> Rule:
    """E[X Y] = E[X] E[Y], where X and Y read different ones of these independent arrays."""

    def mean(body: Expr) -> Expr:
        parts: dict[IndexedBase, list[Expr]] = {}
        for factor in Mul.make_args(body):
            read = {entry.base for entry in factor.atoms(Indexed)} & set(groups)
            if len(read) != 1:
                return Expectation(body)
            parts.setdefault(read.pop(), []).append(factor)
        return Mul(*(Expectation(Mul(*factors)) for factors in parts.values()))

    return _of_expectations(mean)


def _of_expectations(mean: Callable[[Expr], Expr]) -> Rule:
    return everywhere(lambda part: mean(part.body) if isinstance(part, Expectation) else part)
