"""Check each part of a theorem's proof a second way.

Both sides of every step are written out entry by entry at small shapes and compared by SymPy's own
arithmetic, which knows none of the rules that the steps used. A mean is computed by going through
all outcomes, a derivative by SymPy's own ``diff``, a recurrence row by row, and an array of whole
numbers by trying each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy
from sympy import (
    Dummy,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Symbol,
    cos,
    diff,
    exp,
    expand,
    expand_trig,
    fraction,
    rem,
    sin,
    tanh,
    together,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.algebras.symbolic import Symbolic
from derive.binding import Lengths, at, same
from derive.derivation import DerivationError, Step, is_zero
from derive.elements import Elements
from derive.formula import (
    INPUT_SHAPES,
    UPPER_LIMIT,
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
)
from derive.gradients import vector_jacobian_product
from derive.theorems.expectation import Distribution, Expectation
from derive.theorems.slope import Slope
from derive.theorems.theorem import (
    Agreement,
    Chain,
    Comparison,
    Induction,
    Part,
    Recurrence,
    Setting,
    Theorem,
    any_index,
)
from derive.written_out import named_entries

Sizes = Mapping[Symbol, int]

SMALL_SIZES: tuple[Sizes, ...] = (
    dict.fromkeys((n_q, n, d, d_v, n_h, n_g, n_p, d_e, d_f, n_b), 1),
    {n_q: 2, n: 2, d: 2, d_v: 1, n_h: 2, n_g: 2, n_p: 2, d_e: 1, d_f: 1, n_b: 1},
    {n_q: 2, n: 3, d: 1, d_v: 2, n_h: 2, n_g: 1, n_p: 2, d_e: 2, d_f: 1, n_b: 1},
    {n_q: 3, n: 3, d: 1, d_v: 1, n_h: 1, n_g: 2, n_p: 2, d_e: 2, d_f: 2, n_b: 1},
)
"""Sizes at which steps are written out: all 1, then others. No two are the same at all of them, so
that confusing two is found."""


def recheck_theorem(theorem: Theorem) -> str:
    """Check every part of a proof a second way; return in words what was compared.

    Raises ``DerivationError`` naming the part and the step that fails.
    """
    return "; ".join(recheck_part(part) for part in theorem.parts)


def recheck_part(part: Part) -> str:
    """Check one part; return in words what was compared."""
    if isinstance(part, Comparison):
        return f"{part.title}: {_compare_numbers(part)} exact numbers compared"
    if isinstance(part, Agreement):
        _compare_with_gradients(part)
        return f"{part.title}: the same equation"
    if isinstance(part, Induction):
        base, step = _compare_steps(part.base), _compare_steps(part.step)
        return f"{part.title}: {base} entries at the first place and {step} at later ones compared"
    entries = _compare_steps(part)
    count = len(part.derivation.steps)
    return f"{part.title}: {count} step{'s' * (count > 1)}, {entries} entries compared"


def _compare_numbers(part: Comparison) -> int:
    for left, right in part.pairs:
        holds = {"=": left == right, "<": left < right, "<=": left <= right}[part.relation]
        if not bool(holds):
            raise DerivationError(f"{part.title}: {left} {part.relation} {right} does not hold")
    return len(part.pairs)


def _compare_with_gradients(part: Agreement) -> None:
    target, value = part.chain.goal
    for stage in vector_jacobian_product(part.mechanism).stages:
        if stage.array == part.array:
            indices = target.indices if isinstance(target, Indexed) else target.by.indices
            if not same(at(stage, indices), value):
                raise DerivationError(f"{part.title}: {value} is not {at(stage, indices)}")
            return
    raise DerivationError(f"{part.title}: no gradient {part.array} of {part.mechanism.title}")


def _compare_steps(part: Chain) -> int:
    compared = 0
    for sizes in _sizes(part):
        for step in part.derivation.steps:
            for written in _written_out(part, step, sizes):
                compared += _compare(part, step, written, sizes)
    if not compared:
        raise DerivationError(f"{part.title}: no place to compare at")
    return compared


def _compare(part: Chain, step: Step, written: Written, sizes: Sizes) -> int:
    free = any_index((step.before, step.after))
    places = [range(part.first.get(t, 1), sizes[UPPER_LIMIT[t]] + 1) for t in free]
    compared = 0
    for place in product(*places):
        where = dict(zip(free, place, strict=True))
        try:
            left, right = (written.value(side, where) for side in (step.before, step.after))
        except ZeroDivisionError as error:
            raise DerivationError(
                f"{part.title}, {step.rule!r}: {error} at {where}, {dict(sizes)}"
            ) from None
        if not vanishes(left - right):
            raise DerivationError(
                f"{part.title}, {step.rule!r}: {left} is not {right} at {where}, {dict(sizes)}"
            )
        compared += 1
    return compared


def vanishes(expression: Expr) -> bool:
    """Decide whether an expression in entries, exponentials, cosines and tanh is always zero."""
    if expression.has(tanh):
        expression = expression.rewrite(tanh, exp)
    if not expression.has(cos, sin):
        return is_zero(expression)
    # Angles are whole multiples of entries here: multiples go, and sin² is 1 - cos².
    numerator, _ = fraction(together(expand_trig(expression)))
    numerator = expand(expand_trig(expand(numerator)))
    for angle in {turned.args[0] for turned in numerator.atoms(cos, sin)}:
        one, other = Dummy(), Dummy()
        numerator = numerator.xreplace({cos(angle): one, sin(angle): other})
        numerator = rem(numerator, other**2 + one**2 - 1, other)
    return bool(expand(numerator) == 0)


class Written(Elements[Expr]):
    """The entries written out, means, derivatives and recurrences included."""

    def __init__(self, given: Mapping[IndexedBase, Any], sizes: Sizes, setting: Setting) -> None:
        super().__init__(Symbolic(), given)
        self.setting = setting
        self.laws: Mapping[IndexedBase, Distribution] = {}
        for definition in setting.definitions:
            if isinstance(definition, Recurrence):
                self.recur(definition, sizes)
            else:
                self.lengths.assume(sizes)
                self.arrays[definition.array] = self.stage(definition)
            self.lengths = Lengths({base: found.shape for base, found in self.arrays.items()})
            self.lengths.assume(sizes)
        self.lengths.assume(sizes)

    def recur(self, definition: Recurrence, sizes: Sizes) -> None:
        """Fill an array row by row."""
        self.lengths.assume(sizes)
        lengths = [self.lengths.length(size) for size in definition.shape]
        entries = numpy.empty(lengths, dtype=object)
        self.arrays[definition.array] = entries
        axis = definition.target.indices.index(definition.index)
        for place in sorted(numpy.ndindex(*entries.shape), key=lambda place: place[axis]):
            where = {t: p + 1 for t, p in zip(definition.target.indices, place, strict=True)}
            begins = where[definition.index] == 1
            entries[place] = self.value(definition.first if begins else definition.following, where)

    def value(self, expression: Expr, where: Mapping[Symbol, int]) -> Expr:
        """Evaluate one expression, as ``Elements`` does."""
        if isinstance(expression, Slope):
            entry = self.leaf(expression.by, where)
            return diff(self.value(expression.of, where), entry)
        if isinstance(expression, Expectation):
            return self.mean(expression.body, where)
        if expression in self.setting.parameters:
            return expression
        return super().value(expression, where)

    def mean(self, body: Expr, where: Mapping[Symbol, int]) -> Expr:
        """Sum over all outcomes of the random entries that are read, each times its probability."""
        drawn = self.value(body, where)
        entries = [
            (entry, law.outcomes)
            for base, law in self.laws.items()
            if base in self.arrays
            for entry in self.arrays[base].flat
            if drawn.has(entry)
        ]
        found: Expr = Integer(0)
        for outcome in product(*(outcomes for _, outcomes in entries)):
            values = {entry: v for (entry, _), (v, _) in zip(entries, outcome, strict=True)}
            chance = Mul(*(probability for _, probability in outcome))
            found = found + chance * drawn.xreplace(values)
        return found


def _sizes(part: Chain) -> Iterator[Sizes]:
    """Yield the small sizes that fit the relations, each choice of those that matter once."""
    setting = part.setting
    sides = [side for step in part.derivation.steps for side in (step.before, step.after)]
    symbols = {t for side in (*sides, *_sides(setting)) for t in side.atoms(Symbol)}
    symbols |= {t for _, shape in setting.given for size in shape for t in size.atoms(Symbol)}
    relevant = {UPPER_LIMIT.get(t, t) for t in symbols}
    seen: list[Sizes] = []
    for sizes in SMALL_SIZES:
        chosen = {size: min(sizes[size], setting.most.get(size, sizes[size])) for size in sizes}
        for size, value in setting.relations:
            known = {t: Integer(chosen.get(t, 2)) for t in value.free_symbols}
            chosen.update({t: int(number) for t, number in known.items()})
            chosen[size] = int(value.xreplace(known))
        mattering = {size: chosen[size] for size in chosen if size in relevant}
        if mattering not in seen:
            seen.append(mattering)
            yield chosen


def _sides(setting: Setting) -> list[Expr]:
    """Return the expressions that a setting's definitions are made of."""
    sides: list[Expr] = []
    for definition in setting.definitions:
        if isinstance(definition, Recurrence):
            sides += [definition.first, definition.following, definition.target]
        else:
            sides.append(definition.value)
    return sides


