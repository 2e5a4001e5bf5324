"""Iverson's bracket: 1 where a relation between whole numbers holds, 0 where it does not.

A causal score counts only where j is at most i::

    D[i] = sum over j from 1 to n of  [j <= i] exp(s[i, j])

so a mask needs no infinity. Source: Iverson 1962; Knuth 1992, Two Notes on Notation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

from sympy import Expr, Integer, S, sympify


class Bracket(Expr):
    """[left relation right]; both sides are whole numbers: indices, sizes, entries of masks.

    SymPy's relations reorder their sides and turn into truth values; this keeps the two as they
    were written until both are numbers.
    """

    relation: ClassVar[str]
    holds: ClassVar[Callable[[Any, Any], Any]]
    is_commutative = True
    is_real = True
    is_integer = True

    def __new__(cls, left: Expr | int, right: Expr | int) -> Expr:
        """Make [left relation right]; it is 1 or 0 at once where both sides are numbers."""
        # Strictly: a text is refused and never evaluated.
        left, right = sympify(left, strict=True), sympify(right, strict=True)
        if left.is_Rational and right.is_Rational:
            return Integer(1) if bool(cls.holds(left, right)) else S.Zero
        bracket: Expr = Expr.__new__(cls, left, right)
        return bracket

    @classmethod
    def compared(cls, left: Any, right: Any) -> Any:
        """Return the bracket of two arrays of integers, element by element, as ones and zeros."""
        return cls.holds(left, right) * 1

    def _eval_power(self, exponent: Expr) -> Expr | None:
        """Return the bracket itself: its powers are zero and one too."""
        return self if exponent.is_positive else None

    def _sympystr(self, printer: Any) -> str:
        left, right = (printer.doprint(side) for side in self.args)
        return f"[{left} {self.relation} {right}]"


class AtMost(Bracket):
    """[left <= right]."""

    relation = "<="
    holds = operator.le


class Below(Bracket):
    """[left < right]."""

    relation = "<"
    holds = operator.lt


class Equals(Bracket):
    """[left = right]."""

    relation = "="
    holds = operator.eq
