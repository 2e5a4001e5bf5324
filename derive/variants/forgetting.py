"""Forgetting attention: a gate at each token lessens all scores that reach back over it."""

from __future__ import annotations

from derive.brackets import AtMost
from derive.formula import (
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    array,
    h,
    i,
    j,
    l,
    n,
    n_h,
    n_q,
    s,
    total,
)
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import Input, exact, key, product, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

f, G, w = array("f"), array("G"), array("w")

LIN = Source(
    "Lin, Nikishin, He and Courville",
    2025,
    "Forgetting Transformer: Softmax attention with a forget gate",
    "https://arxiv.org/abs/2503.02130",
)

BIAS = Choice(
    "bias",
    "the logarithms of the gates between the two tokens",
    (
        Stage(G[h, i], total(AtMost(l, i) * f[h, l], l), (n_h, n)),
        Stage(w[h, i, j], s[h, i, j] + G[h, i] - G[h, j]),
    ),
)
"""G[h, i] = sum of f[h, l] over l <= i;  w[h, i, j] = s[h, i, j] + G[h, i] - G[h, j]."""

MECHANISM = Mechanism(
    "forgetting attention",
    (
        scaled_dot_product(lead=(h,)),
        BIAS,
        softmax(w, lead=(h,), allowed=(AtMost(j, i),)),
        weighted_sum(lead=(h,)),
    ),
    given=(*queries_keys_values(n_h), (f, (n_h, n))),
    relations=((n_q, n),),
)

GATE_WEIGHTS = exact("-0.1 -0.8 -0.1; -0.9 -0.1 -0.3")
"""w_f of two heads, (2, 3); negative, so that the gates of the two sentences are below 1."""

VARIANT = Variant(
    key="forgetting",
    title="Forgetting attention",
    family="Positions",
    summary=(
        "Each token has a forget gate between 0 and 1 for each head, of which f is the logarithm. "
        "The logarithms of the gates after the key and up to the query are added to a score, so "
        "that the text decides how fast the past fades. With a constant gate for each head it is "
        "ALiBi."
    ),
    mechanism=MECHANISM,
    sources=(LIN,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        f: Input(r"w_f x^{\top}", lambda vectors: product(GATE_WEIGHTS, vectors.T)),
    },
    against="alibi",
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
