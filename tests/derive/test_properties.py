"""Named properties: decided as stated, proofs that recheck, counterexamples that hold by hand."""

import dataclasses
import math
from fractions import Fraction

import pytest
from sympy import exp

from derive import properties
from derive.attention import MECHANISMS, SHIFTED, SOFTMAX
from derive.binding import same
from derive.claims.claim import Claim, MatrixProduct, Signs
from derive.claims.contexts import CONTEXT_IS_PRODUCT, IN_HULL
from derive.claims.scores import SYMMETRIC
from derive.claims.subject import Subject
from derive.claims.weights import (
    POSITIVE,
    ROWS_SUM,
    SCALE_INVARIANT,
    SHIFT_INVARIANT,
    SHIFTED_IS_SOFTMAX,
    r,
    t,
)
from derive.derivation import Derivation, DerivationError, Step
from derive.formula import Choice, D, Mechanism, Q, Stage, a, i, j, k, m, s, total, x, z
from derive.matrix_form import matrix_product
from derive.normaliser import by_sum, raw, shifted_softmax, softmax
from derive.proof_check import check_properties, recheck_proof
from derive.properties import (
    PROVED,
    REFUTED,
    STATED,
    UNDECIDED,
    all_properties,
    decide,
    nonzero_conditions,
)
from derive.score import dot_product
from derive.weighted_sum import weighted_sum
from derive.witness import Witness

FOUND = {(found.claim, found.mechanism): found for found in all_properties()}
NAMES = [f"{claim.name}-{key}" for claim, key in FOUND]


@pytest.mark.parametrize("found", FOUND.values(), ids=NAMES)
def test_every_property_is_as_stated(found):
    assert found.verdict == found.stated == STATED[found.claim][found.mechanism]


@pytest.mark.parametrize("found", FOUND.values(), ids=NAMES)
def test_every_proof_rechecks_and_every_refutation_has_a_witness(found):
    if found.verdict == PROVED:
        assert recheck_proof(found.evidence, Subject(MECHANISMS[found.mechanism]))
    else:
        assert found.verdict == REFUTED
        assert isinstance(found.evidence, Witness)


def test_the_results_name_their_method():
    results = {(row.name, row.mechanism): row for row in check_properties()}
    assert len(results) == len(FOUND)
    hull = results["context-in-convex-hull", "softmax"]
    assert hull.method.startswith("signs of the parts, 14 entries positive by SymPy; 3 steps")
    product = results["scores-are-a-matrix-product", "cross"]
    assert product.method == "SymPy's matrix product has the same entries"
    raw = results["rows-sum-to-one", "raw"]
    assert raw.method == "counterexample: s = (0): the sum of the weights is 0, not 1"
    assert results["scale-invariant", "sum"].conditions == ("r_i is not 0", "D_i is not 0")


def test_names_are_unique():
    assert len({claim.name for claim in STATED}) == len(STATED)


@pytest.mark.parametrize(
    ("claim", "key", "conditions"),
    [
        (ROWS_SUM, "sum", (D[i],)),
        (SCALE_INVARIANT, "sum", (r[i], D[i])),
        (ROWS_SUM, "softmax", ()),
        (ROWS_SUM, "shifted", ()),
        (SHIFT_INVARIANT, "softmax", ()),
        (IN_HULL, "softmax", ()),
    ],
)
def test_the_conditions_under_which_a_proof_holds(claim, key, conditions):
    assert FOUND[claim, key].conditions == conditions


def test_scores_need_no_denominator():
    assert decide(SYMMETRIC, "softmax").conditions == ()
    assert nonzero_conditions(Subject(MECHANISMS["sum"]), ROWS_SUM) == (D[i],)
    assert nonzero_conditions(Subject(MECHANISMS["scaled"]), ROWS_SUM) == ()


# The counterexamples, by arithmetic that shares nothing with the code.


def weights(key: str, scores: list[Fraction]) -> list[float | Fraction]:
    if key == "raw":
        return list(scores)
    terms = [math.exp(score) for score in scores] if key == "softmax" else scores
    return [term / sum(terms) for term in terms]


