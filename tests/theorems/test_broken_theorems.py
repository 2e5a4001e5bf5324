"""For each theorem, the mistakes that are easily made are refused by the second check."""

from dataclasses import replace

import pytest
from sympy import Integer, Mul, Rational, exp, sqrt

from derive.binding import ShapeError
from derive.brackets import AtMost, Below, Equals
from derive.derivation import Derivation, DerivationError, Step
from derive.formula import K, Q, Stage, V, a, c, d, h, i, j, k, l, m, n, n_h, n_p, p, s, total, x, z
from derive.gradients import gradient_of
from derive.theorems import THEOREMS
from derive.theorems import causal_two_ways as causal
from derive.theorems import dot_product_is_angle as angle
from derive.theorems import dropout_expectation as dropout
from derive.theorems import gated_recurrent as gated
from derive.theorems import gradients_by_hand as gradients
from derive.theorems import grouped_heads as grouped
from derive.theorems import key_value_cache as cache
from derive.theorems import latent_absorbed as latent
from derive.theorems import linear_attention_recurrent as linear
from derive.theorems import log_sum_exp_merge as merge
from derive.theorems import online_softmax as online
from derive.theorems import retention_recurrent as retention
from derive.theorems import rotary_relative as rotary
from derive.theorems import row_sum_trick as row_sum
from derive.theorems import sigmoid_of_two as sigmoid
from derive.theorems import sink_as_a_key as sink
from derive.theorems import softmax_backward as backward
from derive.theorems import split_and_merge as split
from derive.theorems import talking_heads_identity as talking
from derive.theorems import temperature_and_scale as temperature
from derive.theorems import tiled_backward as tiled
from derive.theorems import variance_of_a_score as variance
from derive.theorems import vectors_on_a_line as line
from derive.theorems.alibi_shift import KEY_ONLY
from derive.theorems.checking import recheck_part
from derive.theorems.expectation import Distribution, Expectation
from derive.theorems.slope import Slope
from derive.theorems.theorem import Chain, Comparison, Induction, Setting, induction
from derive.variants.alibi import m as slope

REFUSED = (DerivationError, ShapeError)


def claimed(part: Chain, before=None, after=None) -> Chain:
    """Claim in one step that two expressions are equal, in the setting of a part."""
    left, right = part.goal
    left, right = (left if before is None else before), (right if after is None else after)
    step = Step(left, right, "because")
    return replace(part, derivation=Derivation((left, right), (step,), part.setting.stages))


def defined_as(part: Chain, definition) -> Chain:
    """Keep the steps of a part, with another definition of one of its arrays."""
    definitions = tuple(
        definition if old.array == definition.array else old for old in part.setting.definitions
    )
    assert definitions != part.setting.definitions
    return replace(part, setting=replace(part.setting, definitions=definitions))


def turned(part: Chain, first, second) -> Chain:
    """Claim the goal of a part with one index in place of another on its right side."""
    return claimed(part, after=part.goal[1].xreplace({first: second}))


r_i, c_ij = angle.r[i], angle.COSINE.target
abar, zbar, Qbar, sbar = map(gradient_of, (a, z, Q, s))
STATE = linear.STATE

