"""The derivative of an expression by one entry of an array, and the rules of differentiation.

They are the rules of every first course, for the operations that formulas are made of. The second
check takes the derivative of the written-out entry by SymPy's own ``diff``.
"""

from __future__ import annotations

from typing import Any

from sympy import Add, Expr, Indexed, IndexedBase, Integer, Mul, Pow, Sum, exp, tanh

from derive.binding import freshen
from derive.brackets import Equals
from derive.elements import UnknownNode
from derive.formula import opened
from derive.rewriting import Rule
from derive.sum_rules import everywhere


class Slope(Expr):
    """d of / d by: how fast ``of`` changes with the entry ``by``, all else held still."""

    is_commutative = True
    is_real = True

    def __new__(cls, of: Expr, by: Indexed) -> Slope:
        """Make d of / d by."""
        made: Slope = Expr.__new__(cls, of, by)
        return made

    @property
    def of(self) -> Expr:
        """What changes."""
        changing: Expr = self.args[0]
        return changing

    @property
    def by(self) -> Indexed:
        """The entry that it changes with."""
        return self.args[1]

    def _sympystr(self, printer: Any) -> str:
        return f"d({printer.doprint(self.of)})/d({printer.doprint(self.by)})"


def term_by_term(*still: IndexedBase) -> Rule:
    """Differentiate sums term by term; the arrays ``still`` do not change with the entry."""

    def slope(of: Expr, by: Indexed) -> Expr:
        if _is_still(of, still):
            return Integer(0)
        if isinstance(of, Add):
            return Add(*(slope(term, by) for term in of.args))
        if isinstance(of, Sum):
            body, *limits = opened(freshen(of))
            return Sum(slope(body, by), tuple(limits))
        if isinstance(of, Mul):
            constant = [factor for factor in of.args if _is_still(factor, still)]
            if constant:
                rest = Mul(*(factor for factor in of.args if not _is_still(factor, still)))
                return Mul(*constant, slope(rest, by))
        return Slope(of, by)

    return everywhere(lambda part: slope(part.of, part.by) if isinstance(part, Slope) else part)


def products_and_powers(expression: Expr) -> Expr:
    """(u v)' = u' v + u v', and (u^p)' = p u^(p - 1) u', so (u / v)' = u' / v - u v' / v^2."""

    def slope(part: Expr) -> Expr:
        if not isinstance(part, Slope):
            return part
        of, by = part.args
        if isinstance(of, Mul):
            factors = of.args
            return Add(
                *(
                    Mul(*factors[:place], slope(Slope(factor, by)), *factors[place + 1 :])
                    for place, factor in enumerate(factors)
                )
            )
        if isinstance(of, Pow) and of.exp.is_number:
            return of.exp * of.base ** (of.exp - 1) * slope(Slope(of.base, by))
        return part

    return everywhere(slope)(expression)


def functions(expression: Expr) -> Expr:
    """(e^u)' = e^u u', and (tanh u)' = (1 - tanh(u)^2) u'."""

    def slope(part: Expr) -> Expr:
        if not isinstance(part, Slope):
            return part
        of, by = part.args
        if isinstance(of, exp):
            return of * slope(Slope(of.args[0], by))
        if isinstance(of, tanh):
            return (1 - of**2) * slope(Slope(of.args[0], by))
        return part

    return everywhere(slope)(expression)


def entries(expression: Expr) -> Expr:
    """D s[i, l] / d s[p, j] = [i = p] [l = j]: an entry changes with itself alone.

    Raises ``UnknownNode`` where an entry of another array is left, which may or may not change.
    """

    def slope(part: Expr) -> Expr:
        if not (isinstance(part, Slope) and isinstance(part.of, Indexed)):
            return part
        if part.of.base != part.by.base:
            raise UnknownNode(part)
        pairs = zip(part.of.indices, part.by.indices, strict=True)
        return Mul(*(Equals(one, other) for one, other in pairs if one != other))

    return everywhere(slope)(expression)


def _is_still(expression: Expr, still: tuple[IndexedBase, ...]) -> bool:
    return all(entry.base in still for entry in expression.atoms(Indexed))
