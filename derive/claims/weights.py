"""Claims about attention weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Expr, IndexedBase, Integer, Mul

from derive.attention import SOFTMAX
from derive.claims.claim import Claim, Proof, Signs, difference, never
from derive.derivation import Derivation, DerivationError, derive
from derive.formula import D, Mechanism, Stage, a, array, i, j, m, s, total
from derive.rewriting import Rule, fold, pull_out, rewrite, split_exponentials, unfold
from derive.signs import is_positive
from derive.witness import (
    Difference,
    Reading,
    Shapes,
    shown,
    surely_below,
    surely_different,
)

t, r = array("t"), array("r")
"""Arrays that may be anything: a shift for each row, and a factor for each row."""

ONE_ROW: tuple[Shapes, ...] = ({s: (1, 1)}, {s: (1, 2)})


def rows_sum(mechanism: Mechanism) -> Derivation:
    """Prove that the weights of one query sum to 1."""
    weight = mechanism.stage(a)
    reasons: list[tuple[str, Rule]] = [("the definition of a", unfold(weight))]
    if isinstance(weight.value, Mul):
        reasons.append(("what does not depend on j stands before the sum", pull_out))
        definition = fold(denominator(mechanism))
        reasons.append(("the sum is D_i by definition, and D_i / D_i = 1", definition))
    return derive(total(a[i, j], j), Integer(1), reasons, from_scores(mechanism))


def _row_sum_off(mechanism: Mechanism, reading: Reading) -> Difference | None:
    row = reading.run(from_scores(mechanism))[a][0]
    found = sum(row[1:], row[0])
    return difference("the sum of the weights", 1, found) if surely_different(found, 1) else None


def positive_weights(mechanism: Mechanism) -> Signs:
    """Prove that every weight is above zero, by the signs of its parts."""
    positive: set[IndexedBase] = set()
    for stage in mechanism.stages:
        if is_positive(stage.value, positive):
            positive.add(stage.array)
    if a not in positive:
        raise DerivationError("nothing shows that every weight is positive")
    return Signs(a[i, j], mechanism.stage(a).value)


def _weight_not_positive(mechanism: Mechanism, reading: Reading) -> Difference | None:
    weights = reading.run(from_scores(mechanism))[a][0]
    for place, weight in enumerate(weights, start=1):
        if surely_below(weight, 0):
            return Difference(f"a_1{place}", "a number not below 0", shown(weight))
    return None


def _shift_invariant(mechanism: Mechanism) -> Proof:
    start = _changed_scores(mechanism, s[i, j] + t[i])
    reasons = [
        ("an exponential of a sum is a product of exponentials", split_exponentials),
        ("the factor of t_i does not depend on the key, so it cancels", pull_out),
        *_back_to_weight(mechanism),
    ]
    return (derive(start, a[i, j], reasons, from_scores(mechanism)),)


def _scale_invariant(mechanism: Mechanism) -> Proof:
    start = _changed_scores(mechanism, s[i, j] * r[i])
    reasons = [
        ("r_i does not depend on the key, so it cancels", pull_out),
        *_back_to_weight(mechanism),
    ]
    return (derive(start, a[i, j], reasons, from_scores(mechanism)),)


def _changes_with(
    change: Callable[[Any], Any],
) -> Callable[[Mechanism, Reading], Difference | None]:
    def fails(mechanism: Mechanism, reading: Reading) -> Difference | None:
        stages = from_scores(mechanism)
        before = reading.run(stages)[a][0, 0]
        after = reading.run(stages, s=change(reading.inputs[s]))[a][0, 0]
        return difference("a_11", before, after) if surely_different(before, after) else None

    return fails


def _is_softmax(mechanism: Mechanism) -> Proof:
    start: Expr = a[i, j]
    for rule in (unfold(mechanism.stage(a)), unfold(denominator(mechanism))):
        start = rule(start)
    reasons = [
        ("an exponential of a difference is a quotient of exponentials", split_exponentials),
        ("the factor of m_i does not depend on the key, so it cancels", pull_out),
        *_back_to_weight(SOFTMAX),
    ]
    definitions = (mechanism.stage(m), *from_scores(SOFTMAX))
    return (derive(start, a[i, j], reasons, definitions),)


def _changed_scores(mechanism: Mechanism, change: Expr) -> Expr:
    """Return the weight a[i, j] written in scores that are each replaced by ``change``."""
    expression: Expr = a[i, j]
    for rule in map(unfold, reversed(from_scores(mechanism))):
        expression = rule(expression)
    return rewrite(s[i, j], change)(expression)


def _back_to_weight(mechanism: Mechanism) -> list[tuple[str, Rule]]:
    stages = from_scores(mechanism)
    back: list[tuple[str, Rule]] = []
    if len(stages) > 1:
        back.append(("the definition of D, read backwards", fold(denominator(mechanism))))
    return [*back, ("the definition of a, read backwards", fold(mechanism.stage(a)))]


def denominator(mechanism: Mechanism) -> Stage:
    """Return the stage that defines D; a mechanism without one is a ``DerivationError``."""
    for stage in mechanism.stages:
        if stage.array == D:
            return stage
    raise DerivationError(f"{mechanism.title} has no denominator D")


def from_scores(mechanism: Mechanism) -> tuple[Stage, ...]:
    """Return the stages that make weights from scores."""
    return mechanism.choice("normalise").stages


ROWS_SUM = Claim(
    "rows-sum-to-one",
    "The weights of one query sum to 1",
    lambda mechanism: (rows_sum(mechanism),),
    _row_sum_off,
    ONE_ROW,
    "Each row of weights shares out one whole among the keys.",
)
POSITIVE = Claim(
    "weights-not-negative",
    "No weight is negative",
    lambda mechanism: (positive_weights(mechanism),),
    _weight_not_positive,
    ONE_ROW,
    "No key is ever subtracted. Softmax weights are above 0, so none is left out entirely either.",
)
SHIFT_INVARIANT = Claim(
    "shift-invariant",
    "Shifting all scores of a query changes nothing",
    _shift_invariant,
    _changes_with(lambda scores: scores + 1),
    ONE_ROW,
    "Only differences of scores matter.",
)
SCALE_INVARIANT = Claim(
    "scale-invariant",
    "Multiplying all scores of a query by one factor changes nothing",
    _scale_invariant,
    _changes_with(lambda scores: scores * 2),
    ONE_ROW,
    "Where it fails, the size of the scores matters: longer vectors sharpen the weights.",
    (r[i],),
)
SHIFTED_IS_SOFTMAX = Claim(
    "shifted-is-softmax",
    "The shifted form that frameworks compute is softmax",
    _is_softmax,
    never,
    (),
    "Any m_i gives the same weights; the largest score keeps every exponent at 0 or below.",
)
