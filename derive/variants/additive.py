"""Additive attention: a small network with one hidden layer scores each pair."""

from __future__ import annotations

from sympy import tanh

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, d, d_e, e, i, j, k, s, total
from derive.normaliser import softmax
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

W, U, u, H = array("W"), array("U"), array("u"), array("H")

BAHDANAU = Source(
    "Bahdanau, Cho and Bengio",
    2015,
    "Neural machine translation by jointly learning to align and translate",
    "https://arxiv.org/abs/1409.0473",
    "appendix A.1.2",
)

SCORE = Choice(
    "score",
    "additive",
    (
        Stage(H[i, j, e], tanh(total(W[e, k] * Q[i, k], k) + total(U[e, k] * K[j, k], k))),
        Stage(s[i, j], total(u[e] * H[i, j, e], e)),
    ),
)
"""H[i, j, e] = tanh(sum_k W[e, k] Q[i, k] + U[e, k] K[j, k]);  s[i, j] = sum_e u[e] H[i, j, e]."""

MECHANISM = Mechanism(
    "additive attention",
    (SCORE, softmax(), weighted_sum()),
    given=(*queries_keys_values(), (W, (d_e, d)), (U, (d_e, d)), (u, (d_e,))),
)

VARIANT = Variant(
    key="additive",
    title="Additive attention",
    family="Scores",
    summary=(
        "A network with one hidden layer of d_e units scores each query with each key. It needs no "
        "dot product, so query and key need not be equally long, though here both have d numbers. "
        "It costs a hyperbolic tangent for every unit and pair."
    ),
    mechanism=MECHANISM,
    sources=(BAHDANAU,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        W: numbers("0.8 -0.3; 0.5 0.6; -0.4 0.9"),
        U: numbers("0.6 0.7; -0.9 0.4; 0.3 -0.5"),
        u: numbers("1.2 -0.7 0.9"),
    },
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "causal",
        "scores-symmetric",
        "query-scale-invariant",
    ),
)