MISTAKES = {
    "dot-product-is-angle": {
        "one length forgotten": claimed(angle.ANGLE, r_i * c_ij),
        "the cosine not divided by both": defined_as(
            angle.ANGLE, Stage(c_ij, total(x[i, k] * x[j, k], k) / r_i)
        ),
    },
    "variance-of-a-score": {
        "the variance is d squared": claimed(variance.VARIANCE, after=d**2),
        "the scale is d": claimed(variance.SCALED, Expectation((variance.SCORE / d) ** 2)),
        "a mean that is not 0": replace(
            variance.MEAN,
            setting=replace(
                variance.SETTING,
                random=(
                    (
                        Distribution(Q, ((Integer(1), Integer(1)),)),
                        Distribution(K, ((Integer(1), Integer(1)),)),
                    ),
                ),
            ),
        ),
        "a variance that is not 1": replace(
            variance.VARIANCE,
            setting=replace(
                variance.SETTING,
                random=(
                    (
                        Distribution(Q, tuple((2 * v, chance) for v, chance in variance.SIGN)),
                        Distribution(K, variance.SIGN),
                    ),
                ),
            ),
        ),
    },
    "temperature-and-scale": {
        "the wrong temperature": defined_as(
            temperature.PLAIN, Stage(temperature.T[h], sqrt(d), (n_h,))
        ),
    },
    "vectors-on-a-line": {
        "the ends exchanged": claimed(
            line.MEAN, after=line.t[j] * line.s_1[i] + (1 - line.t[j]) * line.s_n[i]
        ),
        "the sign of the product": claimed(line.NOT_ABOVE_BOTH, after=-line.NOT_ABOVE_BOTH.goal[1]),
        "a vector beside the line": replace(
            line.COLLINEAR, pairs=((Rational(1, 10), line.on_the_line(2, 0)),)
        ),
        "the last word is not between": Comparison(
            "between", "<", ((line.along(len(line.WORDS)), Integer(1)),)
        ),
    },
    "causal-two-ways": {
        "the rows are not divided again": claimed(causal.MENDED, AtMost(j, i) * causal.a_all[i, j]),
        "the query's own key is hidden": claimed(
            causal.MENDED,
            Below(j, i) * causal.a_all[i, j] / total(Below(l, i) * causal.a_all[i, l], l),
        ),
    },
    "key-value-cache": {
        "the newest key is not there": defined_as(
            cache.STEP, replace(cache.KEYS, following=cache.KEYS.following.xreplace({K[j, k]: 0}))
        ),
        "the value before is put in": defined_as(
            cache.STEP,
            replace(
                cache.VALUES, following=cache.VALUES.following.xreplace({V[j, c]: V[j - 1, c]})
            ),
        ),
    },
    "split-and-merge": {
        "dimensions before heads": claimed(
            split.CUT, split.Y[i, (k - 1) * n_h + h], split.CUT.goal[1]
        ),
        "each part twice": claimed(split.ADDED, after=2 * total(split.O_h[h, i, split.f], h)),
    },
    "grouped-heads": {
        "every second head": defined_as(
            grouped.REPEATED_KEYS,
            replace(
                grouped.KEYS,
                value=K[h - grouped.n_g * grouped.floor((h - 1) / grouped.n_g), j, k],
            ),
        ),
    },
    "talking-heads-identity": {
        "twice the identity": defined_as(
            talking.SCORES, replace(talking.SCORE_MIXER, value=2 * talking.SCORE_MIXER.value)
        ),
        "another head": defined_as(
            talking.WEIGHTS, replace(talking.WEIGHT_MIXER, value=Equals(h, 1) + 0 * p)
        ),
    },
    "rotary-relative": {
        "the sum of the places": turned(rotary.PAIRS, j, -j),
        "the sines with the other sign": claimed(
            rotary.PAIRS,
            after=rotary.PAIRS.goal[1].replace(rotary.sin, lambda t: -rotary.sin(t)),
        ),
        "neighbours for halves": claimed(rotary.SPLIT, after=rotary.PAIRS.goal[1]),
        "dimensions not sorted": defined_as(
            rotary.LAYOUTS, Stage(rotary.Q_s[i, k], Q[i, k], (rotary.n_q, d))
        ),
    },
    "alibi-shift": {
        "the slope with the other sign": claimed(
            KEY_ONLY, after=KEY_ONLY.goal[1].xreplace({slope[h]: -slope[h]})
        ),
    },
    "sink-as-a-key": {
        "the value is not zero": defined_as(
            sink.ONE_KEY_MORE,
            replace(sink.MORE_VALUES, value=sink.U[h, j, c]),
        ),
        "the number instead of its exponential": claimed(
            sink.OUTPUT, after=sink.QUOTIENT.xreplace({exp(sink.b[h]): sink.b[h]})
        ),
    },
    "sigmoid-of-two": {
        "against another score": claimed(
            sigmoid.TWO_KEYS, exp(sigmoid.SCORE) / (exp(sigmoid.SCORE) + 2)
        ),
    },
    "linear-attention-recurrent": {
        "the state forgets": defined_as(
            linear.OUTPUT, replace(STATE, following=STATE.following - STATE.first)
        ),
        "features of the query in the state": defined_as(
            linear.NUMERATORS,
            replace(STATE, following=STATE.following.xreplace({linear.G[i, k]: linear.F[i, k]})),
        ),
    },
    "retention-recurrent": {
        "what is new decays, too": defined_as(
            retention.OUTPUT,
            replace(
                retention.STATE,
                following=exp(retention.g[h])
                * (retention.S[h, i - 1, k, c] + K[h, i, k] * V[h, i, c]),
            ),
        ),
    },
    "gated-recurrent": {
        "the gate of the token before": defined_as(
            gated.OUTPUT,
            replace(
                gated.STATE,
                following=gated.STATE.following.xreplace({gated.f[i, k]: gated.f[i - 1, k]}),
            ),
        ),
    },
    "latent-absorbed": {
        "the map of values for that of keys": claimed(
            latent.OUTPUTS, total(a[h, i, j] * K[h, j, k], j).xreplace({k: c})
        ),
        "the rotary part left out of the scale": claimed(
            latent.SCORES, latent.SCORES.goal[0] * sqrt(d + n_p) / sqrt(d)
        ),
    },
    "dropout-expectation": {
        "not divided by r": claimed(
            dropout.MEAN, Expectation(total(a[i, j] * dropout.B[i, j] * V[j, c], j))
        ),
        "the variance of one weight for all": claimed(dropout.COVARIANCE, after=1 / dropout.r - 1),
    },
    "softmax-backward": {
        "the mean is not taken away": claimed(backward.SCORE_GRADIENT, after=a[i, j] * abar[i, j]),
        "the other sign": claimed(
            backward.WEIGHT_BY_SCORE, after=-backward.WEIGHT_BY_SCORE.goal[1]
        ),
        "another row changes": claimed(
            backward.WEIGHT_BY_SCORE, after=a[p, l] * (Equals(l, j) - a[p, j])
        ),
    },
    "gradients-by-hand": {
        "keys for queries": claimed(
            gradients.BY_KEY, after=total(Qbar[i, k] * sbar[i, j], i) / sqrt(d)
        ),
        "without the scale": claimed(gradients.BY_QUERY, after=total(K[j, k] * sbar[i, j], j)),
        "another array's gradient": replace(
            next(part for part in gradients.THEOREM.parts if not isinstance(part, Chain)),
            array=gradient_of(V),
        ),
        "a gradient that there is not": replace(
            next(part for part in gradients.THEOREM.parts if not isinstance(part, Chain)),
            array=gradient_of(x),
        ),
    },
    "row-sum-trick": {
        "the values for the output": claimed(row_sum.ROW_SUM, after=total(zbar[i, c] * V[i, c], c)),
    },
    "online-softmax": {
        "the state is not shrunk": claimed(
            online.TAKEN_D, online.TAKEN_D.goal[0].xreplace({online.m_1[i]: m[i]})
        ),
        "the shift is added": claimed(
            online.LEFT_FIRST,
            after=online.LEFT_FIRST.goal[1].xreplace({m[i]: -m[i]}),
        ),
        "a block counts twice": claimed(online.ALL_D, online.ALL_D.goal[0] * 2),
    },
    "log-sum-exp-merge": {
        "the denominators for the log-sum-exp": claimed(
            merge.WEIGHT, online.D_b[i, p], merge.WEIGHT.goal[1]
        ),
        "a plain mean of the outputs": claimed(
            merge.MERGE, total(merge.z_b[i, p, c], p) / merge.n_p
        ),
    },
    "tiled-backward": {
        "the stored denominator without its shift": claimed(
            tiled.REBUILT, exp(s[i, j]) / tiled.D_m[i]
        ),
        "the row sum of another row": turned(tiled.SCORES, tiled.R[i], tiled.R[1]),
        "only a query's own block": claimed(
            tiled.QUERIES,
            total(Equals(1, tiled.P[j]) * K[j, k] * sbar[i, j], j) / sqrt(d),
        ),
    },
}


