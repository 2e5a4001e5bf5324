"""Properties of the atlas: as stated, rechecked a second way, and lost when a formula is broken."""

import dataclasses
from fractions import Fraction

import pytest
from sympy import Indexed, Integer, Rational, Sum, cos, exp, sin, sqrt, tanh

from derive.argument_check import recheck_argument
from derive.binding import same
from derive.brackets import AtMost, Below, Equals
from derive.claims import weights
from derive.claims.bounds import SCORES_BOUNDED
from derive.claims.causality import CAUSAL
from derive.claims.claim import Line, Structural
from derive.claims.contexts import IN_HULL
from derive.claims.limits import LARGEST_WINS_WHEN_COLD, UNIFORM_WHEN_HOT
from derive.claims.permutations import PERMUTATION_EQUIVARIANT
from derive.claims.places import RELATIVE_POSITION
from derive.claims.scores import QUERY_SCALE_INVARIANT, SYMMETRIC_IN_VECTORS
from derive.claims.slopes import GRADIENTS_SUM_TO_ZERO
from derive.claims.subject import Subject
from derive.claims.weights import POSITIVE, ROWS_SUM, SHIFT_INVARIANT
from derive.derivation import Derivation, DerivationError
from derive.formula import (
    Choice,
    D,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_v,
    i,
    j,
    k,
    l,
    largest,
    m,
    n,
    n_p,
    n_q,
    p,
    s,
    total,
    z,
)
from derive.normaliser import by_sum, sigmoid, softmax
from derive.proof_check import check_variant, masks_of, recheck_proof
from derive.properties import PROVED, REFUTED, UNDECIDED, nonzero_conditions
from derive.score import dot_product, scaled_dot_product
from derive.trials import trials
from derive.variant_properties import CLAIMS, decided, stated, subject_of, variant_properties
from derive.variants import ATLAS
from derive.variants.given import queries_keys_values
from derive.variants.inputs import by_length, key, numbers, query, value
from derive.variants.rotary import SCORE, X_k, X_q, Y_k, Y_q
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum
from derive.witness import Reading, Witness
from tests.sampling import one_in

UNDECIDED_CLAIMS: dict[str, tuple[str, ...]] = {}
"""Claims that neither a proof nor a counterexample settles, by mechanism."""


TRIED = (
    "raw-scores",
    "sum-normalised",
    "scaled-dot-product",
    "additive",
    "query-key-normalised",
    "causal",
    "padding",
    "grouped-query",
    "cross-attention",
    "talking-heads",
    "alibi",
    "rotary-halves",
    "soft-cap",
    "sink",
    "differential",
    "linear-causal",
    "gated-linear",
    "latent",
    "memory",
)
"""One mechanism or more of each family; ``derive atlas``, which ``make test`` runs, checks all."""


@pytest.mark.parametrize("key_", TRIED)
def test_every_property_is_decided_as_the_file_states(key_):
    found = variant_properties(ATLAS[key_])
    assert {row.claim.name: row.verdict for row in found} == {
        row.claim.name: row.stated for row in found
    }
    left = tuple(row.claim.name for row in found if row.verdict == UNDECIDED)
    assert left == UNDECIDED_CLAIMS.get(key_, ())


@pytest.mark.parametrize("key_", one_in(2, TRIED))
def test_every_proof_holds_a_second_way_and_every_refutation_names_an_input(key_):
    results = {row.name: row for row in check_variant(ATLAS[key_])}
    for found in variant_properties(ATLAS[key_]):
        row = results[found.claim.name]
        assert (row.verdict, row.stated) == (found.verdict, found.stated)
        if found.verdict == REFUTED:
            assert isinstance(found.evidence, Witness)
            assert row.method.startswith("counterexample: ")


@pytest.mark.parametrize("key_", ATLAS)
def test_a_file_names_known_claims_that_apply(key_):
    variant = ATLAS[key_]
    asked = {claim.name for claim in CLAIMS if claim.applies(subject_of(variant))}
    assert {*variant.holds, *variant.fails} == asked