def contexts(key: str, column: list[Fraction]) -> list[float | Fraction]:
    rows = [weights(key, [left * right for right in column]) for left in column]
    return [sum(w * v for w, v in zip(row, column, strict=True)) for row in rows]


def inputs_of(found) -> dict[str, list[list[Fraction]]]:
    return {name: [list(row) for row in rows] for name, rows in found.evidence.inputs}


REFUTATIONS = {
    claim: [key for key in keys if keys[key] == REFUTED] for claim, keys in STATED.items()
}


@pytest.mark.parametrize("key", REFUTATIONS[ROWS_SUM])
def test_by_hand_rows_do_not_sum_to_one(key):
    (scores,) = inputs_of(FOUND[ROWS_SUM, key])["s"]
    assert abs(sum(weights(key, scores)) - 1) > 0.1


@pytest.mark.parametrize("key", REFUTATIONS[POSITIVE])
def test_by_hand_a_weight_is_negative(key):
    (scores,) = inputs_of(FOUND[POSITIVE, key])["s"]
    assert min(weights(key, scores)) < 0


@pytest.mark.parametrize("key", REFUTATIONS[SHIFT_INVARIANT])
def test_by_hand_a_shift_changes_the_weights(key):
    (scores,) = inputs_of(FOUND[SHIFT_INVARIANT, key])["s"]
    assert weights(key, scores)[0] != weights(key, [score + 1 for score in scores])[0]


@pytest.mark.parametrize("key", REFUTATIONS[SCALE_INVARIANT])
def test_by_hand_a_factor_changes_the_weights(key):
    (scores,) = inputs_of(FOUND[SCALE_INVARIANT, key])["s"]
    doubled = weights(key, [2 * score for score in scores])
    assert abs(weights(key, scores)[0] - doubled[0]) > 0.01


@pytest.mark.parametrize("key", REFUTATIONS[IN_HULL])
def test_by_hand_a_context_vector_lies_outside_the_hull(key):
    column = [value for (value,) in inputs_of(FOUND[IN_HULL, key])["x"]]
    first = contexts(key, column)[0]
    assert not min(column) <= first <= max(column)
    assert FOUND[IN_HULL, key].evidence.difference.found == str(first)


@pytest.mark.parametrize("key", REFUTATIONS[SYMMETRIC])
def test_by_hand_two_tokens_score_each_other_differently(key):
    given = inputs_of(FOUND[SYMMETRIC, key])
    (q1,), (q2,) = given["Q"]
    (k1,), (k2,) = given["K"]
    assert q1 * k2 != q2 * k1


def test_every_refutation_is_verified_by_hand():
    verified = {ROWS_SUM, POSITIVE, SHIFT_INVARIANT, SCALE_INVARIANT, IN_HULL, SYMMETRIC}
    assert {claim for claim, keys in REFUTATIONS.items() if keys} == verified


# Mechanisms that are subtly wrong lose their proofs.


def normalised(*stages: Stage, context: Stage | None = None) -> Mechanism:
    choices = (dot_product(x, x), Choice("normalise", "mutated", stages))
    last = weighted_sum(x, k) if context is None else Choice("weighted sum", "mutated", (context,))
    return Mechanism("a mutant", (*choices, last))


EXPONENTIALS = total(exp(s[i, j]), j)
WEIGHT = exp(s[i, j]) / D[i]
MUTANTS = {
    "no exp in the denominator": normalised(Stage(D[i], total(s[i, j], j)), Stage(a[i, j], WEIGHT)),
    "no exp in the numerator": normalised(
        Stage(D[i], EXPONENTIALS), Stage(a[i, j], s[i, j] / D[i])
    ),
    "transposed numerator": normalised(
        Stage(D[i], EXPONENTIALS), Stage(a[i, j], exp(s[j, i]) / D[i])
    ),
    "denominator of the column": normalised(
        Stage(D[i], EXPONENTIALS), Stage(a[i, j], exp(s[i, j]) / D[j])
    ),
    "sum over the column": normalised(Stage(D[i], total(exp(s[j, i]), j)), Stage(a[i, j], WEIGHT)),
    "no division": normalised(Stage(a[i, j], exp(s[i, j]))),
    "a constant beside the sum": normalised(Stage(D[i], 1 + EXPONENTIALS), Stage(a[i, j], WEIGHT)),
    "divided twice": normalised(Stage(D[i], EXPONENTIALS), Stage(a[i, j], WEIGHT / D[i])),
}


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.parametrize("claim", [ROWS_SUM, IN_HULL], ids=lambda claim: claim.name)
def test_a_wrong_normaliser_loses_its_proof(claim, name):
    with pytest.raises(DerivationError):
        claim.prove(Subject(MUTANTS[name]))


