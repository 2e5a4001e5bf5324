"""Make a derived equation readable: definitions folded back, constants outside, factors common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
    alike: dict[tuple[Expr, Expr, Expr], tuple[Symbol, list[Expr]]] = {}
    for term in expression.args:
        number, rest = term.as_coeff_Mul()
        factors = Mul.make_args(rest)
        sums = [factor for factor in factors if isinstance(factor, Sum)]
        if len(sums) != 1:
            apart.append(term)
            continue
        body, index, low, high = opened(freshen(sums[0]))
        outside = Mul(*(factor for factor in factors if factor not in sums))
        first, bodies = alike.setdefault((outside, low, high), (index, []))
        bodies.append(number * body.xreplace({index: first}))
    for (outside, low, high), (index, bodies) in alike.items():
        inside = Add.make_args(merged(Add(*bodies)))
        for cluster in _clusters(inside):
            number, body = without_content(cluster).as_coeff_Mul()
            apart.append(Mul(number, outside, Sum(body, (index, low, high))))
    return Add(*apart)


def grouped(expression: Expr) -> Expr:
    """Put terms with the same bracket together: [p = 1] a + [p = 1] b = [p = 1] (a + b)."""
    if not isinstance(expression, Add):
        return expression
    groups: dict[Expr, list[Expr]] = {}
    for term in expression.args:
        chosen = Mul(*(f for f in Mul.make_args(term) if isinstance(f, Equals)))
        groups.setdefault(chosen, []).append(term)
    alone = groups.pop(S.One, [])
    return Add(*alone, *(factored(Add(*terms)) for terms in groups.values()))


def _clusters(terms: Sequence[Expr]) -> Iterator[Expr]:
    """Yield sums of terms that have something in common, and the other terms by themselves."""
    found: list[tuple[Factors, list[Factors]]] = []
    for part in _parts(terms):
        for place, (common, parts) in enumerate(found):
            shared = _common([common, part])
            if shared:
                found[place] = (shared, [*parts, part])
                break
        else:
            found.append((part, [part]))
    for common, parts in found:
        yield Mul(product_of(common), _rest(parts, common))


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
