"""The generators of a proof: what each is defined to be, and the rules that follow.

Whatever is to be inverted must be a monomial. A polynomial Z = e_1 + ... + e_n that is not one
gets a name, and one part of it is replaced everywhere: e_n = Z - e_1 - ... - e_(n-1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, isqrt
from time import monotonic

from derive.exact.certificate import (
    Definition,
    ExponentialOf,
    LogarithmOf,
    Name,
    Pair,
    Powers,
    PrimeRoot,
    Reciprocal,
    RootOf,
    Value,
    Vector,
    Written,
)
from derive.exact.exponents import Basis, as_polynomial, extension
from derive.exact.halts import (
    Halt,
    Need,
    NeedsExponent,
    NeedsHalves,
    NeedsMonomial,
    OutOfTime,
)
from derive.exact.polynomials import (
    GREATEST,
    ONE,
    Polynomial,
    Ring,
    Rule,
    constant,
    generator_power,
    monomial,
    power,
    same,
    scaled,
    total,
)
from derive.straight_line import (
    Application,
    Instruction,
    Number,
    Operand,
    Root,
    SquareRoot,
)

NOT_A_PIVOT = ("max", "indicator")
"""Beginnings of opaque functions that stand for a shift, which cancels and must not be replaced."""


class Generators:
    """Holds the definitions and all polynomials that are kept reduced by their rules."""

    def __init__(
        self,
        instructions: Sequence[Instruction],
        claims: Sequence[Pair],
        cut: frozenset[Operand],
        expanded: tuple[str, ...],
        halved: bool,
        deadline: float,
        limit_terms: int,
    ) -> None:
        self.instructions, self.claims, self.cut = instructions, claims, cut
        self.expanded, self.halved, self.deadline = expanded, halved, deadline
        self.ring = Ring(limit_terms)
        self.definitions: list[Definition] = []
        self.values: dict[Operand, Polynomial] = {}
        self.vectors: dict[Operand, Vector] = {}
        self.basis = Basis()
        self.exponents: dict[int, Polynomial] = {}
        """For each element of the basis, the exponent."""
        self.powers: dict[int, Polynomial] = {}
        """For each element of the basis, the exponential of its exponent."""
        self.prime_roots: dict[int, int] = {}
        self.logarithms: dict[object, int] = {}
        self.roots: dict[int, int] = {}
        self.opaque: dict[object, int] = {}
        self.reciprocals: list[tuple[int, Polynomial]] = []
        self.unnameable: set[object] = set()
        self.positive: set[int] = set()
        self.never_negative: set[int] = set()
        self.learned: set[int] = set()
        """Generators that are positive because a logarithm of theirs is taken."""
        self.fixed: set[int] = set()
        """Generators that must not be replaced: something else is defined to rest on them."""

    def check_time(self) -> None:
        """Raise ``OutOfTime`` when the time is up."""
        if monotonic() > self.deadline:
            raise OutOfTime("the time limit was reached")

    def inverse_monomial(self, value: Polynomial) -> Polynomial:
        """Return one over a monomial."""
        ((held, coefficient),) = value.fractions()
        if any(isinstance(self.definitions[g], Reciprocal) for g in self.ring.exponents(held)):
            raise Halt("one over a reciprocal is needed")
        return self.ring.reduce(monomial(-held, 1 / coefficient, value.reach))

    def define_prime_roots(self, instructions: Sequence[Instruction]) -> None:
        """Define the fourth root of every prime of which a root is taken."""
        radicands = [i.radicand for i in instructions if isinstance(i, Root)]
        if any(isinstance(i, SquareRoot) for i in instructions):
            # The numbers that may come out of a square root as factors.
            radicands += [i.value for i in instructions if isinstance(i, Number) and i.value]
        for prime in sorted({prime for each in radicands for prime in factors_of(each)}):
            root = self.new(PrimeRoot(prime))
            self.prime_roots[prime] = root
            self.positive.add(root)
            self.cycle(root, 4, constant(prime))

    def root(self, radicand: Fraction, quarters: int) -> Polynomial:
        """Return radicand^(quarters / 4)."""
        factors = [ONE]
        for prime, exponent in factors_of(radicand).items():
            if prime not in self.prime_roots:
                raise Halt(f"the square root of {prime} came up unexpectedly")
            whole_part, part = divmod(exponent * quarters, 4)
            factors.append(constant(Fraction(prime) ** whole_part))
            factors.append(generator_power(self.prime_roots[prime], part))
        return self.ring.product(factors)

    def square_root_of(self, generator: int) -> int:
        """Return the generator that is the square root of another one."""
        if generator not in self.roots:
            root = self.roots[generator] = self.new(RootOf(generator))
            self.cycle(root, 2, generator_power(generator))
            self.fixed.add(generator)
            self.never_negative.add(root)
            if generator in self.positive:
                self.positive.add(root)
        return self.roots[generator]

    def cycle(self, root: int, period: int, value: Polynomial) -> None:
        """Reduce by root^period = value, for negative exponents as well."""
        self.ring.add_rule(Rule(((root, period),), value))
        lowered = self.ring.multiply(
            generator_power(root, period - 1), self.inverse_monomial(value)
        )
        self.ring.add_rule(Rule(((root, -1),), lowered))

    def logarithm_of(self, argument: Polynomial) -> int:
        """Return the generator that is the logarithm of a polynomial."""
        key = argument.key()
        if key not in self.logarithms:
            generator = self.new(LogarithmOf(self.written(argument)))
            self.logarithms[key] = generator
            self.fixed.update(self.ring.support(argument), [generator])
            self.add_element(generator, generator_power(generator), argument)
        return self.logarithms[key]

    def add_element(self, generator: int, exponent: Polynomial, raised: Polynomial) -> None:
        """Add an element to the basis of exponents: its exponent and its exponential."""
        self.exponents[generator], self.powers[generator] = exponent, raised
        self.basis.add(generator, exponent)

    def new(self, definition: Definition) -> int:
        """Return the generator that a definition introduces."""
        self.definitions.append(definition)
        return self.ring.new()

    def written(self, value: Polynomial) -> Written:
        """Return a polynomial the way a certificate holds it."""
        return tuple(
            (coefficient, tuple(self.ring.exponents(held).items()))
            for held, coefficient in sorted(value.fractions())
        )

    def define(self, needs: Iterable[Need]) -> None:
        """Make definitions: exponents first, then names, those of small polynomials first."""
        needs = list(needs)
        exponents = [need.exponent for need in needs if isinstance(need, NeedsExponent)]
        if exponents:
            elements = extension(self.basis, exponents)
            if elements is None:
                reason = "an exponent is a fraction of another that is in use"
                raise Halt(reason) if self.halved else NeedsHalves(reason)
            for terms in elements:
                exponent = as_polynomial(terms)
                generator = self.new(ExponentialOf(self.written(exponent)))
                self.positive.add(generator)
                self.add_element(generator, exponent, generator_power(generator))
            return
        unnamed = [need for need in needs if isinstance(need, NeedsMonomial)]
        while unnamed:
            self.check_time()
            unnamed.sort(key=lambda need: (len(need.value.terms), sorted(need.value.terms)))
            first = unnamed.pop(0)
            self.name(self.primitive(first.value), first.inverse)
            again = [
                NeedsMonomial(self.primitive(self.ring.reduce(need.value)), need.inverse)
                for need in unnamed
            ]
            unnamed = [
                need
                for need in again
                if len(need.value.terms) > 1 and not (need.inverse and self.known(need.value))
            ]

    def known(self, value: Polynomial) -> bool:
        """Return whether one over ``value`` is a generator already."""
        return any(same(value, self.primitive(denominator)) for _, denominator in self.reciprocals)

    def primitive(self, value: Polynomial) -> Polynomial:
        """Return the polynomial without the monomial and the number that all terms share."""
        if len(value.terms) < 2:
            return value
        held = [self.ring.exponents(m) for m in value.terms]
        shared = sum(
            power(generator, min(each.get(generator, 0) for each in held))
            for generator in set().union(*held)
        )
        number = gcd(*value.terms.values())
        if all(each < 0 for each in value.terms.values()):
            number = -number
        return self.ring.reduce(
            Polynomial(
                {m - shared: each // number for m, each in value.terms.items()},
                reach=2 * GREATEST,
            )
        )

    def name(self, value: Polynomial, inverse: bool) -> None:
        """Name a polynomial, or one over it where no part of it can be replaced."""
        lead = self.lead(value)
        if lead is None:
            if inverse:
                self.define_reciprocal(value)
            else:
                self.unnameable.add(value.key())
            return
        generator = self.new(Name(self.written(value), lead))
        self.note_sign(generator, value)
        marker = sum(power(g, e) for g, e in lead)
        ((held, coefficient),) = [
            (m, c) for m, c in value.fractions() if _divides(lead, self.ring.exponents(m))
        ]
        rest = {m: number for m, number in value.terms.items() if m != held}
        cofactor = monomial(-(held - marker), 1 / coefficient)
        difference = total(
            [generator_power(generator), scaled(Polynomial(rest, value.denominator, GREATEST), -1)]
        )
        replacement = self.ring.multiply(difference, cofactor)
        self.add_rule(Rule(lead, replacement))

    def define_reciprocal(self, value: Polynomial) -> None:
        """Give a generator to one over a polynomial, with the rules that follow."""
        variable = self.order(value)
        generator = self.new(Reciprocal(self.written(value), variable))
        self.fixed.update(self.ring.support(value))
        self.note_sign(generator, value)
        self.reciprocals.append((generator, value))
        if variable is not None:
            for rule in reciprocal_rules(self.ring, value, generator, variable):
                self.add_rule(rule)

    def order(self, value: Polynomial) -> int | None:
        """Return a generator by whose powers the polynomial can be ordered.

        None where it consists of names alone: their inverses are in use, and a rule that rewrites
        the reciprocal times one of them would keep these from cancelling.
        """
        support = self.ring.support(value)
        best: list[tuple[bool, int]] = []
        for generator in support:
            degrees = [self.ring.exponent(m, generator) for m in value.terms]
            if degrees.count(max(degrees)) == 1 and min(degrees) >= 0:
                (top,) = [
                    m for m in value.terms if self.ring.exponent(m, generator) == max(degrees)
                ]
                if self.invertible(set(self.ring.exponents(top)) - {generator}):
                    best.append((degrees.count(0) > 1, generator))
        only_names = all(isinstance(self.definitions[g], Name) for g in support)
        if not best or (only_names and min(best)[0]):
            return None
        return min(best)[1]

    def add_rule(self, rule: Rule) -> None:
        """Add the rule and rewrite by it whatever is there."""
        self.ring.add_rule(rule)
        for place, value in self.values.items():
            self.values[place] = self.ring.reduce(value)
        for rules in self.ring.rules.values():
            for number, old in enumerate(rules):
                if old is not rule:
                    rules[number] = Rule(old.lead, self.ring.reduce(old.replacement))
        self.reciprocals = [(g, self.ring.reduce(value)) for g, value in self.reciprocals]
        self.powers = {g: self.ring.reduce(value) for g, value in self.powers.items()}
        changed = False
        for generator, exponent in self.exponents.items():
            reduced = self.ring.reduce(exponent)
            changed = changed or reduced is not exponent
            self.exponents[generator] = reduced
        if changed:
            self.basis = Basis(self.exponents.items())

    def invertible(self, generators: Iterable[int]) -> bool:
        """Return whether none of the generators can be zero, as far as is settled."""
        kinds = ExponentialOf | PrimeRoot | Name
        return all(isinstance(self.definitions[generator], kinds) for generator in generators)

    def note_sign(self, generator: int, value: Polynomial) -> None:
        """Note if it is a sum of products of squares and of generators of known sign."""
        if any(number < 0 for number in value.terms.values()):
            return
        held = [self.ring.exponents(m) for m in value.terms]
        known = self.positive | self.never_negative
        if all(g in known or e % 2 == 0 for each in held for g, e in each.items()):
            self.never_negative.add(generator)
            if any(self.positive.issuperset(each) for each in held):
                self.positive.add(generator)

    def lead(self, value: Polynomial) -> Powers | None:
        """Choose what the name of ``value`` shall replace, or None where nothing can be replaced.

        Best is an exponential that stands alone; then another generator that stands alone, a
        power of one, a product of some. Nothing is replaced of which an inverse is in use.
        """
        held = {m: self.ring.exponents(m) for m in value.terms}
        support = set().union(*held.values())
        free = {g for g in support if self.replaceable(g)} - self.inverted()
        choices: list[tuple[tuple[int, ...], Powers]] = []
        for generator in free:
            degree = max(each.get(generator, 0) for each in held.values())
            tops = [each for each in held.values() if each.get(generator, 0) == degree]
            if degree < 1 or len(tops) > 1:
                continue
            if self.invertible(set(tops[0]) - {generator}):
                definition = self.definitions[generator]
                rank = (
                    degree,
                    not isinstance(definition, ExponentialOf),
                    self.is_shift(generator),
                    len(tops[0]),
                    -generator,
                )
                choices.append((rank, ((generator, degree),)))
        if choices:
            return min(choices)[1]
        products = []
        for each in held.values():
            lead = tuple((g, e) for g, e in each.items() if g in free and e > 0)
            if (
                lead
                and self.invertible(set(each) - {g for g, _ in lead})
                and sum(_divides(lead, other) for other in held.values()) == 1
            ):
                products.append((-sum(e for _, e in lead), lead))
        return min(products)[1] if products else None

    def replaceable(self, generator: int) -> bool:
        """Return whether a generator may be replaced by a rule."""
        definition = self.definitions[generator]
        if generator in self.fixed or not isinstance(definition, ExponentialOf | Value):
            return False
        return all(
            generator != other
            for rules in self.ring.rules.values()
            for rule in rules
            for other, _ in rule.lead
        )

    def is_shift(self, generator: int) -> bool:
        """Return whether a generator is an opaque maximum or the like."""
        definition = self.definitions[generator]
        if not isinstance(definition, Value):
            return False
        instruction = self.instructions[definition.instruction]
        return isinstance(instruction, Application) and instruction.function.startswith(NOT_A_PIVOT)

    def inverted(self) -> set[int]:
        """Return the generators that stand with a negative exponent anywhere."""
        found: set[int] = set()
        polynomials = [*self.values.values(), *self.exponents.values(), *self.powers.values()]
        polynomials += [rule.replacement for rules in self.ring.rules.values() for rule in rules]
        for polynomial in polynomials:
            for m in polynomial.terms:
                found.update(g for g, e in self.ring.exponents(m).items() if e < 0)
        return found


def leading(value: Polynomial) -> Polynomial:
    """Return the term with the greatest monomial."""
    held = max(value.terms)
    return monomial(held, Fraction(value.terms[held], value.denominator), value.reach)


def _divides(lead: Powers, exponents: dict[int, int]) -> bool:
    return all(exponents.get(g, 0) >= e for g, e in lead)


def reciprocal_rules(
    ring: Ring, denominator: Polynomial, generator: int, variable: int
) -> list[Rule]:
    """Return the rules that r * D = 1 gives, where D is ordered by its powers of one generator.

    With D = a x^n + ... + b: r x^n = (1 - r (D - a x^n)) / a, and where b is one term,
    r / x = (1 / x - r (D - b) / x) / b.
    """
    rules = []
    degrees = {m: ring.exponent(m, variable) for m in denominator.terms}
    highest = max(degrees.values())
    for degree, shift in ((highest, 0), (0, -1)):
        ends = [m for m, each in degrees.items() if each == degree]
        if len(ends) != 1:
            continue
        (end,) = ends
        value = Fraction(denominator.terms[end], denominator.denominator)
        cofactor = end - power(variable, degree)
        rest = {m: number for m, number in denominator.terms.items() if m != end}
        difference = total(
            [
                generator_power(variable, shift),
                Polynomial(
                    {m + power(generator) + power(variable, shift): -n for m, n in rest.items()},
                    denominator.denominator,
                    GREATEST,
                ),
            ]
        )
        replacement = ring.multiply(difference, monomial(-cofactor, 1 / value))
        rules.append(Rule(((generator, 1), (variable, degree or -1)), replacement))
    return rules


def factors_of(value: Fraction) -> dict[int, int]:
    """Return the prime factorisation of a positive rational, or of a negative one's size."""
    found: dict[int, int] = {}
    for number, sign in ((abs(value.numerator), 1), (value.denominator, -1)):
        prime = 2
        while number > 1:
            if prime > isqrt(number) or prime > 10_000:
                prime = number
            while number % prime == 0:
                found[prime] = found.get(prime, 0) + sign
                number //= prime
            prime += 1
    return found
