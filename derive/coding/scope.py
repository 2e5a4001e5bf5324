"""What letters mean where a formula is written as code, and what must stand before its lines."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sympy import Expr, IndexedBase, Symbol

from derive.binding import Lengths
from derive.coding.pieces import ATOM, Indices, Kind, Piece
from derive.formula import UPPER_LIMIT, Stage
from derive.symbolic_shapes import Shape, expression


class Scope:
    """The indices in force, and the names, sizes, positions and masks that the code uses.

    ``lengths`` are the shapes in letters, where a mechanism says them. ``taken`` are names that
    nothing else may have.
    """

    def __init__(
        self,
        lengths: Lengths | None,
        relations: tuple[tuple[Symbol, Expr], ...],
        indicators: frozenset[IndexedBase],
        taken: frozenset[str],
    ) -> None:
        self.lengths = lengths
        self.relations = relations
        self.indicators = indicators
        self.kinds = dict.fromkeys(indicators, Kind.INDICATOR)
        self.sizes: set[Symbol] = set()
        self.positions: dict[tuple[str, Expr], str] = {}
        self.masks: dict[tuple[str, Indices], str] = {}
        self.mask_uses: Counter[tuple[str, Indices]] = Counter()
        self._inside_mask = False
        self._taken = set(taken)
        self._indices: dict[Symbol, Expr | None] = {}
        self._stage: Stage | None = None

    @contextmanager
    def of(self, stage: Stage) -> Iterator[None]:
        """Let the indices of a stage's target be in force within the block."""
        self._stage = stage
        self._indices = dict.fromkeys(stage.target.indices)
        yield

    @contextmanager
    def counting(self) -> Iterator[Callable[[Symbol, Expr], None]]:
        """Let indices of sums count as far as is said; outer letters come back after."""
        outside = dict(self._indices)
        try:
            yield self._indices.__setitem__
        finally:
            self._indices = outside

    def is_index(self, symbol: object) -> bool:
        """Tell whether a letter is an index here; otherwise it is a size."""
        return symbol in self._indices

    def length(self, index: Symbol) -> Expr:
        """Return how far an index counts, in letters."""
        length = self._indices[index]
        if length is not None:
            return length if self.lengths is None else expression(self.lengths.length(length))
        assert self._stage is not None  # noqa: S101 - an index is asked for within a stage alone
        place = self._stage.target.indices.index(index)
        shape = self.shape(self._stage.array) or self._stage.shape
        return shape[place] if shape else UPPER_LIMIT[index]

    def shape(self, base: IndexedBase) -> Shape | None:
        """Return the shape of an array in letters; None where no mechanism says it."""
        if self.lengths is None:
            return None
        return tuple(map(expression, self.lengths.shapes[base]))

    def difference(self, length: Expr, other: Expr) -> Expr:
        """Return by how much two lengths differ, given the relations: of d and 2 n_p, zero."""
        return (length - other).xreplace(dict(self.relations)).expand()

    def position(self, index: Symbol) -> Piece:
        """Return the name of the array 1, 2, ... of an index."""
        key = index.name, self.length(index)
        if key not in self.positions:
            names = (index.name, f"{index.name}_{key[1]}", f"at_{index.name}")
            self.positions[key] = self._free(names)
        return Piece(self.positions[key], (index,), ATOM, Kind.WHOLE)

    def mask(self, mask: Piece) -> Piece:
        """Return the name of a mask that several stages use; else the mask as it is."""
        key = mask.text, mask.axes
        if self._inside_mask or len(mask.axes) < 2:
            return mask
        self.mask_uses[key] += 1
        if key not in self.masks:
            return mask
        return Piece(self.masks[key], mask.axes, ATOM, mask.kind)

    @contextmanager
    def inside_mask(self) -> Iterator[None]:
        """Within the block, masks are parts of another one, which alone may have a name."""
        outside, self._inside_mask = self._inside_mask, True
        try:
            yield
        finally:
            self._inside_mask = outside

    def name_masks(self) -> None:
        """Give names to the masks that are used more than once."""
        for key, uses in self.mask_uses.items():
            if uses > 1:
                self.masks[key] = self._free(("mask",))

    def size(self, symbol: Symbol) -> Piece:
        """Return a size such as d by its name."""
        self.sizes.add(symbol)
        return Piece(symbol.name, (), ATOM, Kind.WHOLE)

    def _free(self, names: tuple[str, ...]) -> str:
        numbered = (f"{names[-1]}_{number}" for number in range(2, 100))
        name = next(name for name in (*names, *numbered) if name not in self._taken)
        self._taken.add(name)
        return name


def array_name(base: IndexedBase) -> str:
    """Return the name of an array as a Python name: lambda is a word of Python's own."""
    name = str(base)
    return f"{name}_" if keyword.iskeyword(name) else name
