"""The named properties of every mechanism of the atlas, each decided.

Which claims can be asked of a mechanism follows from its formula. A claim about scores needs
final scores, one about two tokens needs a score for every two, and so on; see ``Claim.applies``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sympy import Symbol

from derive.claims.bounds import SCORES_BOUNDED
from derive.claims.causality import CAUSAL
from derive.claims.claim import Claim
from derive.claims.contexts import IN_HULL
from derive.claims.limits import LARGEST_WINS_WHEN_COLD, UNIFORM_WHEN_HOT
from derive.claims.permutations import PERMUTATION_EQUIVARIANT
from derive.claims.places import RELATIVE_POSITION
from derive.claims.scores import QUERY_SCALE_INVARIANT, SYMMETRIC_IN_VECTORS
from derive.claims.slopes import GRADIENTS_SUM_TO_ZERO
from derive.claims.subject import Subject
from derive.claims.weights import POSITIVE, ROWS_SUM, SHIFT_INVARIANT
from derive.properties import PROVED, REFUTED, UNDECIDED, Property, settle
from derive.trials import shrunk, text_of, trials
from derive.variants.variant import Variant
from derive.witness import Arrays, Difference, Reading, Witness, difference_at, first_witness

CLAIMS: tuple[Claim, ...] = (
    ROWS_SUM,
    POSITIVE,
    IN_HULL,
    SHIFT_INVARIANT,
    PERMUTATION_EQUIVARIANT,
    CAUSAL,
    RELATIVE_POSITION,
    SYMMETRIC_IN_VECTORS,
    QUERY_SCALE_INVARIANT,
    SCORES_BOUNDED,
    UNIFORM_WHEN_HOT,
    LARGEST_WINS_WHEN_COLD,
    GRADIENTS_SUM_TO_ZERO,
)
"""What is asked of every mechanism of the atlas."""


@cache
def subject_of(variant: Variant) -> Subject:
    """Return a mechanism of the atlas as claims see it."""
    return Subject(
        variant.mechanism,
        frozenset(base for base, made in variant.inputs.items() if made.fixed),
        text_of(variant),
    )


@cache
def variant_properties(variant: Variant) -> tuple[Property, ...]:
    """Decide every claim that can be asked of a mechanism of the atlas."""
    subject = subject_of(variant)
    return tuple(decided(variant, claim) for claim in CLAIMS if claim.applies(subject))


def decided(variant: Variant, claim: Claim) -> Property:
    """Prove a claim of a mechanism of the atlas, or refute it, or leave it undecided."""
    subject = subject_of(variant)

    def search() -> Witness:
        for inputs, sizes in trials(variant, claim.fewest):

            def reading(given: Arrays, sizes: Mapping[Symbol, int] = sizes) -> Reading:
                return Reading(claim.narrow(subject, given), sizes)

            def fails(given: Arrays) -> Difference | None:
                return difference_at(reading(given), lambda at: claim.fails(subject, at))

            if fails(inputs):
                simplest = reading(shrunk(variant, inputs, lambda given: bool(fails(given))))
                return first_witness([simplest], lambda at: claim.fails(subject, at))
        raise LookupError(f"{variant.key}: no input that was tried makes {claim.name} fail")

    return settle(claim, subject, search, variant.key, stated(variant, claim))


def stated(variant: Variant, claim: Claim) -> str:
    """Return the verdict that is stated of a mechanism in its own file."""
    if claim.name in variant.holds:
        return PROVED
    return REFUTED if claim.name in variant.fails else UNDECIDED