def test_names_of_claims_are_unique():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


# What the literature says of these mechanisms.

PUBLISHED = [
    ("softmax-plus-one", ROWS_SUM, REFUTED),
    ("differential", ROWS_SUM, REFUTED),
    ("differential", POSITIVE, REFUTED),
    ("scaled-dot-product", PERMUTATION_EQUIVARIANT, PROVED),
    ("linear", PERMUTATION_EQUIVARIANT, PROVED),
    ("rotary-interleaved", PERMUTATION_EQUIVARIANT, REFUTED),
    ("rotary-interleaved", RELATIVE_POSITION, PROVED),
    ("rotary-halves", RELATIVE_POSITION, PROVED),
    ("alibi", RELATIVE_POSITION, PROVED),
    ("relative-bias", RELATIVE_POSITION, PROVED),
    ("causal", CAUSAL, PROVED),
    ("retention", CAUSAL, PROVED),
    ("prefix", CAUSAL, REFUTED),
    ("query-key-normalised", SCORES_BOUNDED, PROVED),
    ("soft-cap", SCORES_BOUNDED, PROVED),
    ("performer", SCORES_BOUNDED, PROVED),
    ("scaled-dot-product", SCORES_BOUNDED, REFUTED),
    ("query-key-normalised", QUERY_SCALE_INVARIANT, PROVED),
    ("scaled-dot-product", SHIFT_INVARIANT, PROVED),
    ("softmax-plus-one", SHIFT_INVARIANT, REFUTED),
    ("additive", SYMMETRIC_IN_VECTORS, REFUTED),
    ("sigmoid", LARGEST_WINS_WHEN_COLD, REFUTED),
    ("sum-normalised", UNIFORM_WHEN_HOT, REFUTED),
    ("scaled-dot-product", GRADIENTS_SUM_TO_ZERO, PROVED),
    ("sigmoid", GRADIENTS_SUM_TO_ZERO, REFUTED),
]


@pytest.mark.parametrize(("key_", "claim", "verdict"), PUBLISHED)
def test_what_is_known_of_it_is_found(key_, claim, verdict):
    assert stated(ATLAS[key_], claim) == verdict


def test_a_claim_that_cannot_be_asked_is_left_out():
    asked = {
        key_: {f.claim for f in variant_properties(ATLAS[key_])}
        for key_ in ("cross-attention", "linformer")
    }
    assert CAUSAL not in asked["cross-attention"]
    assert PERMUTATION_EQUIVARIANT not in asked["cross-attention"]
    assert RELATIVE_POSITION not in asked["linformer"]
    assert CAUSAL in asked["linformer"]


def test_the_conditions_of_a_bound_name_what_may_not_be_negative():
    (row,) = (r for r in check_variant(ATLAS["rms-normalised"]) if r.name == "scores-bounded")
    assert "0 <= epsilon_1" in row.conditions


# Formulas that are broken on purpose


def variant(*choices, given=(), inputs=None, relations=((n_q, n),)):
    mechanism = Mechanism(
        "a mutant", choices, given=(*queries_keys_values(), *given), relations=relations
    )
    return Variant(
        key="mutant",
        title="A mutant",
        family="Scores",
        summary="",
        mechanism=mechanism,
        sources=(Source("", 2000, "", ""),),
        inputs={Q: query(), K: key(), V: value(), **(inputs or {})},
    )


def masked(*allowed):
    return variant(scaled_dot_product(), softmax(allowed=allowed), weighted_sum())


