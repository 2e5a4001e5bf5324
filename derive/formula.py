"""What a formula is: equations in index form, grouped into choices, composed into a mechanism.

An equation in index form defines every entry of an array at once::

    s[i, j] = sum over k from 1 to d of  x[i, k] * x[j, k]

It is the only place where a formula stands. Its LaTeX, its entries written out for a few
tokens, the arrays it computes and the code that computes them all follow from it, each by a
small interpreter of its own.

Indices count from 1, as the written formulas do: i names a query, j and l a key, k a
dimension, c a dimension of the values; b a sentence of a batch, h a head, g a group of heads that
share keys and values, e and f a feature of a token before and after, p a row of a projection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sympy import Expr, Indexed, IndexedBase, Integer, Max, Sum, Symbol, srepr
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.displayed import Displayed


def _size(name: str) -> Symbol:
    return Symbol(name, integer=True, positive=True)


def _index(name: str) -> Symbol:
    return Symbol(name, integer=True, positive=True)


def array(name: str) -> IndexedBase:
    """Name an array of real numbers; ``array("x")[i, k]`` is its entry in row i, column k."""
    return IndexedBase(name, real=True)


n_q, n, d, d_v = _size("n_q"), _size("n"), _size("d"), _size("d_v")
n_b, n_h, n_g, n_p = _size("n_b"), _size("n_h"), _size("n_g"), _size("n_p")
d_e, d_f = _size("d_e"), _size("d_f")
i, j, l, k, c = _index("i"), _index("j"), _index("l"), _index("k"), _index("c")  # noqa: E741 - what books call it
b, h, g, e, f, p = (_index(letter) for letter in "bhgefp")

x, Q, K, V = array("x"), array("Q"), array("K"), array("V")
s, m, D, a, z = array("s"), array("m"), array("D"), array("a"), array("z")

UPPER_LIMIT = {
    i: n_q,
    j: n,
    l: n,
    k: d,
    c: d_v,
    b: n_b,
    h: n_h,
    g: n_g,
    e: d_e,
    f: d_f,
    p: n_p,
}
"""How far each index counts when a formula sums over it."""

INPUT_SHAPES: dict[IndexedBase, tuple[Symbol, ...]] = {
    x: (n, d),
    Q: (n_q, d),
    K: (n, d),
    V: (n, d_v),
}
"""The shape of each array that a mechanism may take as given."""


class Largest(ExprWithLimits):
    """The largest value of an expression over an index: max over j from 1 to n of s[i, j].

    SymPy has no maximum over an index. Bound indices behave as they do in ``Sum``.
    """

    def __new__(cls, function: Expr, *limits: tuple[Symbol, int, Expr]) -> Largest:
        """Make the maximum of ``function`` over (index, first, last)."""
        bounded: Largest = super().__new__(cls, function, *limits)
        return bounded

    def doit(self, **hints: bool) -> Expr:
        """Write the maximum out as ``Max`` where the limits are numbers."""
        body, index, low, high = opened(self)
        if not (low.is_Integer and high.is_Integer):
            return self
        places = range(int(low), int(high) + 1)
        return Max(*(body.xreplace({index: Integer(p)}).doit(**hints) for p in places))

    def _eval_is_extended_real(self) -> bool | None:
        real: bool | None = self.function.is_extended_real
        return real

    def _eval_is_finite(self) -> bool | None:
        finite: bool | None = self.function.is_finite
        return finite


def opened(bounded: ExprWithLimits) -> tuple[Expr, Symbol, Expr, Expr]:
    """Return the body of a sum or maximum, its index, and the index's first and last value.

    SymPy writes a sum of sums as one ``Sum`` with several limits, the innermost first; the body
    of its outermost sum is then a sum again.
    """
    *inner, (index, low, high) = bounded.limits
    body = bounded.func(bounded.function, *inner) if inner else bounded.function
    return body, index, low, high


def total(body: Expr, index: Symbol) -> Sum:
    """Sum ``body`` over ``index``, from 1 to the limit that the index carries."""
    return Sum(body, (index, 1, UPPER_LIMIT[index]))


def largest(body: Expr, index: Symbol) -> Largest:
    """Take the largest value of ``body`` over ``index``."""
    return Largest(body, (index, 1, UPPER_LIMIT[index]))


class FormulaError(ValueError):
    """A formula that does not define what it claims to define."""


@dataclass(frozen=True)
class Stage:
    """One equation, ``target = value``, that holds for every index of the target.

    SymPy's ``Eq(x, x)`` turns into ``True``; this stays an equation. ``shape`` says how far the
    target's indices count; it is needed where an index stands alone in no position of the value.
    """

    target: Indexed
    value: Expr
    shape: tuple[Expr, ...] = ()

    def __post_init__(self) -> None:
        indices = self.target.indices
        if len(set(indices)) != len(indices) or not all(t.is_Symbol for t in indices):
            raise FormulaError(f"{self.target}: a target needs distinct plain indices")
        if self.array in {entry.base for entry in self.value.atoms(Indexed)}:
            raise FormulaError(f"{self.target} is defined by itself: {self.value}")
        if self.shape and len(self.shape) != len(indices):
            raise FormulaError(f"{self.target} has {len(indices)} indices, its shape {self.shape}")
        stray = {t for t in self.value.free_symbols if t in UPPER_LIMIT} - set(indices)
        if stray:
            names = ", ".join(sorted(map(str, stray)))
            raise FormulaError(f"{self.target} = {self.value}: nothing says what {names} is")

    @property
    def array(self) -> IndexedBase:
        """The array that this equation defines."""
        return self.target.base

    @property
    def reads(self) -> frozenset[IndexedBase]:
        """The arrays that the right-hand side reads."""
        return frozenset(entry.base for entry in self.value.atoms(Indexed))

    def __str__(self) -> str:
        return f"{self.target} = {self.value}"


@dataclass(frozen=True)
class Choice:
    """One part of a mechanism that could have been chosen otherwise.

    ``role`` is what the part does (``score``, ``normalise``, ``weighted sum``), ``title`` is
    which way of doing it this is.
    """

    role: str
    title: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Mechanism(Displayed):
    """An attention mechanism: its choices in order, each stage reading only what stands before.

    ``given`` declares the arrays that it takes and their shapes in letters, in the order in which
    they are given; where it is empty they are those of ``INPUT_SHAPES``. ``relations`` are
    equations between sizes, such as n_h = 8. ``indicators`` are the given arrays of zeros and ones,
    which choose places and are not differentiated by.
    """

    title: str
    choices: tuple[Choice, ...]
    given: tuple[tuple[IndexedBase, tuple[Expr, ...]], ...] = ()
    relations: tuple[tuple[Symbol, Expr], ...] = ()
    indicators: frozenset[IndexedBase] = frozenset()

    def __post_init__(self) -> None:
        defined: set[IndexedBase] = set()
        given = self.shapes.keys()
        for stage in self.stages:
            unknown = stage.reads - defined - given
            if unknown:
                names = ", ".join(sorted(map(str, unknown)))
                raise FormulaError(f"{self.title}: {stage.target} reads {names} before it is made")
            if stage.array in defined | given:
                raise FormulaError(f"{self.title}: {stage.array} is defined twice")
            defined.add(stage.array)
        for base, _ in self.given:
            if base not in self.inputs:
                raise FormulaError(f"{self.title}: {base} is given, but no equation reads it")

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """All equations, in the order in which they are computed."""
        return tuple(stage for choice in self.choices for stage in choice.stages)

    @cached_property
    def shapes(self) -> dict[IndexedBase, tuple[Expr, ...]]:
        """The shape of each array that may be given, in the order in which they are given."""
        return dict(self.given) if self.given else dict(INPUT_SHAPES)

    @cached_property
    def inputs(self) -> tuple[IndexedBase, ...]:
        """The arrays that are given, not computed, in the order of ``shapes``."""
        read = frozenset[IndexedBase]().union(*(stage.reads for stage in self.stages))
        return tuple(base for base in self.shapes if base in read)

    def choice(self, role: str) -> Choice:
        """Return the part that plays ``role``; ``KeyError`` names the roles there are."""
        for candidate in self.choices:
            if candidate.role == role:
                return candidate
        raise KeyError(f"{self.title} has no {role!r}; it has {[c.role for c in self.choices]}")

    def stage(self, base: IndexedBase) -> Stage:
        """Return the equation that defines ``base``."""
        for candidate in self.stages:
            if candidate.array == base:
                return candidate
        raise KeyError(f"{self.title} does not define {base}")

    def canonical(self) -> str:
        """Return text that is the same exactly when the equations are the same."""
        return "\n".join(f"{srepr(s.target)} = {srepr(s.value)}" for s in self.stages)

    def __iter__(self) -> Iterator[Choice]:
        return iter(self.choices)
