"""How much a mechanism costs: operations and numbers held, as polynomials in its sizes.

The stages are counted as they are written, with these rules:

- A product of k factors is k - 1 multiplications, a sum of m terms m - 1 additions, the largest
  of m numbers m - 1 maxima. A whole power x^p is p - 1 multiplications. A minus sign is free.
- Dividing is one division for each entry, whatever stands below; 2/3 x is a multiplication and a
  division.
- Exponentials are counted by themselves. ``functions`` are tanh, cosines, sines, square roots.
- An expression is computed once for each value of the indices that it holds, wherever it stands
  and however often: exp(s[i, j]) above and below the fraction line is one exponential, and
  sum_k W[e, k] Q[i, k] within an entry H[i, j, e] is not done again for each j. Two expressions
  that differ in a letter are two.
- Numbers that are known before any array is read are free: sizes, their roots, the places of
  tokens and what is computed of these. As a factor such a number is one factor.
- A mask chooses and costs nothing as a factor: a bracket, a given array of zeros and ones, a
  product of such. What it excludes is counted all the same, as a program that computes every
  score has it. A mask that is a term of a sum is added like any other.
- A product of three arrays under a sum is not reordered to make it cheaper.

Sizes that are equal are called by one letter, n_q = n, and d = 2 n_p is told in d; a size that a
mechanism fixes, such as n_h = 8, stays a letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Mod,
    Mul,
    Poly,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    cos,
    exp,
    floor,
    prod,
    sin,
    summation,
    tanh,
)

from derive.brackets import Bracket
from derive.elements import UnknownNode, split_quotient
from derive.formula import FormulaError, Largest, Mechanism, Stage, n, n_q, opened
from derive.symbolic_shapes import same_sizes, symbolic_shapes


@dataclass(frozen=True)
class Count:
    """How many operations of each kind, as polynomials in the sizes."""

    multiplications: Expr = S.Zero
    additions: Expr = S.Zero
    divisions: Expr = S.Zero
    exponentials: Expr = S.Zero
    functions: Expr = S.Zero
    maxima: Expr = S.Zero

    def __add__(self, other: Count) -> Count:
        """Return the counts together."""
        both = ((getattr(self, kind) + getattr(other, kind)).expand() for kind in KINDS)
        return Count(*both)

    @property
    def total(self) -> Expr:
        """All operations, each counted as one."""
        return Add(*(getattr(self, kind) for kind in KINDS)).expand()

    @property
    def arithmetic(self) -> Expr:
        """Multiplications and additions: what is called floating-point operations of a product."""
        return (self.multiplications + self.additions).expand()

    def leading(self) -> Expr:
        """Return the terms of the total that no other term outgrows: 2 n_q n d + 2 n_q n d_v."""
        return leading(self.total)


KINDS = tuple(field.name for field in fields(Count))


@dataclass(frozen=True)
class Operations:
    """The operations of each stage, in order. What two stages share is counted in the first."""

    stages: tuple[tuple[IndexedBase, Count], ...]

    @property
    def total(self) -> Count:
        """The operations of all stages together."""
        return sum((count for _, count in self.stages), Count())


@dataclass(frozen=True)
class Memory:
    """How many numbers each array holds: what is given, what is computed on the way, the result."""

    inputs: tuple[tuple[IndexedBase, Expr], ...]
    intermediate: tuple[tuple[IndexedBase, Expr], ...]
    result: tuple[IndexedBase, Expr]

    @property
    def total(self) -> Expr:
        """All numbers, if every array is kept."""
        held = [*self.inputs, *self.intermediate, self.result]
        return Add(*(size for _, size in held)).expand()

    @property
    def largest(self) -> tuple[IndexedBase, Expr] | None:
        """The intermediate array that grows fastest with the number of tokens; None without any.

        Of several, the one with the most sizes as factors, then the first.
        """
        if not self.intermediate:
            return None
        return max(self.intermediate, key=lambda held: _growth(held[1]))


def operations(mechanism: Mechanism) -> Operations:
    """Count the operations of each stage of a mechanism, by the rules above."""
    counter = _Counter(mechanism)
    return Operations(tuple((stage.array, counter.stage(stage)) for stage in counter.stages))


def memory(mechanism: Mechanism) -> Memory:
    """Count the numbers that each array holds; masks that are given count too."""
    told = _told(mechanism)
    held = {
        base: Mul(*shape).xreplace(told).expand()
        for base, shape in symbolic_shapes(mechanism).items()
    }
    *before, last = (stage.array for stage in mechanism.stages)
    return Memory(
        tuple((base, held[base]) for base in mechanism.inputs),
        tuple((base, held[base]) for base in before),
        (last, held[last]),
    )


def leading(polynomial: Expr) -> Expr:
    """Return the terms that no other outgrows, whatever the sizes: n d goes where n^2 d is."""
    sizes = sorted(polynomial.free_symbols, key=str)
    if not sizes:
        return polynomial
    terms = Poly(polynomial, *sizes).terms()
    kept = [
        coefficient * prod(size**power for size, power in zip(sizes, powers, strict=True))
        for powers, coefficient in terms
        if not any(_outgrows(other, powers) for other, _ in terms)
    ]
    return Add(*kept)


def _outgrows(powers: Sequence[int], others: Sequence[int]) -> bool:
    return powers != others and all(p >= q for p, q in zip(powers, others, strict=True))


def _growth(size: Expr) -> tuple[int, int]:
    sizes = sorted(size.free_symbols | {n, n_q}, key=str)
    powers = [powers for powers, _ in Poly(size, *sizes).terms()]
    tokens = [place for place, symbol in enumerate(sizes) if symbol in (n, n_q)]
    return max(sum(p[place] for place in tokens) for p in powers), max(map(sum, powers))


def _told(mechanism: Mechanism) -> dict[Symbol, Expr]:
    """Return what sizes are called in counts: n_q is n, and with d = 2 n_p, n_p is d/2."""
    told = same_sizes(mechanism)
    for symbol, value in mechanism.relations:
        number, other = value.as_coeff_Mul()
        if other.is_Symbol and number != 1:
            told[other] = symbol / number
    return told


class _State(IntEnum):
    """What is known of a value before arrays are read."""

    SIGN = 0
    CHOICE = 1
    KNOWN = 2
    COMPUTED = 3


SIGN, CHOICE, KNOWN, COMPUTED = _State
Ranges = Mapping[Symbol, Expr]
"""How far each index in force counts: to a size, or to another index."""


class _Counter:
    """The interpreter that counts. ``seen`` are the expressions that were counted already."""

    def __init__(self, mechanism: Mechanism) -> None:
        same = same_sizes(mechanism)
        self.stages = [Stage(s.target, s.value.xreplace(same)) for s in mechanism.stages]
        self.shapes = symbolic_shapes(mechanism)
        self.told = _told(mechanism)
        self.states: dict[IndexedBase, _State] = dict.fromkeys(mechanism.indicators, CHOICE)
        self.seen: dict[tuple[Expr, tuple[tuple[Symbol, Expr], ...]], _State] = {}
        self.counts: dict[str, Expr] = {}

    def stage(self, stage: Stage) -> Count:
        """Count one stage; those before it have been counted."""
        self.counts = dict.fromkeys(KINDS, S.Zero)
        ranges = dict(zip(stage.target.indices, self.shapes[stage.array], strict=True))
        self.states[stage.array] = max(CHOICE, self.visit(stage.value, ranges))
        return Count(**{kind: c.xreplace(self.told).expand() for kind, c in self.counts.items()})

    def visit(self, expression: Expr, ranges: Ranges) -> _State:
        """Count an expression unless it was; return what is known of its value."""
        if isinstance(expression, Indexed):
            return self.states.get(expression.base, COMPUTED)
        if isinstance(expression, Rational):
            return SIGN if abs(expression) == 1 else KNOWN
        if isinstance(expression, Bracket):
            return CHOICE
        if isinstance(expression, Symbol | floor | Mod):
            return KNOWN
        key = expression, _within(expression, ranges)
        if key not in self.seen:
            self.seen[key] = self._visited(expression, ranges)
        return self.seen[key]

    def _visited(self, expression: Expr, ranges: Ranges) -> _State:
        if isinstance(expression, Sum | Largest):
            return self._reduced(expression, ranges)
        if isinstance(expression, Mul):
            return self._product(expression.args, expression, ranges)
        if isinstance(expression, Pow) and expression.exp.is_negative:
            return self._product([expression], expression, ranges)
        if isinstance(expression, Add):
            kind, times, parts = "additions", len(expression.args) - 1, expression.args
        elif isinstance(expression, exp):
            kind, times, parts = "exponentials", 1, expression.args
        elif isinstance(expression, tanh | cos | sin):
            kind, times, parts = "functions", 1, expression.args
        elif isinstance(expression, Pow) and expression.exp == S.Half:
            kind, times, parts = "functions", 1, expression.args[:1]
        elif isinstance(expression, Pow) and expression.exp.is_Integer:
            kind, times, parts = "multiplications", int(expression.exp) - 1, expression.args[:1]
        else:
            raise UnknownNode(expression)
        state = max(KNOWN, *(self.visit(part, ranges) for part in parts))
        return self._counted(state, kind, times, expression, ranges)

    def _reduced(self, expression: Sum | Largest, ranges: Ranges) -> _State:
        body, index, low, high = opened(expression)
        if low != 1:
            raise FormulaError(f"{expression}: sums are counted from 1, not from {low}")
        outer = {other: length for other, length in ranges.items() if other != index}
        state = max(KNOWN, self.visit(body, {**outer, index: high}))
        kind = "additions" if isinstance(expression, Sum) else "maxima"
        return self._counted(state, kind, high - 1, expression, ranges)

    def _product(self, factors: Iterable[Expr], whole: Expr, ranges: Ranges) -> _State:
        above, below = split_quotient(factors)
        top = self._multiplied(above, whole, ranges)
        if not below:
            return top
        state = max(KNOWN, top, self._multiplied(below, whole, ranges))
        return self._counted(state, "divisions", 1, whole, ranges)

    def _multiplied(self, factors: Sequence[Expr], whole: Expr, ranges: Ranges) -> _State:
        """Count the multiplications on one side of a fraction line."""
        states = [self.visit(factor, ranges) for factor in factors]
        times = states.count(COMPUTED) - 1 + (KNOWN in states)
        return self._counted(max(states, default=SIGN), "multiplications", times, whole, ranges)

    def _counted(
        self, state: _State, kind: str, times: Expr | int, expression: Expr, ranges: Ranges
    ) -> _State:
        if state is COMPUTED:
            self.counts[kind] += _over_all(times, _within(expression, ranges))
        return state


def _within(expression: Expr, ranges: Ranges) -> tuple[tuple[Symbol, Expr], ...]:
    """Return the indices that an expression holds and how far each counts, the innermost last.

    Where one counts to another that the expression does not hold, it counts as far as that can.
    """
    held = [index for index in ranges if index in expression.free_symbols]
    found = []
    for index in held:
        high = ranges[index]
        while high in ranges and high not in held:
            high = ranges[high]
        found.append((index, high))
    return tuple(found)


def _over_all(times: Expr | int, indices: Sequence[tuple[Symbol, Expr]]) -> Expr:
    """Sum a number of operations over all values of the indices."""
    found = S(times)
    for index, high in reversed(indices):
        found = summation(found, (index, 1, high)) if found.has(index) else found * high
    return found.expand()
