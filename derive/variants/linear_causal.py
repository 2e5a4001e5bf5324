"""Causal linear attention, which a loop with a state of fixed size computes token by token."""

from __future__ import annotations

from dataclasses import replace

from derive.brackets import AtMost
from derive.formula import Choice, D, K, Mechanism, Q, Stage, V, a, i, j, n, n_q, s, total
from derive.score import dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, query, value
from derive.variants.linear import FEATURES, KATHAROPOULOS, F, G
from derive.variants.variant import Variant
from derive.weighted_sum import weighted_sum

NORMALISE = Choice(
    "normalise",
    "division by the sum over the keys that a query may see",
    (
        Stage(D[i], total(AtMost(j, i) * s[i, j], j)),
        Stage(a[i, j], AtMost(j, i) * s[i, j] / D[i]),
    ),
)
"""D[i] = sum_j [j <= i] s[i, j];  a[i, j] = [j <= i] s[i, j] / D[i]."""

MECHANISM = Mechanism(
    "causal linear attention",
    (FEATURES, dot_product(F, G), NORMALISE, weighted_sum()),
    given=queries_keys_values(),
    relations=((n_q, n),),
)

VARIANT = Variant(
    key="linear-causal",
    title="Causal linear attention",
    family="Linear attention",
    summary=(
        "Linear attention in which query i sees the keys up to its own place. The sums over keys "
        "grow by one term with each token, so it is a recurrent network whose state is a matrix "
        "of d rows and d_v columns and a vector."
    ),
    mechanism=MECHANISM,
    sources=(replace(KATHAROPOULOS, place="sections 3.3 and 3.4"),),
    inputs={Q: query(), K: key(), V: value()},
    against="linear",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "causal",
        "relative-position",
        "scores-symmetric",
    ),
    fails=(
        "shift-invariant",
        "permutation-equivariant",
        "query-scale-invariant",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
