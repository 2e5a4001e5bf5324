"""Claims about attention weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from sympy import Expr, Indexed, Integer

from derive.attention import SOFTMAX
from derive.claims.chains import (
    Change,
    Reasons,
    chain,
    changed,
    common_factors,
    defining,
    first_that_holds,
    folded,
    out_of_largest,
    unfolded,
)
from derive.claims.claim import Claim, Proof, Signs, difference, never
from derive.claims.subject import Subject
from derive.derivation import Derivation, DerivationError
from derive.formula import D, Mechanism, Stage, a, array, i, j, m, s, total
from derive.rewriting import distribute, fold, pull_out, split_exponentials, unfold
from derive.signs import KnownSigns, Sign, signs_of
from derive.witness import (
    Difference,
    Reading,
    Shapes,
    entries_of,
    entry_name,
    first_difference,
    shown,
    surely_below,
    surely_different,
)

t, r = array("t"), array("r")
"""Arrays that may be anything: a shift for each row, and a factor for each row."""

ONE_ROW: tuple[Shapes, ...] = ({s: (1, 1)}, {s: (1, 2)})


def has_weights(subject: Subject) -> bool:
    """Tell whether a mechanism computes weights, and by a choice of its own."""
    made = {stage.array for stage in subject.mechanism.stages}
    return a in made and any(choice.role == "normalise" for choice in subject.mechanism)


def has_scores(subject: Subject) -> bool:
    """Tell whether a mechanism makes its weights from final scores."""
    return has_weights(subject) and bool(subject.finals)


def known_signs(subject: Subject) -> KnownSigns:
    """Return what is known of the signs of a mechanism's arrays."""
    mechanism = subject.mechanism
    relations = dict(mechanism.relations)
    return signs_of(mechanism.stages, mechanism.indicators, relations, subject.own_shapes)


def rows_sum(subject: Subject, weight: Stage | None = None) -> Derivation:
    """Prove that the weights of one query sum to 1, or those that another stage defines."""
    weight = weight or subject.weight
    row_sums = [stage for stage in subject.normaliser if stage.array in weight.reads]
    several = ("a sum of several terms is several sums", distribute)
    reasons = [
        (f"the definition of {weight.array}", unfold(weight)),
        ("what does not depend on the key stands before the sum", pull_out),
        *[
            (f"the sum is {named(stage.target)} by definition, and it cancels", fold(stage))
            for stage in row_sums
        ],
    ]
    start = total(weight.target, weight.target.indices[-1])
    definitions = defining(subject.normaliser)
    return first_that_holds(
        partial(chain, start, Integer(1), attempt, definitions)
        for attempt in (reasons, [reasons[0], several, *reasons[1:]])
    )


def _row_sum_off(subject: Subject, reading: Reading) -> Difference | None:
    weights = reading.run(subject.upstream([a], reading.inputs))[a]
    for place in numpy.ndindex(*weights.shape[:-1]):
        row = weights[place]
        found = sum(row[1:], row[0])
        if surely_different(found, 1):
            return difference("the sum of the weights", 1, found)
    return None


def weights_not_negative(subject: Subject) -> Signs:
    """Prove that no weight is below zero, by the signs of its parts."""
    sign = known_signs(subject).known[a]
    if sign is Sign.UNKNOWN:
        raise DerivationError("nothing shows that every weight is positive")
    return Signs(subject.weight.target, subject.weight.value, strict=sign is Sign.POSITIVE)


def _weight_negative(subject: Subject, reading: Reading) -> Difference | None:
    weights = reading.run(subject.upstream([a], reading.inputs))[a]
    for place, weight in entries_of(weights):
        if surely_below(weight, 0):
            return Difference(entry_name(a, place), "a number not below 0", shown(weight))
    return None


def _shift_invariant(subject: Subject) -> Proof:
    (shift,) = subject.spare()
    reasons = [
        ("an exponential of a sum is a product of exponentials", split_exponentials),
        ("the factor of the shift does not depend on the key, so it cancels", pull_out),
        ("it stands before all terms", common_factors),
    ]
    return (_unchanged(subject, lambda s: s + shift[s.indices[:-1]], reasons),)


