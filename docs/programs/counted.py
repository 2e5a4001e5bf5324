"""Scores divided by the number of keys."""

from derive.formula import Choice, K, Mechanism, Q, Stage, V, i, j, k, n, s, total
from derive.normaliser import softmax
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

SCORE = Choice(
    "score",
    "dot product over the number of keys",
    (Stage(s[i, j], total(Q[i, k] * K[j, k], k) / n),),
)

VARIANT = Variant(
    key="counted",
    title="Counted attention",
    family="Scores",
    summary="Scores are divided by the number of keys, so that long texts are mixed more evenly.",
    mechanism=Mechanism(
        "counted attention",
        (SCORE, softmax(), weighted_sum()),
        given=queries_keys_values(),
    ),
    sources=(Source("An author", 2026, "A paper", "https://example.org/paper"),),
    inputs={Q: query(), K: key(), V: value()},
)
