"""Check a certificate of equality again, without the prover: ``recheck(text)``.

What a certificate states: two straight-line programs give equal real numbers, pair by pair, for
all real inputs at which both are defined (no denominator zero, no logarithm of what is not
positive, no square root of a negative number). Why what is accepted here is true:

1. Fix inputs at which both programs are defined. Each definition gives one generator a real
   number, by the values of instructions and of *earlier* generators alone; so all generators have
   values, and none can be defined by itself. (Where the words of a definition have no meaning,
   as for one over zero, its value is any number: see 4.)
2. Each rewriting rule is an equation between these numbers. A name Z := D with D = c * M + rest
   gives M = (Z - rest) / c; a prime root gives t^4 = p; a square root gives r^2 = g; a reciprocal
   r := 1 / D gives r * D = 1, solved for one term. Replacing by true equations changes no value,
   in whatever order; that rewriting ends is not needed, for it is cut off.
3. Instruction by instruction, the polynomial that is computed has the instruction's value: sums
   and products are those of polynomials; e^(sum of n_b * h_b) = product of e^(h_b)^(n_b), where the
   exponent is compared with the sum of n_b * h_b, term by term; opaque functions with equal
   operands have equal values; any instruction may be left unopened as a generator.
4. The equations in 2 and 3 have conditions: Z must not be zero where 1/Z is used, u must be
   positive where exp(log u) = u is used. Each generator *needs* such facts, its own and those of
   all generators in its definition and its rule, and must not be used before an earlier
   instruction has shown them: the operand of an inverse is not zero, so no factor of it is; the
   operand of a logarithm is positive. Other generators are visibly positive, as e^h is. So 3 holds
   by induction over the instructions, and no fact is used to show itself.
5. Both sides of each pair come out as one polynomial; so their values are equal.

Nothing here searches, and nothing is taken from the prover: this module uses only Python's
standard library. That the programs are those of a formula and of an implementation is for the
caller to check; the certificate holds them whole. So is whether the assumptions that are listed
can hold at all: of programs that are nowhere defined, everything is true.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, isqrt, lcm
from typing import Any, NoReturn

FORMAT = "attention-derived exact proof, version 1"
KEYS = ("format", "instructions", "pairs", "expanded", "definitions", "vectors")
OPENED = {"tanh": 2, "sigmoid": 1}
"""The c for which the function is 1 - c / (exp(c x) + 1)."""
GREATEST = 31
"""Exponents of stored polynomials lie between -31 and 31, those of a product within 62."""
MOST_STEPS = 5_000_000
MOST_TERMS = 2_000_000


class Refused(ValueError):
    """The text does not prove what it states."""


@dataclass(frozen=True)
class Recheck:
    """What a certificate establishes."""

    statement: str
    labels: tuple[str, ...]
    """The pairs that are equal."""
    instructions: int
    definitions: int
    assumptions: tuple[str, ...]
    """When both programs are defined, as far as it cannot be seen."""
    always: tuple[str, ...]
    """Conditions that visibly hold for all inputs."""
    opaque: tuple[str, ...]
    """Functions of which only this is used: equal operands give equal results."""

    @property
    def pairs(self) -> int:
        """How many pairs are equal."""
        return len(self.labels)


def recheck(certificate_text: str) -> Recheck:
    """Return what the certificate establishes; raise ``Refused`` where anything is off."""
    try:
        data = json.loads(certificate_text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Refused(f"this is not JSON: {error}") from error
    if type(data) is not dict or tuple(data) != KEYS:
        refuse(f"the keys must be {', '.join(KEYS)}")
    if data["format"] != FORMAT:
        refuse(f"the format must be {FORMAT!r}")
    for key in KEYS[1:]:
        if type(data[key]) is not list:
            refuse(f"{key} must be a list")
    program = [_instruction(place, row) for place, row in enumerate(data["instructions"])]
    return _Checker(program, data["pairs"], data["expanded"]).check(
        data["definitions"], data["vectors"]
    )


def refuse(reason: str) -> NoReturn:
    """Raise ``Refused``."""
    raise Refused(reason)


# Reading


def _once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(items)) != len(items):
        refuse("a key stands twice")
    return dict(items)


def _row(row: Any, length: int, what: str) -> list[Any]:
    if type(row) is not list or len(row) != length:
        refuse(f"{what} must be a list of {length}")
    return row


def _integer(value: Any, low: int, high: int, what: str) -> int:
    if type(value) is not int or not low <= value < high:
        refuse(f"{what} must be a whole number from {low} to {high - 1}, not {value!r:.40}")
    return value


def _fraction(value: Any, what: str) -> Fraction:
    """Read 3, "3/4" or "-3/4": one spelling for one number."""
    if type(value) is int:
        return Fraction(value)
    if type(value) is str and len(value) < 4000:
        above, bar, below = value.partition("/")
        if above.removeprefix("-").isdecimal() and bar and below.isdecimal() and int(below) > 1:
            number = Fraction(int(above), int(below))
            if str(number) == value:
                return number
    refuse(f"{what} is not a number: {value!r:.40}")


@dataclass(frozen=True)
class Instruction:
    """One instruction: what it does, on which earlier ones, with which name or number."""

    operation: str
    operands: tuple[int, ...] = ()
    name: str = ""
    number: Fraction = Fraction(0)
    degree: int = 0


ONE_OPERAND = ("1/", "exp", "log", "sqrt")


def _instruction(place: int, row: Any) -> Instruction:
    what = f"instruction {place}"
    if type(row) is not list or len(row) < 2 or type(row[0]) is not str:
        refuse(f"{what} must be a list that begins with its operation")
    operation, *rest = row
    if operation in ("input", "apply"):
        if type(rest[0]) is not str or not rest[0]:
            refuse(f"{what} has no name")
        name = rest.pop(0)
        if operation == "input":
            _row(rest, 0, what)
            return Instruction(operation, name=name)
        return Instruction(operation, _operands(rest, place, what), name=name)
    if operation == "number":
        _row(rest, 1, what)
        return Instruction(operation, number=_fraction(rest[0], what))
    if operation == "root":
        _row(rest, 2, what)
        radicand = _fraction(rest[0], what)
        if radicand <= 0 or rest[1] not in (2, 4) or type(rest[1]) is not int:
            refuse(f"{what} is not the second or fourth root of a positive number")
        return Instruction(operation, number=radicand, degree=rest[1])
    operands = _operands(rest, place, what)
    if operation in ONE_OPERAND:
        _row(rest, 1, what)
    elif operation not in ("+", "*"):
        refuse(f"{what} has an unknown operation")
    elif len(operands) < 2 or tuple(sorted(operands)) != operands:
        refuse(f"{what} needs two or more operands in ascending order")
    return Instruction(operation, operands)


def _operands(values: Sequence[Any], place: int, what: str) -> tuple[int, ...]:
    return tuple(_integer(value, 0, place, f"an operand of {what}") for value in values)


# Polynomials. A monomial is one integer: the exponent of generator g stands in byte g. A
# polynomial is whole numerators by monomial, and a common denominator.


@dataclass(frozen=True)
class Polynomial:
    """A sum of terms ``numerator / denominator * monomial``."""

    terms: dict[int, int]
    denominator: int = 1


@dataclass(frozen=True)
class Rule:
    """What the lead divides may be replaced; a negative exponent divides itself and lower ones."""

    lead: tuple[tuple[int, int], ...]
    monomial: int
    replacement: Polynomial


ZERO, ONE = Polynomial({}), Polynomial({0: 1})


def constant(value: Fraction | int) -> Polynomial:
    """Return a number as a polynomial."""
    value = Fraction(value)
    return Polynomial({0: value.numerator} if value else {}, value.denominator)


def packed(powers: Iterable[tuple[int, int]]) -> int:
    """Return a product of powers as a monomial."""
    return sum(exponent << (8 * generator) for generator, exponent in powers)


def lowest(polynomial: Polynomial) -> Polynomial:
    """Return the same polynomial with its one least denominator."""
    common = gcd(polynomial.denominator, *polynomial.terms.values())
    terms = {m: number // common for m, number in polynomial.terms.items()}
    return Polynomial(terms, polynomial.denominator // common)


def add(parts: Sequence[Polynomial]) -> Polynomial:
    """Return the sum."""
    denominator = lcm(*(part.denominator for part in parts))
    terms: dict[int, int] = {}
    for part in parts:
        factor = denominator // part.denominator
        for m, number in part.terms.items():
            terms[m] = terms.get(m, 0) + number * factor
    return Polynomial({m: number for m, number in terms.items() if number}, denominator)


def scale(polynomial: Polynomial, factor: Fraction | int) -> Polynomial:
    """Return factor * polynomial."""
    factor = Fraction(factor)
    terms = {m: n * factor.numerator for m, n in polynomial.terms.items() if factor}
    return Polynomial(terms, polynomial.denominator * factor.denominator)


class Ring:
    """Polynomials in a known number of generators, reduced by rules."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ones = sum(1 << (8 * generator) for generator in range(size))
        self.rules: dict[int, list[Rule]] = {}
        self.watched = 0
        self.steps = 0

    def powers(self, monomial: int) -> list[tuple[int, int]]:
        """Return the generators of a monomial with their exponents."""
        held = (monomial + 128 * self.ones).to_bytes(self.size, "little")
        return [(g, byte - 128) for g, byte in enumerate(held) if byte != 128]

    def add_rule(self, lead: tuple[tuple[int, int], ...], replacement: Polynomial) -> None:
        """Replace by this rule from now on."""
        self.rules.setdefault(lead[0][0], []).append(Rule(lead, packed(lead), replacement))
        self.watched |= 255 << (8 * lead[0][0])

    def settle(self, polynomial: Polynomial) -> Polynomial:
        """Return the polynomial reduced, in lowest terms."""
        polynomial = self.small(self.reduce(polynomial))
        if len(polynomial.terms) > MOST_TERMS:
            refuse(f"a polynomial has more than {MOST_TERMS} terms")
        return polynomial if polynomial.denominator == 1 else lowest(polynomial)

    def small(self, polynomial: Polynomial) -> Polynomial:
        """Return the polynomial itself, after the check that its exponents are small enough."""
        # An exponent from -32 to 31, raised by 32, leaves the two upper bits of its byte free.
        raised, upper = 32 * self.ones, 0xC0 * self.ones
        if any((m + raised) & upper for m in polynomial.terms):
            refuse(f"an exponent is greater than {GREATEST}")
        return polynomial

    def multiply(self, factors: Iterable[Polynomial]) -> Polynomial:
        """Return the product, reduced."""
        result = ONE
        for factor in sorted(factors, key=lambda factor: len(factor.terms)):
            if len(factor.terms) * len(result.terms) > 10 * MOST_TERMS:
                refuse("a product is too long")
            terms: dict[int, int] = {}
            get = terms.get
            for m, number in result.terms.items():
                for n, other in factor.terms.items():
                    terms[m + n] = get(m + n, 0) + number * other
            kept = {m: number for m, number in terms.items() if number}
            result = self.settle(Polynomial(kept, result.denominator * factor.denominator))
        return result

    def power(self, base: Polynomial, exponent: int) -> Polynomial:
        """Return base to a power that is not negative."""
        return self.multiply([base] * _integer(exponent, 0, 2 * GREATEST, "a multiplicity"))

    def reduce(self, polynomial: Polynomial) -> Polynomial:
        """Apply the rules, as long as any applies."""
        bias, watched = 128 * self.ones, self.watched
        calm = bias & watched
        dirty = [m for m in polynomial.terms if (m + bias) & watched != calm]
        if not dirty:
            return polynomial
        finished: dict[int, Fraction | int] = dict(polynomial.terms)
        waiting = {m: finished.pop(m) for m in dirty}
        while waiting:
            m, number = waiting.popitem()
            rule = self.applicable(m)
            parts: Iterator[tuple[int, Fraction | int]] = iter([(m, number)])
            if rule is not None:
                self.steps += 1
                base, other = m - rule.monomial, rule.replacement
                factor = number if other.denominator == 1 else Fraction(number) / other.denominator
                parts = ((base + n, factor * value) for n, value in other.terms.items())
            if self.steps > MOST_STEPS:
                refuse("rewriting does not come to an end")
            for new, share in parts:
                # From -64 to 63, raised by 64, leaves the upper bit free: so no step can carry.
                if (new + 64 * self.ones) & bias:
                    refuse(f"an exponent is greater than {2 * GREATEST}")
                place = finished if rule is None or (new + bias) & watched == calm else waiting
                place[new] = place.get(new, 0) + share
                if not place[new]:
                    del place[new]
        denominator = lcm(*(Fraction(value).denominator for value in finished.values()))
        terms = {m: int(value * denominator) for m, value in finished.items()}
        return lowest(Polynomial(terms, denominator * polynomial.denominator))

    def applicable(self, monomial: int) -> Rule | None:
        """Return a rule whose lead divides the monomial."""
        held = (monomial + 128 * self.ones).to_bytes(self.size, "little")
        for generator, rules in self.rules.items():
            if held[generator] != 128:
                for rule in rules:
                    if all(0 < e <= held[g] - 128 or 0 > e >= held[g] - 128 for g, e in rule.lead):
                        return rule
        return None


