"""Named properties of attention mechanisms, each decided: proved, or refuted by a counterexample.

A claim tries its proof on a mechanism. The proof is a chain of rewriting steps that holds for
every number of tokens and all real inputs (see ``derivation``), the signs of the parts, or SymPy's
own matrix product. Where it does not go through, the smallest counterexample is sought; where
none is found either, the property is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sympy import Expr, Indexed, IndexedBase, Integer, MatrixExpr, Mul, Pow, Symbol

from derive.attention import MECHANISMS
from derive.binding import rename
from derive.derivation import Derivation, DerivationError, derive
from derive.formula import (
    D,
    K,
    Mechanism,
    Q,
    Stage,
    a,
    array,
    i,
    j,
    m,
    s,
    total,
    x,
    z,
)
from derive.matrix_form import matrix_product
from derive.rewriting import (
    Rule,
    distribute,
    exactly,
    fold,
    pull_out,
    rewrite,
    split_exponentials,
    unfold,
)
from derive.signs import is_positive
from derive.witness import (
    Difference,
    Reading,
    Shapes,
    Witness,
    find_witness,
    shown,
    surely_below,
    surely_different,
)

PROVED, REFUTED, UNDECIDED = "proved", "refuted", "undecided"

t, b, r = array("t"), array("b"), array("r")
"""Arrays that may be anything: a shift for each row, a bound for each column, a row's factor."""


@dataclass(frozen=True)
class Signs:
    """A proof that an entry is positive: the entry, and what it is by definition."""

    entry: Expr
    definition: Expr


@dataclass(frozen=True)
class MatrixProduct:
    """A proof by SymPy's own matrix product: ``stage`` has the entries of ``product``."""

    stage: Stage
    product: MatrixExpr


Proof = tuple[Derivation | Signs | MatrixProduct, ...]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Claim:
    """A property that a mechanism may have.

    ``prove`` returns the parts of a proof or raises ``DerivationError``; ``fails`` looks for the
    property's failure at one input; ``shapes`` are the input shapes to try, smallest first.
    ``consequence`` says what it means for a reader, ``nonzero`` what the claim itself takes not to
    be zero.
    """

    name: str
    title: str
    prove: Callable[[Mechanism], Proof]
    fails: Callable[[Mechanism, Reading], Difference | None]
    shapes: tuple[Shapes, ...]
    consequence: str
    nonzero: tuple[Expr, ...] = ()


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
        try:
            witness = find_witness(claim.shapes, lambda reading: claim.fails(mechanism, reading))
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


# Scores


def _symmetric(mechanism: Mechanism) -> Proof:
    score = mechanism.stage(s)
    swapped = Stage(s[j, i], rename(score.value, {i: j, j: i}))
    return (
        derive(
            s[i, j],
            s[j, i],
            [
                ("the definition of s", unfold(score)),
                (
                    "the same products, for numbers commute: the definition of s_ji",
                    exactly(swapped),
                ),
            ],
            [score],
        ),
    )


def _asymmetric(mechanism: Mechanism, reading: Reading) -> Difference | None:
    scores = reading.run(mechanism.choice("score").stages)[s]
    left, right = scores[0, 1], scores[1, 0]
    return _difference("s_12", left, right) if surely_different(left, right) else None


def _product(base: IndexedBase) -> Callable[[Mechanism], Proof]:
    def prove(mechanism: Mechanism) -> Proof:
        stage = mechanism.stage(base)
        product = matrix_product(stage)
        if product is None:
            raise DerivationError(f"{stage} is not the product of two matrices")
        return (MatrixProduct(stage, product),)

    return prove


def _never(_mechanism: Mechanism, _reading: Reading) -> Difference | None:
    return None


# Weights


def rows_sum(mechanism: Mechanism) -> Derivation:
    """Prove that the weights of one query sum to 1."""
    weight = mechanism.stage(a)
    reasons: list[tuple[str, Rule]] = [("the definition of a", unfold(weight))]
    if isinstance(weight.value, Mul):
        reasons.append(("what does not depend on j stands before the sum", pull_out))
        definition = fold(_denominator(mechanism))
        reasons.append(("the sum is D_i by definition, and D_i / D_i = 1", definition))
    return derive(total(a[i, j], j), Integer(1), reasons, _from_scores(mechanism))


def _denominator(mechanism: Mechanism) -> Stage:
    for stage in mechanism.stages:
        if stage.array == D:
            return stage
    raise DerivationError(f"{mechanism.title} has no denominator D")


def _row_sum_off(mechanism: Mechanism, reading: Reading) -> Difference | None:
    row = reading.run(_from_scores(mechanism))[a][0]
    found = sum(row[1:], row[0])
    return _difference("the sum of the weights", 1, found) if surely_different(found, 1) else None


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
    weights = reading.run(_from_scores(mechanism))[a][0]
    for place, weight in enumerate(weights, start=1):
        if surely_below(weight, 0):
            return Difference(f"a_1{place}", "a number above 0", shown(weight))
    return None


def _unfolded(mechanism: Mechanism) -> list[Rule]:
    return [unfold(stage) for stage in reversed(_from_scores(mechanism))]


def _changed_scores(mechanism: Mechanism, change: Expr) -> Expr:
    """Return the weight a[i, j] written in scores that are each replaced by ``change``."""
    expression: Expr = a[i, j]
    for rule in _unfolded(mechanism):
        expression = rule(expression)
    return rewrite(s[i, j], change)(expression)


def _back_to_weight(mechanism: Mechanism) -> list[tuple[str, Rule]]:
    stages = _from_scores(mechanism)
    back: list[tuple[str, Rule]] = []
    if len(stages) > 1:
        back.append(("the definition of D, read backwards", fold(_denominator(mechanism))))
    return [*back, ("the definition of a, read backwards", fold(mechanism.stage(a)))]


