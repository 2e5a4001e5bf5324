"""Named properties of attention mechanisms, each decided: proved, or refuted by a counterexample.

A claim tries its proof on a mechanism. The proof is a chain of rewriting steps that holds for
every number of tokens and all real inputs (see ``derivation``), the signs of the parts, SymPy's
own matrix product, or an argument that reads the equations one by one. Where it does not go
through, the smallest counterexample is sought; where none is found either, the property is
undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from sympy import Expr, Pow

from derive.attention import MECHANISMS
from derive.brackets import AtMost
from derive.claims.claim import Claim, Proof
from derive.claims.contexts import CONTEXT_IS_PRODUCT, IN_HULL
from derive.claims.forms import FORMS_AGREE
from derive.claims.scores import SCORES_ARE_PRODUCT, SYMMETRIC
from derive.claims.subject import Subject
from derive.claims.weights import (
    POSITIVE,
    ROWS_SUM,
    SCALE_INVARIANT,
    SHIFT_INVARIANT,
    SHIFTED_IS_SOFTMAX,
    known_signs,
)
from derive.derivation import DerivationError
from derive.formula import INPUT_SHAPES, Mechanism
from derive.signs import Sign
from derive.witness import Shapes, Witness, find_witness

PROVED, REFUTED, UNDECIDED = "proved", "refuted", "undecided"


@dataclass(frozen=True)
class Property:
    """A claim decided for one mechanism; ``conditions`` is what a proof needs not to be zero.

    ``stated`` is the verdict that is stated of this mechanism.
    """

    claim: Claim
    mechanism: str
    verdict: str
    evidence: Proof | Witness | None
    conditions: tuple[Expr, ...]
    stated: str


def decide(claim: Claim, key: str) -> Property:
    """Prove ``claim`` of the mechanism called ``key``, or refute it, or leave it undecided."""
    subject = Subject(MECHANISMS[key])
    # The shapes of a claim may be for several kinds of mechanism, each with inputs of its own.
    fitting = [shape for shape in claim.shapes if _fits(subject.mechanism, shape)]
    return settle(
        claim,
        subject,
        lambda: find_witness(fitting, lambda reading: claim.fails(subject, reading)),
        key,
        STATED[claim].get(key, UNDECIDED) if claim in STATED else UNDECIDED,
    )


def settle(
    claim: Claim, subject: Subject, search: Callable[[], Witness], key: str, stated: str
) -> Property:
    """Prove ``claim`` of ``subject``; else ``search`` for a counterexample."""
    try:
        proof = claim.prove(subject)
    except DerivationError:
        try:
            witness = search()
        except LookupError:
            return Property(claim, key, UNDECIDED, None, (), stated)
        return Property(claim, key, REFUTED, witness, (), stated)
    conditions = claim.nonzero(subject) + nonzero_conditions(subject, claim)
    return Property(claim, key, PROVED, proof, conditions, stated)


def nonzero_conditions(subject: Subject, claim: Claim) -> tuple[Expr, ...]:
    """Return what the arrays of a claim divide by, or take a root of, that may not be allowed.

    What is divided by must not be zero, what stands under a root not be negative.
    """
    signs = known_signs(subject)
    doubtful: dict[Expr, None] = {}
    for stage in subject.upstream(claim.about(subject)):
        for power in sorted(stage.value.atoms(Pow), key=str):
            sign = signs.of(power.base)
            if power.exp.is_negative and sign is not Sign.POSITIVE:
                doubtful[power.base] = None
            if not power.exp.is_integer and sign is Sign.UNKNOWN:
                doubtful[AtMost(0, power.base)] = None
    return tuple(doubtful)


def _fits(mechanism: Mechanism, shapes: Shapes) -> bool:
    given = set(shapes)
    return given <= set(mechanism.inputs) or not given & INPUT_SHAPES.keys()


STATED: Mapping[Claim, Mapping[str, str]] = {
    FORMS_AGREE: dict.fromkeys(MECHANISMS, PROVED),
    SYMMETRIC: {"softmax": PROVED, "scaled": PROVED, "cross": REFUTED},
    SCORES_ARE_PRODUCT: {"softmax": PROVED, "cross": PROVED},
    ROWS_SUM: {"raw": REFUTED, "sum": PROVED, "softmax": PROVED, "shifted": PROVED},
    POSITIVE: {"raw": REFUTED, "sum": REFUTED, "softmax": PROVED, "shifted": PROVED},
    SHIFT_INVARIANT: {"raw": REFUTED, "sum": REFUTED, "softmax": PROVED},
    SCALE_INVARIANT: {"raw": REFUTED, "sum": PROVED, "softmax": REFUTED},
    SHIFTED_IS_SOFTMAX: {"shifted": PROVED},
    IN_HULL: {
        "raw": REFUTED,
        "sum": REFUTED,
        "softmax": PROVED,
        "shifted": PROVED,
        "cross": PROVED,
    },
    CONTEXT_IS_PRODUCT: {"softmax": PROVED, "cross": PROVED},
}
"""What is stated of which mechanism; a claim that is decided otherwise fails the checks."""


@cache
def all_properties() -> tuple[Property, ...]:
    """Decide every claim for every mechanism it is listed with."""
    return tuple(decide(claim, key) for claim, keys in STATED.items() for key in keys)
