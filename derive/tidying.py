"""Make a derived equation readable: definitions folded back, constants outside, factors common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympy import Add, Expr, Indexed, IndexedBase, Mul, Pow, Rational, Sum, cos, exp, sin, tanh

from derive.binding import rename, same
from derive.formula import Stage
from derive.rewriting import Rule, fold, pull_out

Factors = dict[Expr, Rational]
"""The exponent of each factor of a product."""


class Tidier:
    """Fold the equations of a formula back into what was derived from it.

    ``indicators`` hold zeros and ones alone, so their powers are themselves.
    """

    def __init__(self, stages: Iterable[Stage], indicators: frozenset[IndexedBase]) -> None:
        stages = tuple(stages)
        self.indicators = indicators
        self.products = [
            s for s in stages if not isinstance(s.value, Sum) and s.value.has(exp, tanh, cos, sin)
        ]
        self.sums = [fold(s) for s in stages if isinstance(s.value, Sum) and s.value.has(exp)]

    def tidy(self, terms: Iterable[Expr]) -> Expr:
        """Return the sum of the terms; it is 0 where they cancel."""
        result = self.folded(Add(*(self._term(term) for term in terms)))
        # Equal sums that bind different letters cancel once the letters are the same.
        return result.as_dummy() if result.as_dummy() == 0 else result

    def _term(self, term: Expr) -> Expr:
        term = self._single(term)
        # First whole sums: the sum of a row's numerators is its denominator, and cancels it.
        for rule in self.sums:
            pulled = pull_out(term)
            found = rule(pulled)
            term = term if same(found, pulled) else found
        return factored(pull_out(self.folded(term)))

    def folded(self, expression: Expr) -> Expr:
        """Put a target in place of the product, or the function, that defines it."""
        if not expression.args or isinstance(expression, Indexed):
            return expression
        expression = _rebuilt(expression, self.folded)
        for stage in self.products:
            expression = _folded_product(expression, stage)
        return factored(expression)

    def _single(self, expression: Expr) -> Expr:
        powers = {
            power: power.base
            for power in expression.atoms(Pow)
            if isinstance(power.base, Indexed)
            and power.base.base in self.indicators
            and power.exp.is_positive
        }
        return expression.xreplace(powers)


def factored(expression: Expr) -> Expr:
    """Take what all terms of a sum have in common before a bracket: a b - a c = a (b - c)."""
    if not isinstance(expression, Add):
        return expression
    parts = [_factors(term) for term in expression.args]
    common = {
        factor: exponent
        for factor, exponent in parts[0].items()
        if not factor.is_number and all(part.get(factor) == exponent for part in parts)
    }
    if not common:
        return expression
    rest = [_product({f: e for f, e in part.items() if f not in common}) for part in parts]
    return Mul(_product(common), Add(*rest))


def _rebuilt(expression: Expr, rule: Rule) -> Expr:
    if isinstance(expression, Sum):
        return expression.func(rule(expression.function), *expression.limits)
    return expression.func(*(rule(part) for part in expression.args))


def _folded_product(expression: Expr, stage: Stage) -> Expr:
    """Divide a product by the value of a stage, and multiply by its target, while that goes."""
    available = _factors(expression)
    for instance, target in _instances(expression, stage):
        needed = _factors(instance)
        while all(_reaches(available.get(f), e) for f, e in needed.items()):
            left = {f: e - needed.get(f, 0) for f, e in available.items()}
            available = {f: e for f, e in left.items() if e}
            available[target] = available.get(target, Rational(0)) + 1
    return _product(available)


def _instances(expression: Expr, stage: Stage) -> Iterator[tuple[Expr, Expr]]:
    """Yield the stage's value and target for the indices that an entry in it has here."""
    letters = stage.target.indices
    for pattern in stage.value.atoms(Indexed):
        if not set(letters) <= set(pattern.indices):
            continue
        for entry in sorted(expression.atoms(Indexed), key=str):
            if entry.base == pattern.base:
                found = dict(zip(pattern.indices, entry.indices, strict=True))
                binding = {letter: found[letter] for letter in letters}
                yield rename(stage.value, binding), stage.target.xreplace(binding)
        return


def _reaches(available: Rational | None, needed: Rational) -> bool:
    """Tell whether a power has the sign of the other and is at least as far from zero."""
    return available is not None and available * needed > 0 and abs(available) >= abs(needed)


def _factors(expression: Expr) -> Factors:
    found: Factors = {}
    for factor in Mul.make_args(expression):
        is_power = isinstance(factor, Pow) and factor.exp.is_Rational
        base, exponent = factor.args if is_power else (factor, Rational(1))
        found[base] = found.get(base, Rational(0)) + exponent
    return found


def _product(factors: Factors) -> Expr:
    return Mul(*(Pow(base, exponent) for base, exponent in factors.items()))
