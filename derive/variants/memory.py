"""Persistent memory: learned keys and values that every query sees beside the tokens'."""

from __future__ import annotations

from sympy import exp, sqrt

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
    n_p,
    p,
    s,
    total,
    z,
)
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant

K_m, V_m, t, r = array("K_m"), array("V_m"), array("t"), array("r")

SUKHBAATAR = Source(
    "Sukhbaatar et al.",
    2019,
    "Augmenting self-attention with persistent memory",
    "https://arxiv.org/abs/1907.01470",
)

SCORE = Choice(
    "score",
    "scaled dot product with the tokens' keys and with learned ones",
    (
        Stage(s[i, j], total(Q[i, k] * K[j, k], k) / sqrt(d)),
        Stage(t[i, p], total(Q[i, k] * K_m[p, k], k) / sqrt(d)),
    ),
)
"""s[i, j] = sum_k Q[i, k] K[j, k] / sqrt(d);  t[i, p] = sum_k Q[i, k] K_m[p, k] / sqrt(d)."""

NORMALISE = Choice(
    "normalise",
    "softmax over the tokens and the memory together",
    (
        Stage(D[i], total(exp(s[i, j]), j) + total(exp(t[i, p]), p)),
        Stage(a[i, j], exp(s[i, j]) / D[i]),
        Stage(r[i, p], exp(t[i, p]) / D[i]),
    ),
)
"""D[i] = sum_j exp(s[i, j]) + sum_p exp(t[i, p]);  a and r are the parts of D."""

WEIGHTED_SUM = Choice(
    "weighted sum",
    "weighted sum of the tokens' values and of learned ones",
    (Stage(z[i, c], total(a[i, j] * V[j, c], j) + total(r[i, p] * V_m[p, c], p)),),
)
"""z[i, c] = sum_j a[i, j] V[j, c] + sum_p r[i, p] V_m[p, c]."""

MECHANISM = Mechanism(
    "attention with persistent memory",
    (SCORE, NORMALISE, WEIGHTED_SUM),
    given=(*queries_keys_values(), (K_m, (n_p, d)), (V_m, (n_p, d_v))),
)

VARIANT = Variant(
    key="memory",
    title="Persistent memory",
    family="Compressed keys and values",
    summary=(
        "Besides the tokens' keys and values there are n_p learned ones, the same for every text, "
        "in one softmax with them. In the paper they take the place of a feed-forward layer. The "
        "weight that they get is missing from the tokens' weights. The paper's relative positions "
        "are left out here."
    ),
    mechanism=MECHANISM,
    sources=(SUKHBAATAR,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        K_m: numbers("0.6 -0.2; -0.4 0.9"),
        V_m: numbers("1.0 0.5; -0.5 0.3"),
    },
    holds=(
        "weights-not-negative",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "rows-sum-to-one",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
