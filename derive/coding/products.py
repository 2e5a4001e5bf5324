"""Sums of products as code: matrix products where two arrays allow it, else einsum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_letters

from sympy import Symbol

from derive.coding.pieces import ATOM, PRODUCT, Dialect, Indices, Kind, Piece, union


@dataclass(frozen=True)
class ProductWriter:
    """Write the sum of a product over indices.

    ``multiply`` writes an entry-by-entry product, ``real`` makes booleans and integers real
    numbers, which matrix products need.
    """

    dialect: Dialect
    multiply: Callable[[Sequence[Piece], Indices], Piece]
    real: Callable[[Piece], Piece]

    def total(self, operands: Sequence[Piece], summed: Indices, lead: Indices) -> Piece:
        """Sum over indices that some operand has; ``lead`` orders all axes."""
        merged = self._chained(self._merged(operands, summed, lead), summed, lead)
        summed = tuple(t for t in summed if t in union(merged, lead))
        if len(merged) == 2:
            product = self._matrix_product(merged, summed, lead)
            if product is not None:
                return product
        every = set(union(merged, lead))
        if any(set(operand.axes) == every for operand in merged):
            return self._reduced(self.multiply(merged, lead), summed)
        return self._einsum(merged, summed, lead)

    def _merged(self, operands: Sequence[Piece], summed: Indices, lead: Indices) -> list[Piece]:
        """Multiply each operand into another that has all its axes; matrix and vector stay two."""
        for small in sorted(operands, key=lambda operand: len(operand.axes)):
            hosts = [o for o in operands if o is not small and set(small.axes) <= set(o.axes)]
            vector = small.axes == summed and small.kind is Kind.NUMBER
            if hosts and not (vector and len(operands) == 2):
                host = min(hosts, key=lambda operand: len(operand.axes))
                pair = [operand for operand in operands if operand is small or operand is host]
                product = self.multiply(pair, lead)
                left = [product if o is host else o for o in operands if o is not small]
                return self._merged(left, summed, lead)
        return list(operands)

    def _chained(self, operands: Sequence[Piece], summed: Indices, lead: Indices) -> list[Piece]:
        """Write x @ W @ y.T where each pair of neighbours has one summed index to itself."""
        left = list(operands)
        for pair in combinations(left, 2) if len(left) > 2 else ():
            others = {t for operand in left if operand not in pair for t in operand.axes}
            own = tuple(t for t in summed if t in union(pair, lead) and t not in others)
            product = self._matrix_product(pair, own, lead)
            if product is not None and len(product.axes) <= max(len(o.axes) for o in pair):
                rest = [product if o is pair[0] else o for o in left if o is not pair[1]]
                return self._chained(rest, tuple(t for t in summed if t not in own), lead)
        return left

    def _matrix_product(
        self, operands: Sequence[Piece], summed: Indices, lead: Indices
    ) -> Piece | None:
        """Write left @ right, where both have the one summed index and an axis of their own."""
        if len(summed) != 1 or not all(summed[0] in operand.axes for operand in operands):
            return None
        axes = tuple(t for t in union(operands, lead) if t not in summed)
        *before, column = axes or (None,)
        for left, right in (operands, operands[::-1]):
            if right.axes == summed:
                return self._at(left, (*axes, *summed), right, summed, axes)
            if left.axes == summed:
                return self._at(left, summed, right, (*before, *summed, column), axes)
            if before and column not in left.axes and before[-1] not in right.axes:
                *before, row = before
                rows, columns = (*before, row, *summed), (*before, *summed, column)
                return self._at(left, rows, right, columns, axes)
        return None

    def _at(
        self, left: Piece, rows: Indices, right: Piece, columns: Indices, axes: Indices
    ) -> Piece:
        first = self.dialect.aligned(self.real(left), rows, PRODUCT)
        second = self.dialect.aligned(self.real(right), columns, ATOM)
        return Piece(f"{first} @ {second}", axes, PRODUCT)

    def _reduced(self, piece: Piece, summed: Indices) -> Piece:
        places = [place for place, index in enumerate(piece.axes) if index in summed]
        rest = tuple(index for index in piece.axes if index not in summed)
        text = self.dialect.reduced(piece, "sum", places)
        return Piece(text, rest, ATOM, max(piece.kind, Kind.WHOLE))

    def _einsum(self, operands: Sequence[Piece], summed: Indices, lead: Indices) -> Piece:
        letters: dict[Symbol, str] = {}
        every = union(operands, lead)
        names = {index.name for index in every}
        spare = (letter for letter in ascii_letters if letter not in names)
        for index in every:
            own = len(index.name) == 1 and index.name not in letters.values()
            letters[index] = index.name if own else next(spare)
        axes = tuple(index for index in every if index not in summed)
        read = ",".join("".join(letters[t] for t in operand.axes) for operand in operands)
        made = "".join(letters[t] for t in axes)
        arrays = ", ".join(self.real(operand).text for operand in operands)
        call = f'{self.dialect.library}.einsum("{read}->{made}", {arrays})'
        return Piece(call, axes, ATOM)
