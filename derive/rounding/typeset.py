"""LaTeX of a relation, with terms in the order in which they are read."""

from __future__ import annotations

from sympy import Add, Eq, Expr
from sympy.core.basic import Basic
from sympy.core.relational import Relational
from sympy.printing.latex import LatexPrinter


class _Printer(LatexPrinter):
    """Positive terms first, and one before letters unless these count: 1 + u, v - o, d + 8."""

    def _as_ordered_terms(self, expr: Add, order: str | None = None) -> list[Expr]:
        terms: list[Expr] = super()._as_ordered_terms(expr, order=order)
        counts = bool(expr.is_integer)

        def place(term: Expr) -> tuple[bool, bool]:
            return bool(term.could_extract_minus_sign()), bool(term.is_number) is counts

        return sorted(terms, key=place)


def latex(expression: Basic) -> str:
    """Return LaTeX."""
    written: str = _Printer().doprint(expression)
    return written


def aligned(*relations: Relational) -> str:
    """Return several relations below each other, with their signs in one column."""
    rows = []
    for one in relations:
        sign = "=" if isinstance(one, Eq) else r"\leq"
        rows.append(f"{latex(one.lhs)} &{sign} {latex(one.rhs)}")
    return r"\begin{aligned} " + r" \\[0.6em] ".join(rows) + r" \end{aligned}"
