"""Write the value of a stage as one line of array code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sympy import (
    Add,
    Expr,
    Indexed,
    Mod,
    Mul,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    cos,
    exp,
    floor,
    sin,
    tanh,
)

from derive.brackets import AtMost, Below, Bracket, Equals
from derive.coding.entries import EntryWriter
from derive.coding.ordering import factors_of, is_contraction, terms_of
from derive.coding.pieces import (
    ATOM,
    COMPARISON,
    CONJUNCTION,
    PRODUCT,
    SUM,
    Dialect,
    Indices,
    Kind,
    Piece,
    union,
)
from derive.coding.products import ProductWriter
from derive.coding.scope import Scope
from derive.elements import UnknownNode, split_quotient
from derive.formula import UPPER_LIMIT, FormulaError, Largest, Stage, opened

FUNCTIONS = (exp, tanh, cos, sin)
ONE = Piece("1", (), ATOM, Kind.WHOLE)
RELATIONS = {AtMost: "<=", Below: "<", Equals: "=="}


class ArrayWriter:
    """The interpreter that writes: each free index of an expression is an axis of its code.

    ``dtype_of`` is the name of the array whose type of real numbers the others take.
    """

    def __init__(self, dialect: Dialect, scope: Scope, dtype_of: str) -> None:
        self.dialect = dialect
        self.scope = scope
        self.dtype_of = dtype_of
        self.entries = EntryWriter(dialect, scope, self.piece)
        self.products = ProductWriter(dialect, self._joined, self._real)

    def stage(self, stage: Stage) -> str:
        """Return the code of a stage's value, its axes as its target has them."""
        indices = stage.target.indices
        with self.scope.of(stage):
            piece = self.piece(stage.value, indices)
            if set(piece.axes) != set(indices):
                missing = next(t for t in indices if t not in piece.axes)
                raise FormulaError(f"{stage}: nothing bounds the index {missing}")
            self.scope.kinds[stage.array] = piece.kind
            return self.dialect.aligned(piece, indices, COMPARISON)

    def piece(self, expression: Expr, lead: Indices) -> Piece:
        """Write ``expression``; ``lead`` orders the axes of what comes out."""
        if isinstance(expression, Indexed):
            return self.entries.entry(expression, lead)
        if isinstance(expression, Rational):
            whole = expression.q == 1
            kind = Kind.WHOLE if whole else Kind.NUMBER
            return Piece(str(expression), (), ATOM if whole else PRODUCT, kind)
        if isinstance(expression, Symbol):
            is_index = self.scope.is_index(expression)
            return self.scope.position(expression) if is_index else self.scope.size(expression)
        if isinstance(expression, Bracket):
            if self._is_mask(expression):
                return self._mask([expression], lead)
            return self._bracket(expression, lead)
        if isinstance(expression, Sum):
            return self._sum(expression, lead)
        if isinstance(expression, Largest):
            return self._largest(expression, lead)
        if isinstance(expression, Add):
            return self._added(terms_of(expression, lead), lead)
        if isinstance(expression, Mul):
            return self._product(factors_of(expression, lead), lead)
        if isinstance(expression, Pow):
            return self._power(expression, lead)
        if isinstance(expression, floor):
            return self._divided("//", expression.args[0].as_numer_denom(), lead)
        if isinstance(expression, Mod):
            return self._divided("%", expression.args, lead)
        if isinstance(expression, FUNCTIONS):
            return self._function(expression, lead)
        raise UnknownNode(expression)

    def number(self, size: Expr) -> Piece:
        """Write a number made of sizes alone."""
        return self.piece(size, ())

    # Sums

    def _sum(self, expression: Sum, lead: Indices) -> Piece:
        body: Expr = expression
        summed: list[Symbol] = []
        with self.scope.counting() as count:
            while isinstance(body, Sum) and opened(body)[1] not in summed:
                body, index, low, high = opened(body)
                if self.scope.is_index(high):
                    # A sum up to another index is a sum over all places, with a bracket.
                    body, high = AtMost(index, high) * body, self.scope.length(high)
                self._check(expression, index, low, high)
                count(index, high)
                summed.append(index)
            inside = (*(t for t in lead if t not in summed), *summed)
            return self._terms(body, tuple(summed), inside)

    def _terms(self, body: Expr, summed: Indices, lead: Indices) -> Piece:
        """Sum term by term where a term is a product of arrays that each lack an axis of it."""
        terms = terms_of(body, lead) if isinstance(body, Add) else [body]
        if len(terms) == 1 or not any(is_contraction(term) for term in terms):
            return self._total(body, summed, lead)
        return self._plus(terms, lead, lambda term: self._total(term, summed, lead))

    def _total(self, body: Expr, summed: Indices, lead: Indices) -> Piece:
        """Sum a product; what the indices do not reach stays outside of the sum."""
        factors = factors_of(body, lead) if isinstance(body, Mul) else (body,)
        running = self._running(factors, summed, lead)
        if running is not None:
            return running
        tops, bottoms = self._split(factors, lead)
        inside = [piece for piece in tops if set(piece.axes) & set(summed)]
        for piece in [piece for piece in bottoms if set(piece.axes) & set(summed)]:
            bottoms.remove(piece)
            hosts = [top for top in inside if set(piece.axes) <= set(top.axes)]
            divided = self._joined(hosts[:1] or [ONE], lead, [piece])
            inside = [divided if top in hosts[:1] else top for top in inside]
            inside += [] if hosts else [divided]
        reached = tuple(t for t in summed if any(t in piece.axes for piece in inside))
        numbers = [piece for piece in tops if not piece.axes]
        numbers += [self.piece(self.scope.length(t), ()) for t in summed if t not in reached]
        found = [self.products.total(inside, reached, lead)] if inside else []
        others = [piece for piece in tops if piece.axes and not set(piece.axes) & set(summed)]
        return self._joined([*numbers, *found, *others], lead, bottoms)

    def _running(self, factors: Sequence[Expr], summed: Indices, lead: Indices) -> Piece | None:
        """Write sum_l [l <= i] x[l] as a running sum, where nothing else depends on i."""
        (index, *more), rest = summed, [f for f in factors if not isinstance(f, AtMost)]
        bracket = next((f for f in factors if isinstance(f, AtMost)), None)
        if more or bracket is None or len(rest) != len(factors) - 1 or not rest:
            return None
        last = bracket.args[1]
        if (
            bracket.args[0] != index
            or not self.scope.is_index(last)
            or any(last in factor.free_symbols for factor in rest)
            or self.scope.difference(self.scope.length(last), self.scope.length(index)) != 0
        ):
            return None
        piece = self.piece(Mul(*rest), lead)
        if index not in piece.axes:
            return None
        text = self.dialect.reduced(piece, "cumsum", [piece.axes.index(index)])
        axes = tuple(last if t == index else t for t in piece.axes)
        return Piece(text, axes, ATOM, max(piece.kind, Kind.WHOLE))

    def _largest(self, expression: Largest, lead: Indices) -> Piece:
        inside, index, low, high = opened(expression)
        upto = self.scope.is_index(high) and high in lead
        last = UPPER_LIMIT[index] if upto else high
        self._check(expression, index, low, last)
        axes = (*(t for t in lead if t != index), index)
        with self.scope.counting() as count:
            count(index, last)
            body = self.piece(inside, axes)
            if upto and {index, high} <= set(body.axes):
                body = self._where(self.piece(AtMost(index, high), axes), body)
        if index not in body.axes:
            return body
        text = self.dialect.reduced(body, self.dialect.largest, [body.axes.index(index)])
        return Piece(text, tuple(t for t in body.axes if t != index), ATOM, body.kind)

    def _where(self, seen: Piece, body: Piece) -> Piece:
        """Return ``body`` with minus infinity where it is not ``seen``."""
        library = self.dialect.library
        mask = self.dialect.aligned(seen, body.axes, COMPARISON)
        return Piece(
            f"{library}.where({mask}, {body.text}, -{library}.inf)", body.axes, ATOM, body.kind
        )

    def _check(self, expression: Sum | Largest, index: Symbol, low: Expr, high: Expr) -> None:
        if low != 1 or any(map(self.scope.is_index, high.free_symbols)):
            raise FormulaError(
                f"{expression}: code sums over whole axes, not {index} = {low} to {high}"
            )

    # Entry by entry

    def _added(self, terms: Sequence[Expr], lead: Indices, axes: Indices = ()) -> Piece:
        return self._plus(terms, lead, lambda term: self.piece(term, lead), axes)

    def _plus(
        self,
        terms: Sequence[Expr],
        lead: Indices,
        write: Callable[[Expr], Piece],
        axes: Indices = (),
    ) -> Piece:
        """Add terms that ``write`` writes, aligned with ``axes`` or with those that they have."""
        minus = [bool(term.could_extract_minus_sign()) for term in terms]
        pieces = [
            write(-term if negative else term) for negative, term in zip(minus, terms, strict=True)
        ]
        kind = max(Kind.WHOLE, *(piece.kind for piece in pieces))
        pieces = self._promoted(pieces, kind)
        axes = axes or union(pieces, lead)
        text = ""
        for negative, piece in zip(minus, pieces, strict=True):
            # Booleans cannot be subtracted, and adding them up does not count them.
            count_it = negative or (kind is Kind.WHOLE and not text)
            counted = _counted(piece) if count_it else piece
            sign = (" - " if negative else " + ") if text else ("-" if negative else "")
            text += sign + self.dialect.aligned(counted, axes, PRODUCT)
        return Piece(text, axes, SUM, kind)

    def _product(self, factors: Sequence[Expr], lead: Indices) -> Piece:
        if factors[0] == -1:
            rest = _counted(self._product(factors[1:], lead))
            return Piece(f"-{rest.bracketed(PRODUCT)}", rest.axes, SUM, rest.kind)
        tops, bottoms = self._split(factors, lead)
        return self._joined(tops or [ONE], lead, bottoms)

    def _split(self, factors: Sequence[Expr], lead: Indices) -> tuple[list[Piece], list[Piece]]:
        """Write the factors above and below the fraction line: numbers first, then what masks."""
        masks = [factor for factor in factors if self._is_mask(factor)]
        if not any(factor.atoms(Bracket) for factor in masks):
            masks = []
        above, below = split_quotient(factor for factor in factors if factor not in masks)
        tops = [self.piece(factor, lead) for factor in above]
        if masks:
            mask = self._mask(masks, lead)
            place = next((p for p, f in enumerate(above) if self._hides(mask, f, tops[p])), None)
            if place is None:
                tops.insert(0, mask)
            else:
                tops[place] = self._exp_where(mask, above[place], lead)
        tops.sort(key=lambda piece: (bool(piece.axes), piece.kind > Kind.INDICATOR))
        return tops, [self.piece(factor, lead) for factor in below]

    def _hides(self, mask: Piece, factor: Expr, piece: Piece) -> bool:
        return (
            isinstance(factor, exp)
            and mask.kind is Kind.TRUTH
            and set(mask.axes) <= set(piece.axes)
        )

    def _exp_where(self, mask: Piece, factor: Expr, lead: Indices) -> Piece:
        """Return an exponential that is zero where ``mask`` hides it.

        Multiplied by the mask instead, one that overflows would be nan: infinity times zero.
        """
        inner = self._where(mask, self._real(self.piece(factor.args[0], lead)))
        return Piece(f"{self.dialect.library}.exp({inner.text})", inner.axes, ATOM)

    def _joined(self, tops: Sequence[Piece], lead: Indices, bottoms: Sequence[Piece] = ()) -> Piece:
        """Multiply and divide, entry by entry."""
        tops = self._conjoined(tops, lead)
        if len(tops) == 1 and not bottoms:
            return tops[0]
        kind = Kind.NUMBER if bottoms else max(Kind.INDICATOR, *(piece.kind for piece in tops))
        pieces = self._promoted([*tops, *bottoms], kind)
        axes = union(pieces, lead)
        text = ""
        for place, piece in enumerate(pieces):
            sign = "" if not place else " / " if place >= len(tops) else " * "
            # x * y @ z would be (x * y) @ z: only the first factor goes without brackets.
            text += sign + self.dialect.aligned(piece, axes, ATOM if place else PRODUCT)
        return Piece(text, axes, PRODUCT, kind)

    def _divided(self, operator: str, sides: Sequence[Expr], lead: Indices) -> Piece:
        pieces = [self.piece(side, lead) for side in sides]
        axes = union(pieces, lead)
        first, second = (
            self.dialect.aligned(piece, axes, strength)
            for piece, strength in zip(pieces, (PRODUCT, ATOM), strict=True)
        )
        return Piece(f"{first} {operator} {second}", axes, PRODUCT, Kind.WHOLE)

    def _power(self, expression: Pow, lead: Indices) -> Piece:
        base, exponent = expression.args
        if exponent.is_negative:
            return self._product([expression], lead)
        inner = self.piece(base, lead)
        if exponent == S.Half and inner.axes:
            call = f"{self.dialect.library}.sqrt({self._real(inner).text})"
            return Piece(call, inner.axes, ATOM)
        if exponent == S.Half:
            return Piece(f"{inner.bracketed(ATOM)} ** 0.5", (), PRODUCT)
        if not exponent.is_Integer:
            raise UnknownNode(expression)
        counted = _counted(inner)
        return Piece(f"{counted.bracketed(ATOM)} ** {exponent}", inner.axes, PRODUCT, counted.kind)

    def _function(self, expression: Expr, lead: Indices) -> Piece:
        inner = self.piece(expression.args[0], lead)
        if not inner.axes:
            raise FormulaError(f"{expression}: code takes functions of arrays, not of one number")
        name = type(expression).__name__
        return Piece(f"{self.dialect.library}.{name}({self._real(inner).text})", inner.axes, ATOM)

    # Masks, and what booleans and integers become

    def _is_mask(self, factor: Expr) -> bool:
        """Tell whether a factor is made of brackets, places, sizes and given masks alone."""
        if isinstance(factor, Indexed):
            return factor.base in self.scope.indicators
        if isinstance(factor, Bracket):
            return not factor.atoms(Indexed)
        return isinstance(factor, Add | Mul) and all(
            part.is_Integer or self._is_mask(part) for part in factor.args
        )

    def _mask(self, factors: Sequence[Expr], lead: Indices) -> Piece:
        """Write a product of masks as one array, by its name where it has one."""
        with self.scope.inside_mask():
            pieces = [
                self._bracket(f, lead) if isinstance(f, Bracket) else self.piece(f, lead)
                for f in factors
            ]
        return self.scope.mask(self._joined(pieces, lead))

    def _bracket(self, bracket: Expr, lead: Indices) -> Piece:
        sides = [self.piece(side, lead) for side in bracket.args]
        axes = union(sides, lead)
        # i[:, None] - 3 reads better than (i - 3)[:, None].
        sides = [
            self._added(terms_of(side, lead), lead, axes) if isinstance(side, Add) else piece
            for side, piece in zip(bracket.args, sides, strict=True)
        ]
        left, right = (self.dialect.aligned(side, axes, SUM) for side in sides)
        return Piece(f"{left} {RELATIONS[type(bracket)]} {right}", axes, COMPARISON, Kind.TRUTH)

    def _conjoined(self, pieces: Sequence[Piece], lead: Indices) -> list[Piece]:
        """Make one array of booleans of those that are multiplied, in place of the first."""
        masks = [piece for piece in pieces if piece.kind is Kind.TRUTH]
        if len(masks) < 2:
            return list(pieces)
        axes = union(masks, lead)
        text = " & ".join(self.dialect.aligned(mask, axes, CONJUNCTION) for mask in masks)
        both = Piece(text, axes, CONJUNCTION, Kind.TRUTH)
        return [
            both if piece is masks[0] else piece
            for piece in pieces
            if piece is masks[0] or piece not in masks
        ]

    def _promoted(self, pieces: Sequence[Piece], kind: Kind) -> list[Piece]:
        """Make one array real where a result of booleans and integers is to be."""
        arrays = [piece for piece in pieces if piece.axes]
        if kind is not Kind.NUMBER or not arrays or any(p.kind is Kind.NUMBER for p in arrays):
            return list(pieces)
        return [self._real(piece) if piece is arrays[0] else piece for piece in pieces]

    def _real(self, piece: Piece) -> Piece:
        """Return the piece as real numbers of the inputs' precision."""
        if piece.kind is Kind.NUMBER or not piece.axes:
            return piece
        text = f"{piece.bracketed(ATOM)}.{self.dialect.cast}({self.dtype_of}.dtype)"
        return Piece(text, piece.axes, ATOM)


def _counted(piece: Piece) -> Piece:
    """Return booleans as ones and zeros that can be added and subtracted."""
    if piece.kind > Kind.INDICATOR:
        return piece
    return Piece(f"1 * {piece.bracketed(ATOM)}", piece.axes, PRODUCT, Kind.WHOLE)