# Checking


class _Checker:
    """Holds what the definitions say and what is known so far at the fixed inputs."""

    def __init__(self, program: list[Instruction], pairs: list[Any], expanded: list[Any]) -> None:
        self.program = program
        names = [each.name for each in program if each.operation == "input"]
        if len(set(names)) != len(names):
            refuse("two inputs have one name")
        self.pairs: list[tuple[int, int, str]] = []
        for row in pairs:
            left, right, label = _row(row, 3, "a pair")
            for place in (left, right):
                _integer(place, 0, len(program), "a side of a pair")
            if type(label) is not str or not label:
                refuse("a pair has no label")
            self.pairs.append((left, right, label))
        if not pairs or len({label for *_, label in self.pairs}) != len(pairs):
            refuse("there must be pairs, and their labels must differ")
        everything = self.reachable((place for pair in self.pairs for place in pair[:2]), set())
        if len(everything) != len(program):
            refuse("an instruction is used by no pair")
        if expanded != [name for name in OPENED if name in expanded]:
            refuse(f"only {' and '.join(OPENED)} can be opened, in this order")
        self.expanded = set(expanded)
        applied = {each.name for each in program if each.operation == "apply"}
        if not self.expanded <= applied:
            refuse("a function is opened that does not occur")

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

    def check(self, definitions: list[Any], vectors: list[Any]) -> Recheck:
        """Read the definitions, evaluate the instructions, compare the pairs."""
        self.ring = Ring(len(definitions))
        self.kinds: list[str] = []
        self.leaves: dict[int, int] = {}
        self.primes: dict[int, int] = {}
        self.roots: dict[int, int] = {}
        self.exponents: dict[int, Polynomial] = {}
        self.raised: dict[int, Polynomial] = {}
        self.reciprocals: dict[int, Polynomial] = {}
        self.positive: set[int] = set()
        self.never_negative: set[int] = set()
        self.replaced: set[int] = set()
        # Facts are bits. That of an input, unopened value or name is that it is not zero; that of
        # a logarithm, square root or reciprocal is that it is defined.
        self.needs = [0] * len(definitions)
        self.rests_on: list[set[int]] = [set() for _ in definitions]
        self.known = 0
        for row in definitions:
            self.define(row)
        self.close()
        self.evaluate(vectors)
        for left, right, label in self.pairs:
            if left != right and lowest(self.values[left]) != lowest(self.values[right]):
                refuse(f"the two sides of {label} come out different")
        assumptions, always = _conditions(self.program)
        labels = tuple(label for *_, label in self.pairs)
        applied = {each.name for each in self.program if each.operation == "apply"}
        return Recheck(
            statement=(
                f"{len(labels)} pairs of values are equal for all real inputs at which both "
                "programs are defined"
            ),
            labels=labels,
            instructions=len(self.program),
            definitions=len(definitions),
            assumptions=assumptions,
            always=always,
            opaque=tuple(sorted(applied - self.expanded)),
        )

    # Definitions

    def polynomial(self, rows: Any, what: str) -> Polynomial:
        """Read a polynomial in earlier generators; the new one needs what it needs."""
        new = len(self.kinds)
        terms: dict[int, Fraction] = {}
        if type(rows) is not list or not rows:
            refuse(f"{what} has no terms")
        for row in rows:
            if type(row) is not list or len(row) % 2 != 1:
                refuse(f"{what} has a term that is not a number with powers of generators")
            powers = self.read_powers(row[1:], what)
            for generator, exponent in powers:
                self.rests_on[new].add(generator)
                if exponent < 0:
                    if self.kinds[generator] in ("log", "sqrt", "1/"):
                        refuse(
                            f"{what} divides by generator {generator}, a {self.kinds[generator]}"
                        )
                    self.need_nonzero(new, generator)
            value = _fraction(row[0], what)
            if not value or packed(powers) in terms:
                refuse(f"{what} has a term that is zero or stands twice")
            terms[packed(powers)] = value
        denominator = lcm(*(value.denominator for value in terms.values()))
        return Polynomial({m: int(v * denominator) for m, v in terms.items()}, denominator)

    def read_powers(self, flat: Any, what: str) -> tuple[tuple[int, int], ...]:
        """Read powers of earlier generators, in ascending order."""
        if type(flat) is not list or len(flat) % 2:
            refuse(f"{what} has a generator without exponent")
        for generator, exponent in zip(flat[::2], flat[1::2], strict=True):
            _integer(generator, 0, len(self.kinds), f"a generator in {what}")
            if _integer(exponent, -GREATEST, GREATEST + 1, f"an exponent in {what}") == 0:
                refuse(f"{what} has an exponent that is zero")
        if sorted(set(flat[::2])) != flat[::2]:
            refuse(f"{what} has generators out of order")
        return tuple(zip(flat[::2], flat[1::2], strict=True))

    def need_nonzero(self, new: int, generator: int) -> None:
        """Note that the new generator is of use only where another one is not zero."""
        if generator not in self.positive:
            self.needs[new] |= 1 << generator

    def define(self, row: Any) -> None:
        """Read one definition; it may speak of earlier generators and of instructions only."""
        new = len(self.kinds)
        what = f"definition {new}"
        if type(row) is not list or len(row) not in (2, 3) or type(row[0]) is not str:
            refuse(f"{what} must be a list that begins with its kind")
        kind, argument = row[0], row[1]
        _row(row, 3 if kind in ("name", "1/") else 2, what)
        itself = Polynomial({1 << (8 * new): 1})
        if kind == "value":
            place = _integer(argument, 0, len(self.program), f"the instruction of {what}")
            if place in self.leaves:
                refuse(f"{what} gives a second generator to instruction {place}")
            self.leaves[place] = new
        elif kind == "prime root":
            prime = _integer(argument, 2, 1 << 64, f"the prime of {what}")
            if prime in self.primes:
                refuse(f"{what} takes a root a second time")
            self.primes[prime] = new
            self.positive.add(new)
            self.never_negative.add(new)
            self.ring.add_rule(((new, 4),), constant(prime))
            self.ring.add_rule(((new, -1),), Polynomial({3 << (8 * new): 1}, prime))
        elif kind == "exp":
            self.exponents[new] = self.polynomial(argument, what)
            self.raised[new] = itself
            self.positive.add(new)
            self.never_negative.add(new)
        elif kind == "log":
            self.raised[new] = self.polynomial(argument, what)
            self.exponents[new] = itself
            if self.sign(self.raised[new]) != "positive":
                self.needs[new] |= 1 << new
        elif kind == "name":
            self.define_name(new, what, row)
        elif kind == "sqrt":
            under = _integer(argument, 0, new, f"the generator of {what}")
            if under in self.roots:
                refuse(f"{what} takes a root a second time")
            self.roots[under] = new
            self.rests_on[new].add(under)
            self.never_negative.add(new)
            if under in self.positive:
                self.positive.add(new)
            if under not in self.never_negative:
                self.needs[new] |= 1 << new
            lowered = Polynomial({(1 << (8 * new)) - (1 << (8 * under)): 1})
            self.ring.add_rule(((new, 2),), Polynomial({1 << (8 * under): 1}))
            self.ring.add_rule(((new, -1),), lowered)
        elif kind == "1/":
            self.define_reciprocal(new, what, row)
        else:
            refuse(f"{what} is of an unknown kind")
        self.kinds.append(kind)

    def define_name(self, new: int, what: str, row: list[Any]) -> None:
        """Z := D with D = c * lead + rest, whence lead = (Z - rest) / c."""
        value = self.polynomial(row[1], what)
        lead = self.read_powers(row[2], what)
        if not lead or any(exponent < 0 for _, exponent in lead):
            refuse(f"{what} has no lead, or one with a negative exponent")
        for generator, _ in lead:
            if generator in self.replaced:
                refuse(f"{what} replaces generator {generator}, which is replaced already")
            self.replaced.add(generator)
        held = {m: dict(self.ring.powers(m)) for m in value.terms}
        tops = [m for m in held if all(held[m].get(g, 0) >= e for g, e in lead)]
        if len(tops) != 1:
            refuse(f"the lead of {what} divides {len(tops)} of its terms, not one")
        self.note_sign(new, value)
        # The rule applies to what holds the first generator of its lead: that needs the rule's.
        first = lead[0][0]
        self.rests_on[first] |= {new, *self.rests_on[new]}
        self.needs[first] |= self.needs[new]
        rule = self.solve(value, tops[0], tops[0] - packed(lead), 1 << (8 * new), 0, first)
        self.ring.add_rule(lead, rule)

    def define_reciprocal(self, new: int, what: str, row: list[Any]) -> None:
        """1 = r * D = r * (a x^n + rest), solved for r x^n, and for r / x likewise."""
        value = self.polynomial(row[1], what)
        self.note_sign(new, value)
        if new not in self.positive:
            self.needs[new] |= 1 << new
        self.reciprocals[new] = value
        if row[2] is None:
            return
        variable = _integer(row[2], 0, new, f"the generator of {what}")
        degrees = {m: dict(self.ring.powers(m)).get(variable, 0) for m in value.terms}
        highest = max(degrees.values())
        ends = [[m for m, each in degrees.items() if each == end] for end in (highest, 0)]
        if highest < 1 or min(degrees.values()) < 0 or len(ends[0]) != 1:
            refuse(f"{what} is not ordered by the powers of generator {variable}")
        itself, step = 1 << (8 * new), 1 << (8 * variable)
        top = ends[0][0]
        upper = self.solve(value, top, top - highest * step, 0, itself, new)
        self.ring.add_rule(((variable, highest), (new, 1))[::-1], upper)
        if len(ends[1]) == 1:
            low = ends[1][0]
            lower = self.solve(value, low, low, -step, itself - step, new)
            self.ring.add_rule(((new, 1), (variable, -1)), lower)

    def solve(
        self, value: Polynomial, term: int, cofactor: int, left: int, right: int, user: int
    ) -> Polynomial:
        """Return (left - right * (value - term)) / (coefficient of term * cofactor)."""
        for generator, _ in self.ring.powers(cofactor):
            if self.kinds[generator] in ("log", "sqrt", "1/"):
                refuse(f"a rule would divide by generator {generator}, a {self.kinds[generator]}")
            self.need_nonzero(user, generator)
        rest = {right + m: -number for m, number in value.terms.items() if m != term}
        parts = add([Polynomial({left: 1}), Polynomial(rest, value.denominator)])
        divided = scale(parts, Fraction(value.denominator, value.terms[term]))
        solved = {m - cofactor: number for m, number in divided.terms.items()}
        return self.ring.small(lowest(Polynomial(solved, divided.denominator)))

    def sign(self, value: Polynomial) -> str:
        """Return what is plain of a sum of products of squares and generators of known sign."""
        held = [self.ring.powers(m) for m in value.terms]
        if any(number < 0 for number in value.terms.values()) or not all(
            g in self.never_negative or e % 2 == 0 for each in held for g, e in each
        ):
            return "unknown"
        if any(all(g in self.positive for g, _ in each) for each in held):
            return "positive"
        return "not negative"

    def note_sign(self, new: int, value: Polynomial) -> None:
        """Note the sign that a new generator has by its definition."""
        sign = self.sign(value)
        if sign == "positive":
            self.positive.add(new)
        if sign != "unknown":
            self.never_negative.add(new)

    def close(self) -> None:
        """Let every generator need what those need on which it rests; reduce all polynomials."""
        changed = True
        while changed:
            changed = False
            for generator, others in enumerate(self.rests_on):
                needs = self.needs[generator]
                for other in others:
                    needs |= self.needs[other]
                changed = changed or needs != self.needs[generator]
                self.needs[generator] = needs
        for rules in reversed(list(self.ring.rules.values())):
            rules[:] = [
                Rule(rule.lead, rule.monomial, self.ring.settle(rule.replacement)) for rule in rules
            ]
        for polynomials in (self.exponents, self.raised, self.reciprocals):
            for generator, polynomial in polynomials.items():
                polynomials[generator] = self.ring.settle(polynomial)

    # Instructions

    def evaluate(self, vectors: list[Any]) -> None:
        """Give each instruction that the pairs need its polynomial, in order."""
        self.values: dict[int, Polynomial] = {}
        self.vectors: dict[int, list[tuple[int, int]]] = {}
        for row in vectors:
            place, flat = _row(row, 2, "a vector")
            _integer(place, 0, len(self.program), "the instruction of a vector")
            if place in self.vectors:
                refuse(f"instruction {place} has two vectors")
            self.vectors[place] = list(self.read_powers(flat, f"the vector of {place}"))
        self.applied: dict[object, int] = {}
        # A generator may stand for any instruction; what is below is then not looked at. Only an
        # opaque function still needs its operands, to be recognised when it comes again.
        stops = {place for place in self.leaves if self.program[place].operation != "apply"}
        goals = (place for pair in self.pairs if pair[0] != pair[1] for place in pair[:2])
        unused = set(self.vectors)
        for place in sorted(self.reachable(goals, stops)):
            unused.discard(place)
            if place in stops:
                self.values[place] = self.use(self.leaves[place])
            else:
                self.values[place] = self.instruction(place, self.program[place])
        if unused:
            refuse(f"the vector of instruction {min(unused)} is not used")

    def use(self, generator: int) -> Polynomial:
        """Return the generator as a polynomial, where all that it needs is known."""
        if self.needs[generator] & ~self.known:
            refuse(f"generator {generator} is used before its conditions are known")
        return self.ring.settle(Polynomial({1 << (8 * generator): 1}))

    def instruction(self, place: int, instruction: Instruction) -> Polynomial:
        """Return the polynomial of one instruction."""
        operation = instruction.operation
        inner = [self.values[operand] for operand in instruction.operands]
        if place in self.vectors and operation not in ("exp", "log", "apply"):
            refuse(f"instruction {place} has a vector and no use for it")
        if operation == "number":
            return constant(instruction.number)
        if operation == "root":
            return self.root(instruction.number, instruction.degree)
        if operation == "+":
            return add(inner)
        if operation == "*":
            return self.ring.multiply(inner)
        if operation == "1/":
            return self.inverse(inner[0], place)
        if operation == "exp":
            return self.exponential(place, inner[0])
        if operation == "log":
            return self.logarithm(place, inner[0])
        if operation == "sqrt":
            return self.square_root(place, inner[0])
        if operation == "apply":
            return self.application(place, instruction, inner)
        refuse(f"instruction {place}, an input, has no generator")

    def application(
        self, place: int, instruction: Instruction, inner: list[Polynomial]
    ) -> Polynomial:
        """Open tanh or sigmoid, or find the generator of the function with these operands."""
        if instruction.name in self.expanded and place not in self.leaves:
            if len(inner) != 1:
                refuse(f"instruction {place} does not have the one operand of its function")
            multiple = OPENED[instruction.name]
            growth = self.exponential(place, scale(inner[0], multiple))
            fraction = self.inverse(add([growth, ONE]), place)
            return add([ONE, scale(fraction, -multiple)])
        if place in self.vectors:
            refuse(f"instruction {place} has a vector and no use for it")
        reduced = [lowest(value) for value in inner]
        key = (
            instruction.name,
            tuple((each.denominator, frozenset(each.terms.items())) for each in reduced),
        )
        if key not in self.applied:
            if place not in self.leaves:
                refuse(f"instruction {place}, an opaque function, has no generator")
            self.applied[key] = self.leaves[place]
        return self.use(self.applied[key])

    def inverse(self, value: Polynomial, place: int) -> Polynomial:
        """Return one over a polynomial whose value is known not to be zero."""
        if len(value.terms) == 1:
            return self.inverse_monomial(value)
        for generator, denominator in self.reciprocals.items():
            if value.terms and denominator.terms:
                top, below = max(value.terms), max(denominator.terms)
                ratio = Polynomial(
                    {top - below: value.terms[top] * denominator.denominator},
                    value.denominator * denominator.terms[below],
                )
                if ratio.denominator < 0:
                    ratio = Polynomial({top - below: -ratio.terms[top - below]}, -ratio.denominator)
                ratio = self.ring.settle(ratio)
                if len(ratio.terms) == 1 and lowest(
                    self.ring.multiply([ratio, denominator])
                ) == lowest(value):
                    self.known |= 1 << generator
                    return self.ring.multiply([self.inverse_monomial(ratio), self.use(generator)])
        refuse(f"instruction {place} divides by what is neither a monomial nor a named reciprocal")

    def inverse_monomial(self, value: Polynomial) -> Polynomial:
        """Return one over a monomial whose value is not zero: then no factor of it is."""
        ((monomial, number),) = value.terms.items()
        for generator, exponent in self.ring.powers(monomial):
            if exponent > 0 and self.kinds[generator] in ("value", "name"):
                self.known |= 1 << generator
            if exponent > 0 and self.kinds[generator] == "sqrt":
                under = next(g for g, root in self.roots.items() if root == generator)
                self.known |= 1 << under
        sign = 1 if number > 0 else -1
        return self.ring.settle(Polynomial({-monomial: sign * value.denominator}, abs(number)))

    def vector(self, place: int) -> list[tuple[int, int]]:
        """Return the multiplicities of the basis for an exponential or logarithm."""
        if place not in self.vectors:
            refuse(f"instruction {place} has no vector")
        for generator, _ in self.vectors[place]:
            if generator not in self.exponents:
                refuse(f"the vector of {place} names generator {generator}, not in the basis")
        return self.vectors[place]

    def combined(self, vector: list[tuple[int, int]]) -> Polynomial:
        """Return the exponent with these multiplicities."""
        return add([scale(self.exponents[g], times) for g, times in vector] or [ZERO])

    def product_of_powers(self, vector: list[tuple[int, int]], place: int) -> Polynomial:
        """Return the exponential of that exponent."""
        return self.ring.multiply(
            self.ring.power(
                self.raised[g] if times > 0 else self.inverse(self.raised[g], place), abs(times)
            )
            for g, times in vector
        )

    def exponential(self, place: int, exponent: Polynomial) -> Polynomial:
        """e^(sum of n_b * h_b) = product of (e^h_b)^n_b."""
        vector = self.vector(place)
        for generator, _ in vector:
            self.use(generator)
        if lowest(self.combined(vector)) != lowest(exponent):
            refuse(f"the vector of instruction {place} does not give its exponent")
        return self.product_of_powers(vector, place)

    def logarithm(self, place: int, value: Polynomial) -> Polynomial:
        """log(product of u_b^n_b) = sum of n_b * log(u_b), where each u_b is positive."""
        vector = self.vector(place)
        unknown = [(g, n) for g, n in vector if self.needs[g] & ~self.known]
        if len(unknown) == 1:
            # The product is positive, for the program is defined here, and so are all other
            # factors: then is this one too, if it stands there with an odd multiplicity.
            ((generator, times),) = unknown
            if self.needs[generator] & ~self.known == 1 << generator and times > 0 and times % 2:
                unknown = []
                learned = 1 << generator
            else:
                learned = 0
        else:
            learned = 0
        if unknown:
            refuse(f"instruction {place}: it is not known that each factor is positive")
        if lowest(self.product_of_powers(vector, place)) != lowest(value):
            refuse(f"the vector of instruction {place} does not give its operand")
        self.known |= learned
        return self.ring.settle(self.combined(vector))

    def square_root(self, place: int, value: Polynomial) -> Polynomial:
        """The root of a product is the product of roots, where each factor is not negative."""
        if not value.terms:
            return ZERO
        if len(value.terms) != 1:
            refuse(f"instruction {place} takes the root of what is not a monomial")
        ((monomial, number),) = value.terms.items()
        powers = self.ring.powers(monomial)
        unknown = [(g, e) for g, e in powers if g not in self.never_negative]
        if number < 0 or len(unknown) > 1 or any(e % 2 == 0 for _, e in unknown):
            refuse(f"instruction {place}: the sign of a factor is not known")
        factors = [self.root(Fraction(number, value.denominator), 2)]
        for generator, exponent in powers:
            half, odd = divmod(exponent, 2)
            factors.append(Polynomial({half << (8 * generator): 1}))
            if odd:
                if generator not in self.roots:
                    refuse(f"generator {generator} has no square root")
                self.known |= 1 << self.roots[generator]
                factors.append(self.use(self.roots[generator]))
        return self.ring.multiply(factors)

    def root(self, radicand: Fraction, degree: int) -> Polynomial:
        """Return a root of a positive number by the fourth roots of the primes."""
        rest = radicand
        factors = []
        for prime, generator in self.primes.items():
            exponent = 0
            while rest.numerator % prime == 0:
                rest, exponent = rest / prime, exponent + 1
            while rest.denominator % prime == 0:
                rest, exponent = rest * prime, exponent - 1
            whole, part = divmod(exponent * 4 // degree, 4)
            factors.append(constant(Fraction(prime) ** whole))
            factors.append(Polynomial({part << (8 * generator): 1}))
        for _ in range(degree // 2):
            above, below = isqrt(rest.numerator), isqrt(rest.denominator)
            if above**2 != rest.numerator or below**2 != rest.denominator:
                refuse(f"a root of {radicand} needs a prime that has no root")
            rest = Fraction(above, below)
        return self.ring.multiply([constant(rest), *factors])


# Conditions in words


CONDITIONS = {
    "1/": ("a denominator", "not zero"),
    "log": ("the argument of a logarithm", "positive"),
    "sqrt": ("the argument of a square root", "not negative"),
}


def _conditions(program: Sequence[Instruction]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what must hold for the programs to be defined, and what of it always does."""
    signs = _signs(program)
    assumptions: list[str] = []
    visible: Counter[str] = Counter()
    for instruction in program:
        if instruction.operation not in CONDITIONS:
            continue
        what, condition = CONDITIONS[instruction.operation]
        (place,) = instruction.operands
        sign, operand = signs[place], program[place]
        if operand.operation == "number":
            number = operand.number
            holds = {"1/": number != 0, "log": number > 0, "sqrt": number >= 0}
            if not holds[instruction.operation]:
                refuse(f"{what} is {number}: the programs are defined nowhere")
            visible[f"{what} is a number that is {condition}"] += 1
        elif _exponentials(program, place):
            visible[f"{what} is a sum of exponentials, always positive"] += 1
        elif sign == "positive" or (sign == condition):
            visible[
                f"{what} is made of exponentials, squares and positive numbers, always {sign}"
            ] += 1
        else:
            assumptions.append(f"{_words(program, place)} is {condition}")
    return tuple(assumptions), tuple(f"{text} ({n} times)" for text, n in visible.items())


def _exponentials(program: Sequence[Instruction], place: int) -> bool:
    """Return whether this is an exponential, or a sum of such and of positive numbers."""
    instruction = program[place]
    if instruction.operation == "+":
        return all(_exponentials(program, each) for each in instruction.operands)
    return instruction.operation == "exp" or (
        instruction.operation == "number" and instruction.number > 0
    )


def _signs(program: Sequence[Instruction]) -> list[str]:
    """Return for each instruction "positive", "not negative" or "unknown", as far as is plain."""
    signs: list[str] = []
    for instruction in program:
        inner = [signs[operand] for operand in instruction.operands]
        sign = "unknown"
        match instruction.operation:
            case "exp" | "root":
                sign = "positive"
            case "number" if instruction.number >= 0:
                sign = "positive" if instruction.number else "not negative"
            case "+" if "unknown" not in inner:
                sign = "positive" if "positive" in inner else "not negative"
            case "*":
                counts = Counter(instruction.operands)
                if all(signs[g] == "positive" for g in counts):
                    sign = "positive"
                elif all(n % 2 == 0 or signs[g] != "unknown" for g, n in counts.items()):
                    sign = "not negative"
            case "1/" if inner[0] != "unknown":
                sign = "positive"
            case "sqrt":
                sign = inner[0] if inner[0] == "positive" else "not negative"
        signs.append(sign)
    return signs


def _words(program: Sequence[Instruction], place: int, depth: int = 3) -> str:
    """Return an instruction as a short formula."""
    instruction = program[place]
    operation = instruction.operation
    if operation == "input":
        return instruction.name
    if operation == "number":
        return str(instruction.number)
    if depth == 0:
        return f"[{place}]"
    inner = [_words(program, each, depth - 1) for each in instruction.operands[:4]]
    if len(instruction.operands) > 4:
        inner.append("...")
    if operation in ("+", "*"):
        return f"({f' {operation} '.join(inner)})"
    if operation == "root":
        return f"{instruction.number}^(1/{instruction.degree})"
    name = instruction.name or {"1/": "1/"}.get(operation, operation)
    return f"{name}({', '.join(inner)})"
