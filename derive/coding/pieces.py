"""Pieces of array code: text, the letters of its axes, and what kind of numbers it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sympy import Symbol

Indices = tuple[Symbol, ...]


class Kind(IntEnum):
    """What an array holds: booleans, a given mask's zeros and ones, integers, or real numbers."""

    TRUTH = 0
    INDICATOR = 1
    WHOLE = 2
    NUMBER = 3


COMPARISON, CONJUNCTION, SUM, PRODUCT, ATOM = range(5)
"""How strongly the parts of a text hold together, as Python reads it."""


@dataclass(frozen=True)
class Piece:
    """Code for an array whose axes are counted by ``axes``; ``strength`` as for phrases."""

    text: str
    axes: Indices
    strength: int
    kind: Kind = Kind.NUMBER

    def bracketed(self, strength: int) -> str:
        """Return the text, in brackets where it holds together less than that."""
        return self.text if self.strength >= strength else f"({self.text})"


@dataclass(frozen=True)
class Dialect:
    """How a library calls its functions: NumPy says axis, torch says dim."""

    library: str
    axis: str
    largest: str
    reorder: str
    transposed: str
    repeated: str
    cast: str

    def reduced(self, piece: Piece, function: str, places: Sequence[int]) -> str:
        """Return a sum, maximum or the like along axes; of many axes the last is called -1."""
        last = len(piece.axes) - 1
        shown = [-1 if place == last > 1 else place for place in places]
        which = shown[0] if len(shown) == 1 else tuple(shown)
        return f"{piece.bracketed(ATOM)}.{function}({self.axis}={which})"

    def aligned(self, piece: Piece, axes: Indices, strength: int = SUM) -> str:
        """Return ``piece`` with its axes in the order of ``axes``, new ones of length 1 between.

        New ones before all others need not be written: libraries add them by themselves.
        """
        if not piece.axes or piece.axes == axes:
            return piece.bracketed(strength)
        order = sorted(range(len(piece.axes)), key=lambda place: axes.index(piece.axes[place]))
        added = ["None" if t not in piece.axes else ":" for t in axes]
        added = added[added.index(":") :]
        if order == sorted(order) and "None" not in added:
            return piece.bracketed(strength)
        text = piece.bracketed(ATOM) + self._reordered(order)
        if "None" in added:
            if added.index("None") == len(piece.axes) > 1:
                added = ["...", *added[len(piece.axes) :]]
            text += f"[{', '.join(added)}]"
        return text

    def _reordered(self, order: Sequence[int]) -> str:
        upright = list(range(len(order)))
        if list(order) == upright:
            return ""
        if list(order) == [*upright[:-2], upright[-1], upright[-2]]:
            return ".T" if len(order) == 2 else self.transposed
        return f".{self.reorder}({', '.join(map(str, order))})"


DIALECTS = {
    "numpy": Dialect("numpy", "axis", "max", "transpose", ".swapaxes(-1, -2)", "repeat", "astype"),
    "torch": Dialect("torch", "dim", "amax", "permute", ".mT", "repeat_interleave", "to"),
}


def union(pieces: Iterable[Piece], lead: Indices) -> Indices:
    """Return the axes that any of the pieces has, in the order of ``lead``."""
    present = {index for piece in pieces for index in piece.axes}
    return tuple(index for index in lead if index in present)
