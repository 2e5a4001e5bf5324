"""Two ways to hide the keys to come: leave them out of the softmax, or mend its weights after."""

from __future__ import annotations

from sympy import Sum, exp

from derive.brackets import AtMost
from derive.formula import D, Stage, a, array, i, j, l, n, n_q, s, total
from derive.rewriting import fold, pull_out, unfold
from derive.sum_rules import Known, up_to
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import causal

D_all, a_all = array("D_all"), array("a_all")

DENOMINATOR = Stage(D_all[i], total(exp(s[i, j]), j))
WEIGHT = Stage(a_all[i, j], exp(s[i, j]) / D_all[i])
"""Softmax over all keys, those to come as well."""

MASKED = causal.VARIANT.mechanism
SETTING = Setting((DENOMINATOR, WEIGHT, MASKED.stage(D), MASKED.stage(a)))
SELF = Setting(SETTING.definitions, relations=((n_q, n),))

MENDED = chain(
    "weights set to zero and divided by what is left are the masked weights",
    AtMost(j, i) * a_all[i, j] / total(AtMost(l, i) * a_all[i, l], l),
    a[i, j],
    [
        ("the softmax over all keys, by its definition", unfold(WEIGHT)),
        ("its denominator is the same for all keys of a row, so it cancels", pull_out),
        ("the masked denominator, read backwards", fold(MASKED.stage(D))),
        ("the masked weight, read backwards", fold(MASKED.stage(a))),
    ],
    SETTING,
)
LEFT_OUT = chain(
    "the masked denominator is a sum over the keys up to the query",
    D[i],
    Sum(exp(s[i, j]), (j, 1, i)),
    [
        ("the definition of D", unfold(MASKED.stage(D))),
        ("what is zero need not be added: the keys after i are left out", up_to(Known({n_q: n}))),
    ],
    SELF,
)

THEOREM = Theorem(
    name="causal-two-ways",
    title="Hiding later keys before softmax, or dropping their weights after it, gives the same",
    statement=(
        "Take the softmax over all keys, set the weights of later keys to zero and divide each "
        "row by its sum: the result is the softmax over the keys up to the query alone, which is "
        "what scores of minus infinity give."
    ),
    parts=(MENDED, LEFT_OUT),
    kind=Kind.EVERY,
    consequence=(
        "A mask may be put before softmax or, with a second division, after it. Frameworks put it "
        "before: then a row is divided once, and a later key cannot overflow the sum."
    ),
    sources=causal.VARIANT.sources,
    variants=("causal",),
)