def test_every_theorem_has_its_mistakes():
    assert MISTAKES.keys() == set(THEOREMS)


@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, found in MISTAKES.items() for mistake in found]
)
def test_a_mistake_is_refused(name, mistake):
    with pytest.raises(REFUSED):
        recheck_part(MISTAKES[name][mistake])


CHAINS = {
    f"{name}: {part.title}": part
    for name, theorem in THEOREMS.items()
    for part in theorem.parts
    if isinstance(part, Chain)
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_goal_with_a_wrong_sign_or_a_missing_factor_is_refused(name):
    part = CHAINS[name]
    right = part.goal[1]
    for wrong in (-right, 2 * right, right + 1):
        if wrong == right:
            continue
        with pytest.raises(REFUSED):
            recheck_part(claimed(part, after=wrong))


@pytest.mark.parametrize("name", THEOREMS)
def test_an_induction_with_a_wrong_recurrence_is_refused(name):
    for part in THEOREMS[name].parts:
        if not isinstance(part, Induction):
            continue
        (made,) = [t for t in part.step.setting.definitions if t.array == part.goal[1].base]
        doubled = replace(made, following=made.following + made.following)
        late = replace(made, first=2 * made.first)
        for chain, wrong in ((part.step, doubled), (part.base, late)):
            with pytest.raises(REFUSED):
                recheck_part(defined_as(chain, wrong))


def test_an_induction_whose_base_proves_something_else_is_refused():
    part = cache.CACHED_KEYS
    with pytest.raises(DerivationError, match="is needed"):
        replace(part, base=cache.CACHED_VALUES.base)
    with pytest.raises(DerivationError, match="is needed"):
        replace(part, goal=(Mul(2, part.goal[0]), part.goal[1]))


def test_an_induction_without_its_hypothesis_does_not_reach_its_goal():
    with pytest.raises(DerivationError, match="the chain breaks between"):
        induction(
            "no hypothesis",
            i,
            linear.STATE_GOAL,
            [
                ("from 1 on", linear.up_to_one),
                ("the first", linear.pick()),
                ("how it begins", linear.rewrite(*reversed(linear.STATE.begins))),
            ],
            [("[j <= i] = [j <= i - 1] + [j = i]", linear.last_apart(i))],
            linear.SETTING,
        )


def test_a_comparison_that_does_not_hold_is_refused():
    for relation, left, right in (("=", 1, 2), ("<", 2, 2), ("<=", 3, 2)):
        pair = (Integer(left), Integer(right))
        with pytest.raises(DerivationError, match="does not hold"):
            recheck_part(Comparison("numbers", relation, (pair,)))


def test_a_derivative_that_forgets_what_changes_is_refused():
    setting = Setting(backward.SETTING.definitions, relations=backward.SETTING.relations)
    part = backward.WEIGHT_BY_SCORE
    constant = Slope(backward.D[p], s[i, j])
    with pytest.raises(DerivationError):
        recheck_part(replace(claimed(part, constant, Integer(0)), setting=setting))


def test_a_part_that_is_compared_nowhere_is_refused():
    part = claimed(causal.MENDED)
    with pytest.raises(DerivationError, match="no place to compare at"):
        recheck_part(replace(part, first={i: 4}))
    assert n in causal.SELF.relations[0]
