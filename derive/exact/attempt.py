"""One attempt at a proof: every instruction becomes a polynomial, and the pairs are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from derive.exact.certificate import (
    Certificate,
    Definition,
    ExponentialOf,
    Value,
)
from derive.exact.cutting import operands, reachable
from derive.exact.exponents import whole
from derive.exact.generators import Generators, factors_of, leading
from derive.exact.halts import (
    Halt,
    Need,
    NeedsExponent,
    NeedsMonomial,
    Waits,
)
from derive.exact.polynomials import (
    GREATEST,
    ONE,
    ExponentOverflow,
    Polynomial,
    TooManyTerms,
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
    Exponential,
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

MULTIPLES = {"tanh": 2, "sigmoid": 1}
"""The c for which the function is 1 - c / (exp(c x) + 1)."""


class Attempt(Generators):
    """One way to try: what is cut and which functions are opened is settled."""

    def run(self) -> Certificate:
        """Return the certificate; raise ``Halt`` where the proof does not succeed."""
        try:
            claims = [claim for claim in self.claims if claim.left != claim.right]
            goals = {place for claim in claims for place in (claim.left, claim.right)}
            needed = reachable(self.instructions, goals, self.cut)
            self.define_prime_roots([self.instructions[place] for place in needed - self.cut])
            self._evaluate_all(self._hard(needed))
            for claim in claims:
                left, right = self._on_demand(claim.left), self._on_demand(claim.right)
                if not same(left, right):
                    raise Halt(
                        f"the two sides of {claim.label} have different normal forms",
                        claim.label,
                    )
        except (ExponentOverflow, TooManyTerms) as error:
            raise Halt(str(error)) from error
        return Certificate(
            tuple(self.instructions),
            tuple(self.claims),
            self.expanded,
            tuple(self.definitions),
            tuple(sorted(self.vectors.items())),
        )

    def _hard(self, needed: set[Operand]) -> list[Operand]:
        """Return what inverses, exponentials and other functions depend on, and these."""
        plain = Variable | Number | Root | Sum | Product
        functions = {
            place for place in needed - self.cut if not isinstance(self.instructions[place], plain)
        }
        return sorted(reachable(self.instructions, functions, self.cut))

    def _evaluate_all(self, places: Sequence[Operand]) -> None:
        """Evaluate, making the definitions that are needed until nothing waits."""
        pending = list(places)
        while pending:
            waiting: list[Operand] = []
            needs: list[Need] = []
            for place in pending:
                self.check_time()
                if any(operand not in self.values for operand in self._read(place)):
                    waiting.append(place)
                    continue
                try:
                    self.values[place] = self._evaluate(place)
                except Waits as waits:
                    needs.append(waits.need)
                    waiting.append(place)
            before = len(self.definitions), len(self.unnameable)
            self.define(needs)
            if len(waiting) == len(pending) and before == (
                len(self.definitions),
                len(self.unnameable),
            ):
                raise Halt("no definition was found that would help")
            pending = waiting

    def _read(self, place: Operand) -> tuple[Operand, ...]:
        return () if place in self.cut else operands(self.instructions[place])

    def _on_demand(self, goal: Operand) -> Polynomial:
        waiting = [goal]
        while waiting:
            place = waiting[-1]
            missing = [operand for operand in self._read(place) if operand not in self.values]
            waiting.extend(missing)
            if not missing:
                if place not in self.values:
                    self.check_time()
                    self.values[place] = self._evaluate(place)
                waiting.pop()
        return self.values[goal]

    def _evaluate(self, place: Operand) -> Polynomial:
        instruction = self.instructions[place]
        if place in self.cut:
            return self._generator(Value(place))
        values = self.values
        match instruction:
            case Variable():
                return self._generator(Value(place))
            case Number(value):
                return constant(value)
            case Root(radicand, degree):
                return self.root(radicand, 4 // degree)
            case Sum(terms):
                return total(values[term] for term in terms)
            case Product(factors):
                return self.ring.product(values[factor] for factor in factors)
            case Inverse(operand):
                return self._inverse(values[operand])
            case Exponential(operand):
                return self._exponential(place, values[operand])
            case Logarithm(operand):
                return self._logarithm(place, values[operand])
            case SquareRoot(operand):
                return self._square_root(values[operand])
            case Application(function, inner):
                if function in self.expanded:
                    return self._expand(place, function, values[inner[0]])
                key = function, tuple(values[operand].key() for operand in inner)
                if key not in self.opaque:
                    self.opaque[key] = self.new(Value(place))
                return self.ring.reduce(generator_power(self.opaque[key]))
            case _:
                assert_never(instruction)

    def _generator(self, definition: Definition) -> Polynomial:
        return generator_power(self.new(definition))

    def _inverse(self, value: Polynomial) -> Polynomial:
        if not value:
            raise Halt("a denominator is zero everywhere")
        if len(value.terms) == 1:
            return self.inverse_monomial(value)
        for generator, denominator in self.reciprocals:
            if len(denominator.terms) == len(value.terms):
                ratio = self.ring.multiply(
                    leading(value), self.inverse_monomial(leading(denominator))
                )
                if same(self.ring.multiply(ratio, denominator), value):
                    inverse = self.inverse_monomial(ratio)
                    return self.ring.multiply(inverse, generator_power(generator))
        raise Waits(NeedsMonomial(value))

    def _exponential(self, place: Operand, exponent: Polynomial) -> Polynomial:
        combination, rest = self.basis.express(exponent)
        if rest or not whole(combination):
            raise Waits(NeedsExponent(exponent))
        factors = []
        for generator, times in combination.items():
            base = self.powers[generator]
            if times < 0:
                base = self._inverse(base)
            factors.append(self._raised(base, abs(times.numerator)))
        result = self.ring.product(factors)
        self.vectors[place] = tuple(sorted((g, int(times)) for g, times in combination.items()))
        return result

    def _raised(self, base: Polynomial, exponent: int) -> Polynomial:
        if exponent > GREATEST:
            raise ExponentOverflow(f"the exponent {exponent} is beyond {GREATEST}")
        if len(base.terms) == 1:
            ((held, coefficient),) = base.fractions()
            if all(abs(e * exponent) <= GREATEST for e in self.ring.exponents(held).values()):
                return self.ring.reduce(monomial(held * exponent, coefficient**exponent))
        return self.ring.product([base] * exponent)

    def _expand(self, place: Operand, function: str, value: Polynomial) -> Polynomial:
        multiple = MULTIPLES[function]
        growth = self._exponential(place, scaled(value, multiple))
        fraction = self._inverse(total([growth, ONE]))
        return total([ONE, scaled(fraction, -multiple)])

    def _logarithm(self, place: Operand, value: Polynomial) -> Polynomial:
        vector: dict[int, int] = {}
        if len(value.terms) != 1:
            part = self.primitive(value)
            if part.key() not in self.unnameable:
                raise Waits(NeedsMonomial(value, inverse=False))
            ratio = self.ring.multiply(leading(value), self.inverse_monomial(leading(part)))
            if not same(self.ring.multiply(ratio, part), value) or not self._positive(ratio):
                ratio, part = ONE, value
            vector[self.logarithm_of(part)] = 1
            value = ratio
        ((held, coefficient),) = value.fractions()
        others: dict[int, int] = {}
        for generator, exponent in self.ring.exponents(held).items():
            exponential = isinstance(self.definitions[generator], ExponentialOf)
            (vector if exponential else others)[generator] = exponent
        unknown = [g for g in others if g not in self.positive | self.learned]
        if coefficient > 0 and (
            not unknown or (len(unknown) == 1 and others[unknown[0]] > 0 and others[unknown[0]] % 2)
        ):
            self.learned.update(unknown)
            for prime, exponent in factors_of(coefficient).items():
                root = self.prime_roots.get(prime)
                if root is None:
                    element, times = self.logarithm_of(constant(prime)), 1
                else:
                    element, times = self.logarithm_of(generator_power(root)), 4
                vector[element] = vector.get(element, 0) + times * exponent
            for generator, exponent in others.items():
                times = 1
                if self.halved and generator in self.positive:
                    generator, times = self.square_root_of(generator), 2
                element = self.logarithm_of(generator_power(generator))
                vector[element] = vector.get(element, 0) + times * exponent
        elif others or coefficient != 1:
            rest = sum(power(generator, exponent) for generator, exponent in others.items())
            vector[self.logarithm_of(monomial(rest, coefficient))] = 1
        self.vectors[place] = tuple(sorted((g, n) for g, n in vector.items() if n))
        return self.ring.reduce(
            total(scaled(self.exponents[g], times) for g, times in vector.items())
        )

    def _positive(self, value: Polynomial) -> bool:
        """Return whether a monomial is visibly positive."""
        ((held, coefficient),) = value.fractions()
        return coefficient > 0 and self.positive.issuperset(self.ring.exponents(held))

    def _square_root(self, value: Polynomial) -> Polynomial:
        if not value:
            return value
        if len(value.terms) != 1:
            if self.primitive(value).key() in self.unnameable:
                raise Halt("a square root's argument has no part by which it could be replaced")
            raise Waits(NeedsMonomial(value, inverse=False))
        ((held, coefficient),) = value.fractions()
        exponents = self.ring.exponents(held)
        unknown = [g for g in exponents if g not in self.positive | self.never_negative]
        if coefficient < 0 or len(unknown) > 1 or any(exponents[g] % 2 == 0 for g in unknown):
            raise Halt("a square root's argument has factors of unknown sign")
        factors = [self.root(coefficient, 2)]
        for generator, exponent in exponents.items():
            half, odd = divmod(exponent, 2)
            factors.append(generator_power(generator, half))
            if odd:
                factors.append(generator_power(self.square_root_of(generator)))
        return self.ring.product(factors)
