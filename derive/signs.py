"""What is surely positive: the sign of an expression, from the signs of its parts."""

from __future__ import annotations

from collections.abc import Collection

from sympy import Add, Expr, Indexed, IndexedBase, Mul, Pow, Sum, exp


def is_positive(expression: Expr, positive: Collection[IndexedBase] = ()) -> bool:
    """Tell whether ``expression`` is above zero for all real inputs.

    ``positive`` names arrays whose entries are known to be above zero. The rules: e^u > 0; sizes
    are positive; sums (of one term or more), products, quotients and powers of positive terms are
    positive. ``False`` means not shown, never shown to be otherwise.
    """

    def shown(part: Expr) -> bool:
        return is_positive(part, positive)

    if isinstance(expression, exp):
        return True
    if isinstance(expression, Indexed):
        return expression.base in positive
    if isinstance(expression, Sum):
        return shown(expression.function)
    if isinstance(expression, Add | Mul):
        return all(shown(part) for part in expression.args)
    if isinstance(expression, Pow):
        return bool(expression.exp.is_Rational) and shown(expression.base)
    return bool((expression.is_Number or expression.is_Symbol) and expression.is_positive)
