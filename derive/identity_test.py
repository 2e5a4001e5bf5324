"""Are two programs the same function? Compared at random points modulo primes.

Two programs that are the same formula agree at every point. If they are not, they agree at one
random point with probability at most degree / prime (Schwartz and Zippel), and at k points, drawn
one after the other with primes of their own, with at most the product. Trials are repeated until
the product is below the error that is allowed.

What this rests on: each distinct exponential, and each value of a function of which only
congruence is used, counts as a free number of its own. For the exponentials w^x of the prime
chains this is the random-exponent assumption of Li and Wu (arXiv 2506.04529). That a prime divides
every coefficient of a difference is taken to be as likely as for a random number, and counted as
one more degree. The points are drawn from a hash of both programs, so that none can be made to fit
them. An exact proof (``derive.exact``) needs none of this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

import numpy

from derive.algebras.residues import (
    NeedsLevel,
    NeedsSquare,
    ResidueArrays,
    Unlucky,
)
from derive.arrays import Unsupported
from derive.graph import Input
from derive.program import Program
from derive.tensors import FINITE, KINDS, UNKNOWN, ZERO, Tensor, Tensors

ALLOWED_ERROR = -60
"""The base-two logarithm of the largest chance that different programs pass."""

MOST_REDRAWS = 25
"""Points at which a denominator is zero, in a row, before it is taken to be zero everywhere."""

MOST_TRIALS = 64


@dataclass(frozen=True)
class Difference:
    """An element of an output at which two programs differ at a random point.

    ``kinds`` are what the two hold there: ("finite", "nan").
    """

    output: str
    place: tuple[int, ...]
    kinds: tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """What the identity test found.

    ``error`` is the base-two logarithm of the chance that different programs pass; ``opaque`` are
    the functions of which only congruence was used; ``undefined`` counts elements of outputs that
    are not a number on both sides.
    """

    differences: tuple[Difference, ...]
    trials: int
    error: float
    degree: int
    primes: tuple[int, ...]
    opaque: tuple[str, ...]
    constants: tuple[tuple[str, str], ...]
    lowest_read: bool
    undefined: int

    @property
    def equal(self) -> bool:
        """Whether no difference was found, to within the error."""
        return not self.differences


def identity_test(
    left: Program,
    right: Program,
    inputs: Sequence[Input],
    *,
    seed: int = 0,
    allowed_error: float = ALLOWED_ERROR,
    progress: Callable[[str], None] | None = None,
) -> Outcome:
    """Compare all outputs of two programs at random points.

    A difference seen with functions held opaque may be an identity of theirs, so it is looked at
    again with tanh and sigmoid written as exponentials.

    Raises:
        Unsupported: An operation, or a use of one, has no meaning here.
    """
    outcome = _tested(left, right, inputs, seed, allowed_error, False, progress)
    if outcome.equal or not {"tanh", "sigmoid"} & set(outcome.opaque):
        return outcome
    expanded = _tested(left, right, inputs, seed + 1, allowed_error, True, progress)
    return expanded if expanded.equal else outcome


def _tested(
    left: Program,
    right: Program,
    inputs: Sequence[Input],
    seed: int,
    allowed_error: float,
    expand: bool,
    progress: Callable[[str], None] | None,
) -> Outcome:
    if tuple(left.output_names) != tuple(right.output_names):
        raise ValueError(f"{left.output_names} are compared with {right.output_names}")
    point = _Point(Random(_fingerprint(left, right, seed)), expand)
    error, trials = 0.0, 0
    drawn, likelihoods = 0, list[float]()
    degree, undefined = 0, 0
    primes: list[int] = []
    used: set[str] = set()
    constants: dict[str, str] = {}
    lowest = False
    while error > allowed_error:
        algebra, tensors, mine, theirs = point.evaluate(left, right, inputs)
        trials += 1
        primes.append(algebra.chain.top)
        used |= algebra.used
        constants |= tensors.constants_read
        lowest |= tensors.lowest_read
        differences, degree, undefined = _compared(algebra, left.output_names, mine, theirs)
        if differences:
            break
        likelihoods.append(math.log2((degree + 1) / (algebra.chain.top - degree)))
        # With few chains to draw from, one prime comes twice, or divides all coefficients.
        drawn += algebra.chain.drawn
        few = -math.log2(max(1.0, trials * algebra.chain.candidates / drawn))
        error = sum(max(each, few) for each in likelihoods)
        if 4 * degree >= algebra.chain.top or trials == MOST_TRIALS:
            raise Unsupported(
                "identity test",
                f"the formulas have degree {degree}, too high for primes below 2^31; "
                "try a smaller shape",
            )
        if progress is not None:
            progress(f"random point {trials}: chance of a false pass now 2^{error:.0f}")
    return Outcome(
        tuple(differences),
        trials,
        error,
        degree,
        tuple(primes),
        tuple(sorted(used)),
        tuple(sorted(constants.items())),
        lowest,
        undefined,
    )


def _fingerprint(left: Program, right: Program, seed: int) -> int:
    """Return a number that any change of either program changes."""
    digest = sha256(f"{seed}\n{left.fingerprint}\n{right.fingerprint}".encode())
    return int.from_bytes(digest.digest()[:8], "big")


class _Point:
    """Draws points, with chains as long, and with the square roots, as the programs need."""

    def __init__(self, random: Random, expand: bool) -> None:
        self.random, self.expand = random, expand
        self.levels, self.squares = 2, list[int]()

    def evaluate(
        self, left: Program, right: Program, inputs: Sequence[Input]
    ) -> tuple[ResidueArrays, Tensors[Any], list[Tensor[Any]], list[Tensor[Any]]]:
        redraws = 0
        while True:
            algebra = ResidueArrays(
                self.random, levels=self.levels, squares=self.squares, expand=self.expand
            )
            tensors = Tensors(algebra)
            values = {
                item.name: tensors.finite(algebra.free(item.type.shape), item.type.shape)
                for item in inputs
            }
            try:
                return (
                    algebra,
                    tensors,
                    left.outputs(values, tensors),
                    right.outputs(values, tensors),
                )
            except NeedsSquare as need:
                self.squares.append(need.number)
            except NeedsLevel:
                # Asked for only while the chain is shorter than the longest.
                self.levels += 1
            except Unlucky:
                redraws += 1
                if redraws == MOST_REDRAWS:
                    raise Unsupported(
                        "division", "a denominator is zero at every point that was tried"
                    ) from None


def _kind(tensor: Tensor[Any], place: tuple[int, ...]) -> str:
    kind = int(tensor.kinds[place])
    return KINDS[FINITE if kind == ZERO else kind]


def _compared(
    algebra: ResidueArrays,
    names: Sequence[str],
    left: Sequence[Tensor[Any]],
    right: Sequence[Tensor[Any]],
) -> tuple[list[Difference], int, int]:
    """Return the differences, the largest degree of one, and how many elements are no number."""
    found: list[Difference] = []
    degree, undefined, compared = 0, 0, 0
    for name, mine, theirs in zip(names, left, right, strict=True):
        if mine.shape != theirs.shape:
            raise Unsupported(name, f"the shapes differ: {mine.shape} and {theirs.shape}")
        for kinds in (mine.kinds, theirs.kinds):
            if (kinds == UNKNOWN).any():
                raise Unsupported(
                    name, "the sign of a value that an infinity meets, or a division by zero"
                )
        numbers = (mine.kinds <= ZERO) & (theirs.kinds <= ZERO)
        agree = numpy.where(
            numbers, algebra.same(mine.data, theirs.data), mine.kinds == theirs.kinds
        )
        undefined += int((agree & ~numbers).sum())
        compared += int((agree & numbers).sum())
        difference = mine.data.degree.plus(theirs.data.degree)
        degree = max(degree, difference.numerator + difference.denominator)
        for place in map(tuple, numpy.argwhere(~agree)):
            where = tuple(int(index) for index in place)
            found.append(Difference(name, where, (_kind(mine, where), _kind(theirs, where))))
    if not found and not compared:
        raise Unsupported("output", "no element is a number on either side: nothing is compared")
    return found, degree, undefined