@pytest.mark.parametrize(
    "allowed",
    [
        (AtMost(j, i),),
        (Below(j, i + 1),),
        (AtMost(j, i), Below(i - 2, j)),
        (AtMost(0, i - j),),
        (Equals(i, j),),
        (AtMost(j, i) + Below(i, j) * AtMost(j, i),),
        (AtMost(j + 1, i + 1),),
    ],
)
def test_what_keeps_later_tokens_out_is_causal(allowed):
    found = masked(*allowed)
    assert decided(found, CAUSAL).verdict == PROVED
    check_proof(found, CAUSAL)


@pytest.mark.parametrize(
    "allowed", [(AtMost(j, i + 1),), (Below(j, i + 2),), (AtMost(i, j),), (Below(i - 2, j),), ()]
)
def test_one_later_token_is_noticed(allowed):
    found = decided(masked(*allowed), CAUSAL)
    assert found.verdict == REFUTED
    assert "later tokens" in found.evidence.difference.entry


def check_proof(found, claim):
    subject = subject_of(found)
    return recheck_proof(claim.prove(subject), subject, masks_of(found))


def test_a_mask_in_the_numerator_alone_is_not_causal():
    weight = Stage(a[i, j], AtMost(j, i) * exp(s[i, j]) / D[i])
    leaky = Choice("normalise", "leaky", (softmax().stages[0], weight))
    assert decided(variant(dot_product(), leaky, weighted_sum()), CAUSAL).verdict == REFUTED


def test_a_value_of_the_next_token_is_not_causal():
    peeking = Choice(
        "weighted sum", "peeking", (Stage(z[i, c], total(a[i, j] * V[n + 1 - j, c], j)),)
    )
    mutant = variant(scaled_dot_product(), softmax(allowed=(AtMost(j, i),)), peeking)
    assert decided(mutant, CAUSAL).verdict == REFUTED


@pytest.mark.parametrize("allowed", [(AtMost(j, i),), (Below(i - 2, j), Below(j, i + 2))])
def test_a_mask_breaks_permutations(allowed):
    found = decided(masked(*allowed), PERMUTATION_EQUIVARIANT)
    assert found.verdict == REFUTED


def test_a_mask_that_compares_tokens_for_being_the_same_does_not():
    found = masked(1 - Equals(i, j) / 2)
    assert decided(found, PERMUTATION_EQUIVARIANT).verdict == PROVED
    check_proof(found, PERMUTATION_EQUIVARIANT)


def biased(amount, **more):
    w = array("w")
    bias = Choice("bias", "mutated", (Stage(w[i, j], s[i, j] + amount),))
    return variant(scaled_dot_product(), bias, softmax(w), weighted_sum(), **more)


B = array("B")


@pytest.mark.parametrize("amount", [i - j, (i - j) ** 2, AtMost(j, i), exp(j - i), cos(i - j)])
def test_a_bias_on_the_distance_is_relative(amount):
    found = biased(amount)
    assert decided(found, RELATIVE_POSITION).verdict == PROVED
    check_proof(found, RELATIVE_POSITION)


@pytest.mark.parametrize("amount", [i, i + j, i * j, AtMost(j, 1), cos(i + j), sin(j)])
def test_a_bias_on_places_is_not(amount):
    found = decided(biased(amount), RELATIVE_POSITION)
    assert found.verdict == REFUTED
    assert "w_" in found.evidence.difference.claimed


def test_a_table_of_places_is_not_relative():
    table = by_length(
        lambda tokens: [
            [row * tokens + column for column in range(tokens)] for row in range(tokens)
        ]
    )
    more = {"given": ((B, (n_q, n)),), "inputs": {B: table}}
    assert decided(biased(B[i, j], **more), RELATIVE_POSITION).verdict == REFUTED
    assert decided(biased(B[i, j], **more), PERMUTATION_EQUIVARIANT).verdict == REFUTED


def test_a_sum_that_counts_with_every_place_is_not_called_relative():
    mutant = biased(total(l * K[l, 1], l))
    with pytest.raises(DerivationError, match="goes over all tokens"):
        RELATIVE_POSITION.prove(subject_of(mutant))


