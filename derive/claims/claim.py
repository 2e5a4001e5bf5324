"""What a claim is: how it is proved of a mechanism, and how its failure is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sympy import Expr, IndexedBase, MatrixExpr

from derive.claims.subject import Subject
from derive.derivation import Derivation, DerivationError
from derive.formula import Stage, a
from derive.matrix_form import matrix_product
from derive.witness import Arrays, Difference, Reading, Shapes, shown

Kind = Literal["permutation", "earlier tokens", "places", "continuity", "shares", "magnitude"]
"""What an argument is about; ``argument_check`` checks each kind in a way of its own."""


@dataclass(frozen=True)
class Signs:
    """A proof that an entry is positive, or not negative: the entry, and its definition."""

    entry: Expr
    definition: Expr
    strict: bool = True


@dataclass(frozen=True)
class MatrixProduct:
    """A proof by SymPy's own matrix product: ``stage`` has the entries of ``product``."""

    stage: Stage
    product: MatrixExpr


@dataclass(frozen=True)
class Expansion:
    """A proof by SymPy's own expansion of sums, which gives the entries that we write out."""

    entries: int


@dataclass(frozen=True)
class Line:
    """One line of an argument: what it is about, and what is said of it.

    ``bound`` is there in arguments about magnitude: what is at least the entry's magnitude.
    """

    about: Expr
    words: str
    bound: Expr | None = None


@dataclass(frozen=True)
class Structural:
    """A proof that reads the equations one after the other, a line for each."""

    kind: Kind
    lines: tuple[Line, ...]


Part = Derivation | Signs | MatrixProduct | Expansion | Structural
Proof = tuple[Part, ...]
About = Callable[[Subject], tuple[IndexedBase, ...]]


def anything(_subject: Subject) -> bool:
    """Say that a claim applies to every mechanism."""
    return True


def as_they_are(_subject: Subject, inputs: Arrays) -> Arrays:
    """Try inputs for a counterexample as they are."""
    return inputs


def of_weights(_subject: Subject) -> tuple[IndexedBase, ...]:
    """Say that a claim is about the weights."""
    return (a,)


def of_nothing(_subject: Subject) -> tuple[IndexedBase, ...]:
    """Say that a claim is about the form of equations, whatever their values."""
    return ()


@dataclass(frozen=True, eq=False)
class Claim:
    """A property that a mechanism may have.

    ``prove`` returns the parts of a proof or raises ``DerivationError``; ``fails`` looks for the
    property's failure at one input; ``shapes`` are the input shapes to try, smallest first, where
    the mechanism is none of the atlas. ``consequence`` says what it means for a reader,
    ``nonzero`` what the claim itself takes not to be zero; a bracket is not zero where it holds.
    ``applies`` says of which mechanisms it can be asked, ``about`` which arrays it is about: what
    they divide by must not be zero. ``narrow`` makes inputs to try for a counterexample what the
    claim is about; with less than ``fewest`` tokens it cannot fail.
    """

    name: str
    title: str
    prove: Callable[[Subject], Proof]
    fails: Callable[[Subject, Reading], Difference | None]
    shapes: tuple[Shapes, ...]
    consequence: str
    nonzero: Callable[[Subject], tuple[Expr, ...]] = lambda _subject: ()
    applies: Callable[[Subject], bool] = anything
    about: About = of_weights
    narrow: Callable[[Subject, Arrays], Arrays] = as_they_are
    fewest: int = 1


def product_of(base: IndexedBase) -> Callable[[Subject], Proof]:
    """Return a proof that ``base`` is the product of two matrices."""

    def prove(subject: Subject) -> Proof:
        stage = subject.mechanism.stage(base)
        product = matrix_product(stage)
        if product is None:
            raise DerivationError(f"{stage} is not the product of two matrices")
        return (MatrixProduct(stage, product),)

    return prove


def never(_subject: Subject, _reading: Reading) -> Difference | None:
    """Find no failure: for claims that are proved or left undecided."""
    return None


def difference(entry: str, claimed: Any, found: Any) -> Difference:
    """State that an entry is ``found`` where ``claimed`` was claimed."""
    return Difference(entry, shown(claimed), shown(found))
