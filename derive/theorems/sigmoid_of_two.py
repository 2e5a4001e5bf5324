"""A sigmoid weight is the softmax of two scores, one of which is zero."""

from __future__ import annotations

from sympy import Integer, exp

from derive.formula import a, h, i, j
from derive.rewriting import rewrite
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import sigmoid
from derive.variants.sigmoid import t

WEIGHT = sigmoid.VARIANT.mechanism.stage(a)
SCORE = t[h, i, j]

TWO_KEYS = chain(
    "softmax over a score and zero",
    exp(SCORE) / (exp(SCORE) + exp(Integer(0))),
    a[h, i, j],
    [
        (
            "a quotient stays the same when both parts are divided by e^t",
            rewrite(exp(SCORE) / (exp(SCORE) + 1), 1 / (1 + exp(-SCORE))),
        ),
        ("the sigmoid weight, read backwards", rewrite(WEIGHT.value, WEIGHT.target)),
    ],
    Setting((WEIGHT,)),
)

THEOREM = Theorem(
    name="sigmoid-of-two",
    title="Each sigmoid weight is the softmax of two: the key, and a fixed score of zero",
    statement=(
        "The sigmoid of a score t is e^t / (e^t + e^0): the weight that a softmax gives to one "
        "key against one other whose score is always zero."
    ),
    parts=(TWO_KEYS,),
    kind=Kind.EVERY,
    consequence=(
        "Keys do not compete with each other: each is weighed against a score of zero. The weights "
        "of a row need not sum to 1 and their sum grows with the number of keys; hence the paper's "
        "bias of minus log n."
    ),
    sources=sigmoid.VARIANT.sources,
    variants=("sigmoid",),
)