def _written_out(part: Chain, step: Step, sizes: Sizes) -> Iterator[Written]:
    """Yield interpreters that know every array of a step, one for each choice of what is chosen."""
    setting = part.setting
    sides = [step.before, step.after, *_sides(setting)]
    defined = {definition.array for definition in setting.definitions}
    entries = {entry for side in sides for entry in side.atoms(Indexed)}
    shapes = _shapes(entries, sides, setting, sizes)
    given = {
        base: named_entries(base, shapes[base])
        for base in sorted({entry.base for entry in entries} - defined, key=str)
    }
    for whole in _choices(setting, given, sizes):
        for law in setting.random or ((),):
            written = Written({**given, **whole}, sizes, setting)
            written.laws = {distribution.array: distribution for distribution in law}
            yield written


def _choices(
    setting: Setting, given: Mapping[IndexedBase, Any], sizes: Sizes
) -> Iterator[dict[IndexedBase, Any]]:
    """Yield every way to fill the arrays of whole numbers."""
    arrays = [(base, high) for base, high in setting.whole if base in given]
    ways = [product(range(1, sizes[high] + 1), repeat=given[base].size) for base, high in arrays]
    for numbers in product(*ways):
        chosen: dict[IndexedBase, Any] = {}
        for (base, _), filling in zip(arrays, numbers, strict=True):
            entries = numpy.empty(given[base].shape, dtype=object)
            entries[...] = numpy.array([Integer(v) for v in filling]).reshape(entries.shape)
            chosen[base] = entries
        yield chosen


def _shapes(
    entries: Iterable[Indexed], sides: Iterable[Expr], setting: Setting, sizes: Sizes
) -> dict[IndexedBase, tuple[int, ...]]:
    """Return the shape of each array, from what is declared or from the letters it is read with."""
    limits = dict(UPPER_LIMIT)
    for bounded in {found for side in sides for found in side.atoms(ExprWithLimits)}:
        # A sum up to another index counts through a part of the axis alone.
        limits.update(
            {
                index: high
                for index, _, high in bounded.limits
                if not high.free_symbols & UPPER_LIMIT.keys()
            }
        )
    declared: dict[IndexedBase, tuple[Expr, ...]] = dict(setting.given)
    entries = sorted(entries, key=str)
    shapes: dict[IndexedBase, tuple[int, ...]] = {}
    for base in {entry.base for entry in entries}:
        shape = declared.get(base)
        if shape is None:
            for entry in entries:
                if entry.base == base and all(index in limits for index in entry.indices):
                    shape = tuple(limits[index] for index in entry.indices)
                    break
        shape = shape or INPUT_SHAPES.get(base)
        if shape is not None:
            shapes[base] = tuple(
                int(size.xreplace({t: Integer(v) for t, v in sizes.items()})) for size in shape
            )
    return shapes
