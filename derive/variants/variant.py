"""What a mechanism of the atlas is: a formula, where it comes from, and what is stated of it.

One file states all of it; pages, numbers, code, gradients, checks and counts follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import IndexedBase

from derive.formula import FormulaError, Mechanism, a
from derive.variants.inputs import Input

FAMILIES = (
    "Scores",
    "Masks",
    "Heads",
    "Positions",
    "Score modifications",
    "Normalisers",
    "Linear attention",
    "Compressed keys and values",
)
"""The sections of the atlas, in order."""


@dataclass(frozen=True)
class Source:
    """Where a mechanism was published; ``place`` is the section or equation, where that helps."""

    authors: str
    year: int
    title: str
    address: str
    place: str = ""


@dataclass(frozen=True, eq=False)
class Variant:
    """One mechanism of the atlas.

    ``key`` is its short name in commands and addresses, ``summary`` says in a sentence or two what
    it does and why, as plain text. ``inputs`` says how a sentence gives each array that the
    formula takes. ``weights`` is the array that is drawn as a heatmap. ``against`` is the key of
    the mechanism that its page compares it with; the changes are marked.

    ``holds`` and ``fails`` name the claims that are stated of it: proved, and refuted by a
    counterexample. A claim that is in neither is stated to be undecided, or does not apply.
    """

    key: str
    title: str
    family: str
    summary: str
    mechanism: Mechanism
    sources: tuple[Source, ...]
    inputs: Mapping[IndexedBase, Input]
    weights: IndexedBase = a
    against: str = "scaled-dot-product"
    holds: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise FormulaError(f"{self.key}: the families are {', '.join(FAMILIES)}")
        given, wanted = set(self.inputs), set(self.mechanism.inputs)
        if given != wanted:
            names = ", ".join(sorted(str(base) for base in given ^ wanted))
            raise FormulaError(f"{self.key}: inputs= and the formula differ in {names}")
        both = set(self.holds) & set(self.fails)
        if both:
            raise FormulaError(f"{self.key}: {min(both)} is stated both to hold and to fail")
