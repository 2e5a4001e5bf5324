"""The replay: instruction by instruction, the polynomial that has the instruction's value.

Each method for an operation begins with the equation that it uses. The conditions of an equation
must be known when it is used; what an instruction shows is known only after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

from derive.rechecking.definitions import Definitions
from derive.rechecking.layout import Refused, integer, list_of, refuse
from derive.rechecking.polynomials import (
    ONE,
    ZERO,
    Polynomial,
    Powers,
    add,
    constant,
    lowest,
    packed,
    same,
    scale,
)
from derive.rechecking.statement import OPENED, Instruction, Statement


def evaluate(
    statement: Statement, definitions: Definitions, vectors: list[Any]
) -> dict[int, Polynomial]:
    """Return the polynomials of all instructions that the pairs need."""
    return _Replay(statement, definitions, vectors).run()


class _Replay:
    """The instructions' polynomials and the facts that they have shown so far."""

    def __init__(self, statement: Statement, definitions: Definitions, vectors: list[Any]) -> None:
        self.statement = statement
        self.definitions = definitions
        self.ring = definitions.ring
        self.facts = definitions.facts
        self.values: dict[int, Polynomial] = {}
        # The generators of opaque functions, by function and operands.
        self.applied: dict[object, int] = {}
        # The multiplicities n_b by which an exponential or logarithm is taken apart.
        self.vectors: dict[int, Powers] = {}
        for row in vectors:
            place, flat = list_of(row, 2, "a vector")
            integer(place, 0, len(statement.program), "the instruction of a vector")
            if place in self.vectors:
                refuse(f"instruction {place} has two vectors")
            self.vectors[place] = definitions.read_powers(flat, f"the vector of {place}")

    def run(self) -> dict[int, Polynomial]:
        """Give each instruction that the pairs need its polynomial, in order."""
        program, leaves = self.statement.program, self.definitions.leaves
        # A generator may stand for any instruction; what is below is then not looked at. Only an
        # opaque function still needs its operands, to be recognised when it comes again.
        stops = {place for place in leaves if program[place].operation != "apply"}
        differing = (pair for pair in self.statement.pairs if pair.left != pair.right)
        goals = (place for pair in differing for place in (pair.left, pair.right))
        unused = set(self.vectors)
        for place in sorted(self.statement.reachable(goals, stops)):
            unused.discard(place)
            if place in stops:
                self.values[place] = self.use(leaves[place])
            else:
                self.values[place] = self.instruction(place, program[place])
        if unused:
            refuse(f"the vector of instruction {min(unused)} is not used")
        return self.values

    def use(self, generator: int) -> Polynomial:
        """Return the generator as a polynomial, where all that it needs is known."""
        if self.facts.missing(generator):
            refuse(f"generator {generator} is used before its conditions are known")
        return self.ring.settle(Polynomial({packed((generator, 1)): 1}))

    def instruction(self, place: int, instruction: Instruction) -> Polynomial:
        """Return the polynomial of one instruction."""
        inner = [self.values[operand] for operand in instruction.operands]
        if place in self.vectors and instruction.operation not in ("exp", "log", "apply"):
            refuse(f"instruction {place} has a vector and no use for it")
        match instruction.operation:
            case "number":
                return constant(instruction.number)
            case "root":
                return self.root(instruction.number, instruction.degree)
            case "+":
                return add(inner)
            case "*":
                return self.ring.multiply(inner)
            case "1/":
                return self.inverse(place, inner[0])
            case "exp":
                return self.exponential(place, inner[0])
            case "log":
                return self.logarithm(place, inner[0])
            case "sqrt":
                return self.square_root(place, inner[0])
            case "apply":
                return self.application(place, instruction.name, inner)
        raise Refused(f"instruction {place}, an input, has no generator")

    def application(self, place: int, name: str, inner: list[Polynomial]) -> Polynomial:
        """Use f(x) = 1 - c / (e^(c x) + 1) for an opened function, else f(x) = f(y) for x = y."""
        leaves = self.definitions.leaves
        if name in self.statement.opened and place not in leaves:
            return self.opened(place, name, inner)
        if place in self.vectors:
            refuse(f"instruction {place} has a vector and no use for it")
        reduced = [lowest(value) for value in inner]
        operands = tuple((each.denominator, frozenset(each.terms.items())) for each in reduced)
        key = (name, operands)
        if key not in self.applied:
            if place not in leaves:
                refuse(f"instruction {place}, an opaque function, has no generator")
            self.applied[key] = leaves[place]
        return self.use(self.applied[key])

    def opened(self, place: int, name: str, inner: list[Polynomial]) -> Polynomial:
        """Use tanh(x) = 1 - 2 / (e^(2 x) + 1) or sigmoid(x) = 1 - 1 / (e^x + 1)."""
        if len(inner) != 1:
            refuse(f"instruction {place} does not have the one operand of its function")
        multiple = OPENED[name]
        growth = self.exponential(place, scale(inner[0], multiple))
        reciprocal = self.inverse(place, add([growth, ONE]))
        return add([ONE, scale(reciprocal, -multiple)])

    def inverse(self, place: int, value: Polynomial) -> Polynomial:
        """Use 1 / (m * D) = (1 / m) * r for a monomial m and a reciprocal r := 1 / D.

        The program is defined here, so m * D is not zero: then D is not, and r is defined.
        """
        if len(value.terms) == 1:
            return self.inverse_monomial(value)
        for generator, denominator in self.definitions.reciprocals.items():
            factor = self.monomial_factor(value, denominator)
            if factor is not None:
                self.facts.learn(generator)
                return self.ring.multiply([self.inverse_monomial(factor), self.use(generator)])
        raise Refused(
            f"instruction {place} divides by what is neither a monomial nor a named reciprocal"
        )

    def monomial_factor(self, value: Polynomial, denominator: Polynomial) -> Polynomial | None:
        """Return the monomial m for which m * denominator = value, if it is seen at once."""
        if not value.terms or not denominator.terms:
            return None
        top, below = max(value.terms), max(denominator.terms)
        above = value.terms[top] * denominator.denominator
        under = value.denominator * denominator.terms[below]
        if under < 0:
            above, under = -above, -under
        factor = self.ring.settle(Polynomial({top - below: above}, under))
        if len(factor.terms) == 1 and same(self.ring.multiply([factor, denominator]), value):
            return factor
        return None

    def inverse_monomial(self, value: Polynomial) -> Polynomial:
        """Use 1 / (c * m) = (1 / c) * m^-1, where c * m is not zero: then no factor of it is."""
        ((monomial, number),) = value.terms.items()
        kinds, roots = self.definitions.kinds, self.definitions.roots
        for generator, exponent in self.ring.powers(monomial):
            if exponent > 0 and kinds[generator] in ("value", "name"):
                self.facts.learn(generator)
            if exponent > 0 and kinds[generator] == "sqrt":
                self.facts.learn(next(under for under, root in roots.items() if root == generator))
        sign = 1 if number > 0 else -1
        return self.ring.settle(Polynomial({-monomial: sign * value.denominator}, abs(number)))

    def vector(self, place: int) -> Powers:
        """Return the multiplicities of the basis for an exponential or logarithm."""
        if place not in self.vectors:
            refuse(f"instruction {place} has no vector")
        for generator, _ in self.vectors[place]:
            if generator not in self.definitions.exponents:
                refuse(f"the vector of {place} names generator {generator}, not in the basis")
        return self.vectors[place]

    def combined(self, vector: Powers) -> Polynomial:
        """Return sum of n_b * h_b."""
        exponents = self.definitions.exponents
        return add([scale(exponents[g], times) for g, times in vector] or [ZERO])

    def product_of_powers(self, place: int, vector: Powers) -> Polynomial:
        """Return product of (e^h_b)^n_b."""
        raised = self.definitions.raised
        return self.ring.multiply(
            self.ring.power(raised[g] if times > 0 else self.inverse(place, raised[g]), abs(times))
            for g, times in vector
        )

    def exponential(self, place: int, exponent: Polynomial) -> Polynomial:
        """Use e^(sum of n_b * h_b) = product of (e^h_b)^n_b."""
        vector = self.vector(place)
        for generator, _ in vector:
            self.use(generator)
        if not same(self.combined(vector), exponent):
            refuse(f"the vector of instruction {place} does not give its exponent")
        return self.product_of_powers(place, vector)

    def logarithm(self, place: int, value: Polynomial) -> Polynomial:
        """Use log(product of u_b^n_b) = sum of n_b * log(u_b), where each u_b is positive."""
        vector = self.vector(place)
        unknown = [(g, times) for g, times in vector if self.facts.missing(g)]
        learned = self.implied_positive(unknown)
        if unknown and learned is None:
            refuse(f"instruction {place}: it is not known that each factor is positive")
        if not same(self.product_of_powers(place, vector), value):
            refuse(f"the vector of instruction {place} does not give its operand")
        if learned is not None:
            self.facts.learn(learned)
        return self.ring.settle(self.combined(vector))

    def implied_positive(self, unknown: Sequence[tuple[int, int]]) -> int | None:
        """Return the one generator of a logarithm whose u_b is positive because all others are.

        The product is positive, for the program is defined here, and so are all other factors:
        then is this one too, if it stands there with an odd multiplicity.
        """
        if len(unknown) != 1:
            return None
        ((generator, times),) = unknown
        itself_alone = self.facts.missing(generator) == 1 << generator
        return generator if itself_alone and times > 0 and times % 2 else None

    def square_root(self, place: int, value: Polynomial) -> Polynomial:
        """Use (c * product of g^e)^(1/2) = c^(1/2) * product of g^(e/2), if no g is negative.

        The program is defined here, so c * product of g^e is not negative; from this follows the
        sign of one g with an odd exponent. For odd e, g^(e/2) is a power of g times the generator
        g^(1/2).
        """
        if not value.terms:
            return ZERO
        if len(value.terms) != 1:
            refuse(f"instruction {place} takes the root of what is not a monomial")
        ((monomial, number),) = value.terms.items()
        powers = self.ring.powers(monomial)
        unknown = [(g, e) for g, e in powers if g not in self.facts.never_negative]
        if number < 0 or len(unknown) > 1 or any(e % 2 == 0 for _, e in unknown):
            refuse(f"instruction {place}: the sign of a factor is not known")
        # Where another factor is zero, the product says nothing of the sign of this one.
        if unknown and any(
            (g, e) not in unknown and g not in self.facts.positive for g, e in powers
        ):
            refuse(f"instruction {place}: the sign of a factor is not known")
        roots = self.definitions.roots
        factors = [self.root(Fraction(number, value.denominator), 2)]
        for generator, exponent in powers:
            half, odd = divmod(exponent, 2)
            factors.append(Polynomial({packed((generator, half)): 1}))
            if odd:
                if generator not in roots:
                    refuse(f"generator {generator} has no square root")
                self.facts.learn(roots[generator])
                factors.append(self.use(roots[generator]))
        return self.ring.multiply(factors)

    def root(self, radicand: Fraction, degree: int) -> Polynomial:
        """Use (s * product of p^k)^(1/d) = s^(1/d) * product of p^w * t^f, for t := p^(1/4).

        Here k / d = w + f / 4 with f from 0 to 3, and s^(1/d) must be a fraction.
        """
        rest = radicand
        factors = []
        for prime, generator in self.definitions.primes.items():
            exponent = 0
            while rest.numerator % prime == 0:
                rest, exponent = rest / prime, exponent + 1
            while rest.denominator % prime == 0:
                rest, exponent = rest * prime, exponent - 1
            whole, fourths = divmod(exponent * 4 // degree, 4)
            factors.append(constant(Fraction(prime) ** whole))
            # Through ``use``: where a name replaces the root, what the name rests on must be known.
            factors.append(self.ring.power(self.use(generator), fourths) if fourths else ONE)
        for _ in range(degree // 2):
            above, below = isqrt(rest.numerator), isqrt(rest.denominator)
            if above**2 != rest.numerator or below**2 != rest.denominator:
                refuse(f"a root of {radicand} needs a prime that has no root")
            rest = Fraction(above, below)
        return self.ring.multiply([constant(rest), *factors])
