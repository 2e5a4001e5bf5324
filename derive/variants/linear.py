"""Linear attention: a score is the dot product of positive features of query and key."""

from __future__ import annotations

from sympy import exp

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, i, j, k
from derive.normaliser import by_sum
from derive.score import dot_product
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

F, G = array("F"), array("G")

KATHAROPOULOS = Source(
    "Katharopoulos, Vyas, Pappas and Fleuret",
    2020,
    "Transformers are RNNs: Fast autoregressive Transformers with linear attention",
    "https://arxiv.org/abs/2006.16236",
    "section 3.2, equations 4 and 5",
)

FEATURES = Choice(
    "features",
    "the exponential of each number",
    (Stage(F[i, k], exp(Q[i, k])), Stage(G[j, k], exp(K[j, k]))),
)
"""F[i, k] = exp(Q[i, k]);  G[j, k] = exp(K[j, k])."""

MECHANISM = Mechanism(
    "linear attention",
    (FEATURES, dot_product(F, G), by_sum(), weighted_sum()),
)

VARIANT = Variant(
    key="linear",
    title="Linear attention",
    family="Linear attention",
    summary=(
        "Queries and keys are mapped to positive features, and a weight is their dot product "
        "divided by the row's sum. Keys and values can then be summed up before any query comes, "
        "so the cost grows with n and not with its square. The feature map here is the "
        "exponential; the paper's is elu(x) + 1, which is e^x below zero and x + 1 above."
    ),
    mechanism=MECHANISM,
    sources=(KATHAROPOULOS,),
    inputs={Q: query(), K: key(), V: value()},
    against="dot-product",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
    ),
    fails=(
        "shift-invariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
