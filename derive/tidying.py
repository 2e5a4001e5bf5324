"""Make a derived equation readable: definitions folded back, constants outside, factors common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sympy import Add, Expr, Indexed, IndexedBase, Mul, Pow, Rational, S, Sum, Symbol, exp

from derive.binding import freshen, same
from derive.brackets import Bracket, Equals
from derive.folding import Factors, definition, factors_of, product_of
from derive.formula import Stage, opened
from derive.rewriting import Rule, fold, pull_out


class Tidier:
    """Fold the equations of a formula back into what was derived from it.

    ``indicators`` hold zeros and ones alone, so their powers are themselves.
    """

    def __init__(self, stages: Iterable[Stage], indicators: frozenset[IndexedBase]) -> None:
        stages = tuple(stages)
        self.indicators = indicators
        found = [definition(stage, indicators) for stage in stages]
        self.definitions = [each for each in found if each is not None]
        self.sums = [fold(s) for s in stages if isinstance(s.value, Sum) and s.value.has(exp)]

    def tidy(self, terms: Iterable[Expr]) -> Expr:
        """Return the sum of the terms; it is 0 where they cancel."""
        return self.folded(_added(self._term(term) for term in terms))

    def _term(self, term: Expr) -> Expr:
        term = self._plain(term)
        # First whole sums: the sum of a row's numerators is its denominator, and cancels it.
        for rule in self.sums:
            pulled = pull_out(term)
            found = rule(pulled)
            term = term if same(found, pulled) else found
        # A denominator stands beside its numerator only while both are inside of a sum.
        return self.folded(pull_out(self.folded(term)))

    def folded(self, expression: Expr) -> Expr:
        """Put a target in place of the product, or the function, that defines it."""
        if not expression.args or isinstance(expression, Indexed | Bracket):
            return expression
        # The whole first: folding a part of it could hide it.
        expression = self._product(expression)
        if isinstance(expression, Indexed):
            return expression
        expression = self._product(_rebuilt(expression, self.folded))
        return without_content(factored(grouped(merged(without_content(expression)))))

    def _product(self, expression: Expr) -> Expr:
        for each in self.definitions:
            expression = each.complement(each.fold(expression))
        return expression

    def _plain(self, expression: Expr) -> Expr:
        """Write powers of indicators without them, and [p = 1] for [1 = p]."""
        plain = {
            power: power.base
            for power in expression.atoms(Pow)
            if isinstance(power.base, Indexed)
            and power.base.base in self.indicators
            and power.exp.is_positive
        }
        turned = {
            bracket: Equals(*reversed(bracket.args))
            for bracket in expression.atoms(Equals)
            if bracket.args[0].is_number
        }
        return expression.xreplace({**plain, **turned})


@dataclass(frozen=True)
class _Sums:
    """before * sum over index of (body + body + ...), where all bodies have something in common."""

    before: Expr
    index: Symbol
    limits: tuple[Expr, ...]
    bodies: tuple[Expr, ...]

    @classmethod
    def of(cls, term: Expr) -> _Sums | None:
        """Read a product that holds one sum."""
        number, rest = term.as_coeff_Mul()
        factors = Mul.make_args(rest)
        sums = [factor for factor in factors if isinstance(factor, Sum)]
        if len(sums) != 1:
            return None
        body, index, *limits = opened(freshen(sums[0]))
        before = Mul(*(factor for factor in factors if factor not in sums))
        return cls(before, index, tuple(limits), (number * body,))

    def with_another(self, other: _Sums) -> _Sums | None:
        """Return both as one, or nothing where that is no shorter."""
        if self.limits != other.limits:
            return None
        bodies = [body.xreplace({other.index: self.index}) for body in other.bodies]
        before, all_bodies = self.before, [*self.bodies, *bodies]
        if len({_chosen(body) for body in all_bodies}) > 1:
            return None
        if self.before != other.before:
            # What stands before one sum goes into it, where the other then sums nothing else.
            parts = _parts(all_bodies)
            common = _common(parts)
            if not any(_rest([part], common).is_number for part in parts):
                return None
            before, all_bodies = S.One, [self.before * body for body in self.bodies]
            all_bodies += [other.before * body for body in bodies]
        together = _Sums(before, self.index, self.limits, tuple(all_bodies))
        return None if isinstance(together.inside(), Add) else together

    def inside(self) -> Expr:
        """Return what is summed, common factors first."""
        return without_content(factored(merged(Add(*self.bodies))))

    def expression(self) -> Expr:
        number, inside = self.inside().as_coeff_Mul()
        return Mul(number, self.before, Sum(inside, (self.index, *self.limits)))


def factored(expression: Expr) -> Expr:
    """Take what all terms of a sum have in common before a bracket: a b - a c = a (b - c)."""
    if not isinstance(expression, Add):
        return expression
    parts = _parts(expression.args)
    common = _common(parts)
    return Mul(product_of(common), _rest(parts, common)) if common else expression


def without_content(expression: Expr) -> Expr:
    """Take the number out of each sum in a product: x (2 a - 2 b) = 2 x (a - b)."""
    if not isinstance(expression, Mul):
        return expression
    number, factors = Rational(1), []
    for factor in expression.args:
        if isinstance(factor, Add):
            content, terms = factor.primitive()
            if all(term.could_extract_minus_sign() for term in terms.args):
                content, terms = -content, -terms
            # 1 - u^2/4 is shorter than (4 - u^2)/4.
            if content.is_Integer or all(t.as_coeff_Mul()[0] in (1, -1) for t in terms.args):
                number, factor = number * content, terms
        factors.append(factor)
    return Mul(number, *factors)


def merged(expression: Expr) -> Expr:
    """Make one sum of those that run alike over something common: sum_i a b + sum_i a c."""
    if not isinstance(expression, Add):
        return expression
    apart: list[Expr] = []
    sums: list[_Sums] = []
    for term in expression.args:
        one = _Sums.of(term)
        if one is None:
            apart.append(term)
            continue
        for place, other in enumerate(sums):
            together = other.with_another(one)
            if together is not None:
                sums[place] = together
                break
        else:
            sums.append(one)
    return Add(*apart, *(each.expression() for each in sums))


def grouped(expression: Expr) -> Expr:
    """Put terms with the same bracket together: [p = 1] a + [p = 1] b = [p = 1] (a + b)."""
    if not isinstance(expression, Add):
        return expression
    groups: dict[Expr, list[Expr]] = {}
    for term in expression.args:
        groups.setdefault(_chosen(term), []).append(term)
    alone = groups.pop(S.One, [])
    return Add(*alone, *(factored(Add(*terms)) for terms in groups.values()))


def _chosen(term: Expr) -> Expr:
    """Return the product of the brackets in which a product chooses one place."""
    return Mul(*(factor for factor in Mul.make_args(term) if isinstance(factor, Equals)))


def _added(terms: Iterable[Expr]) -> Expr:
    """Add terms; equal ones that bind different letters are one, so that they can cancel."""
    known: dict[Expr, tuple[Rational, Expr]] = {}
    for term in terms:
        number, rest = term.as_coeff_Mul()
        key = rest.as_dummy()
        before, kept = known.get(key, (Rational(0), rest))
        known[key] = (before + number, kept)
    return Add(*(number * rest for number, rest in known.values()))


def _parts(terms: Iterable[Expr]) -> list[Factors]:
    """Return each product as powers, where equal factors have the same letters."""
    known: dict[Expr, Expr] = {}
    parts: list[Factors] = []
    for term in terms:
        part: Factors = {}
        for factor, exponent in factors_of(term).items():
            kept = known.setdefault(factor.as_dummy(), factor)
            part[kept] = part.get(kept, Rational(0)) + exponent
        parts.append(part)
    return parts


def _common(parts: Sequence[Factors]) -> Factors:
    """Return the powers that all products hold, numbers apart."""
    found: Factors = {}
    for factor in parts[0]:
        exponents = [part.get(factor, Rational(0)) for part in parts]
        one_sign = all(e > 0 for e in exponents) or all(e < 0 for e in exponents)
        if one_sign and not factor.is_number:
            found[factor] = min(exponents, key=abs)
    return found


def _rest(parts: Iterable[Factors], common: Factors) -> Expr:
    """Add products, each divided by what they have in common."""
    left = ({f: e - common.get(f, 0) for f, e in part.items()} for part in parts)
    return Add(*map(product_of, left))


def _rebuilt(expression: Expr, rule: Rule) -> Expr:
    if isinstance(expression, Sum):
        body, *limits = opened(expression)
        return Sum(rule(body), tuple(limits))
    return expression.func(*(rule(part) for part in expression.args))
