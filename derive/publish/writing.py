"""Write formulas: in general form, and with every term written out in names or in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
from sympy import Add, Expr, Indexed, IndexedBase, MatMul, MatrixExpr, Sum, Symbol, Transpose

from derive.brackets import Bracket
from derive.elements import Elements
from derive.formula import Largest, Stage, j, opened
from derive.publish.notation import Latex, Notation, Phrase
from derive.rewriting import with_letters


class GeneralForm(Elements[Phrase]):
    """Read a formula with its indices left as letters: the interpreter's general form."""

    def __init__(self, notation: Notation) -> None:
        super().__init__(notation, {})
        self.notation = notation

    def write(self, expression: Expr, lead: Sequence[Symbol] = ()) -> str:
        """Write an expression; ``lead`` are the target's indices, whose factors come first."""
        self._lead = tuple(lead)
        return self.value(with_letters(expression), {}).text

    def leaf(self, expression: Indexed, where: Mapping[Symbol, int]) -> Phrase:
        indices = [
            str(t) if t.is_Symbol or t.is_Integer else self.place(t) for t in expression.indices
        ]
        return self.notation.entry(str(expression.base), indices)

    def place(self, index: Expr) -> Phrase:
        """Write an index that is computed; a number in it comes last: h + 1."""
        terms = sorted(Add.make_args(index), key=lambda term: bool(term.is_Number))
        return self.notation.add([self.value(term, {}) for term in terms])

    def whole(self, expression: Expr, where: Mapping[Symbol, int]) -> Phrase:
        parts = [self.value(part, where) for part in expression.args]
        if isinstance(expression, Bracket):
            return self.notation.bracket(parts[0], expression.relation, parts[1])
        return self.notation.floor(*parts) if len(parts) == 1 else self.notation.remainder(*parts)

    def size(self, symbol: Symbol) -> Phrase:
        return self.notation.name(str(symbol))

    def terms(self, expression: Sum | Largest, where: Mapping[Symbol, int], combine: Any) -> Phrase:
        inside, index, _, high = opened(expression)
        body = self.value(inside, where)
        if isinstance(expression, Largest):
            return self.notation.largest_over(str(index), str(high), body)
        return self.notation.total(str(index), str(high), body)


class WrittenOut(Elements[Phrase]):
    """Read a formula with every term written out; terms of a sum over keys are linked."""

    def __init__(self, notation: Notation, given: Mapping[IndexedBase, Any]) -> None:
        super().__init__(notation, given)
        self.notation = notation

    def write(self, stage: Stage, position: Sequence[int]) -> str:
        """Write the right-hand side of one entry, at a position that counts from 1."""
        self.lengths.learn((stage,))
        return self.entry(stage, position).text

    def terms(self, expression: Sum | Largest, where: Mapping[Symbol, int], combine: Any) -> Phrase:
        _, index, _, _ = opened(expression)
        if index != j or isinstance(expression, Largest):
            return super().terms(expression, where, combine)

        def combine_linked(terms: Sequence[Phrase]) -> Phrase:
            linked = [self.notation.linked(term, "j", p) for p, term in enumerate(terms, start=1)]
            return self.notation.add(linked)

        return super().terms(expression, where, combine_linked)


def general(expression: Expr, notation: Notation | None = None, lead: Sequence[Symbol] = ()) -> str:
    """Write an expression in general form, in LaTeX unless ``notation`` says otherwise."""
    return GeneralForm(notation or Latex()).write(expression, lead)


def equation(stage: Stage, notation: Notation | None = None) -> str:
    """Write a stage in general form, its target first."""
    notation = notation or Latex()
    form = GeneralForm(notation)
    left = form.write(stage.target)
    return f"{left}{notation.equals}{form.write(stage.value, stage.target.indices)}"


def name_of(base: IndexedBase, position: Sequence[int], notation: Notation | None = None) -> str:
    """Write the name of one entry, such as s_{17}; the position counts from 1."""
    return (notation or Latex()).entry(str(base), [str(p) for p in position]).text


def names(base: IndexedBase, shape: Sequence[int], notation: Notation) -> Any:
    """Return the array of the names of an array's entries, as phrases."""
    return _filled(shape, lambda place: notation.entry(str(base), [str(p + 1) for p in place]))


def phrases(texts: Any, to_phrase: Callable[[Any], Phrase]) -> Any:
    """Return an array of phrases, one for each entry of ``texts``."""
    return _filled(texts.shape, lambda place: to_phrase(texts[place]))


def matrix_equation(stage: Stage, product: MatrixExpr, *, spoken: bool = False) -> str:
    """Write S = X X^T in LaTeX, or in words, for a stage that is a matrix product."""
    left = str(stage.array).upper()
    return f"{left} = {_matrix_words(product)}" if spoken else f"{left} = {_matrix(product)}"


def _matrix(expression: MatrixExpr) -> str:
    if isinstance(expression, MatMul):
        return " ".join(_matrix(part) for part in expression.args)
    if isinstance(expression, Transpose):
        return rf"{_matrix(expression.arg)}^{{\top}}"
    return str(expression.name).upper()


def _matrix_words(expression: MatrixExpr) -> str:
    if isinstance(expression, MatMul):
        return " times ".join(_matrix_words(part) for part in expression.args)
    if isinstance(expression, Transpose):
        return f"{_matrix_words(expression.arg)} transposed"
    return str(expression.name).upper()


def _filled(shape: Sequence[int], make: Callable[[tuple[int, ...]], Phrase]) -> Any:
    entries = numpy.empty(tuple(shape), dtype=object)
    for place in numpy.ndindex(*shape):
        entries[place] = make(place)
    return entries
