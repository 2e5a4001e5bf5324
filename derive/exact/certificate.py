"""A proof as data: two programs, the pairs that are equal, and the definitions that show it.

A proof evaluates every instruction to a polynomial in generators. Each definition introduces one
generator, a real number that earlier generators determine at every point; the place of a
definition in the list is the number of its generator. ``derive.rechecking`` reads the JSON form,
and its docstring says why what it accepts is true.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

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

FORMAT = "attention-derived exact proof, version 1"

Powers = tuple[tuple[int, int], ...]
"""Generators with their exponents, in ascending order: a monomial."""

Written = tuple[tuple[Fraction, Powers], ...]
"""A polynomial: coefficients and monomials, each monomial once."""


class CertificateError(ValueError):
    """The text is not a certificate."""


@dataclass(frozen=True)
class Value:
    """The value of an instruction: an input, an opaque function, or a part left unopened.

    What holds with any number in place of an instruction holds with its value.
    """

    instruction: Operand


@dataclass(frozen=True)
class PrimeRoot:
    """The positive number whose fourth power is this prime."""

    prime: int


@dataclass(frozen=True)
class ExponentialOf:
    """e to the power of the exponent; with others it is the basis of all exponents."""

    exponent: Written


@dataclass(frozen=True)
class LogarithmOf:
    """The natural logarithm of the argument; it belongs to the basis of exponents too."""

    argument: Written


@dataclass(frozen=True)
class Name:
    """A name for a polynomial, by which its lead is replaced: lead = (name - rest) / cofactor."""

    value: Written
    lead: Powers


@dataclass(frozen=True)
class RootOf:
    """The square root of an earlier generator."""

    generator: int


@dataclass(frozen=True)
class Reciprocal:
    """One over a polynomial, which may be ordered by its powers of one generator."""

    denominator: Written
    generator: int | None


Definition = Value | PrimeRoot | ExponentialOf | LogarithmOf | Name | RootOf | Reciprocal

Vector = tuple[tuple[int, int], ...]
"""Elements of the basis of exponents with whole multiplicities, in ascending order."""


@dataclass(frozen=True)
class Pair:
    """The claim that two instructions have the same value."""

    left: Operand
    right: Operand
    label: str


@dataclass(frozen=True)
class Certificate:
    """All that is needed to check a proof again without searching for it."""

    instructions: tuple[Instruction, ...]
    pairs: tuple[Pair, ...]
    expanded: tuple[str, ...]
    """Functions that the proof opens, ``tanh`` or ``sigmoid``; all others are opaque."""
    definitions: tuple[Definition, ...]
    vectors: tuple[tuple[Operand, Vector], ...]
    """For an exponential or logarithm, the multiplicities of the basis that make its exponent."""

    def to_json(self) -> str:
        """Return the certificate as JSON, one instruction and one definition a line."""
        parts = {
            "format": json.dumps(FORMAT),
            "instructions": _lines([_write_instruction(each) for each in self.instructions]),
            "pairs": _lines([[pair.left, pair.right, pair.label] for pair in self.pairs]),
            "expanded": json.dumps(list(self.expanded)),
            "definitions": _lines([_write_definition(each) for each in self.definitions]),
            "vectors": _lines([[place, _flat(vector)] for place, vector in self.vectors]),
        }
        return "{" + ",\n".join(f'"{key}":{text}' for key, text in parts.items()) + "}\n"

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read a certificate; raise ``CertificateError`` for whatever is not exactly one."""
        try:
            return _read(json.loads(text, object_pairs_hook=_once))
        except (
            ValueError,
            ZeroDivisionError,
            TypeError,
            LookupError,
            RecursionError,
        ) as error:
            raise CertificateError(f"not a certificate: {error}") from error


KEYS = ("format", "instructions", "pairs", "expanded", "definitions", "vectors")


def _once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) != len(items):
        raise CertificateError("a key stands twice")
    return found


def _lines(rows: Sequence[Any]) -> str:
    return "[" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]"


def _flat(powers: Powers) -> list[int]:
    return [number for pair in powers for number in pair]


def _write_number(value: Fraction) -> int | str:
    return value.numerator if value.denominator == 1 else str(value)


def _write_polynomial(written: Written) -> list[list[Any]]:
    return [[_write_number(coefficient), *_flat(powers)] for coefficient, powers in written]


def _write_instruction(instruction: Instruction) -> list[Any]:
    match instruction:
        case Variable(name):
            return ["input", name]
        case Number(value):
            return ["number", _write_number(value)]
        case Root(radicand, degree):
            return ["root", _write_number(radicand), degree]
        case Sum(terms):
            return ["+", *terms]
        case Product(factors):
            return ["*", *factors]
        case Inverse(operand):
            return ["1/", operand]
        case Exponential(operand):
            return ["exp", operand]
        case Logarithm(operand):
            return ["log", operand]
        case SquareRoot(operand):
            return ["sqrt", operand]
        case Application(function, operands):
            return ["apply", function, *operands]


