"""ALiBi may be written with the key's place alone: what depends on the query cancels."""

from __future__ import annotations

from sympy import exp

from derive.brackets import AtMost
from derive.formula import D, a, h, i, j, l, n, n_q, s, total
from derive.rewriting import pull_out, split_exponentials, unfold
from derive.sum_rules import add_exponents, multiply_out
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import alibi
from derive.variants.alibi import m, w

ALIBI = alibi.VARIANT.mechanism
BIAS, DENOMINATOR, WEIGHT = (ALIBI.stage(base) for base in (w, D, a))

KEY_ONLY = chain(
    "the weights, with a bias that reads the key's place alone",
    a[h, i, j],
    AtMost(j, i) * exp(s[h, i, j] + m[h] * j) / total(AtMost(l, i) * exp(s[h, i, l] + m[h] * l), l),
    [
        ("the definition of a", unfold(WEIGHT)),
        ("the definition of D", unfold(DENOMINATOR)),
        ("the definition of w", unfold(BIAS)),
        ("multiply out in the exponent", multiply_out),
        ("an exponential of a sum is a product of exponentials", split_exponentials),
        ("the factor of the query's place does not depend on the key, so it cancels", pull_out),
        ("e^u e^v = e^(u + v)", add_exponents),
    ],
    Setting((BIAS, DENOMINATOR, WEIGHT), relations=((n_q, n),)),
)

THEOREM = Theorem(
    name="alibi-shift",
    title="The bias m (j - i) and the bias m j give the same weights",
    statement=(
        "ALiBi subtracts m (i - j) from each score. Adding m j instead differs by m i, which is "
        "the same for all keys of a row, and softmax does not change when one number is added to "
        "all scores of a row."
    ),
    parts=(KEY_ONLY,),
    kind=Kind.EVERY,
    consequence=(
        "The bias can be one number for each key instead of one for each pair. BLOOM's code does "
        "so, and cached keys keep their bias while the text grows."
    ),
    sources=alibi.VARIANT.sources,
    variants=("alibi",),
)
