"""Performer: positive random features whose dot product is softmax's exponential on average."""

from __future__ import annotations

from sympy import exp, sqrt

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, d, i, j, k, n_p, p, s, total
from derive.normaliser import by_sum
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

F, G, W = array("F"), array("G"), array("W")

CHOROMANSKI = Source(
    "Choromanski et al.",
    2021,
    "Rethinking attention with Performers",
    "https://arxiv.org/abs/2009.14794",
    "lemma 1",
)

FEATURES = Choice(
    "features",
    "positive random features",
    (
        Stage(F[i, p], exp(total(W[p, k] * Q[i, k] - Q[i, k] ** 2 / 2, k)) / sqrt(n_p)),
        Stage(G[j, p], exp(total(W[p, k] * K[j, k] - K[j, k] ** 2 / 2, k)) / sqrt(n_p)),
    ),
)
"""F[i, p] = exp(sum_k (W[p, k] Q[i, k] - Q[i, k]^2 / 2)) / sqrt(n_p);  G from K likewise."""

SCORE = Choice(
    "score",
    "dot product of the features",
    (Stage(s[i, j], total(F[i, p] * G[j, p], p)),),
)
"""s[i, j] = sum_p F[i, p] G[j, p]."""

MECHANISM = Mechanism(
    "Performer attention",
    (FEATURES, SCORE, by_sum(), weighted_sum()),
    given=(*queries_keys_values(), (W, (n_p, d))),
)

VARIANT = Variant(
    key="performer",
    title="Positive random features (Performer)",
    family="Linear attention",
    summary=(
        "Linear attention with features drawn at random: the mean of F_ip G_jp over normally "
        "distributed rows of W is exp(q . k) / n_p, so that n_p features together estimate the "
        "exponential of softmax. As in the paper, no score is divided by the square root of d: "
        "queries and keys can contain that factor."
    ),
    mechanism=MECHANISM,
    sources=(CHOROMANSKI,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        W: numbers("0.9 -0.4; -0.6 1.1; 0.3 0.7; -1.2 -0.5"),
    },
    against="linear",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "scores-bounded",
    ),
    fails=(
        "shift-invariant",
        "causal",
        "query-scale-invariant",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
