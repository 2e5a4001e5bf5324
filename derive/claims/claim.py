"""What a claim is: how it is proved of a mechanism, and how its failure is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympy import Expr, IndexedBase, MatrixExpr

from derive.derivation import Derivation, DerivationError
from derive.formula import Mechanism, Stage
from derive.matrix_form import matrix_product
from derive.witness import Difference, Reading, Shapes, shown


@dataclass(frozen=True)
class Signs:
    """A proof that an entry is positive: the entry, and what it is by definition."""

    entry: Expr
    definition: Expr


@dataclass(frozen=True)
class MatrixProduct:
    """A proof by SymPy's own matrix product: ``stage`` has the entries of ``product``."""

    stage: Stage
    product: MatrixExpr


@dataclass(frozen=True)
class Expansion:
    """A proof by SymPy's own expansion of sums, which gives the entries that we write out."""

    entries: int


Proof = tuple[Derivation | Signs | MatrixProduct | Expansion, ...]


@dataclass(frozen=True, eq=False)
class Claim:
    """A property that a mechanism may have.

    ``prove`` returns the parts of a proof or raises ``DerivationError``; ``fails`` looks for the
    property's failure at one input; ``shapes`` are the input shapes to try, smallest first.
    ``consequence`` says what it means for a reader, ``nonzero`` what the claim itself takes not to
    be zero.
    """

    name: str
    title: str
    prove: Callable[[Mechanism], Proof]
    fails: Callable[[Mechanism, Reading], Difference | None]
    shapes: tuple[Shapes, ...]
    consequence: str
    nonzero: tuple[Expr, ...] = ()


def product_of(base: IndexedBase) -> Callable[[Mechanism], Proof]:
    """Return a proof that ``base`` is the product of two matrices."""

    def prove(mechanism: Mechanism) -> Proof:
        stage = mechanism.stage(base)
        product = matrix_product(stage)
        if product is None:
            raise DerivationError(f"{stage} is not the product of two matrices")
        return (MatrixProduct(stage, product),)

    return prove


def never(_mechanism: Mechanism, _reading: Reading) -> Difference | None:
    """Find no failure: for claims that are proved or left undecided."""
    return None


def difference(entry: str, claimed: Any, found: Any) -> Difference:
    """State that an entry is ``found`` where ``claimed`` was claimed."""
    return Difference(entry, shown(claimed), shown(found))
