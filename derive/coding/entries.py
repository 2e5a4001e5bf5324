"""Entries of arrays as code: whole axes, blocks of rows, slices, and places that are computed.

Formulas count from 1, code from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from sympy import Expr, Indexed, Mod, Symbol, floor

from derive.coding.pieces import ATOM, SUM, Dialect, Indices, Kind, Piece, union
from derive.coding.scope import Scope, array_name

Write = Callable[[Expr, Indices], Piece]


@dataclass(frozen=True)
class _View:
    """Code for an array, the place that an entry names along each axis, and the axes' lengths."""

    text: str
    places: tuple[Expr, ...]
    sizes: tuple[Expr | None, ...]

    def along(self, axis: int, places: Sequence[Expr], sizes: Sequence[Expr | None]) -> _View:
        """Return the view with other places, and as many axes, instead of one."""
        return replace(
            self,
            places=(*self.places[:axis], *places, *self.places[axis + 1 :]),
            sizes=(*self.sizes[:axis], *sizes, *self.sizes[axis + 1 :]),
        )

    def alone(self, index: Symbol) -> bool:
        """Tell whether an index occurs along one axis only."""
        return sum(index in place.free_symbols for place in self.places) == 1


class EntryWriter:
    """Write entries such as Q[i, k], W_q[(h - 1) d + k, e] and b[j - i + n]."""

    def __init__(self, dialect: Dialect, scope: Scope, write: Write) -> None:
        self.dialect = dialect
        self.scope = scope
        self.write = write

    def entry(self, expression: Indexed, lead: Indices) -> Piece:
        """Return an array with an axis for each free index of the entry."""
        places = tuple(expression.indices)
        sizes = self.scope.shape(expression.base) or (None,) * len(places)
        view = _View(array_name(expression.base), places, sizes)
        for step in (self._fixed, self._blocks, self._sliced, self._repeated):
            view = step(view)
        kind = self.scope.kinds.get(expression.base, Kind.NUMBER)
        if all(self._is_whole(view, axis) for axis in range(len(view.places))):
            return Piece(view.text, view.places, ATOM, kind)
        return self._gathered(view, lead, kind)

    # Each of these takes away places that are not whole axes

    def _fixed(self, view: _View) -> _View:
        """B[1, i, j] is the first entry along an axis: B[0]."""
        fixed = [not self._letters(place) for place in view.places]
        if not any(fixed):
            return view
        inside = [
            self._number(place - 1) if is_fixed else ":"
            for place, is_fixed in zip(view.places, fixed, strict=True)
        ]
        kept = [axis for axis, is_fixed in enumerate(fixed) if not is_fixed]
        return _View(
            view.text + _subscript(inside),
            tuple(view.places[axis] for axis in kept),
            tuple(view.sizes[axis] for axis in kept),
        )

    def _blocks(self, view: _View) -> _View:
        """W[(h - 1) d + k] is row k of block h of d rows: W.reshape(n_h, d)."""
        blocks = {
            axis: found
            for axis in range(len(view.places))
            if (found := _block(view, axis, self.scope))
        }
        if not blocks:
            return view
        inside = [":"] * len(view.places)
        shape: list[str] = []
        for axis, size in enumerate(view.sizes):
            if axis in blocks:
                start, outer, inner = blocks[axis]
                lengths = self.scope.length(outer), self.scope.length(inner)
                inside[axis] = self._slice(start, start + lengths[0] * lengths[1], size)
                shape += map(self._number, lengths)
            elif "-1" not in shape:
                shape.append("-1")
            else:
                shape.append(self._number(size or self.scope.length(view.places[axis])))
        text = f"{view.text}{_subscript(inside)}.reshape({', '.join(shape)})"
        for axis in sorted(blocks, reverse=True):
            view = view.along(axis, blocks[axis][1:], (None, None))
        return replace(view, text=text)

    def _sliced(self, view: _View) -> _View:
        """X[k + d] is a slice X[d : 2 d], X[2 k - 1] every other entry, X[::2]."""
        inside = [":"] * len(view.places)
        for axis, (place, size) in enumerate(zip(view.places, view.sizes, strict=True)):
            letters = self._letters(place)
            if len(letters) != 1 or not view.alone(letters[0]) or self._is_whole(view, axis):
                continue
            (index,) = letters
            step = place.expand().coeff(index)
            start = (place - step * index).expand() + step - 1
            if not step.is_Integer or step < 1 or index in start.free_symbols:
                continue
            inside[axis] = self._slice(start, start + step * self.scope.length(index), size, step)
            view = view.along(axis, (index,), (None,))
        return replace(view, text=view.text + _subscript(inside))

    def _repeated(self, view: _View) -> _View:
        """K[floor((h - 1)/r) + 1] has each entry r times in a row, where n_h = r n_g."""
        for axis, (place, size) in enumerate(zip(view.places, view.sizes, strict=True)):
            for index in self._letters(place):
                for length, product in self.scope.relations:
                    times = product / size if size else product
                    if (
                        self.scope.length(index) == length
                        and place == floor((index - 1) / times) + 1
                        and view.alone(index)
                    ):
                        repeated = f"{self.dialect.repeated}({self._number(times)}"
                        text = f"{view.text}.{repeated}, {self.dialect.axis}={axis})"
                        return replace(view.along(axis, (index,), (None,)), text=text)
        return view

    # What is left is gathered

    def _gathered(self, view: _View, lead: Indices, kind: Kind) -> Piece:
        """Index by arrays of places; axes follow as NumPy and torch have them."""
        whole = [self._is_whole(view, axis) for axis in range(len(view.places))]
        chosen = [axis for axis, is_whole in enumerate(whole) if not is_whole]
        positions = {axis: self.write(_remainder(view.places[axis] - 1), lead) for axis in chosen}
        axes = union(positions.values(), lead)
        inside = [
            self.dialect.aligned(positions[axis], axes) if axis in positions else ":"
            for axis in range(len(whole))
        ]
        before: list[Symbol] = []
        if chosen == list(range(chosen[0], chosen[-1] + 1)):
            before = list(view.places[: chosen[0]])
        after = [p for p, w in zip(view.places, whole, strict=True) if w and p not in before]
        return Piece(view.text + _subscript(inside), (*before, *axes, *after), ATOM, kind)

    # Inside

    def _is_whole(self, view: _View, axis: int) -> bool:
        """Tell whether an index alone names every place along an axis, in order."""
        place, size = view.places[axis], view.sizes[axis]
        if not self.scope.is_index(place) or not view.alone(place):
            return False
        return size is None or self.scope.difference(self.scope.length(place), size) == 0

    def _letters(self, place: Expr) -> list[Symbol]:
        return sorted(filter(self.scope.is_index, place.free_symbols), key=str)

    def _number(self, size: Expr, strength: int = SUM) -> str:
        return self.write(size, ()).bracketed(strength)

    def _slice(self, start: Expr, stop: Expr, size: Expr | None, step: Expr | int = 1) -> str:
        """Return start:stop:step, without what goes without saying."""
        first = "" if start == 0 else self._number(start)
        # A slice of steps may end anywhere after its last entry.
        to_the_end = size is not None and self.scope.difference(stop, size) in range(int(step))
        last = "" if to_the_end else self._number(stop.expand())
        return ":".join([first, last] if step == 1 else [first, last, str(step)])


def _block(view: _View, axis: int, scope: Scope) -> tuple[Expr, Symbol, Symbol] | None:
    """Return start, block and row of a place that is start + (block - 1) rows + row."""
    letters = sorted(filter(scope.is_index, view.places[axis].free_symbols), key=str)
    for outer, inner in permutations(filter(view.alone, letters), 2):
        start = view.places[axis] - (outer - 1) * scope.length(inner) - inner
        start = start.expand()
        if not any(map(scope.is_index, start.free_symbols)):
            return start, outer, inner
    return None


def _remainder(place: Expr) -> Expr:
    """Write h - n floor(h/n) as the remainder of h by n."""
    for whole in place.atoms(floor):
        divisor = -place.expand(deep=False).coeff(whole)
        divided = (place + divisor * whole).expand(deep=False)
        if divisor != 0 and (whole.args[0] * divisor - divided).expand() == 0:
            return Mod(divided, divisor, evaluate=False)
    return place


def _subscript(inside: Sequence[str]) -> str:
    """Return [...], without whole axes at its end; nothing where all axes are whole."""
    last = max((place for place, text in enumerate(inside) if text != ":"), default=-1)
    return f"[{', '.join(inside[: last + 1])}]" if last >= 0 else ""