def turned(sign):
    rotation = Choice(
        "rotation",
        "mutated",
        (
            Stage(X_q[i, p], Q[i, 2 * p - 1] * cos(i * T[p]) - Q[i, 2 * p] * sin(i * T[p])),
            Stage(Y_q[i, p], Q[i, 2 * p - 1] * sin(i * T[p]) + Q[i, 2 * p] * cos(i * T[p])),
            Stage(X_k[j, p], K[j, 2 * p - 1] * cos(j * T[p]) - sign * K[j, 2 * p] * sin(j * T[p])),
            Stage(Y_k[j, p], sign * K[j, 2 * p - 1] * sin(j * T[p]) + K[j, 2 * p] * cos(j * T[p])),
        ),
    )
    return variant(
        rotation,
        SCORE,
        softmax(),
        weighted_sum(),
        given=((T, (n_p,)),),
        inputs={T: numbers([1])},
        relations=((n_q, n), (d, 2 * n_p)),
    )


T = array("theta")


def test_keys_that_turn_the_other_way_are_not_relative():
    assert decided(turned(1), RELATIVE_POSITION).verdict == PROVED
    assert decided(turned(-1), RELATIVE_POSITION).verdict == REFUTED


def divided(by):
    r, t = array("r"), array("t")
    stages = (
        Stage(r[i], sqrt(total(Q[i, k] ** 2, k))),
        Stage(t[j], sqrt(total(K[j, k] ** 2, k))),
        Stage(s[i, j], total(Q[i, k] * K[j, k], k) / by(r, t)),
    )
    return variant(Choice("score", "divided", stages), softmax(), weighted_sum())


def test_a_cosine_is_bounded_and_what_divides_by_one_length_alone_is_not():
    cosine = divided(lambda r, t: r[i] * t[j])
    assert decided(cosine, SCORES_BOUNDED).verdict == PROVED
    check_proof(cosine, SCORES_BOUNDED)
    assert decided(cosine, QUERY_SCALE_INVARIANT).verdict == PROVED
    half = divided(lambda r, _t: r[i])
    for claim, verdict in ((SCORES_BOUNDED, REFUTED), (QUERY_SCALE_INVARIANT, PROVED)):
        assert decided(half, claim).verdict == verdict


def test_lengths_of_other_rows_bound_nothing():
    other = divided(lambda r, t: r[i] * t[1])
    with pytest.raises(DerivationError, match="nothing bounds"):
        SCORES_BOUNDED.prove(subject_of(other))


def test_lagranges_identity_is_part_of_the_proof():
    lemma, argument = SCORES_BOUNDED.prove(subject_of(divided(lambda r, t: r[i] * t[j])))
    assert isinstance(lemma, Derivation)
    squares = total(Q[i, k] ** 2, k) * total(K[j, k] ** 2, k) - total(Q[i, k] * K[j, k], k) ** 2
    assert same(lemma.goal[1], squares)
    assert argument.lines[-1].bound == 1


# What only seems to hold: at the places that are looked at first, or for one length of the text.

C, E, u, w = array("C"), array("E"), array("u"), array("w")


def normalised(*stages):
    return variant(dot_product(), Choice("normalise", "mutated", stages), weighted_sum())


def scored(*stages):
    return variant(Choice("score", "mutated", stages), softmax(), weighted_sum())


def not_proved(found, claim, verdict=REFUTED):
    with pytest.raises(DerivationError):
        claim.prove(subject_of(found))
    assert decided(found, claim).verdict == verdict


ALLOWED = AtMost(j, i)
SHARE = Stage(a[i, j], ALLOWED * exp(s[i, j]) / D[i])


