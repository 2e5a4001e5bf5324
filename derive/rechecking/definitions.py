"""The definitions of the generators, and the rewriting rules that follow from them.

A definition speaks of the values of instructions and of earlier generators only. Each method for a
kind of definition begins with its equations; ``:=`` is the definition, and the others follow.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

from derive.rechecking.facts import Facts
from derive.rechecking.layout import fraction, integer, list_of, refuse
from derive.rechecking.polynomials import (
    GREATEST,
    Polynomial,
    Powers,
    Ring,
    Rule,
    add,
    constant,
    lowest,
    packed,
    scale,
)


class Definitions:
    """What the generators are, by their numbers: the places of their definitions."""

    def __init__(self, rows: list[Any], instructions: int) -> None:
        self.instructions = instructions
        self.ring = Ring(len(rows))
        self.facts = Facts(self.ring)
        self.kinds: list[str] = []
        # Generators by what they stand for: an instruction, the root of a prime, the square root
        # of a generator.
        self.leaves: dict[int, int] = {}
        self.primes: dict[int, int] = {}
        self.roots: dict[int, int] = {}
        # For the generators of exponentials and logarithms, raised = e^exponent.
        self.exponents: dict[int, Polynomial] = {}
        self.raised: dict[int, Polynomial] = {}
        # What the generators of reciprocals are one over.
        self.reciprocals: dict[int, Polynomial] = {}
        self.replaced: set[int] = set()
        for row in rows:
            self.define(row)
        self.facts.spread()
        self.reduce()

    def define(self, row: Any) -> None:
        """Read one definition."""
        new = len(self.kinds)
        what = f"definition {new}"
        if type(row) is not list or len(row) not in (2, 3) or type(row[0]) is not str:
            refuse(f"{what} must be a list that begins with its kind")
        kind, argument = row[0], row[1]
        list_of(row, 3 if kind in ("name", "1/") else 2, what)
        match kind:
            case "value":
                self.define_value(new, what, argument)
            case "prime root":
                self.define_prime_root(new, what, argument)
            case "exp":
                self.define_exponential(new, what, argument)
            case "log":
                self.define_logarithm(new, what, argument)
            case "sqrt":
                self.define_square_root(new, what, argument)
            case "name":
                self.define_name(new, what, argument, row[2])
            case "1/":
                self.define_reciprocal(new, what, argument, row[2])
            case _:
                refuse(f"{what} is of an unknown kind")
        self.kinds.append(kind)

    def define_value(self, new: int, what: str, argument: Any) -> None:
        """Let g := the value of an instruction."""
        place = integer(argument, 0, self.instructions, f"the instruction of {what}")
        if place in self.leaves:
            refuse(f"{what} gives a second generator to instruction {place}")
        self.leaves[place] = new

    def define_prime_root(self, new: int, what: str, argument: Any) -> None:
        """Let t := p^(1/4), whence t^4 = p and 1 / t = t^3 / p."""
        prime = integer(argument, 2, 1 << 64, f"the prime of {what}")
        if prime in self.primes:
            refuse(f"{what} takes a root a second time")
        self.primes[prime] = new
        self.facts.note_sign(new, "positive")
        self.ring.add_rule(((new, 4),), constant(prime))
        self.ring.add_rule(((new, -1),), Polynomial({packed((new, 3)): 1}, prime))

    def define_exponential(self, new: int, what: str, argument: Any) -> None:
        """Let E := e^h."""
        self.exponents[new] = self.polynomial(argument, what)
        self.raised[new] = Polynomial({packed((new, 1)): 1})
        self.facts.note_sign(new, "positive")

    def define_logarithm(self, new: int, what: str, argument: Any) -> None:
        """Let l := log(u), whence e^l = u; this needs that u is positive."""
        self.raised[new] = self.polynomial(argument, what)
        self.exponents[new] = Polynomial({packed((new, 1)): 1})
        if self.facts.sign(self.raised[new]) != "positive":
            self.facts.need(new, new)

    def define_square_root(self, new: int, what: str, argument: Any) -> None:
        """Let r := g^(1/2), whence r^2 = g and 1 / r = r / g; this needs that g is not negative."""
        under = integer(argument, 0, new, f"the generator of {what}")
        if under in self.roots:
            refuse(f"{what} takes a root a second time")
        self.roots[under] = new
        facts = self.facts
        facts.rests_on[new].add(under)
        facts.note_sign(new, "positive" if under in facts.positive else "not negative")
        if under not in facts.never_negative:
            facts.need(new, new)
        self.ring.add_rule(((new, 2),), Polynomial({packed((under, 1)): 1}))
        self.ring.add_rule(((new, -1),), Polynomial({packed((new, 1), (under, -1)): 1}))

    def define_name(self, new: int, what: str, argument: Any, lead_powers: Any) -> None:
        """Let Z := D with D = c * M * lead + rest, whence lead = (Z - rest) / (c * M)."""
        value = self.polynomial(argument, what)
        lead = self.read_powers(lead_powers, what)
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
        (top,) = tops
        facts = self.facts
        facts.note_sign(new, facts.sign(value))
        # The rule applies to what holds the first generator of its lead: that needs the rule's.
        first = lead[0][0]
        facts.rests_on[first] |= {new, *facts.rests_on[new]}
        facts.needs[first] |= facts.needs[new]
        rule = self.solve(value, top, top - packed(*lead), packed((new, 1)), 0, first)
        self.ring.add_rule(lead, rule)

    def define_reciprocal(self, new: int, what: str, argument: Any, variable: Any) -> None:
        """Let r := 1 / D, whence r * D = 1, solved for one or two terms; D must not be zero.

        Where D is ordered by a generator x, D = a * x^n + rest and D = b + other rest, whence
        r * x^n = (1 - r * rest) / a and r / x = (1 / x - r / x * other rest) / b.
        """
        value = self.polynomial(argument, what)
        self.facts.note_sign(new, self.facts.sign(value))
        if new not in self.facts.positive:
            self.facts.need(new, new)
        self.reciprocals[new] = value
        if variable is None:
            return
        integer(variable, 0, new, f"the generator of {what}")
        degrees = {m: dict(self.ring.powers(m)).get(variable, 0) for m in value.terms}
        highest = max(degrees.values())
        uppermost = [m for m, degree in degrees.items() if degree == highest]
        lowermost = [m for m, degree in degrees.items() if degree == 0]
        if highest < 1 or min(degrees.values()) < 0 or len(uppermost) != 1:
            refuse(f"{what} is not ordered by the powers of generator {variable}")
        itself, x = packed((new, 1)), packed((variable, 1))
        (top,) = uppermost
        rule = self.solve(value, top, top - highest * x, 0, itself, new)
        self.ring.add_rule(((new, 1), (variable, highest)), rule)
        if len(lowermost) == 1:
            (low,) = lowermost
            rule = self.solve(value, low, low, -x, itself - x, new)
            self.ring.add_rule(((new, 1), (variable, -1)), rule)

    def solve(
        self, value: Polynomial, term: int, cofactor: int, left: int, right: int, user: int
    ) -> Polynomial:
        """Solve left = right * value, with two monomials, for right * term / cofactor.

        That is (left - right * (value - term)) / (coefficient of term * cofactor), where the term
        is meant without its coefficient. The user needs that the cofactor is not zero.
        """
        for generator, _ in self.ring.powers(cofactor):
            self.facts.need_nonzero(user, generator, self.kinds[generator], "a rule would divide")
        rest = {right + m: -number for m, number in value.terms.items() if m != term}
        parts = add([Polynomial({left: 1}), Polynomial(rest, value.denominator)])
        divided = scale(parts, Fraction(value.denominator, value.terms[term]))
        solved = {m - cofactor: number for m, number in divided.terms.items()}
        return self.ring.small(lowest(Polynomial(solved, divided.denominator)))

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
                self.facts.rests_on[new].add(generator)
                if exponent < 0:
                    self.facts.need_nonzero(
                        new, generator, self.kinds[generator], f"{what} divides"
                    )
            monomial, number = packed(*powers), fraction(row[0], what)
            if not number or monomial in terms:
                refuse(f"{what} has a term that is zero or stands twice")
            terms[monomial] = number
        denominator = lcm(*(number.denominator for number in terms.values()))
        return Polynomial({m: int(n * denominator) for m, n in terms.items()}, denominator)

    def read_powers(self, flat: Any, what: str) -> Powers:
        """Read powers of earlier generators, in ascending order."""
        if type(flat) is not list or len(flat) % 2:
            refuse(f"{what} has a generator without exponent")
        for generator, exponent in zip(flat[::2], flat[1::2], strict=True):
            integer(generator, 0, len(self.kinds), f"a generator in {what}")
            if integer(exponent, -GREATEST, GREATEST + 1, f"an exponent in {what}") == 0:
                refuse(f"{what} has an exponent that is zero")
        if sorted(set(flat[::2])) != flat[::2]:
            refuse(f"{what} has generators out of order")
        return tuple(zip(flat[::2], flat[1::2], strict=True))

    def reduce(self) -> None:
        """Reduce the polynomials of rules and definitions by the rules, once all are there."""
        for rules in reversed(list(self.ring.rules.values())):
            rules[:] = [
                Rule(rule.lead, rule.monomial, self.ring.settle(rule.replacement)) for rule in rules
            ]
        for polynomials in (self.exponents, self.raised, self.reciprocals):
            for generator, polynomial in polynomials.items():
                polynomials[generator] = self.ring.settle(polynomial)
