"""Scalar programs: what a tensor program, or a formula, computes element by element.

A straight-line program is a list of instructions, each on the results of earlier ones. Equal
instructions are one: programs recorded by the same recorder share what they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

Operand = int
"""The place of an earlier instruction in the list."""


@dataclass(frozen=True)
class Variable:
    """A free real number: one element of an input, ``query[0, 1]``."""

    name: str


@dataclass(frozen=True)
class Number:
    """An exact rational constant."""

    value: Fraction


@dataclass(frozen=True)
class Root:
    """The positive real root of a positive rational: radicand to the power 1/degree (2 or 4)."""

    radicand: Fraction
    degree: int


@dataclass(frozen=True)
class Sum:
    """The sum of two or more operands, in ascending order; an operand may come twice."""

    terms: tuple[Operand, ...]


@dataclass(frozen=True)
class Product:
    """The product of two or more operands, in ascending order; an operand may come twice."""

    factors: tuple[Operand, ...]


@dataclass(frozen=True)
class Inverse:
    """One over the operand, which must not be zero."""

    operand: Operand


@dataclass(frozen=True)
class Exponential:
    """e to the power of the operand."""

    operand: Operand


@dataclass(frozen=True)
class Logarithm:
    """The natural logarithm of the operand, which must be positive."""

    operand: Operand


@dataclass(frozen=True)
class SquareRoot:
    """The square root of the operand, which must not be negative."""

    operand: Operand


@dataclass(frozen=True)
class Application:
    """A function of which only this is used: equal operands give equal results.

    So a proof that holds with it holds for tanh, or a maximum, as for any other function.
    """

    function: str
    operands: tuple[Operand, ...]


Instruction = (
    Variable
    | Number
    | Root
    | Sum
    | Product
    | Inverse
    | Exponential
    | Logarithm
    | SquareRoot
    | Application
)


class Recorder:
    """Collects instructions, each once, and simplifies only what is plain: numbers, 0 and 1."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._places: dict[Instruction, Operand] = {}
        self.zero = self.record(Number(Fraction(0)))
        self.one = self.record(Number(Fraction(1)))

    def record(self, instruction: Instruction) -> Operand:
        """Return the place of ``instruction``, appending it unless it is there."""
        place = self._places.get(instruction)
        if place is None:
            place = self._places[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return place

    def variable(self, name: str) -> Operand:
        """Record an element of an input."""
        return self.record(Variable(name))

    def number(self, value: Fraction | int) -> Operand:
        """Record a rational constant."""
        return self.record(Number(Fraction(value)))

    def root(self, radicand: Fraction, degree: int) -> Operand:
        """Record a positive root of a positive rational."""
        return self.record(Root(radicand, degree))

    def value(self, place: Operand) -> Fraction | None:
        """Return the number at ``place``, or None where it is not a plain number."""
        instruction = self.instructions[place]
        return instruction.value if isinstance(instruction, Number) else None

    def add(self, *terms: Operand) -> Operand:
        """Record a sum; numbers are added up, sums of sums are one sum."""
        constant, rest = Fraction(0), list[Operand]()
        for term in terms:
            instruction = self.instructions[term]
            if isinstance(instruction, Number):
                constant += instruction.value
            elif isinstance(instruction, Sum):
                for inner in instruction.terms:
                    value = self.value(inner)
                    if value is None:
                        rest.append(inner)
                    else:
                        constant += value
            else:
                rest.append(term)
        if constant:
            rest.append(self.number(constant))
        if not rest:
            return self.zero
        return rest[0] if len(rest) == 1 else self.record(Sum(tuple(sorted(rest))))

    def multiply(self, *factors: Operand) -> Operand:
        """Record a product; numbers are multiplied, and zero times anything is zero."""
        constant, rest = Fraction(1), list[Operand]()
        for factor in factors:
            instruction = self.instructions[factor]
            if isinstance(instruction, Number):
                constant *= instruction.value
            elif isinstance(instruction, Product):
                for inner in instruction.factors:
                    value = self.value(inner)
                    if value is None:
                        rest.append(inner)
                    else:
                        constant *= value
            else:
                rest.append(factor)
        if not constant:
            return self.zero
        if constant != 1:
            rest.append(self.number(constant))
        if not rest:
            return self.one
        return rest[0] if len(rest) == 1 else self.record(Product(tuple(sorted(rest))))

    def negate(self, operand: Operand) -> Operand:
        """Record minus the operand."""
        return self.multiply(self.number(-1), operand)

    def inverse(self, operand: Operand) -> Operand:
        """Record one over the operand; one over the number zero raises ``ZeroDivisionError``."""
        value = self.value(operand)
        if value is not None:
            return self.number(1 / value)
        instruction = self.instructions[operand]
        if isinstance(instruction, Inverse):
            return instruction.operand
        return self.record(Inverse(operand))

    def exponential(self, operand: Operand) -> Operand:
        """Record e to the power of the operand."""
        return self.one if operand == self.zero else self.record(Exponential(operand))

    def logarithm(self, operand: Operand) -> Operand:
        """Record the natural logarithm."""
        return self.zero if operand == self.one else self.record(Logarithm(operand))

    def square_root(self, operand: Operand) -> Operand:
        """Record the square root; of a positive number it is an exact root."""
        value = self.value(operand)
        if value is not None and value > 0:
            return self.root(value, 2)
        return self.zero if operand == self.zero else self.record(SquareRoot(operand))

    def apply(self, function: str, *operands: Operand) -> Operand:
        """Record a function of which only congruence is used."""
        return self.record(Application(function, operands))