@pytest.mark.parametrize(
    "stages",
    [
        (
            Stage(D[i], total(ALLOWED * exp(s[i, j] / n), j)),
            Stage(a[i, j], ALLOWED * exp(s[i, j] / n) / D[i]),
        ),
        (Stage(D[i], total(ALLOWED * exp(s[i, j]), j) + total(AtMost(j, n), j)), SHARE),
        (Stage(D[i], total(exp(ALLOWED * s[i, j]), j)), SHARE),
        (
            Stage(m[i], largest(ALLOWED * s[i, j], j)),
            Stage(D[i], total(ALLOWED * exp(s[i, j] - m[i]), j)),
            SHARE,
        ),
    ],
)
def test_what_depends_on_how_many_tokens_there_are_is_not_causal(stages):
    not_proved(normalised(*stages), CAUSAL)


def test_causality_is_rechecked_with_one_token_less():
    scaled = normalised(
        Stage(D[i], total(ALLOWED * exp(s[i, j] / n), j)),
        Stage(a[i, j], ALLOWED * exp(s[i, j] / n) / D[i]),
    )
    lines = CAUSAL.prove(subject_of(masked(ALLOWED)))[0].lines
    targets = [stage.target for stage in scaled.mechanism.stages]
    part = Structural("earlier tokens", tuple(map(Line, targets, (line.words for line in lines))))
    with pytest.raises(DerivationError, match="is not"):
        recheck_argument(part, subject_of(scaled))


MEAN_KEY = total(K[l, 1], l) / n


@pytest.mark.parametrize(
    ("amount", "verdict"),
    [
        ((j - i) / n, REFUTED),
        (Below(j + 1, n) - Below(i + 1, n), REFUTED),
        (total(K[l, 1], l), REFUTED),
        (MEAN_KEY, UNDECIDED),
        (K[1, 1], UNDECIDED),
        (K[n, 1], UNDECIDED),
        (
            total(AtMost(l, i) * Below(5, l), l) - total(AtMost(l, j) * Below(5, l), l),
            UNDECIDED,
        ),
        (total(AtMost(l, i) * K[l, 1], l) - total(AtMost(l, j) * K[1, 1], l), UNDECIDED),
    ],
)
def test_a_bias_that_other_words_before_the_text_change_is_not_relative(amount, verdict):
    not_proved(biased(amount), RELATIVE_POSITION, verdict)


def test_relative_places_are_rechecked_without_the_first_token():
    mutant = biased(MEAN_KEY)
    part = Structural("places", (Line(mutant.mechanism.stage(w).target, ""),))
    with pytest.raises(DerivationError, match="is not"):
        recheck_argument(part, subject_of(mutant))


def test_what_is_read_at_a_computed_place_is_changed_too():
    turned_round = scored(
        Stage(u[i, k], Q[i, k]), Stage(s[i, j], total(u[i, d + 1 - k] * K[j, k], k))
    )
    not_proved(turned_round, QUERY_SCALE_INVARIANT)
    turned_round = normalised(
        Stage(E[i, j], exp(s[i, j])), Stage(a[i, j], E[i, n + 1 - j], (n_q, n))
    )
    not_proved(turned_round, SHIFT_INVARIANT)
    counting = scored(
        Stage(u[i, k], Q[i, k] * (1 + Below(5, i))),
        Stage(s[i, j], total(u[i, d + 1 - k] * K[j, k], k)),
    )
    not_proved(counting, RELATIVE_POSITION, UNDECIDED)


def test_a_sum_over_the_tokens_is_no_number_that_is_the_same_for_all_texts():
    mixed = scored(
        Stage(C[k], total(K[j, k], j)),
        Stage(s[i, j], total(tanh(Q[i, k]) * C[k], k) + tanh(K[j, 1])),
    )
    not_proved(mixed, SCORES_BOUNDED)


def test_a_factor_that_is_more_than_all_or_nothing_is_not_uniform_when_hot():
    twice = 1 + AtMost(j, 1)
    skewed = normalised(
        Stage(D[i], total(twice * exp(s[i, j]), j)), Stage(a[i, j], twice * exp(s[i, j]) / D[i])
    )
    not_proved(skewed, UNIFORM_WHEN_HOT)
    part = argument(PLAIN, UNIFORM_WHEN_HOT)
    with pytest.raises(DerivationError, match="of one row differ"):
        recheck_argument(part, subject_of(skewed))


