"""Rules for cosines and sines: sums of angles, and cos² + sin² = 1."""

from __future__ import annotations

from sympy import Expr, Mul, Pow, Symbol, cos, sin

from derive.rewriting import Rule
from derive.sum_rules import everywhere


def difference_of_angles(first: Symbol, second: Symbol) -> Rule:
    """Cos a cos b = cos(a - b) - sin a sin b, and sin a cos b = sin(a - b) + cos a sin b.

    The angle a is the one that depends on ``first``, b the one that depends on ``second``.
    """

    def change(part: Expr) -> Expr:
        if not isinstance(part, Mul):
            return part
        one = [factor for factor in part.args if _turns(factor, first)]
        other = [f for f in part.args if isinstance(f, cos) and _turns(f, second)]
        if len(one) != 1 or len(other) != 1:
            return part
        rest = Mul(*(factor for factor in part.args if factor not in (one[0], other[0])))
        a, b = one[0].args[0], other[0].args[0]
        if isinstance(one[0], cos):
            return rest * (cos(a - b) - sin(a) * sin(b))
        return rest * (sin(a - b) + cos(a) * sin(b))

    return everywhere(change)


def one_length(expression: Expr) -> Expr:
    """cos² a = 1 - sin² a."""

    def change(part: Expr) -> Expr:
        if isinstance(part, Pow) and part.exp == 2 and isinstance(part.base, cos):
            return 1 - sin(part.base.args[0]) ** 2
        return part

    return everywhere(change)(expression)


def _turns(factor: Expr, index: Symbol) -> bool:
    return isinstance(factor, cos | sin) and index in factor.free_symbols
