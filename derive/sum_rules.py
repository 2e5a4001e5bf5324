"""Rules for sums with brackets: terms taken apart, sums exchanged, one place picked out.

Each is a function from an expression to an equal expression, as in ``rewriting``; each is about
finite sums of real numbers, so it holds for every number of terms. ``known`` says how far
a symbol or an array of whole numbers counts where its letter does not say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import (
    Add,
    Dummy,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Pow,
    Sum,
    Symbol,
    exp,
    expand_mul,
    expand_multinomial,
    floor,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import freshen, same
from derive.brackets import AtMost, Below, Bracket, Equals
from derive.formula import UPPER_LIMIT, opened
from derive.rewriting import Rule
from derive.tidying import factored

Scope = Mapping[Symbol, Expr]
"""The indices of the sums that stand around an expression, and how far each counts."""


@dataclass(frozen=True)
class Known:
    """What the letters do not tell: equal sizes, and how far arrays of whole numbers count.

    ``sizes`` such as n_q = n; ``whole`` such as P[j], a number from 1 to n_p.
    """

    sizes: Mapping[Symbol, Expr] = field(default_factory=dict)
    whole: Mapping[IndexedBase, Expr] = field(default_factory=dict)

    def reaches(self, place: Expr, high: Expr, scope: Scope) -> bool:
        """Tell whether ``place`` is surely a number from 1 to ``high``."""
        if place == 1 or place == high:
            # A sum up to i - 1 may have no term, and then no place at all.
            return bool(high.is_integer and high.is_positive)
        if isinstance(place, Indexed):
            limit = self.whole.get(place.base)
        else:
            limit = scope.get(place, UPPER_LIMIT.get(place))
        return limit is not None and self.size(limit) == self.size(high)

    def size(self, size: Expr) -> Expr:
        """Return a size by the letter that it shares with the sizes equal to it."""
        renamed: Expr = size.xreplace(dict(self.sizes))
        return renamed


LETTERS = Known()
"""Nothing but what the letters say."""


def walk(expression: Expr, change: Callable[[Expr, Scope], Expr], scope: Scope) -> Expr:
    """Apply ``change`` to every part, the innermost first, with the sums that stand around it."""
    if not expression.args or isinstance(expression, Indexed):
        return expression
    if isinstance(expression, ExprWithLimits):
        body, index, low, high = opened(freshen(expression))
        inner = {**scope, index: high} if low == 1 else scope
        return change(expression.func(walk(body, change, inner), (index, low, high)), scope)
    return change(expression.func(*(walk(part, change, scope) for part in expression.args)), scope)


def everywhere(change: Callable[[Expr], Expr]) -> Rule:
    """Make a rule of ``change``, which gets every part of an expression, the innermost first."""
    return lambda expression: walk(expression, lambda part, _: change(part), {})


def pick(known: Known = LETTERS) -> Rule:
    """sum_j [j = t] f(j) = f(t), where t is one of the places that j counts through."""

    def change(expression: Expr, scope: Scope) -> Expr:
        if not isinstance(expression, Sum):
            return expression
        body, index, low, high = opened(expression)
        factors = Mul.make_args(body)
        for place, factor in enumerate(factors):
            chosen = _chosen(factor, index)
            if chosen is None or low != 1 or not known.reaches(chosen, high, scope):
                continue
            rest = Mul(*factors[:place], *factors[place + 1 :])
            return walk(freshen(rest).xreplace({index: chosen}), _decided, {})
        return expression

    return lambda expression: walk(expression, change, {})


def _chosen(factor: Expr, index: Symbol) -> Expr | None:
    if not isinstance(factor, Equals):
        return None
    left, right = factor.args
    if left == index and index not in right.free_symbols:
        return right
    if right == index and index not in left.free_symbols:
        return left
    return None


def _decided(expression: Expr, _scope: Scope) -> Expr:
    if isinstance(expression, Bracket):
        gap = (expression.args[0] - expression.args[1]).expand()
        if gap.is_Integer:
            return expression.func(gap, 0)
    return expression


def up_to(known: Known = LETTERS) -> Rule:
    """sum_{j=1}^n [j <= t] f(j) = sum_{j=1}^t f(j), where t is one of the places up to n."""

    def change(expression: Expr, scope: Scope) -> Expr:
        if not isinstance(expression, Sum):
            return expression
        body, index, low, high = opened(expression)
        factors = Mul.make_args(body)
        for place, factor in enumerate(factors):
            if not (isinstance(factor, AtMost) and factor.args[0] == index):
                continue
            last = factor.args[1]
            if low == 1 and index not in last.free_symbols and known.reaches(last, high, scope):
                rest = Mul(*factors[:place], *factors[place + 1 :])
                return Sum(rest, (index, low, last))
        return expression

    return lambda expression: walk(expression, change, {})


def last_apart(last: Expr) -> Rule:
    """[j <= t] = [j <= t - 1] + [j = t], for whole numbers."""

    def change(expression: Expr) -> Expr:
        if isinstance(expression, AtMost) and expression.args[1] == last:
            place = expression.args[0]
            return AtMost(place, last - 1) + Equals(place, last)
        return expression

    return everywhere(change)


def last_term_apart(last: Expr) -> Rule:
    """sum_{j=1}^t f(j) = sum_{j=1}^{t-1} f(j) + f(t), where t is 1 or more."""

    def change(expression: Expr) -> Expr:
        if isinstance(expression, Sum):
            body, index, low, high = opened(expression)
            if high == last and low == 1 and last.is_positive:
                return Sum(body, (index, 1, last - 1)) + freshen(body).xreplace({index: last})
        return expression

    return everywhere(change)


def up_to_one(expression: Expr) -> Expr:
    """[j <= 1] = [j = 1], for j from 1 on."""

    def change(part: Expr) -> Expr:
        if isinstance(part, AtMost) and part.args[1] == 1 and part.args[0].is_positive:
            return Equals(part.args[0], 1)
        return part

    return everywhere(change)(expression)


def exchange(expression: Expr) -> Expr:
    """sum_j sum_l f = sum_l sum_j f: finite sums may be taken in either order."""
    if isinstance(expression, Sum):
        outer, index, *limits = opened(freshen(expression))
        factors = Mul.make_args(outer)
        sums = [factor for factor in factors if isinstance(factor, Sum)]
        if len(sums) == 1:
            body, inner, *inner_limits = opened(sums[0])
            if not any(index in limit.free_symbols for limit in inner_limits):
                rest = Mul(*(factor for factor in factors if factor is not sums[0]))
                return Sum(Sum(rest * body, (index, *limits)), (inner, *inner_limits))
    if not expression.args or isinstance(expression, Indexed):
        return expression
    if isinstance(expression, ExprWithLimits):
        body, *bounds = opened(freshen(expression))
        return expression.func(exchange(body), tuple(bounds))
    return expression.func(*(exchange(part) for part in expression.args))


def push_in(expression: Expr) -> Expr:
    """U sum_j f(j) = sum_j u f(j), and a product of sums is a sum of sums."""

    def change(part: Expr) -> Expr:
        if not isinstance(part, Mul):
            return part
        fresh = freshen(part)
        sums = [factor for factor in Mul.make_args(fresh) if isinstance(factor, Sum)]
        product = Mul(*(factor for factor in Mul.make_args(fresh) if not isinstance(factor, Sum)))
        if not sums:
            return part
        limits = []
        for factor in sums:
            while isinstance(factor, Sum):
                factor, *bounds = opened(factor)
                limits.append(tuple(bounds))
            product = product * factor
        for bounds in reversed(limits):
            product = Sum(product, bounds)
        return product

    return everywhere(change)(expression)


def multiply_out(expression: Expr) -> Expr:
    """U (f + g) = u f + u g, everywhere but under a fraction line or in an exponent."""

    def change(part: Expr) -> Expr:
        if isinstance(part, Pow):
            return expand_multinomial(part, deep=False)
        return expand_mul(part, deep=False) if isinstance(part, Mul) else part

    return everywhere(change)(expression)


def common_factors(expression: Expr) -> Expr:
    """U f + u g = u (f + g)."""
    return everywhere(factored)(expression)


def add_exponents(expression: Expr) -> Expr:
    """e^u e^v = e^(u + v), everywhere."""

    def change(part: Expr) -> Expr:
        if not isinstance(part, Mul):
            return part
        powers = [factor for factor in part.args if isinstance(factor, exp)]
        rest = [factor for factor in part.args if not isinstance(factor, exp)]
        return Mul(*rest, exp(factored(Add(*(power.args[0] for power in powers)))))

    return everywhere(change)(expression)


def take_exponent(amount: Expr) -> Rule:
    """e^u = e^v e^(u - v), for every exponential under a sum."""

    def change(part: Expr, scope: Scope) -> Expr:
        if scope and isinstance(part, exp) and part.args[0].free_symbols & scope.keys():
            return exp(amount) * exp(factored((part.args[0] - amount).expand()))
        return part

    return lambda expression: walk(expression, change, {})


def split_axis(count: Expr, width: Expr, outer: Symbol, inner: Symbol) -> Rule:
    """sum_{f=1}^{count width} F(f) = sum_h sum_c F((h - 1) width + c)."""

    def change(part: Expr) -> Expr:
        if not isinstance(part, Sum):
            return part
        body, index, low, high = opened(part)
        if low != 1 or (high - count * width).expand() != 0:
            return part
        first = Dummy(outer.name, **outer.assumptions0)
        second = Dummy(inner.name, **inner.assumptions0)
        place = (first - 1) * width + second
        return Sum(
            Sum(freshen(body).xreplace({index: place}), (second, 1, width)), (first, 1, count)
        )

    return everywhere(change)


def whole_part(known: Known = LETTERS) -> Rule:
    """floor(((h - 1) w + c - 1)/w) = h - 1, for c from 1 to w."""

    def change(part: Expr, scope: Scope) -> Expr:
        if not isinstance(part, floor):
            return part
        numerator, width = part.args[0].as_numer_denom()
        numerator = numerator.expand()
        for index in sorted(numerator.free_symbols, key=str):
            if not known.reaches(index, width, scope) or index == width:
                continue
            quotient = ((numerator - index + 1) / width).expand()
            if index not in quotient.free_symbols and _is_whole(quotient):
                return quotient
        return part

    def inside(expression: Expr, scope: Scope) -> Expr:
        """Go into the indices of entries too."""
        if isinstance(expression, Indexed):
            places = [(place, walk(place, change, scope)) for place in expression.indices]
            return expression.base[
                tuple(new if new == old else new.expand() for old, new in places)
            ]
        if not expression.args:
            return expression
        if isinstance(expression, ExprWithLimits):
            body, index, low, high = opened(freshen(expression))
            return expression.func(inside(body, {**scope, index: high}), (index, low, high))
        return expression.func(*(inside(part, scope) for part in expression.args))

    return lambda expression: inside(expression, {})


def _is_whole(quotient: Expr) -> bool:
    return bool(quotient.is_integer)


def instead(left: Expr, right: Expr) -> Rule:
    """Put ``right`` in place of ``left``, given that they are equal, for these indices alone."""

    def rule(expression: Expr) -> Expr:
        if same(expression, left):
            return right
        if not expression.args or isinstance(expression, Indexed):
            return expression
        if isinstance(expression, ExprWithLimits):
            body, *limits = opened(freshen(expression))
            return expression.func(rule(body), tuple(limits))
        return expression.func(*(rule(part) for part in expression.args))

    return rule


def square_of_sum(expression: Expr) -> Expr:
    """(sum_k f(k))^2 = sum_k sum_l f(k) f(l)."""

    def change(part: Expr) -> Expr:
        if not (isinstance(part, Pow) and isinstance(part.base, Sum) and part.exp == 2):
            return part
        (left, *outer), (right, *inner) = (opened(freshen(part.base)) for _ in range(2))
        return Sum(Sum(left * right, tuple(inner)), tuple(outer))

    return everywhere(change)(expression)


def count_terms(expression: Expr) -> Expr:
    """sum_{j=1}^n u = n u, where u does not depend on j."""

    def change(part: Expr) -> Expr:
        if isinstance(part, Sum):
            body, index, low, high = opened(part)
            if index not in body.free_symbols:
                return (high - low + 1) * body
        return part

    return everywhere(change)(expression)


def settled(expression: Expr) -> Expr:
    """sum_{j=1}^t f([j <= t]) = sum_{j=1}^t f(1): within a sum its own limit is kept."""

    def change(part: Expr) -> Expr:
        if not isinstance(part, Sum):
            return part
        body, index, low, high = opened(freshen(part))
        return Sum(body.xreplace({AtMost(index, high): Integer(1)}), (index, low, high))

    return everywhere(change)(expression)


def split_at(last: Expr, border: Expr) -> Rule:
    """[j <= t] = [j <= t] [j <= b] + [j <= t] [b < j], for any border b."""

    def change(part: Expr) -> Expr:
        if isinstance(part, AtMost) and part.args[1] == last:
            place = part.args[0]
            return part * (AtMost(place, border) + Below(border, place))
        return part

    return everywhere(change)
