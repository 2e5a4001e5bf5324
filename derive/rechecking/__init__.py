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
   operand of a logarithm is positive; of a product that is not negative one factor is not negative
   if all others are positive. Other generators are visibly positive, as e^h is. So 3 holds
   by induction over the instructions, and no fact is used to show itself.
5. Both sides of each pair come out as one polynomial; so their values are equal.

Nothing here searches, and nothing is taken from the prover: this package uses only Python's
standard library. That the programs are those of a formula and of an implementation is for the
caller to check; the certificate holds them whole. So is whether the assumptions that are listed
can hold at all: of programs that are nowhere defined, everything is true.

The modules: ``layout`` and ``statement`` read what is claimed; ``definitions`` is step 1 and makes
the rules of step 2, which ``polynomials`` applies; ``replay`` is step 3, ``facts`` step 4, and
``conditions`` says in words where the programs are defined.
"""

from __future__ import annotations

from dataclasses import dataclass

from derive.rechecking.conditions import stated_conditions
from derive.rechecking.definitions import Definitions
from derive.rechecking.layout import Refused, read_sections, refuse
from derive.rechecking.polynomials import same
from derive.rechecking.replay import evaluate
from derive.rechecking.statement import read_statement

__all__ = ["Recheck", "Refused", "recheck"]


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
    data = read_sections(certificate_text)
    statement = read_statement(data["instructions"], data["pairs"], data["expanded"])
    definitions = Definitions(data["definitions"], len(statement.program))
    values = evaluate(statement, definitions, data["vectors"])
    for pair in statement.pairs:
        if pair.left != pair.right and not same(values[pair.left], values[pair.right]):
            refuse(f"the two sides of {pair.label} come out different")
    assumptions, always = stated_conditions(statement.program)
    return Recheck(
        statement=(
            f"{len(statement.pairs)} pairs of values are equal for all real inputs at which both "
            "programs are defined"
        ),
        labels=tuple(pair.label for pair in statement.pairs),
        instructions=len(statement.program),
        definitions=len(data["definitions"]),
        assumptions=assumptions,
        always=always,
        opaque=tuple(sorted(statement.applied - statement.opened)),
    )
