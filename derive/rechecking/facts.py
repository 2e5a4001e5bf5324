"""Side conditions: what each generator needs to be of use, and what is known so far.

Facts are bits, one for each generator. That of an input, unopened value or name is that it is not
zero; that of a logarithm, square root or reciprocal is that it is defined. Whatever is visibly
positive, as an exponential is, needs no fact.
"""

from __future__ import annotations

from derive.rechecking.layout import refuse
from derive.rechecking.polynomials import Polynomial, Ring


class Facts:
    """The signs that are plain, the facts that are needed, and those that are known."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.positive: set[int] = set()
        self.never_negative: set[int] = set()
        self.needs = [0] * ring.size
        self.rests_on: list[set[int]] = [set() for _ in range(ring.size)]
        self.known = 0

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

    def note_sign(self, generator: int, sign: str) -> None:
        """Note the sign that a generator has by its definition."""
        if sign == "positive":
            self.positive.add(generator)
        if sign != "unknown":
            self.never_negative.add(generator)

    def need(self, user: int, generator: int) -> None:
        """Note that the user is of use only where the fact of a generator holds."""
        self.needs[user] |= 1 << generator

    def need_nonzero(self, user: int, generator: int, kind: str, deed: str) -> None:
        """Note that the user divides by a generator; refuse where no fact makes that right."""
        if kind in ("log", "sqrt", "1/"):
            # Their facts are that they are defined, which does not keep them from being zero.
            refuse(f"{deed} by generator {generator}, a {kind}")
        if generator not in self.positive:
            self.need(user, generator)

    def spread(self) -> None:
        """Let every generator need what those need on which it rests."""
        changed = True
        while changed:
            changed = False
            for generator, others in enumerate(self.rests_on):
                needs = self.needs[generator]
                for other in others:
                    needs |= self.needs[other]
                changed = changed or needs != self.needs[generator]
                self.needs[generator] = needs

    def learn(self, generator: int) -> None:
        """Know the fact of a generator from now on."""
        self.known |= 1 << generator

    def missing(self, generator: int) -> int:
        """Return the facts that a generator needs and that are not known yet."""
        return self.needs[generator] & ~self.known