def _shift_invariant(mechanism: Mechanism) -> Proof:
    start = _changed_scores(mechanism, s[i, j] + t[i])
    reasons = [
        ("an exponential of a sum is a product of exponentials", split_exponentials),
        ("the factor of t_i does not depend on the key, so it cancels", pull_out),
        *_back_to_weight(mechanism),
    ]
    return (derive(start, a[i, j], reasons, _from_scores(mechanism)),)


def _scale_invariant(mechanism: Mechanism) -> Proof:
    start = _changed_scores(mechanism, s[i, j] * r[i])
    reasons = [
        ("r_i does not depend on the key, so it cancels", pull_out),
        *_back_to_weight(mechanism),
    ]
    return (derive(start, a[i, j], reasons, _from_scores(mechanism)),)


def _changes_with(
    change: Callable[[Any], Any],
) -> Callable[[Mechanism, Reading], Difference | None]:
    def fails(mechanism: Mechanism, reading: Reading) -> Difference | None:
        stages = _from_scores(mechanism)
        before = reading.run(stages)[a][0, 0]
        after = reading.run(stages, s=change(reading.inputs[s]))[a][0, 0]
        return _difference("a_11", before, after) if surely_different(before, after) else None

    return fails


def _is_softmax(mechanism: Mechanism) -> Proof:
    softmax = MECHANISMS["softmax"]
    start: Expr = a[i, j]
    for rule in (unfold(mechanism.stage(a)), unfold(_denominator(mechanism))):
        start = rule(start)
    reasons = [
        ("an exponential of a difference is a quotient of exponentials", split_exponentials),
        ("the factor of m_i does not depend on the key, so it cancels", pull_out),
        *_back_to_weight(softmax),
    ]
    definitions = (mechanism.stage(m), *_from_scores(softmax))
    return (derive(start, a[i, j], reasons, definitions),)


# Context vectors


def _in_hull(mechanism: Mechanism) -> Proof:
    context = mechanism.stage(z)
    value, column = _value_entry(context)
    bounded = derive(
        total(a[i, j] * (b[column] - value), j),
        b[column] - context.target,
        [
            ("multiply out", distribute),
            ("b does not depend on j", pull_out),
            ("the weights of one query sum to 1", rewrite(*rows_sum(mechanism).goal)),
            ("the definition of z, read backwards", fold(context)),
        ],
        (*_from_scores(mechanism), context),
    )
    return positive_weights(mechanism), rows_sum(mechanism), bounded


def _outside_hull(mechanism: Mechanism, reading: Reading) -> Difference | None:
    context = mechanism.stage(z)
    value, _ = _value_entry(context)
    arrays = reading.run(mechanism.stages)
    found, values = arrays[z][0, 0], list(arrays[value.base][:, 0])
    low, high = min(values), max(values)
    if surely_below(found, low) or surely_below(high, found):
        return Difference("z_11", f"between {shown(low)} and {shown(high)}", shown(found))
    return None


def _value_entry(context: Stage) -> tuple[Indexed, Symbol]:
    (value,) = (entry for entry in context.value.atoms(Indexed) if entry.base != a)
    return value, context.target.indices[1]


def _from_scores(mechanism: Mechanism) -> tuple[Stage, ...]:
    return mechanism.choice("normalise").stages


def _difference(entry: str, claimed: Any, found: Any) -> Difference:
    return Difference(entry, shown(claimed), shown(found))


def _mentions_weights(proof: Proof) -> bool:
    chains = [part for part in proof if isinstance(part, Derivation)]
    entries = {e for chain in chains for side in chain.goal for e in side.atoms(Indexed)}
    return bool({a, z} & {entry.base for entry in entries})


ONE_ROW: tuple[Shapes, ...] = ({s: (1, 1)}, {s: (1, 2)})
SENTENCES: tuple[Shapes, ...] = ({x: (1, 1)}, {x: (2, 1)})

SYMMETRIC = Claim(
    "scores-symmetric",
    "Two tokens score each other alike",
    _symmetric,
    _asymmetric,
    ({Q: (2, 1), K: (2, 1)},),
    "Which of the two words asks does not matter, as long as query and key are the same vectors.",
)
SCORES_ARE_PRODUCT = Claim(
    "scores-are-a-matrix-product",
    "All scores at once are one matrix product",
    _product(s),
    _never,
    (),
    "Row i, column j of the product is the inner product of rows i and j.",
)
ROWS_SUM = Claim(
    "rows-sum-to-one",
    "The weights of one query sum to 1",
    lambda mechanism: (rows_sum(mechanism),),
    _row_sum_off,
    ONE_ROW,
    "Each row of weights shares out one whole among the keys.",
)
POSITIVE = Claim(
    "weights-positive",
    "Every weight is positive",
    lambda mechanism: (positive_weights(mechanism),),
    _weight_not_positive,
    ONE_ROW,
    "No key is ever subtracted, and none is left out entirely.",
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
    _never,
    (),
    "Any m_i gives the same weights; the largest score keeps every exponent at 0 or below.",
)
IN_HULL = Claim(
    "context-in-convex-hull",
    "Each context vector lies in the convex hull of the inputs",
    _in_hull,
    _outside_hull,
    SENTENCES,
    "Weights above 0 that sum to 1 mix the vectors: a bound b_k on all x_jk bounds z_ik too.",
)
CONTEXT_IS_PRODUCT = Claim(
    "contexts-are-a-matrix-product",
    "All context vectors at once are one matrix product",
    _product(z),
    _never,
    (),
    "Row i of the product is the context vector of query i.",
)

STATED: Mapping[Claim, Mapping[str, str]] = {
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
