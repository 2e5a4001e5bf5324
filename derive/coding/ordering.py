"""The order in which terms and factors are written, and what kind of product a term is."""

from __future__ import annotations

from sympy import Add, Expr, Indexed, Mul

from derive.coding.pieces import Indices
from derive.elements import ordered_factors, ordered_terms


def is_contraction(term: Expr) -> bool:
    """Tell whether a term is a product of which no factor has all letters."""
    letters = [factor.free_symbols for factor in Mul.make_args(term) if factor.atoms(Indexed)]
    return len(letters) > 1 and all(own != set().union(*letters) for own in letters)


def factors_of(expression: Mul, lead: Indices) -> tuple[Expr, ...]:
    """Return factors in order; of sizes alone, counts come before dimensions: n_h d."""
    if all(factor.is_Symbol or factor.is_Number for factor in expression.args):
        names = sorted(expression.args, key=str, reverse=True)
        return tuple(sorted(names, key=lambda factor: not factor.is_Number))
    return ordered_factors(expression, lead)


def terms_of(expression: Add, lead: Indices) -> list[Expr]:
    """Return terms in order; of places and sizes, numbers come last: n + 1."""
    terms = ordered_terms(expression, lead)
    if expression.atoms(Indexed):
        return terms
    minus = [term for term in terms if term.could_extract_minus_sign()]
    plus = [term for term in terms if term not in minus]
    return [*sorted(plus, key=lambda term: bool(term.is_Number)), *minus]
