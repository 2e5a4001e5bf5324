"""Named properties of attention mechanisms, each decided: proved, or refuted by a counterexample.

A claim tries its proof on a mechanism. The proof is a chain of rewriting steps that holds for
every number of tokens and all real inputs (see ``derivation``), the signs of the parts, or SymPy's
own matrix product. Where it does not go through, the smallest counterexample is sought; where
none is found either, the property is undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sympy import Expr, Indexed, IndexedBase, Pow

from derive.attention import MECHANISMS
from derive.claims.claim import Claim, Proof
from derive.claims.contexts import CONTEXT_IS_PRODUCT, IN_HULL
from derive.claims.forms import FORMS_AGREE
from derive.claims.scores import SCORES_ARE_PRODUCT, SYMMETRIC
from derive.claims.weights import (
    POSITIVE,
    ROWS_SUM,
    SCALE_INVARIANT,
    SHIFT_INVARIANT,
    SHIFTED_IS_SOFTMAX,
)
from derive.derivation import Derivation, DerivationError
from derive.formula import INPUT_SHAPES, Mechanism, a, z
from derive.signs import is_positive
from derive.witness import Shapes, Witness, find_witness

PROVED, REFUTED, UNDECIDED = "proved", "refuted", "undecided"


@dataclass(frozen=True)
class Property:
    """A claim decided for one mechanism; ``conditions`` is what a proof needs to hold."""

    claim: Claim
    mechanism: str
    verdict: str
    evidence: Proof | Witness | None
    conditions: tuple[Expr, ...]

    @property
    def stated(self) -> str:
        """The verdict that is stated of this mechanism."""
        return STATED[self.claim][self.mechanism]


def decide(claim: Claim, key: str) -> Property:
    """Prove ``claim`` of the mechanism called ``key``, or refute it, or leave it undecided."""
    mechanism = MECHANISMS[key]
    try:
        proof = claim.prove(mechanism)
    except DerivationError:
        # The shapes of a claim may be for several kinds of mechanism, each with inputs of its own.
        fitting = [shape for shape in claim.shapes if _fits(mechanism, shape)]
        try:
            witness = find_witness(fitting, lambda reading: claim.fails(mechanism, reading))
        except LookupError:
            return Property(claim, key, UNDECIDED, None, ())
        return Property(claim, key, REFUTED, witness, ())
    conditions = nonzero_conditions(mechanism) if _mentions_weights(proof) else ()
    return Property(claim, key, PROVED, proof, claim.nonzero + conditions)


def nonzero_conditions(mechanism: Mechanism) -> tuple[Expr, ...]:
    """Return the denominators of a mechanism that are not positive for all inputs."""
    positive: set[IndexedBase] = set()
    doubtful: list[Expr] = []
    for stage in mechanism.stages:
        for power in stage.value.atoms(Pow):
            below = power.exp.is_negative and power.base.has(Indexed)
            if below and not is_positive(power.base, positive):
                doubtful.append(power.base)
        if is_positive(stage.value, positive):
            positive.add(stage.array)
    return tuple(doubtful)


def _fits(mechanism: Mechanism, shapes: Shapes) -> bool:
    given = set(shapes)
    return given <= set(mechanism.inputs) or not given & INPUT_SHAPES.keys()


def _mentions_weights(proof: Proof) -> bool:
    chains = [part for part in proof if isinstance(part, Derivation)]
    entries = {e for chain in chains for side in chain.goal for e in side.atoms(Indexed)}
    return bool({a, z} & {entry.base for entry in entries})


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