@pytest.mark.parametrize(
    "name",
    [
        "no exp in the denominator",
        "no exp in the numerator",
        "transposed numerator",
        "denominator of the column",
        "sum over the column",
        "no division",
        "a constant beside the sum",
        "divided twice",
    ],
)
def test_a_wrong_normaliser_is_not_shift_invariant(name):
    with pytest.raises(DerivationError):
        SHIFT_INVARIANT.prove(Subject(MUTANTS[name]))


@pytest.mark.parametrize("name", ["no exp in the denominator", "no exp in the numerator"])
def test_a_wrong_normaliser_is_not_positive(name):
    with pytest.raises(DerivationError):
        POSITIVE.prove(Subject(MUTANTS[name]))


SHIFTED_MUTANTS = {
    "no shift in the numerator": (exp(s[i, j] - m[i]), exp(s[i, j]), D[i]),
    "no shift in the denominator": (exp(s[i, j]), exp(s[i, j] - m[i]), D[i]),
    "shifts of other signs": (exp(s[i, j] + m[i]), exp(s[i, j] - m[i]), D[i]),
    "a shift for each key": (exp(s[i, j] - m[j]), exp(s[i, j] - m[j]), D[i]),
}


@pytest.mark.parametrize("name", SHIFTED_MUTANTS)
def test_a_wrong_shift_is_not_softmax(name):
    summed, weighed, below = SHIFTED_MUTANTS[name]
    stages = (
        shifted_softmax().stages[0],
        Stage(D[i], total(summed, j)),
        Stage(a[i, j], weighed / below),
    )
    with pytest.raises(DerivationError):
        SHIFTED_IS_SOFTMAX.prove(Subject(normalised(*stages)))


CONTEXT_MUTANTS = {
    "transposed weights": total(a[j, i] * x[j, k], j),
    "the query's own vector": total(a[i, j] * x[i, k], j),
    "squared vectors": total(a[i, j] * x[j, k] ** 2, j),
    "twice the sum": 2 * total(a[i, j] * x[j, k], j),
}


@pytest.mark.parametrize("name", CONTEXT_MUTANTS)
def test_a_wrong_weighted_sum_is_not_shown_to_lie_in_the_hull(name):
    mutant = normalised(*softmax().stages, context=Stage(z[i, k], CONTEXT_MUTANTS[name]))
    with pytest.raises(DerivationError):
        IN_HULL.prove(Subject(mutant))


def test_a_transposed_product_is_another_product():
    context = Stage(z[i, k], total(a[j, i] * x[j, k], j))
    assert str(matrix_product(context)) == "a.T*x"
    assert str(matrix_product(SOFTMAX.stage(z))) == "a*x"
    (part,) = CONTEXT_IS_PRODUCT.prove(Subject(SOFTMAX))
    tampered = (dataclasses.replace(part, stage=context),)
    with pytest.raises(DerivationError, match="does not have the entries of"):
        recheck_proof(tampered, Subject(SOFTMAX))


def test_scores_of_two_arrays_are_not_symmetric():
    mutant = Mechanism("a mutant", (dot_product(x, Q),))
    with pytest.raises(DerivationError):
        SYMMETRIC.prove(Subject(mutant))


def test_by_sum_is_not_shown_positive():
    with pytest.raises(DerivationError, match="nothing shows that every weight is positive"):
        POSITIVE.prove(Subject(normalised(*by_sum().stages)))


# Proofs that were tampered with are refused.