def test_a_denominator_of_places_alone_and_a_root_are_conditions():
    earlier = Stage(a[i, j], Below(j, i) / total(Below(l, i), l), (n_q, n))
    choices = (Choice("normalise", "mutated", (earlier,)), weighted_sum())
    mechanism = Mechanism("the mean of earlier values", choices, given=((V, (n, d_v)),))
    (places,) = nonzero_conditions(Subject(mechanism), ROWS_SUM)
    assert same(places, total(Below(l, i), l))
    roots = normalised(Stage(D[i], total(sqrt(s[i, j]), j)), Stage(a[i, j], sqrt(s[i, j]) / D[i]))
    assert AtMost(0, s[i, j]) in nonzero_conditions(subject_of(roots), ROWS_SUM)


def test_a_letter_that_counts_queries_here_is_no_place_of_a_key():
    seen = Equals(j, l)
    choices = (
        Choice("score", "mutated", (Stage(s[l, j], total(Q[l, k] * K[j, k], k)),)),
        Choice(
            "normalise",
            "mutated",
            (
                Stage(D[l], total(seen * exp(s[l, j]), j)),
                Stage(a[l, j], seen * exp(s[l, j]) / D[l]),
            ),
        ),
        Choice("weighted sum", "mutated", (Stage(z[l, c], total(a[l, j] * V[j, c], j)),)),
    )
    mechanism = Mechanism("each query sees the key at its own place", choices)
    assert nonzero_conditions(Subject(mechanism), ROWS_SUM) == (D[l],)
    same_text = dataclasses.replace(mechanism, relations=((n_q, n),))
    assert nonzero_conditions(Subject(same_text), ROWS_SUM) == ()


def test_a_sum_that_may_have_no_term_is_a_condition():
    for first, last in ((2, n), (1, n - 1)):
        fewer = normalised(
            Stage(D[i], Sum(exp(s[i, j]), (j, first, last))), Stage(a[i, j], exp(s[i, j]) / D[i])
        )
        assert D[i] in nonzero_conditions(subject_of(fewer), POSITIVE)


# Proofs that were tampered with are refused.


def argument(found, claim):
    (part,) = (part for part in claim.prove(subject_of(found)) if isinstance(part, Structural))
    return part


PLAIN = variant(scaled_dot_product(), softmax(), weighted_sum())
CAUSAL_ONE = masked(AtMost(j, i))
SIGMOID = variant(scaled_dot_product(), sigmoid(), weighted_sum())
SUMMED = variant(dot_product(), by_sum(), weighted_sum())


@pytest.mark.parametrize(
    ("good", "claim", "bad", "message"),
    [
        (PLAIN, PERMUTATION_EQUIVARIANT, CAUSAL_ONE, "is not"),
        (CAUSAL_ONE, CAUSAL, PLAIN, "reads"),
        (PLAIN, RELATIVE_POSITION, biased(i), "is not"),
        (PLAIN, LARGEST_WINS_WHEN_COLD, SIGMOID, "keeps"),
        (PLAIN, UNIFORM_WHEN_HOT, SUMMED, "positive at beta = 0"),
    ],
)
def test_an_argument_about_another_formula_is_refused(good, claim, bad, message):
    part = argument(good, claim)
    recheck_argument(part, subject_of(good))
    with pytest.raises((DerivationError, ZeroDivisionError), match=message):
        recheck_argument(part, subject_of(bad))


def test_a_bound_that_is_too_small_is_refused():
    cosine = divided(lambda r, t: r[i] * t[j])
    part = argument(cosine, SCORES_BOUNDED)
    small = dataclasses.replace(part.lines[-1], bound=Rational(1, 2))
    tampered = dataclasses.replace(part, lines=(*part.lines[:-1], small))
    with pytest.raises(DerivationError, match="beyond 1/2"):
        recheck_argument(tampered, subject_of(cosine))


