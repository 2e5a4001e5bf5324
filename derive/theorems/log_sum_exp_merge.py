"""Merging finished outputs: a block's output and the logarithm of its denominator are enough."""

from __future__ import annotations

from sympy import exp

from derive.formula import Stage, array, c, i, m, n_p, n_q, p, total
from derive.rewriting import unfold
from derive.sum_rules import add_exponents
from derive.theorems.online_softmax import D_B, DAO, RABE, m_B, o_B
from derive.theorems.theorem import Kind, Setting, Theorem, at_this, chain

L_B, z_B = array("L_B"), array("z_B")
"""L_B = m_B + log D_B, any number; z_B = o_B / D_B, the output of a block by itself."""

DENOMINATOR = Stage(D_B[i, p], exp(L_B[i, p] - m_B[i, p]), (n_q, n_p))
OUTPUT = Stage(z_B[i, p, c], o_B[i, p, c] / D_B[i, p])
SETTING = Setting((DENOMINATOR, OUTPUT), given=((m_B, (n_q, n_p)), (L_B, (n_q, n_p))))

SHARE = exp(L_B[i, p] - m[i])
SHIFTED = D_B[i, p] * exp(m_B[i, p] - m[i])

WEIGHT = chain(
    "what a block counts",
    SHIFTED,
    SHARE,
    [
        ("D_B = e^(L_B - m_B)", unfold(DENOMINATOR)),
        ("e^u e^v = e^(u + v): the block's own shift cancels", add_exponents),
    ],
    SETTING,
)
MERGE = chain(
    "the outputs of blocks, merged",
    total(z_B[i, p, c] * SHARE, p) / total(SHARE, p),
    total(o_B[i, p, c] * exp(m_B[i, p] - m[i]), p) / total(SHIFTED, p),
    [
        ("what a block counts, read backwards", at_this(SHARE, SHIFTED, i)),
        ("the output of a block; its denominator cancels", unfold(OUTPUT)),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="log-sum-exp-merge",
    title="Outputs of blocks merge by the log-sum-exp of their scores alone",
    statement=(
        "Let a block's output be z = o / D and L = m + log D, the logarithm of the sum of its "
        "exponentials. The outputs of all blocks, averaged with weights e^L, are the sum of the "
        "blocks' numerators over the sum of their denominators, which is the output of all keys."
    ),
    parts=(WEIGHT, MERGE),
    kind=Kind.EVERY,
    consequence=(
        "Programs return the output and L, not m, D and o. Two calls on two parts of the keys can "
        "be merged afterwards, as is done for long caches and for tokens on several machines."
    ),
    sources=(RABE, DAO),
)
