"""Why an attempt at a proof stops, and what an instruction waits for."""

from __future__ import annotations

from dataclasses import dataclass

from derive.exact.polynomials import Polynomial


class Halt(Exception):
    """The attempt cannot go on."""

    def __init__(self, reason: str, label: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.label = reason, label


class NeedsHalves(Halt):
    """An exponent holds half a logarithm: the attempt is made again with halves as elements."""


class OutOfTime(Halt):
    """The time is up: no further attempt is made."""


@dataclass(frozen=True)
class NeedsExponent:
    """An exponential waits for a basis that has this exponent."""

    exponent: Polynomial


@dataclass(frozen=True)
class NeedsMonomial:
    """Something waits for this polynomial to become a monomial, or to be found not nameable."""

    value: Polynomial
    inverse: bool = True
    """Whether one over it is needed; a reciprocal serves that as well."""


Need = NeedsExponent | NeedsMonomial


class Waits(Exception):
    """An instruction cannot be evaluated before a definition is made."""

    def __init__(self, need: Need) -> None:
        super().__init__()
        self.need = need
