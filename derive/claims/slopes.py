"""The claim about gradients: what reaches the scores of one query sums to 0."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import numpy
from sympy import Add, Expr, Integer, expand, fraction, together

from derive.claims.chains import chain, defining, unfolded
from derive.claims.claim import Claim, Proof, difference
from derive.claims.subject import Subject
from derive.claims.weights import has_scores, rows_sum
from derive.derivation import Derivation, DerivationError
from derive.formula import Choice, Mechanism, Stage, a, total
from derive.gradients import BackwardFormula, vector_jacobian_product
from derive.rewriting import Rule, distribute, pull_out, rewrite
from derive.witness import Difference, Reading, entry_name, surely_different


def backward(subject: Subject) -> BackwardFormula:
    """Return the gradients of the normaliser alone: by each final score, from those by weights."""
    finals = [entry.base for entry in subject.finals]
    stages = subject.upstream([a], finals)
    read = {base for stage in stages for base in stage.reads} - {s.array for s in stages}
    normaliser = Mechanism(
        "from final scores to weights",
        (Choice("normalise", "as the mechanism has it", stages),),
        given=tuple((base, subject.shapes[base]) for base in subject.shapes if base in read),
        relations=subject.mechanism.relations,
        indicators=subject.mechanism.indicators & frozenset(read),
    )
    return vector_jacobian_product(normaliser)


def _sum_of_gradients(subject: Subject, found: BackwardFormula) -> Expr:
    """Write the sum of the gradients by all final scores of one query."""
    return Add(
        *(
            total(found.gradients[score.base][score.indices], score.indices[-1])
            for score in subject.finals
        )
    )


def _rows_sum_to_zero(subject: Subject) -> Proof:
    found = backward(subject)
    forward = found.forward.stages
    gradients = score_gradients(subject, found)
    start = _sum_of_gradients(subject, found)
    ones = tuple(_rows_that_sum_to_one(subject))
    opening = [
        *unfolded(gradients),
        ("multiply out", distribute),
        ("what does not depend on the key stands before the sum", pull_out),
    ]
    row_sums = [_cancels(row) for row in ones]
    in_scores = [
        *unfolded(forward),
        ("what does not depend on the key stands before the sum", pull_out),
        ("over one denominator, the terms cancel", one_fraction),
    ]
    definitions = (*defining(forward), *gradients)
    try:
        return (*ones, chain(start, Integer(0), [*opening, *row_sums], definitions))
    except DerivationError:
        return (chain(start, Integer(0), [*opening, *in_scores], definitions),)


def _cancels(row: Derivation) -> tuple[str, Rule]:
    """Return the step that puts 1 in place of a row's sum, and lets equal sums cancel."""
    rule, weights = rewrite(*row.goal), row.goal[0].function.base
    return f"{weights} sums to 1, and equal sums cancel", lambda part: one_fraction(rule(part))


def score_gradients(subject: Subject, found: BackwardFormula) -> tuple[Stage, ...]:
    """Return the stages that the gradients by the final scores are made of, in order."""
    wanted = {found.gradients[score.base] for score in subject.finals}
    stages: list[Stage] = []
    for stage in reversed(found.stages):
        if stage.array in wanted:
            wanted |= stage.reads
            stages.insert(0, stage)
    return tuple(stages)


def _rows_that_sum_to_one(subject: Subject) -> Iterator[Derivation]:
    """Yield a proof for each array of weights in the normaliser whose rows sum to 1."""
    for stage in subject.normaliser:
        if len(stage.target.indices) == len(subject.weight.target.indices):
            with suppress(DerivationError):
                yield rows_sum(subject, stage)


def one_fraction(expression: Expr) -> Expr:
    """U / v - w / v = 0 where u and w are the same: put a sum over one denominator."""
    numerator, _ = fraction(together(expression.as_dummy()))
    return Integer(0) if expand(numerator) == 0 else expression


def _rows_do_not_sum_to_zero(subject: Subject, reading: Reading) -> Difference | None:
    found = backward(subject)
    arrays = reading.run(subject.upstream([a], reading.inputs))
    first = numpy.full(arrays[a].shape, Fraction(0), dtype=object)
    first[..., 0] = Fraction(1)
    after = reading.going_on({**arrays, found.upstream: first}, score_gradients(subject, found))
    for row in numpy.ndindex(*arrays[a].shape[:-1]):
        gradients = [after[found.gradients[score.base]][row] for score in subject.finals]
        entries = [entry for part in gradients for entry in part]
        summed = sum(entries[1:], entries[0])
        if surely_different(summed, 0):
            name = entry_name(a, (*(p + 1 for p in row), 1))
            return difference(f"the sum of the gradients of {name} by the scores", 0, summed)
    return None


GRADIENTS_SUM_TO_ZERO = Claim(
    "gradient-rows-sum-to-zero",
    "The gradients by all final scores of one query sum to 0",
    _rows_sum_to_zero,
    _rows_do_not_sum_to_zero,
    (),
    "Where it holds, a step against this gradient does not change the sum of a row's scores.",
    applies=has_scores,
)
