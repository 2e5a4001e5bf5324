"""Finds an exact proof that pairs of instructions have equal values.

Every instruction becomes a Laurent polynomial in generators (``derive.exact.polynomials``). What
has to be inverted must be a monomial; so a polynomial Z = e_1 + ... + e_n that is not one gets a
name, and one part of it is replaced everywhere: e_n = Z - e_1 - ... - e_(n-1). Exponentials become
monomials in the exponentials of a basis of the exponents (``derive.exact.exponents``). Two sides
with one normal form are equal; two different normal forms show nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import assert_never

from derive.exact.attempt import MULTIPLES, Attempt
from derive.exact.certificate import (
    Certificate,
    Pair,
)
from derive.exact.cutting import Extent, cuts, reachable
from derive.exact.halts import (
    Halt,
    NeedsHalves,
    OutOfTime,
)
from derive.straight_line import (
    Application,
    Exponential,
    Instruction,
    Inverse,
    Logarithm,
    Number,
    Operand,
    Product,
    Recorder,
    Root,
    SquareRoot,
    Sum,
    Variable,
)


@dataclass(frozen=True)
class Proof:
    """All pairs are equal, wherever both programs are defined."""

    certificate: Certificate
    seconds: float
    extent: Extent
    """What was cut: everything shared, only what stands in exponents, or nothing."""


@dataclass(frozen=True)
class Stuck:
    """No proof was found; that is no verdict on the pairs."""

    reason: str
    label: str | None
    """The first pair that was not proved, where it came to comparing pairs."""
    seconds: float


def prove(
    recorder: Recorder,
    pairs: Sequence[tuple[Operand, Operand, str]],
    *,
    limit_seconds: float = 60.0,
    limit_terms: int = 200_000,
) -> Proof | Stuck:
    """Prove that the left and right place of every pair hold equal values, or say what stopped it.

    The limits bound the time and the number of terms of any one polynomial. Raises ``ValueError``
    where two pairs have one label.
    """
    start = monotonic()
    if not pairs:
        return Stuck("there is nothing to prove", None, 0.0)
    labels = {label for *_, label in pairs}
    if len(labels) < len(pairs) or "" in labels:
        raise ValueError("every pair needs a label of its own")
    claims = [Pair(*pair) for pair in pairs]
    instructions, claims = _needed(recorder.instructions, claims)
    sides = [(claim.left, claim.right) for claim in claims]
    opened = tuple(
        name
        for name in MULTIPLES
        if any(isinstance(i, Application) and i.function == name for i in instructions)
    )
    tried: set[tuple[frozenset[Operand], tuple[str, ...]]] = set()
    halt = Halt("nothing was tried")
    extents: tuple[Extent, ...] = ("all", "exponents", "none")
    for expanded in dict.fromkeys([(), opened]):
        for extent in extents:
            cut = cuts(instructions, sides, extent)
            if (cut, expanded) in tried:
                continue
            tried.add((cut, expanded))
            for halved in (False, True):
                attempt = Attempt(
                    instructions, claims, cut, expanded, halved, start + limit_seconds, limit_terms
                )
                try:
                    certificate = attempt.run()
                except OutOfTime as out:
                    return Stuck(out.reason, halt.label, monotonic() - start)
                except Halt as stopped:
                    halt = stopped
                    if not isinstance(stopped, NeedsHalves):
                        break
                else:
                    return Proof(certificate, monotonic() - start, extent)
    return Stuck(halt.reason, halt.label, monotonic() - start)


def _needed(
    instructions: Sequence[Instruction], claims: Sequence[Pair]
) -> tuple[list[Instruction], list[Pair]]:
    """Return only what the claims depend on, renumbered."""
    goals = {place for claim in claims for place in (claim.left, claim.right)}
    places = sorted(reachable(instructions, goals))
    new = {old: number for number, old in enumerate(places)}
    kept = [_renumbered(instructions[place], new) for place in places]
    return kept, [Pair(new[claim.left], new[claim.right], claim.label) for claim in claims]


def _renumbered(instruction: Instruction, new: dict[Operand, Operand]) -> Instruction:
    match instruction:
        case Variable() | Number() | Root():
            return instruction
        case Sum(terms):
            return Sum(tuple(new[place] for place in terms))
        case Product(factors):
            return Product(tuple(new[place] for place in factors))
        case Application(function, inner):
            return Application(function, tuple(new[place] for place in inner))
        case Inverse(operand):
            return Inverse(new[operand])
        case Exponential(operand):
            return Exponential(new[operand])
        case Logarithm(operand):
            return Logarithm(new[operand])
        case SquareRoot(operand):
            return SquareRoot(new[operand])
        case _:
            assert_never(instruction)