def _scale_invariant(subject: Subject) -> Proof:
    reasons = [("r_i does not depend on the key, so it cancels", pull_out)]
    return (_unchanged(subject, lambda s: s * r[s.indices[:-1]], reasons),)


def _unchanged(subject: Subject, change: Change, reasons: Reasons) -> Derivation:
    """Prove that the weights stay as they are when each final score is changed."""
    stages = subject.upstream([a], {entry.base for entry in subject.finals})
    start: Expr = subject.weight.target
    for _, rule in unfolded(stages):
        start = rule(start)
    start = changed(start, {entry.base for entry in subject.finals}, change)
    largest = ("a shift of all numbers shifts the largest, and cancels", out_of_largest)
    return first_that_holds(
        partial(
            chain,
            start,
            subject.weight.target,
            [*attempt, *folded(stages)],
            defining(stages),
        )
        for attempt in ([largest], reasons)
    )


def _changes_with(
    change: Callable[[Any], Any],
) -> Callable[[Subject, Reading], Difference | None]:
    """Look for a weight that changes when the final scores do."""

    def fails(subject: Subject, reading: Reading) -> Difference | None:
        finals = [entry.base for entry in subject.finals]
        arrays = reading.run(subject.upstream([a], reading.inputs))
        replaced = {base: change(arrays[base]) for base in finals}
        after = reading.going_on({**arrays, **replaced}, subject.upstream([a], finals))[a]
        return first_difference(a, arrays[a], after)

    return fails


def _is_softmax(subject: Subject) -> Proof:
    mechanism = subject.mechanism
    start: Expr = a[i, j]
    for rule in (unfold(mechanism.stage(a)), unfold(denominator(mechanism))):
        start = rule(start)
    softmax = SOFTMAX.choice("normalise").stages
    reasons = [
        ("an exponential of a difference is a quotient of exponentials", split_exponentials),
        ("the factor of m_i does not depend on the key, so it cancels", pull_out),
        *folded(softmax),
    ]
    return (chain(start, a[i, j], reasons, (mechanism.stage(m), *softmax)),)


def denominator(mechanism: Mechanism) -> Stage:
    """Return the stage that defines D; a mechanism without one is a ``DerivationError``."""
    for stage in mechanism.stages:
        if stage.array == D:
            return stage
    raise DerivationError(f"{mechanism.title} has no denominator D")


def named(entry: Indexed) -> str:
    """Write an entry as D_i, or D_1i where the array has a label of its own."""
    return f"{entry.base}_{''.join(map(str, entry.indices))}"


ROWS_SUM = Claim(
    "rows-sum-to-one",
    "The weights of one query sum to 1",
    lambda subject: (rows_sum(subject),),
    _row_sum_off,
    ONE_ROW,
    "Each row of weights divides one whole among the keys.",
    applies=has_weights,
)
POSITIVE = Claim(
    "weights-not-negative",
    "No weight is negative",
    lambda subject: (weights_not_negative(subject),),
    _weight_negative,
    ONE_ROW,
    "No value is ever subtracted. Softmax gives every key that a query sees a weight above 0.",
    applies=has_weights,
)
SHIFT_INVARIANT = Claim(
    "shift-invariant",
    "Shifting all scores of a query changes nothing",
    _shift_invariant,
    _changes_with(lambda scores: scores + 1),
    ONE_ROW,
    "Only differences of scores matter.",
    applies=has_scores,
)
SCALE_INVARIANT = Claim(
    "scale-invariant",
    "Multiplying all scores of a query by one factor changes nothing",
    _scale_invariant,
    _changes_with(lambda scores: scores * 2),
    ONE_ROW,
    "Where it fails, the size of the scores matters: larger ones can sharpen the weights.",
    lambda subject: (r[subject.weight.target.indices[:-1]],),
    applies=has_scores,
)
SHIFTED_IS_SOFTMAX = Claim(
    "shifted-is-softmax",
    "The shifted form that frameworks compute is softmax",
    _is_softmax,
    never,
    (),
    "Any m_i gives the same weights; the largest score keeps every exponent at 0 or below.",
)
