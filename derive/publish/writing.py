"""Write formulas: in general form, and with every term written out in names or in numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy
from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    MatMul,
    MatrixExpr,
    Mul,
    Pow,
    S,
    Sum,
    Symbol,
    Transpose,
    exp,
)

from derive.brackets import Bracket
from derive.elements import Elements, ordered_terms, split_quotient
from derive.formula import Largest, Stage, j, opened
from derive.publish.notation import Latex, Notation, Phrase, marked
from derive.publish.words import said
from derive.rewriting import with_letters

Mark = Callable[[Expr, str], str]
"""Sets off a part of a formula: from the part, and its text, to the text that stands for it."""


class Written(Elements[Phrase]):
    """What every written form has: powers with an exponent, a minus sign before a fraction."""

    def __init__(
        self,
        notation: Notation,
        given: Mapping[IndexedBase, Any],
        sizes: Mapping[Symbol, int] | None = None,
    ) -> None:
        super().__init__(notation, given, sizes)
        self.notation = notation

    def product(self, factors: Sequence[Expr], where: Mapping[Symbol, int]) -> Phrase:
        first, *others = factors
        if not (first.is_Rational and first.is_negative and split_quotient(factors)[1]):
            return super().product(factors, where)
        size = [] if first == -1 else [-first]
        quotient = super().product([*size, *others], where)
        return self.notation.multiply([self.notation.number(S.NegativeOne), quotient])

    def power(self, expression: Pow, where: Mapping[Symbol, int]) -> Phrase:
        if not (expression.exp.is_Integer and expression.exp > 1):
            return super().power(expression, where)
        return self.notation.power(self.value(expression.base, where), int(expression.exp))


class GeneralForm(Written):
    """Read a formula with its indices left as letters: the interpreter's general form."""

    def __init__(self, notation: Notation) -> None:
        super().__init__(notation, {})

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
        if isinstance(expression, Bracket):
            parts = [self.place(part) for part in expression.args]
            return self.notation.bracket(parts[0], expression.relation, parts[1])
        parts = [self.value(part, where) for part in expression.args]
        return self.notation.floor(*parts) if len(parts) == 1 else self.notation.remainder(*parts)

    def size(self, symbol: Symbol) -> Phrase:
        return self.notation.name(str(symbol))

    def terms(self, expression: Sum | Largest, where: Mapping[Symbol, int], combine: Any) -> Phrase:
        inside, index, _, high = opened(expression)
        body = self.value(inside, where)
        if isinstance(expression, Largest):
            return self.notation.largest_over(str(index), str(high), body)
        return self.notation.total(str(index), str(high), body)


class MarkedForm(GeneralForm):
    """The general form, with some parts of the expression set off by ``mark``."""

    def __init__(self, notation: Notation, parts: Collection[Expr], mark: Mark) -> None:
        super().__init__(notation)
        # A part that divides is met below the fraction line, without its negative power.
        below = {1 / part: part for part in parts if isinstance(part, Pow)}
        self.parts = below | {part: part for part in parts}
        self.mark = mark

    def value(self, expression: Expr, where: Mapping[Symbol, int]) -> Phrase:
        phrase = super().value(expression, where)
        part = self.parts.get(expression)
        return phrase if part is None else marked(phrase, partial(self.mark, part))


NOTHING, ONE = Phrase("0"), Phrase("1")
"""What a bracket is at a place; in a sum nothing is left out, in a product one is."""


class WrittenOut(Written):
    """Read a formula with every term written out; terms of a sum over keys are linked.

    A bracket is 1 or 0 at each place: what it leaves in stands without it, the rest goes.
    """

    def write(self, stage: Stage, position: Sequence[int]) -> str:
        """Write the right-hand side of one entry, at a position that counts from 1."""
        self.lengths.learn((stage,))
        return self.entry(stage, position).text

    def terms(self, expression: Sum | Largest, where: Mapping[Symbol, int], combine: Any) -> Phrase:
        _, index, _, _ = opened(expression)
        if isinstance(expression, Largest):
            return super().terms(expression, where, combine)

        def combine_linked(terms: Sequence[Phrase]) -> Phrase:
            kept = [(p, term) for p, term in enumerate(terms, start=1) if term is not NOTHING]
            if not kept:
                return NOTHING
            if index != j:
                return self.notation.add([term for _, term in kept])
            return self.notation.add([self.notation.linked(term, "j", p) for p, term in kept])

        return super().terms(expression, where, combine_linked)

    def value(self, expression: Expr, where: Mapping[Symbol, int]) -> Phrase:
        if isinstance(expression, Bracket) and not expression.atoms(Indexed):
            return self._counted(int(self.counted(expression, where)))
        if isinstance(expression, Add | Mul) and expression.free_symbols <= where.keys():
            # The distance of two places is a number here.
            return self._counted(int(self.position(expression, where)))
        if isinstance(expression, Add) and expression.has(Bracket):
            terms = [self.value(term, where) for term in ordered_terms(expression)]
            kept = [term for term in terms if term is not NOTHING]
            return self.notation.add(kept) if kept else NOTHING
        return super().value(expression, where)

    def product(self, factors: Sequence[Expr], where: Mapping[Symbol, int]) -> Phrase:
        kept = []
        for factor in factors:
            if factor.has(Bracket) and not factor.has(exp, Sum):
                phrase = self.value(factor, where)
                if phrase is NOTHING:
                    return NOTHING
                if phrase == ONE:
                    continue
            kept.append(factor)
        return super().product(kept or [S.One], where)

    def _counted(self, number: int) -> Phrase:
        if number in (0, 1):
            return (NOTHING, ONE)[number]
        return self.notation.number(Integer(number))


def general(expression: Expr, notation: Notation | None = None, lead: Sequence[Symbol] = ()) -> str:
    """Write an expression in general form, in LaTeX unless ``notation`` says otherwise."""
    return GeneralForm(notation or Latex()).write(expression, lead)


def equation(
    stage: Stage,
    notation: Notation | None = None,
    parts: Collection[Expr] = (),
    mark: Mark = lambda part, text: text,  # noqa: ARG005 - nothing is marked
) -> str:
    """Write a stage in general form, its target first; ``parts`` of its value are marked."""
    notation = notation or Latex()
    form = MarkedForm(notation, parts, mark)
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
        return f" {said('speech.times')} ".join(_matrix_words(part) for part in expression.args)
    if isinstance(expression, Transpose):
        return said("speech.transposed", matrix=_matrix_words(expression.arg))
    return str(expression.name).upper()


def _filled(shape: Sequence[int], make: Callable[[tuple[int, ...]], Phrase]) -> Any:
    entries = numpy.empty(tuple(shape), dtype=object)
    for place in numpy.ndindex(*shape):
        entries[place] = make(place)
    return entries