def test_a_step_that_was_tampered_with_is_caught():
    (chain,) = ROWS_SUM.prove(Subject(SOFTMAX))
    first, second, third = chain.steps
    wrong = dataclasses.replace(second, after=second.after * 2)
    with pytest.raises(DerivationError, match="the chain breaks"):
        dataclasses.replace(chain, steps=(first, wrong, third))
    bridged = dataclasses.replace(third, before=wrong.after)
    tampered = dataclasses.replace(chain, steps=(first, wrong, bridged))
    with pytest.raises(DerivationError, match="is not"):
        recheck_proof((tampered,), Subject(SOFTMAX))


def test_another_goal_is_caught():
    (chain,) = ROWS_SUM.prove(Subject(SOFTMAX))
    with pytest.raises(DerivationError, match="the chain breaks"):
        dataclasses.replace(chain, goal=(chain.goal[0], chain.goal[1] * 2))


def test_other_definitions_are_caught():
    (chain,) = ROWS_SUM.prove(Subject(SOFTMAX))
    stages = MUTANTS["no exp in the denominator"].choice("normalise").stages
    with pytest.raises(DerivationError):
        recheck_proof((dataclasses.replace(chain, definitions=stages),), Subject(SOFTMAX))


def test_a_lone_false_step_is_caught():
    goal = (total(a[i, j], j), total(a[j, i], j))
    lie = Derivation(goal, (Step(*goal, "trust me"),), SOFTMAX.choice("normalise").stages)
    with pytest.raises(DerivationError, match="trust me"):
        recheck_proof((lie,), Subject(SOFTMAX))


def test_signs_that_do_not_hold_are_caught():
    with pytest.raises(DerivationError, match="does not find"):
        recheck_proof((Signs(a[i, j], s[i, j] / D[i]),), Subject(MECHANISMS["sum"]))


def test_a_product_that_does_not_hold_is_caught():
    product = matrix_product(SOFTMAX.stage(s))
    with pytest.raises(DerivationError, match="does not have the entries of"):
        recheck_proof((MatrixProduct(SOFTMAX.stage(z), product),), Subject(SOFTMAX))


# Verdicts


def test_what_is_neither_proved_nor_refuted_is_undecided():
    found = decide(SHIFTED_IS_SOFTMAX, "raw")
    assert (found.verdict, found.evidence) == (UNDECIDED, None)


def test_an_unprovable_truth_stays_undecided():
    def unprovable(_subject):
        raise DerivationError("no rule goes that far")

    claim = dataclasses.replace(ROWS_SUM, prove=unprovable)
    assert isinstance(claim, Claim)
    found = decide(claim, "softmax")
    assert (found.verdict, found.evidence) == (UNDECIDED, None)


def test_a_statement_that_is_decided_otherwise_shows(monkeypatch):
    monkeypatch.setattr(properties, "STATED", {**STATED, ROWS_SUM: {"raw": PROVED}})
    found = decide(ROWS_SUM, "raw")
    assert found.verdict == REFUTED
    assert found.stated == PROVED


def test_a_chain_reads_the_mechanisms_own_definitions():
    (chain,) = ROWS_SUM.prove(Subject(SHIFTED))
    assert isinstance(chain, Derivation)
    assert chain.definitions == SHIFTED.choice("normalise").stages


def test_what_is_proved_is_what_the_claim_says():
    shifted = exp(s[i, j] + t[i]) / total(exp(s[i, j] + t[i]), j)
    scaled = r[i] * s[i, j] / total(r[i] * s[i, j], j)
    by_largest = exp(s[i, j] - m[i]) / total(exp(s[i, j] - m[i]), j)
    for claim, key, start in (
        (SHIFT_INVARIANT, "softmax", shifted),
        (SCALE_INVARIANT, "sum", scaled),
        (SHIFTED_IS_SOFTMAX, "shifted", by_largest),
    ):
        (chain,) = FOUND[claim, key].evidence
        assert same(chain.goal[0], start)
        assert chain.goal[1] == a[i, j]


def test_a_hull_that_is_left_is_refuted_for_queries_of_their_own_too(monkeypatch):
    wrong = Mechanism("wrong", (dot_product(), raw(), weighted_sum()))
    monkeypatch.setitem(MECHANISMS, "wrong", wrong)
    found = decide(IN_HULL, "wrong")
    assert found.verdict == REFUTED
    assert "K = " in str(found.evidence)
