"""The rules by which one formula follows from another, for any number of tokens.

Each rule is a function from an expression to an equal expression. The few that use an equation
take its two sides: every free index of the left-hand side stands for any index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sympy import Add, Dummy, Expr, Indexed, Integer, Mul, Sum, Symbol, exp, expand_mul
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import at, freshen, rename, same
from derive.formula import UPPER_LIMIT, FormulaError, Stage, opened

Rule = Callable[[Expr], Expr]
Binding = Mapping[Symbol, Expr]


def rewrite(left: Expr, right: Expr) -> Rule:
    """Replace every instance of ``left`` by ``right``, given that they are equal."""
    pattern = freshen(left)
    variables = frozenset(t for t in left.free_symbols if t in UPPER_LIMIT)
    stray = right.free_symbols & UPPER_LIMIT.keys() - variables
    if stray:
        names = ", ".join(sorted(map(str, stray)))
        raise FormulaError(f"{left} = {right}: the left side does not say what {names} is")

    def rule(expression: Expr) -> Expr:
        for binding in matches(pattern, expression, variables, {}):
            return rename(right, binding)
        if not expression.args:
            return expression
        return _rebuild(expression, rule)

    return rule


def unfold(stage: Stage) -> Rule:
    """Put the definition of an array in place of its entries, those at computed places too."""

    def rule(expression: Expr) -> Expr:
        if isinstance(expression, Indexed) and expression.base == stage.array:
            return at(stage, expression.indices)
        return _rebuild(expression, rule) if expression.args else expression

    return rule


def fold(stage: Stage) -> Rule:
    """Put an array's entry in place of its definition."""
    return rewrite(stage.value, stage.target)


def split_exponentials(expression: Expr) -> Expr:
    """e^(u + v) = e^u e^v, everywhere."""
    if not expression.args:
        return expression
    expression = _rebuild(expression, split_exponentials)
    if isinstance(expression, exp) and isinstance(expression.args[0], Add):
        return Mul(*(exp(term) for term in expression.args[0].args))
    return expression


def pull_out(expression: Expr) -> Expr:
    """Take every factor that does not depend on the index of a sum out of it."""
    if not expression.args:
        return expression
    expression = _rebuild(expression, pull_out)
    if not isinstance(expression, Sum):
        return expression
    body, index, *limits = opened(expression)
    factors = Mul.make_args(body)
    outside = [factor for factor in factors if index not in factor.free_symbols]
    inside = [factor for factor in factors if index in factor.free_symbols]
    if not outside or not inside:
        return expression
    return Mul(*outside, Sum(Mul(*inside), (index, *limits)))


def distribute(expression: Expr) -> Expr:
    """Multiply out under each sum, and make a sum of several terms several sums."""
    if not expression.args:
        return expression
    expression = _rebuild(expression, distribute)
    if not isinstance(expression, Sum):
        return expression
    body, *limits = opened(expression)
    terms = [term.as_coeff_Mul() for term in Add.make_args(expand_mul(body))]
    return Add(*(factor * Sum(term, tuple(limits)) for factor, term in terms))


def exactly(stage: Stage) -> Rule:
    """Put the target of ``stage`` in place of its value, for the stage's own indices alone."""

    def rule(expression: Expr) -> Expr:
        if same(expression, stage.value):
            return stage.target
        return _rebuild(expression, rule) if expression.args else expression

    return rule


def with_letters(expression: Expr) -> Expr:
    """Give bound indices readable letters again, none of them used twice in one scope."""
    # A letter that is still bound further in would capture the index that is given it.
    return _lettered(freshen(expression), frozenset())


def _lettered(expression: Expr, taken: frozenset[str]) -> Expr:
    taken = taken | {t.name for t in expression.free_symbols if not isinstance(t, Dummy)}
    if isinstance(expression, ExprWithLimits):
        body, index, low, high = opened(expression)
        name = next(letter for letter in _alternatives(index.name) if letter not in taken)
        letter = Symbol(name, integer=True, positive=True)
        return expression.func(
            _lettered(body.xreplace({index: letter}), taken | {name}), (letter, low, high)
        )
    if not expression.args:
        return expression
    return expression.func(*(_lettered(part, taken) for part in expression.args))


_NEIGHBOURS = {
    "j": "lr",
    "l": "jr",
    "k": "ch",
    "c": "kh",
    "i": "jpq",
    "h": "g",
    "g": "h",
    "e": "f",
    "f": "e",
    "p": "qr",
}
"""Letters for an index whose own is taken."""


def _alternatives(name: str) -> Iterator[str]:
    yield name
    yield from _NEIGHBOURS.get(name, "")
    yield from (f"{name}_{number}" for number in range(1, 100))


def _rebuild(expression: Expr, rule: Rule) -> Expr:
    if isinstance(expression, ExprWithLimits):
        body, *limits = opened(freshen(expression))
        return expression.func(rule(body), tuple(limits))
    return expression.func(*(rule(part) for part in expression.args))


def matches(
    pattern: Expr, expression: Expr, variables: frozenset[Symbol], binding: Binding
) -> Iterator[dict[Symbol, Expr]]:
    """Yield each way to choose indices for ``variables`` that makes the two the same."""
    if pattern in variables:
        if not isinstance(expression, Symbol | Integer):
            return
        if binding.get(pattern, expression) == expression:
            yield {**binding, pattern: expression}
    elif isinstance(pattern, ExprWithLimits):
        if type(pattern) is not type(expression):
            return
        (left, inner, *limits), (right, other, *other_limits) = opened(pattern), opened(expression)
        shared = Dummy(inner.name, **inner.assumptions0)
        left, right = left.xreplace({inner: shared}), right.xreplace({other: shared})
        # A sum may end at an index, which then has to be the same one inside.
        for ends in _match_ordered(tuple(limits), tuple(other_limits), variables, binding):
            for found in matches(left, right, variables, ends):
                if shared not in {t for v in found.values() for t in v.free_symbols}:
                    yield found
    elif not (variables & pattern.free_symbols or pattern.has(ExprWithLimits)):
        if pattern == expression:
            yield dict(binding)
    elif pattern.func is expression.func and len(pattern.args) == len(expression.args):
        if isinstance(pattern, Add | Mul):
            yield from _match_unordered(pattern.args, expression.args, variables, binding)
        else:
            yield from _match_ordered(pattern.args, expression.args, variables, binding)


def _match_ordered(
    patterns: tuple[Expr, ...],
    parts: tuple[Expr, ...],
    variables: frozenset[Symbol],
    binding: Binding,
) -> Iterator[dict[Symbol, Expr]]:
    if not patterns:
        yield dict(binding)
        return
    for found in matches(patterns[0], parts[0], variables, binding):
        yield from _match_ordered(patterns[1:], parts[1:], variables, found)


def _match_unordered(
    patterns: tuple[Expr, ...],
    parts: tuple[Expr, ...],
    variables: frozenset[Symbol],
    binding: Binding,
) -> Iterator[dict[Symbol, Expr]]:
    if not patterns:
        yield dict(binding)
        return
    for place, part in enumerate(parts):
        for found in matches(patterns[0], part, variables, binding):
            rest = parts[:place] + parts[place + 1 :]
            yield from _match_unordered(patterns[1:], rest, variables, found)
