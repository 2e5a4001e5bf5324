"""ALiBi: a penalty in proportion to the distance, with a slope of its own for each head."""

from __future__ import annotations

from fractions import Fraction

from derive.brackets import AtMost
from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, h, i, j, n, n_h, n_q, s
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

m, w = array("m"), array("w")

PRESS = Source(
    "Press, Smith and Lewis",
    2022,
    "Train short, test long: attention with linear biases enables input length extrapolation",
    "https://arxiv.org/abs/2108.12409",
    "section 3",
)

BIAS = Choice(
    "bias",
    "minus the distance times the head's slope",
    (Stage(w[h, i, j], s[h, i, j] - m[h] * (i - j)),),
)

MECHANISM = Mechanism(
    "attention with linear biases",
    (
        scaled_dot_product(lead=(h,)),
        BIAS,
        softmax(w, lead=(h,), allowed=(AtMost(j, i),)),
        weighted_sum(lead=(h,)),
    ),
    given=(*queries_keys_values(n_h), (m, (n_h,))),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="alibi",
    title="Linear biases (ALiBi)",
    family="Positions",
    summary=(
        "From each score the distance of the two tokens is subtracted, times a slope that is the "
        "head's own and fixed before training. Nothing is added to the tokens themselves, and the "
        "formula takes texts of any length."
    ),
    mechanism=MECHANISM,
    sources=(PRESS,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        m: numbers([Fraction(1, 16), Fraction(1, 256)]),
    },
    against="causal",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "causal",
        "relative-position",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "scores-symmetric",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
