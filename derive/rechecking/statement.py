"""What a certificate states: a program of instructions, and which pairs of its values are equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from derive.rechecking.layout import fraction, integer, list_of, refuse

OPENED = {"tanh": 2, "sigmoid": 1}
"""The c for which the function is 1 - c / (exp(c x) + 1)."""
ONE_OPERAND = ("1/", "exp", "log", "sqrt")


@dataclass(frozen=True)
class Instruction:
    """One instruction: what it does, on which earlier ones, with which name or number."""

    operation: str
    operands: tuple[int, ...] = ()
    name: str = ""
    number: Fraction = Fraction(0)
    degree: int = 0


@dataclass(frozen=True)
class Pair:
    """Two instructions that are to have equal values."""

    left: int
    right: int
    label: str


@dataclass(frozen=True)
class Statement:
    """Both programs in one list of instructions, and the pairs that are to be equal."""

    program: tuple[Instruction, ...]
    pairs: tuple[Pair, ...]
    opened: frozenset[str]
    """Functions that are replaced by what they are in terms of exp; all others are opaque."""

    @property
    def applied(self) -> set[str]:
        """The names of the functions that occur."""
        return {each.name for each in self.program if each.operation == "apply"}

    def reachable(self, goals: Iterable[int], stops: set[int]) -> set[int]:
        """Return what the goals depend on, not looking below stops."""
        found: set[int] = set()
        waiting = list(goals)
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                if place not in stops:
                    waiting.extend(self.program[place].operands)
        return found


def read_statement(instructions: list[Any], pairs: list[Any], opened: list[Any]) -> Statement:
    """Read what is stated; every instruction must be used, and every name differ."""
    program = tuple(_instruction(place, row) for place, row in enumerate(instructions))
    names = [each.name for each in program if each.operation == "input"]
    if len(set(names)) != len(names):
        refuse("two inputs have one name")
    read = tuple(_pair(row, len(program)) for row in pairs)
    if not read or len({pair.label for pair in read}) != len(read):
        refuse("there must be pairs, and their labels must differ")
    statement = Statement(program, read, frozenset(name for name in OPENED if name in opened))
    goals = (place for pair in read for place in (pair.left, pair.right))
    if len(statement.reachable(goals, set())) != len(program):
        refuse("an instruction is used by no pair")
    if opened != [name for name in OPENED if name in opened]:
        refuse(f"only {' and '.join(OPENED)} can be opened, in this order")
    if not statement.opened <= statement.applied:
        refuse("a function is opened that does not occur")
    return statement


def _pair(row: Any, instructions: int) -> Pair:
    left, right, label = list_of(row, 3, "a pair")
    for place in (left, right):
        integer(place, 0, instructions, "a side of a pair")
    if type(label) is not str or not label:
        refuse("a pair has no label")
    return Pair(left, right, label)


def _instruction(place: int, row: Any) -> Instruction:
    """Read one instruction, which may read only those before it."""
    what = f"instruction {place}"
    if type(row) is not list or len(row) < 2 or type(row[0]) is not str:
        refuse(f"{what} must be a list that begins with its operation")
    operation, *rest = row
    if operation in ("input", "apply"):
        if type(rest[0]) is not str or not rest[0]:
            refuse(f"{what} has no name")
        name = rest.pop(0)
        if operation == "input":
            list_of(rest, 0, what)
            return Instruction(operation, name=name)
        return Instruction(operation, _operands(rest, place, what), name=name)
    if operation == "number":
        list_of(rest, 1, what)
        return Instruction(operation, number=fraction(rest[0], what))
    if operation == "root":
        list_of(rest, 2, what)
        radicand = fraction(rest[0], what)
        if radicand <= 0 or rest[1] not in (2, 4) or type(rest[1]) is not int:
            refuse(f"{what} is not the second or fourth root of a positive number")
        return Instruction(operation, number=radicand, degree=rest[1])
    operands = _operands(rest, place, what)
    if operation in ONE_OPERAND:
        list_of(rest, 1, what)
    elif operation not in ("+", "*"):
        refuse(f"{what} has an unknown operation")
    elif len(operands) < 2 or tuple(sorted(operands)) != operands:
        refuse(f"{what} needs two or more operands in ascending order")
    return Instruction(operation, operands)


def _operands(values: Sequence[Any], place: int, what: str) -> tuple[int, ...]:
    return tuple(integer(value, 0, place, f"an operand of {what}") for value in values)
