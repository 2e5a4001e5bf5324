"""Write a mechanism as array code, for NumPy or for torch, from its index form.

A sum of products becomes a matrix product or an ``einsum``, any other sum a reduction along an
axis, and arrays that lack an index are broadcast along it. The code that is printed is the code
that ``function`` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    MatMul,
    MatrixExpr,
    Mul,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    Transpose,
    exp,
)

from derive.elements import UnknownNode, ordered_factors, ordered_terms, split_quotient
from derive.formula import (
    UPPER_LIMIT,
    FormulaError,
    Largest,
    Mechanism,
    Stage,
    opened,
)
from derive.matrix_form import matrix_product

Indices = tuple[Symbol, ...]


@dataclass(frozen=True)
class Piece:
    """Code for an array whose axes are counted by ``axes``; ``strength`` as for phrases."""

    text: str
    axes: Indices
    strength: int


SUM, PRODUCT, ATOM = 1, 2, 3


@dataclass(frozen=True)
class Dialect:
    """How a library calls its functions: NumPy says axis, torch says dim."""

    library: str
    axis: str
    largest: str
    reorder: str


DIALECTS = {
    "numpy": Dialect("numpy", "axis", "max", "transpose"),
    "torch": Dialect("torch", "dim", "amax", "permute"),
}


def source(mechanism: Mechanism, library: str, name: str = "attention") -> str:
    """Return the source of a function from the input arrays to every array, in order."""
    writer = _ArrayWriter(DIALECTS[library])
    inputs = ", ".join(str(base) for base in mechanism.inputs)
    outputs = ", ".join(str(stage.array) for stage in mechanism.stages)
    if len(mechanism.stages) == 1:
        outputs = f"({outputs},)"
    lines = [f"    {stage.array} = {writer.stage(stage)}" for stage in mechanism.stages]
    sizes = [f"    {line}" for line in _sizes(mechanism)]
    return "\n".join([f"def {name}({inputs}):", *sizes, *lines, f"    return {outputs}"]) + "\n"


def line(stage: Stage, library: str) -> str:
    """Return the one line of code that computes a stage."""
    return f"{stage.array} = {_ArrayWriter(DIALECTS[library]).stage(stage)}"


def function(mechanism: Mechanism, library: ModuleType) -> Callable[..., dict[str, Any]]:
    """Return the generated code as a function from input arrays by name to all arrays by name.

    ``library`` is the module ``numpy`` or ``torch``, whose arrays the function takes.
    """
    namespace: dict[str, Any] = {library.__name__: library}
    text = source(mechanism, library.__name__)
    exec(compile(text, f"<{mechanism.title}>", "exec"), namespace)  # noqa: S102 - our own formulas
    targets = [str(stage.array) for stage in mechanism.stages]

    def attention(**inputs: Any) -> dict[str, Any]:
        return dict(zip(targets, namespace["attention"](**inputs), strict=True))

    return attention


def _sizes(mechanism: Mechanism) -> list[str]:
    """Return lines that read the sizes which the formulas use as numbers, such as d."""
    used = set().union(*(_size_symbols(stage.value) for stage in mechanism.stages))
    lines = []
    for base in mechanism.inputs:
        for axis, size in enumerate(mechanism.shapes[base]):
            if size in used:
                lines.append(f"{size} = {base}.shape[{axis}]")
                used.discard(size)
    if used:
        names = ", ".join(sorted(map(str, used)))
        raise FormulaError(f"{mechanism.title}: no input says how much {names} is")
    return lines


def _size_symbols(expression: Expr) -> set[Symbol]:
    if isinstance(expression, Sum | Largest):
        return _size_symbols(opened(expression)[0])
    if isinstance(expression, Symbol):
        return {expression} - UPPER_LIMIT.keys()
    if isinstance(expression, Indexed):
        return set()
    return set().union(*(_size_symbols(part) for part in expression.args))


class _ArrayWriter:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def stage(self, stage: Stage) -> str:
        indices = stage.target.indices
        piece = self.piece(stage.value, indices)
        if set(piece.axes) != set(indices):
            missing = next(t for t in indices if t not in piece.axes)
            raise FormulaError(f"{stage}: nothing bounds the index {missing}")
        return self._aligned(piece, indices)

    def piece(self, expression: Expr, lead: Indices) -> Piece:
        """Write ``expression``; ``lead`` orders the axes of what comes out."""
        if isinstance(expression, Indexed):
            return Piece(str(expression.base), _axes(expression), ATOM)
        if isinstance(expression, Rational):
            return Piece(str(expression), (), ATOM if expression.q == 1 else PRODUCT)
        if isinstance(expression, Symbol):
            return Piece(str(expression), (), ATOM)
        if isinstance(expression, Sum):
            return self._sum(expression, lead)
        if isinstance(expression, Largest):
            return self._reduced(expression, lead, self.dialect.largest)
        if isinstance(expression, Add):
            return self._added(ordered_terms(expression), lead)
        if isinstance(expression, Mul):
            return self._product(ordered_factors(expression, lead), lead)
        if isinstance(expression, Pow):
            return self._power(expression, lead)
        if isinstance(expression, exp):
            inner = self.piece(expression.args[0], lead)
            return Piece(f"{self.dialect.library}.exp({inner.text})", inner.axes, ATOM)
        raise UnknownNode(expression)

    def _sum(self, expression: Sum, lead: Indices) -> Piece:
        factors = Mul.make_args(expression.function)
        axes = tuple(t for t in lead if t in expression.free_symbols)
        if len(factors) < 2 or not all(isinstance(factor, Indexed) for factor in factors):
            return self._reduced(expression, lead, "sum")
        _check_limits(expression)
        if len(axes) == 2:
            product = matrix_product(Stage(IndexedBase("_")[axes], expression))
            if product is not None:
                return Piece(_matrix_code(product), axes, PRODUCT)
        ordered = ordered_factors(expression.function, lead)
        letters = ",".join("".join(map(_letter, _axes(factor))) for factor in ordered)
        arrays = ", ".join(str(factor.base) for factor in ordered)
        wanted = "".join(map(_letter, axes))
        call = f'{self.dialect.library}.einsum("{letters}->{wanted}", {arrays})'
        return Piece(call, axes, ATOM)

    def _reduced(self, expression: Sum | Largest, lead: Indices, function: str) -> Piece:
        _check_limits(expression)
        inside, index, _, _ = opened(expression)
        body = self.piece(inside, (*lead, index))
        if index not in body.axes:
            raise FormulaError(f"{expression}: no array in it has the index {index}")
        position = body.axes.index(index)
        rest = tuple(t for t in body.axes if t != index)
        call = f"{_bracketed(body, ATOM)}.{function}({self.dialect.axis}={position})"
        return Piece(call, rest, ATOM)

    def _added(self, terms: Sequence[Expr], lead: Indices) -> Piece:
        pieces = [(term.could_extract_minus_sign(), term) for term in terms]
        written = [(minus, self.piece(-term if minus else term, lead)) for minus, term in pieces]
        axes = _union([piece.axes for _, piece in written], lead)
        text = ""
        for minus, piece in written:
            sign = (" - " if minus else " + ") if text else ("-" if minus else "")
            text += sign + self._aligned(piece, axes, PRODUCT)
        return Piece(text, axes, SUM)

    def _product(self, factors: Sequence[Expr], lead: Indices) -> Piece:
        above, below = split_quotient(factors)
        tops = [self.piece(factor, lead) for factor in above or [S.One]]
        bottoms = [self.piece(factor, lead) for factor in below]
        axes = _union([piece.axes for piece in tops + bottoms], lead)
        # x * y @ z would be (x * y) @ z: only the first factor goes without brackets.
        strengths = [PRODUCT] + [ATOM] * (len(tops) - 1)
        text = " * ".join(
            self._aligned(piece, axes, strength)
            for piece, strength in zip(tops, strengths, strict=True)
        )
        for piece in bottoms:
            text += f" / {self._aligned(piece, axes, ATOM)}"
        return Piece(text, axes, PRODUCT)

    def _power(self, expression: Pow, lead: Indices) -> Piece:
        if expression.exp.is_negative:
            return self._product([expression], lead)
        base = self.piece(expression.base, lead)
        exponent = "0.5" if expression.exp == S.Half else str(expression.exp)
        return Piece(f"{_bracketed(base, ATOM)} ** {exponent}", base.axes, PRODUCT)

    def _aligned(self, piece: Piece, axes: Indices, strength: int = SUM) -> str:
        """Return ``piece`` with its axes in the order of ``axes``, new ones of length 1 between."""
        if not piece.axes or piece.axes == axes:
            return _bracketed(piece, strength)
        text = _bracketed(piece, ATOM)
        order = sorted(range(len(piece.axes)), key=lambda place: axes.index(piece.axes[place]))
        if order == [1, 0]:
            text = f"{text}.T"
        elif order != sorted(order):
            text = f"{text}.{self.dialect.reorder}({', '.join(map(str, order))})"
        if len(piece.axes) < len(axes):
            text += "[" + ", ".join(":" if t in piece.axes else "None" for t in axes) + "]"
        return text


def _axes(entry: Indexed) -> Indices:
    """Return the indices of an entry, which code can only count along whole axes."""
    axes = tuple(entry.indices)
    if len(set(axes)) < len(axes) or not all(index.is_Symbol for index in axes):
        raise FormulaError(
            f"{entry}: code needs distinct plain indices; define its part in a stage"
        )
    return axes


def _check_limits(expression: Sum | Largest) -> None:
    for index, low, high in expression.limits:
        if low != 1 or high not in UPPER_LIMIT.values():
            raise FormulaError(
                f"{expression}: code sums over whole axes, not {index} = {low} to {high}"
            )


def _letter(index: Symbol) -> str:
    if len(index.name) != 1:
        raise FormulaError(f"einsum needs one-letter indices; rename {index}")
    return str(index.name)


def _union(groups: Sequence[Indices], lead: Indices) -> Indices:
    present = {index for group in groups for index in group}
    return tuple(index for index in lead if index in present)


def _bracketed(piece: Piece, strength: int) -> str:
    return piece.text if piece.strength >= strength else f"({piece.text})"


def _matrix_code(product: MatrixExpr) -> str:
    if isinstance(product, MatMul):
        return " @ ".join(_matrix_code(part) for part in product.args)
    if isinstance(product, Transpose):
        return f"{_matrix_code(product.arg)}.T"
    return str(product.name)
