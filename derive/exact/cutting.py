"""Which parts of two programs a proof leaves unopened.

What both programs share may be replaced by a free number: an equation that holds for every number
holds for the one that stands there. The proof gets much shorter, unless it needs to know what is
inside; therefore cuts are tried first and given up when the proof fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from derive.straight_line import (
    Application,
    Exponential,
    Instruction,
    Inverse,
    Logarithm,
    Number,
    Operand,
    Product,
    Root,
    SquareRoot,
    Sum,
    Variable,
)

Extent = Literal["all", "exponents", "none"]


def operands(instruction: Instruction) -> tuple[Operand, ...]:
    """Return the places that an instruction reads."""
    match instruction:
        case Variable() | Number() | Root():
            return ()
        case Sum(terms):
            return terms
        case Product(factors):
            return factors
        case Application(_, inner):
            return inner
        case Inverse(operand) | Exponential(operand) | Logarithm(operand) | SquareRoot(operand):
            return (operand,)


def reachable(
    instructions: Sequence[Instruction],
    goals: Iterable[Operand],
    stops: frozenset[Operand] = frozenset(),
) -> set[Operand]:
    """Return the places that the goals depend on, themselves included, not looking below stops."""
    found: set[Operand] = set()
    waiting = list(goals)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            if place not in stops:
                waiting.extend(operands(instructions[place]))
    return found


def cuts(
    instructions: Sequence[Instruction],
    pairs: Iterable[tuple[Operand, Operand]],
    extent: Extent,
) -> frozenset[Operand]:
    """Return the largest sums and products of inputs that both sides use.

    With extent ``exponents`` only those below an exponential, where they enter the proof as one.
    """
    if extent == "none":
        return frozenset()
    pairs = list(pairs)
    left = reachable(instructions, (pair[0] for pair in pairs))
    right = reachable(instructions, (pair[1] for pair in pairs))
    shared = left & right
    plain: set[Operand] = set()
    for place in sorted(left | right):
        instruction = instructions[place]
        if isinstance(instruction, Variable | Number | Root) or (
            isinstance(instruction, Sum | Product) and plain.issuperset(operands(instruction))
        ):
            plain.add(place)
    candidates = {
        place
        for place in shared & plain
        if isinstance(instructions[place], Sum | Product) and not _is_multiple(instructions, place)
    }
    if extent == "exponents":
        exponents = {
            instruction.operand
            for instruction in (instructions[place] for place in left | right)
            if isinstance(instruction, Exponential)
        }
        candidates &= reachable(instructions, exponents)
    goals = {place for pair in pairs for place in pair}
    while True:
        users = {
            place
            for user in left | right
            if user not in candidates
            for place in operands(instructions[user])
        }
        chosen = candidates & (users | goals)
        # What has a cut part must be opened, or the two would be unrelated numbers.
        torn = {place for place in chosen if not chosen.isdisjoint(operands(instructions[place]))}
        if not torn:
            return frozenset(chosen)
        candidates -= torn


def _is_multiple(instructions: Sequence[Instruction], place: Operand) -> bool:
    """Return whether this is a number times one other thing, which is then better cut itself."""
    instruction = instructions[place]
    if not isinstance(instruction, Product):
        return False
    rest = [
        factor
        for factor in instruction.factors
        if not isinstance(instructions[factor], Number | Root)
    ]
    return len(rest) == 1
