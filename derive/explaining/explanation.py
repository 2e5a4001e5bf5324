"""What an explanation is: one line for each tensor that matters, in the order of the program."""

from __future__ import annotations

from dataclasses import dataclass, field

from derive.explaining.terms import Shape, Term


@dataclass(frozen=True)
class Given:
    """An input, or a tensor that the program holds fixed, and what is to be said of it."""

    name: str
    shape: Shape
    text: str = ""
    used: bool = True


@dataclass(frozen=True)
class Line:
    """One tensor: its name, what it is, its shape and where in the source it is made.

    ``operations`` counts the operations of the program, other than moves of elements, that the
    formula stands for. ``formula`` is what the line claims, ``held`` what the program holds.
    """

    name: str
    role: str
    text: str
    latex: str
    notes: tuple[str, ...]
    shape: Shape
    origin: str
    operations: int
    label: str
    formula: Term = field(repr=False, compare=False)
    held: Term = field(repr=False, compare=False)


@dataclass(frozen=True)
class Explanation:
    """A program as a readable derivation; ``operations`` counts all nodes of its graph."""

    title: str
    inputs: tuple[Given, ...]
    fixed: tuple[Given, ...]
    lines: tuple[Line, ...]
    outputs: tuple[str, ...]
    operations: int
    notes: tuple[str, ...] = ()
