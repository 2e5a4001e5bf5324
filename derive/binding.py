"""Indices and their ranges: renaming without capture, and lengths without guessing.

SymPy's ``subs`` and ``xreplace`` let a bound index capture a free one, and its shape checks look
at the rank alone. Every interpreter here goes through these functions instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sympy import Dummy, Expr, Indexed, IndexedBase, Integer, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.formula import UPPER_LIMIT, FormulaError, Stage, opened


class ShapeError(FormulaError):
    """Two lengths that a formula needs to be the same are different."""


def freshen(expression: Expr) -> Expr:
    """Rename every bound index to one that occurs nowhere else."""
    if not expression.args:
        return expression
    if isinstance(expression, ExprWithLimits):
        body, index, low, high = opened(expression)
        fresh = Dummy(index.name, **index.assumptions0)
        return expression.func(freshen(body).xreplace({index: fresh}), (fresh, low, high))
    return expression.func(*(freshen(part) for part in expression.args))


def rename(expression: Expr, indices: Mapping[Symbol, Expr]) -> Expr:
    """Put other indices in place of free ones: ``{i: j}`` turns s[i, l] into s[j, l]."""
    return freshen(expression).xreplace(dict(indices))


def same(left: Expr, right: Expr) -> bool:
    """Tell whether two expressions are the same up to the names of their bound indices."""
    return bool(left.as_dummy() == right.as_dummy())


def at(stage: Stage, indices: Sequence[Expr]) -> Expr:
    """Return the right-hand side of ``stage`` for the entry with these indices."""
    return rename(stage.value, dict(zip(stage.target.indices, indices, strict=True)))


class Lengths:
    """How far each index and each size symbol counts, found from the shapes of the arrays.

    ``x[i, k]`` with x of shape (8, 3) says that i counts to 8 and k to 3; meeting k again along
    an axis of another length is a ``ShapeError``. Lengths may be integers or size symbols, so
    the same rule gives the symbolic shape of a stage.
    """

    def __init__(self, shapes: Mapping[IndexedBase, Sequence[int | Expr]]) -> None:
        self.shapes: dict[IndexedBase, tuple[int | Expr, ...]] = {
            base: tuple(shape) for base, shape in shapes.items()
        }
        self._lengths: dict[Symbol, int | Expr] = {}
        self._declared: dict[Symbol, int | Expr] = {}

    def __getitem__(self, symbol: Symbol) -> int | Expr:
        return self._lengths[symbol]

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._lengths

    def length(self, size: Expr) -> int | Expr:
        """Return a size, such as n_h d, with all that is known of it put in."""
        known = {t: self[t] for t in size.free_symbols if t in self and t not in UPPER_LIMIT}
        found = size.xreplace(
            {symbol: Integer(v) if isinstance(v, int) else v for symbol, v in known.items()}
        )
        return int(found) if found.is_Integer else found

    def assume(self, sizes: Mapping[Symbol, int | Expr]) -> Lengths:
        """Record sizes that are known beforehand; return self."""
        for symbol, length in sizes.items():
            self._unify(symbol, length, "the given sizes")
        return self

    def learn(self, stages: Iterable[Stage]) -> Lengths:
        """Walk ``stages`` in order and record the lengths they imply; return self."""
        for stage in stages:
            # i and j mean the rows and columns of this stage; sizes (n, d) mean the same in all.
            for index in stage.target.indices:
                self._lengths.pop(index, None)
            self._declared = self._declared_by(stage)
            self.visit(stage.value, f"{stage}")
            self._declared = {}
            if stage.shape:
                self._learn_shape(stage)
            missing = [t for t in stage.target.indices if t not in self]
            if missing:
                raise ShapeError(f"{stage}: nothing bounds the index {missing[0]}")
            self.shapes[stage.array] = tuple(self[t] for t in stage.target.indices)
        return self

    def numbers(self, base: IndexedBase) -> tuple[int, ...]:
        """Return the shape of an array whose lengths are all known as numbers."""
        for length in self.shapes[base]:
            if not isinstance(length, int):
                raise ShapeError(f"nothing says how much {length} is, a length of {base}")
        return tuple(int(length) for length in self.shapes[base])

    def visit(self, expression: Expr, context: str) -> None:
        """Record what the entries inside ``expression`` say about its indices."""
        if isinstance(expression, ExprWithLimits):
            self._visit_bounded(expression, context)
        elif isinstance(expression, Indexed):
            shape = self.shapes.get(expression.base)
            if shape is None:
                raise ShapeError(f"{context}: no array was given for {expression.base}")
            if len(shape) != len(expression.indices):
                raise ShapeError(
                    f"{context}: {expression.base} has {len(shape)} axes, "
                    f"but {expression} names {len(expression.indices)}"
                )
            for index, length in zip(expression.indices, shape, strict=True):
                if index.is_Symbol and not self._is_part(index, length):
                    self._unify(index, length, context)
        else:
            for part in expression.args:
                self.visit(part, context)

    def _declared_by(self, stage: Stage) -> dict[Symbol, int | Expr]:
        """Return how far a stage says that its indices count."""
        if not stage.shape:
            return {}
        return dict(zip(stage.target.indices, map(self.length, stage.shape), strict=True))

    def _is_part(self, index: Symbol, length: int | Expr) -> bool:
        """Tell whether a declared index reads the first part of a longer axis: Q[i, p], p <= d/2.

        Sizes in letters are taken at the stage's word; numbers are compared.
        """
        declared = self._declared.get(index, length)
        if isinstance(declared, int) and isinstance(length, int):
            return declared < length
        in_letters = isinstance(declared, Expr) and isinstance(length, Expr)
        return in_letters and declared != length

    def _learn_shape(self, stage: Stage) -> None:
        """Compare the declared shape of a target with what its value says, where that says it."""
        for index, size in zip(stage.target.indices, stage.shape, strict=True):
            length = self.length(size)
            if isinstance(length, int) or index not in self:
                self._unify(index, length, f"{stage}")
            elif length.is_Symbol and length != self[index]:
                self._unify(length, self[index], f"{stage}")

    def _visit_bounded(self, expression: ExprWithLimits, context: str) -> None:
        body, index, _, high = opened(expression)
        # A free index of the same letter outside of the sum is another one.
        outside, declared = self._lengths.pop(index, None), self._declared.pop(index, None)
        self.visit(body, context)
        length = self._lengths.pop(index, None)
        if length is not None and high.is_Symbol and high not in UPPER_LIMIT:
            self._unify(high, length, context)
        if outside is not None:
            self._lengths[index] = outside
        if declared is not None:
            self._declared[index] = declared

    def _unify(self, symbol: Symbol, length: int | Expr, context: str) -> None:
        known = self._lengths.setdefault(symbol, length)
        if known != length:
            raise ShapeError(
                f"{context}: {symbol} counts to {known} in one place, {length} in another"
            )
