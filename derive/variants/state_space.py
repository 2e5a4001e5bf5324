"""Mamba-2's state space duality: a decay for each token, one for all dimensions."""

from __future__ import annotations

from sympy import exp

from derive.brackets import AtMost
from derive.formula import Choice, K, Mechanism, Q, Stage, V, a, array, i, j, l, n, n_q, s, total
from derive.score import dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import Input, exact, key, product, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

f, G = array("f"), array("G")

DAO = Source(
    "Dao and Gu",
    2024,
    "Transformers are SSMs: Generalized models and efficient algorithms through structured "
    "state space duality",
    "https://arxiv.org/abs/2405.21060",
    "section 5",
)

GATES = Choice(
    "features",
    "sums of the logarithms of the decays",
    (Stage(G[i], total(AtMost(l, i) * f[l], l), (n,)),),
)
"""G[i] = sum of f[l] over l <= i."""

DECAY = Choice(
    "normalise",
    "no normaliser: the decays between the two tokens",
    (Stage(a[i, j], AtMost(j, i) * exp(G[i] - G[j]) * s[i, j]),),
)
"""a[i, j] = [j <= i] exp(G[i] - G[j]) s[i, j]."""

MECHANISM = Mechanism(
    "state space attention",
    (GATES, dot_product(), DECAY, weighted_sum()),
    given=(*queries_keys_values(), (f, (n,))),
    relations=((n_q, n),),
)

DECAY_WEIGHTS = exact([["-0.2"], ["-0.9"], ["-0.1"]])
"""w_f, (3, 1); negative, so that the decays of the two sentences are below 1."""

VARIANT = Variant(
    key="state-space",
    title="State space duality (Mamba-2)",
    family="Linear attention",
    summary=(
        "Each token has a decay between 0 and 1, of which f is the logarithm, and a score is "
        "multiplied by the decays of all tokens after the key up to the query. It is a state space "
        "model whose state matrix is a number times the identity: queries are its C, keys its B, "
        "values its input."
    ),
    mechanism=MECHANISM,
    sources=(DAO,),
    inputs={
        Q: query(),
        K: key(),
        V: value(),
        f: Input("x w_f", lambda vectors: product(vectors, DECAY_WEIGHTS)[:, 0]),
    },
    against="linear-causal",
    holds=(
        "causal",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
    ),
    fails=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "query-scale-invariant",
        "scores-bounded",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