def _write_definition(definition: Definition) -> list[Any]:
    match definition:
        case Value(instruction):
            return ["value", instruction]
        case PrimeRoot(prime):
            return ["prime root", prime]
        case ExponentialOf(exponent):
            return ["exp", _write_polynomial(exponent)]
        case LogarithmOf(argument):
            return ["log", _write_polynomial(argument)]
        case Name(value, lead):
            return ["name", _write_polynomial(value), _flat(lead)]
        case RootOf(generator):
            return ["sqrt", generator]
        case Reciprocal(denominator, generator):
            return ["1/", _write_polynomial(denominator), generator]


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise CertificateError(f"{value!r} stands where a whole number should")
    return value


def _integer_or_none(value: Any) -> int | None:
    return None if value is None else _integer(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise CertificateError(f"{value!r} stands where a text should")
    return value


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise CertificateError(f"{value!r} stands where a list should")
    return value


def _number(value: Any) -> Fraction:
    number = Fraction(_text(value)) if isinstance(value, str) else Fraction(_integer(value))
    if _write_number(number) != value:
        raise CertificateError(f"{value!r} is not how a number is written")
    return number


def _powers(values: Sequence[Any]) -> Powers:
    numbers = [_integer(value) for value in values]
    if len(numbers) % 2:
        raise CertificateError("a generator stands without its exponent")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _polynomial(value: Any) -> Written:
    return tuple((_number(term[0]), _powers(term[1:])) for term in map(_list, _list(value)))


def _one(reader: Callable[[Any], Any], row: list[Any]) -> Any:
    if len(row) != 2:
        raise CertificateError(f"{row!r} has {len(row)} parts where 2 should be")
    return reader(row[1])


def _two(first: Callable[[Any], Any], second: Callable[[Any], Any], row: list[Any]) -> Any:
    if len(row) != 3:
        raise CertificateError(f"{row!r} has {len(row)} parts where 3 should be")
    return first(row[1]), second(row[2])


def _many(row: list[Any]) -> tuple[int, ...]:
    return tuple(_integer(value) for value in row[1:])


_INSTRUCTIONS: dict[str, Callable[[list[Any]], Instruction]] = {
    "input": lambda row: Variable(_one(_text, row)),
    "number": lambda row: Number(_one(_number, row)),
    "root": lambda row: Root(*_two(_number, _integer, row)),
    "+": lambda row: Sum(_many(row)),
    "*": lambda row: Product(_many(row)),
    "1/": lambda row: Inverse(_one(_integer, row)),
    "exp": lambda row: Exponential(_one(_integer, row)),
    "log": lambda row: Logarithm(_one(_integer, row)),
    "sqrt": lambda row: SquareRoot(_one(_integer, row)),
    "apply": lambda row: Application(_text(row[1]), _many(row[1:])),
}

_DEFINITIONS: dict[str, Callable[[list[Any]], Definition]] = {
    "value": lambda row: Value(_one(_integer, row)),
    "prime root": lambda row: PrimeRoot(_one(_integer, row)),
    "exp": lambda row: ExponentialOf(_one(_polynomial, row)),
    "log": lambda row: LogarithmOf(_one(_polynomial, row)),
    "name": lambda row: Name(*_two(_polynomial, lambda part: _powers(_list(part)), row)),
    "sqrt": lambda row: RootOf(_one(_integer, row)),
    "1/": lambda row: Reciprocal(*_two(_polynomial, _integer_or_none, row)),
}


def _read(data: Any) -> Certificate:
    if type(data) is not dict or set(data) != set(KEYS):
        raise CertificateError(f"the keys must be {', '.join(KEYS)}")
    if data["format"] != FORMAT:
        raise CertificateError(f"the format must be {FORMAT!r}")
    pairs = []
    for row in _list(data["pairs"]):
        left, right, label = _list(row)
        pairs.append(Pair(_integer(left), _integer(right), _text(label)))
    vectors = []
    for row in _list(data["vectors"]):
        place, flat = _list(row)
        vectors.append((_integer(place), _powers(_list(flat))))
    return Certificate(
        tuple(_INSTRUCTIONS[row[0]](row) for row in map(_list, _list(data["instructions"]))),
        tuple(pairs),
        tuple(_text(name) for name in _list(data["expanded"])),
        tuple(_DEFINITIONS[row[0]](row) for row in map(_list, _list(data["definitions"]))),
        tuple(vectors),
    )