def test_an_argument_that_leaves_an_equation_out_is_refused():
    part = argument(CAUSAL_ONE, CAUSAL)
    with pytest.raises(DerivationError, match="every equation"):
        recheck_argument(dataclasses.replace(part, lines=part.lines[1:]), subject_of(CAUSAL_ONE))


def test_a_wrong_rule_proves_a_falsehood_and_the_recheck_catches_it(monkeypatch):
    def forget_the_shift(expression):
        return expression.replace(
            lambda part: isinstance(part, Indexed) and str(part.base) == "t",
            lambda _part: Integer(0),
        )

    monkeypatch.setattr(weights, "split_exponentials", forget_the_shift)
    found = ATLAS["softmax-plus-one"]
    false = SHIFT_INVARIANT.prove(subject_of(found))
    with pytest.raises(DerivationError, match="an exponential of a sum"):
        recheck_proof(false, subject_of(found))


def test_a_false_step_in_a_chain_over_heads_is_caught():
    found = ATLAS["alibi"]
    (chain,) = SHIFT_INVARIANT.prove(subject_of(found))
    first, second, *rest = chain.steps
    wrong = first.after * 2
    tampered = dataclasses.replace(
        chain,
        steps=(
            dataclasses.replace(first, after=wrong),
            dataclasses.replace(second, before=wrong),
            *rest,
        ),
    )
    with pytest.raises(DerivationError, match="is not"):
        recheck_proof((tampered,), subject_of(found))


@pytest.mark.parametrize(
    ("claim", "name"),
    [(ROWS_SUM, "rows-sum-to-one"), (IN_HULL, "context-in-convex-hull")],
)
def test_a_denominator_of_another_head_loses_its_proof(claim, name):
    whole = ATLAS["alibi"].mechanism
    h, *row = whole.stage(a).target.indices
    other = dataclasses.replace(
        whole.choice("normalise"),
        stages=(
            whole.stage(D),
            Stage(whole.stage(a).target, whole.stage(a).value.xreplace({D[h, i]: D[1, i]})),
        ),
    )
    choices = tuple(other if c.role == "normalise" else c for c in whole.choices)
    broken = dataclasses.replace(
        ATLAS["alibi"], mechanism=dataclasses.replace(whole, choices=choices)
    )
    assert row == [i, j]
    assert claim.name == name
    with pytest.raises(DerivationError):
        claim.prove(subject_of(broken))


# Counterexamples


def test_a_counterexample_is_as_simple_as_was_found_and_holds_by_hand():
    found = decided(ATLAS["sum-normalised"], POSITIVE)
    given = dict(found.evidence.inputs)
    (q, *_), keys = given["Q"], given["K"]
    scores = [sum(left * right for left, right in zip(q, key_, strict=True)) for key_ in keys]
    assert min(score / sum(scores) for score in scores) < 0
    assert sum(value != 0 for row in given["V"] for value in row) == 0


def test_inputs_that_are_tried_take_what_is_fixed_from_the_page():
    found = ATLAS["alibi"]
    inputs, sizes = next(trials(found, 2))
    m = array("m")
    assert inputs[Q].shape == (1, 2, 1)
    assert list(inputs[m]) == [Fraction(1, 16)]
    assert sizes[n] == 2


def test_a_witness_with_heads_prints_every_level():
    reading = Reading(next(trials(ATLAS["alibi"], 2))[0])
    assert {base.name for base in reading.inputs} == {"Q", "K", "V", "m"}
    found = decided(ATLAS["alibi"], PERMUTATION_EQUIVARIANT)
    assert str(found.evidence).startswith("Q = [(0), (0)]; K = [(0), (0)]; V = [(0), (1)]; m = ")
