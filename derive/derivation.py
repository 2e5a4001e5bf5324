"""How one formula follows from another: a chain of equal expressions, each with its reason.

A chain holds for every number of tokens, because its rules do. As a guard against a wrong rule,
``recheck`` writes both sides of every step out for small shapes and compares them by SymPy's own
arithmetic, which knows none of the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sympy import (
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Max,
    Pow,
    Rational,
    Symbol,
    cos,
    exp,
    expand,
    expand_power_exp,
    factor_terms,
    fraction,
    sin,
    tanh,
    together,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.algebras.symbolic import Symbolic
from derive.binding import Lengths, same
from derive.displayed import Displayed
from derive.elements import Elements
from derive.formula import (
    INPUT_SHAPES,
    UPPER_LIMIT,
    Stage,
    d,
    d_e,
    d_f,
    d_v,
    n,
    n_b,
    n_g,
    n_h,
    n_p,
    n_q,
    x,
)
from derive.rewriting import Rule, with_letters
from derive.written_out import named_entries

SMALL_SHAPES = (
    {n_q: 1, n: 1, d: 1, d_v: 1, n_h: 2, n_g: 2, n_p: 1, d_e: 2, d_f: 1, n_b: 2},
    {n_q: 2, n: 2, d: 1, d_v: 2, n_h: 2, n_g: 1, n_p: 2, d_e: 1, d_f: 1, n_b: 2},
    {n_q: 3, n: 3, d: 2, d_v: 1, n_h: 1, n_g: 2, n_p: 2, d_e: 1, d_f: 1, n_b: 2},
)
"""Sizes at which every step is written out and compared: no two are the same at all of them, but
the numbers of queries and keys, so that a rule which confuses two sizes is found."""

UNEQUAL_SHAPE = {n_q: 2, n: 3, d: 1, d_v: 2, n_h: 2, n_g: 1, n_p: 1, d_e: 2, d_f: 1, n_b: 1}
"""Other numbers of queries and keys. Where both are one array, x, they cannot differ."""


class DerivationError(ValueError):
    """A chain that does not reach its goal, or a step whose two sides differ."""


@dataclass(frozen=True)
class Step:
    """``before`` equals ``after``; ``rule`` says in words why."""

    before: Expr
    after: Expr
    rule: str


@dataclass(frozen=True)
class Derivation(Displayed):
    """A proof of ``goal[0] = goal[1]``, given the ``definitions`` of some of its arrays.

    Arrays that no definition names may be anything.
    """

    goal: tuple[Expr, Expr]
    steps: tuple[Step, ...]
    definitions: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps:
            raise DerivationError(f"no step leads from {self.goal[0]} to {self.goal[1]}")
        ends = [(self.goal[0], self.steps[0].before), (self.steps[-1].after, self.goal[1])]
        links = [(a.after, b.before) for a, b in zip(self.steps, self.steps[1:], strict=False)]
        for left, right in ends + links:
            # SymPy's as_dummy makes a new symbol of one that stands alone.
            if left != right and not same(left, right):
                raise DerivationError(f"the chain breaks between {left} and {right}")


def derive(
    start: Expr,
    goal: Expr,
    reasons: Sequence[tuple[str, Rule]],
    definitions: Iterable[Stage] = (),
) -> Derivation:
    """Apply ``reasons`` (words and rule) in turn, from ``start`` to ``goal``.

    Raises ``DerivationError`` when a rule changes nothing or the chain ends elsewhere.
    """
    steps = []
    before = start = with_letters(start)
    for words, rule in reasons:
        after = with_letters(rule(before))
        if same(before, after):
            raise DerivationError(f"{words!r} changes nothing in {before}")
        steps.append(Step(before, after, words))
        before = after
    return Derivation((start, goal), tuple(steps), tuple(definitions))


def recheck(
    derivation: Derivation,
    shapes: Mapping[IndexedBase, Sequence[Expr]] | None = None,
    relations: Iterable[tuple[Symbol, Expr]] = (),
) -> int:
    """Compare both sides of each step entry by entry at small shapes; return how many entries.

    ``shapes`` gives those of arrays other than the usual inputs, ``relations`` equations between
    sizes. Raises ``DerivationError`` naming the step that fails.
    """
    compared = 0
    for small in (*SMALL_SHAPES, *([] if _reads(derivation, x) else [UNEQUAL_SHAPE])):
        sizes = _with_relations(small, relations)
        elements = _written_out(derivation, sizes, shapes or {})
        for step in derivation.steps:
            free = sorted(
                (step.before.free_symbols | step.after.free_symbols) & UPPER_LIMIT.keys(), key=str
            )
            for place in product(*(range(1, sizes[UPPER_LIMIT[index]] + 1) for index in free)):
                where = dict(zip(free, place, strict=True))
                left, right = (elements.value(side, where) for side in (step.before, step.after))
                if not is_zero(left - right):
                    raise DerivationError(
                        f"{step.rule!r}: {left} is not {right} at {where}, {sizes}"
                    )
                compared += 1
    return compared


def _with_relations(
    sizes: Mapping[Symbol, int], relations: Iterable[tuple[Symbol, Expr]]
) -> dict[Symbol, int]:
    numbers = {size: Integer(length) for size, length in sizes.items()}
    for size, value in relations:
        # A number of heads that share one is seen from two on.
        numbers |= {other: Integer(2) for other in value.free_symbols - numbers.keys()}
        numbers[size] = value.xreplace(numbers)
    return {size: int(number) for size, number in numbers.items()}


def _reads(derivation: Derivation, base: IndexedBase) -> bool:
    sides = [side for step in derivation.steps for side in (step.before, step.after)]
    values = [stage.value for stage in derivation.definitions]
    return any(entry.base == base for side in sides + values for entry in side.atoms(Indexed))


def is_zero(expression: Expr) -> bool:
    """Decide whether an expression in entries and elementary functions vanishes identically.

    Quotients of polynomials in entries and exponentials are decided, angles and hyperbolic
    tangents by their exponentials. Where a largest number is taken, some points decide.
    """
    if expression.has(Max):
        return all(is_zero(expression.xreplace(point)) for point in _points(expression))
    if expression.has(cos, sin, tanh):
        expression = expression.rewrite(exp)
    if any(power.exp.q == 2 for power in expression.atoms(Pow) if power.exp.is_Rational):
        expression = _with_roots(expression)
    numerator, _ = fraction(together(expand_power_exp(expression)))
    return bool(expand(expand_power_exp(expand(numerator))) == 0)


def _with_roots(expression: Expr) -> Expr:
    """Take common factors out of roots, and multiply exponents out."""
    expression = expression.replace(
        lambda part: part.is_Pow and part.exp.is_Rational and part.base.is_Add,
        lambda power: Pow(factor_terms(power.base), power.exp),
    )
    return expression.replace(exp, lambda exponent: exp(expand(exponent)))


def _points(expression: Expr) -> Iterator[dict[Expr, Expr]]:
    """Yield numbers for the entries of an expression, so that each is the largest sometime."""
    entries = sorted(expression.atoms(Indexed), key=str)
    for first in range(len(entries)):
        yield {
            entry: Rational((place - first) % len(entries) * (place + 2), 3)
            for place, entry in enumerate(entries)
        }


def _written_out(
    derivation: Derivation, sizes: dict[Symbol, int], shapes: Mapping[IndexedBase, Sequence[Expr]]
) -> Elements[Expr]:
    """Return an interpreter that knows every array in a chain, defined ones by definition."""
    stages = derivation.definitions
    defined = {stage.array: stage for stage in stages}
    steps = derivation.steps
    needed = [side for step in steps for side in (step.before, step.after)]
    needed += [stage.value for stage in stages]
    entries = {entry for side in needed for entry in side.atoms(Indexed)}
    limits = dict(UPPER_LIMIT)
    for bounded in {part for side in needed for part in side.atoms(ExprWithLimits)}:
        limits.update({index: high for index, _, high in bounded.limits})
    given: dict[IndexedBase, Any] = {}
    numbers = {size: Integer(length) for size, length in sizes.items()}
    for base in {entry.base for entry in entries} - defined.keys():
        shape = shapes[base] if base in shapes else _shape(base, entries, limits)
        given[base] = named_entries(base, [int(size.xreplace(numbers)) for size in shape])
    elements = Elements(Symbolic(), given, sizes)
    elements.run(stages)
    elements.lengths = Lengths({base: array.shape for base, array in elements.arrays.items()})
    elements.lengths.assume(sizes)
    return elements


def _shape(
    base: IndexedBase, entries: Iterable[Indexed], limits: Mapping[Symbol, Symbol]
) -> Sequence[Symbol]:
    """Return the sizes of an array that may be anything, from the indices it is read at."""
    if base in INPUT_SHAPES:
        return INPUT_SHAPES[base]
    for entry in entries:
        if entry.base == base and all(index in limits for index in entry.indices):
            return [limits[index] for index in entry.indices]
    raise DerivationError(f"nothing says how large {base} is")
