"""Merging finished outputs: a block's output and the logarithm of its denominator are enough."""

from __future__ import annotations

from sympy import exp

from derive.formula import Stage, array, c, i, m, n_p, n_q, p, total
from derive.rewriting import unfold
from derive.sum_rules import add_exponents
from derive.theorems.online_softmax import D_b, m_b, o_b
from derive.theorems.theorem import Kind, Setting, Theorem, at_this, chain
from derive.variants.variant import Source

YE = Source(
    "Ye et al.",
    2025,
    "FlashInfer: Efficient and customizable attention engine for LLM inference serving",
    "https://arxiv.org/abs/2501.01005",
)
DAO = Source(
    "Dao",
    2023,
    "FlashAttention-2: Faster attention with better parallelism and work partitioning",
    "https://arxiv.org/abs/2307.08691",
    "section 3.1.1",
)

L_b, z_b = array("L_b"), array("z_b")
"""L_b = m_b + log D_b, any number; z_b = o_b / D_b, the output of a block by itself."""

DENOMINATOR = Stage(D_b[i, p], exp(L_b[i, p] - m_b[i, p]), (n_q, n_p))
OUTPUT = Stage(z_b[i, p, c], o_b[i, p, c] / D_b[i, p])
SETTING = Setting((DENOMINATOR, OUTPUT), given=((m_b, (n_q, n_p)), (L_b, (n_q, n_p))))

SHARE = exp(L_b[i, p] - m[i])
SHIFTED = D_b[i, p] * exp(m_b[i, p] - m[i])

WEIGHT = chain(
    "what a block counts",
    SHIFTED,
    SHARE,
    [
        ("D_b = e^(L_b - m_b)", unfold(DENOMINATOR)),
        ("e^u e^v = e^(u + v): the block's own shift cancels", add_exponents),
    ],
    SETTING,
)
MERGE = chain(
    "the outputs of blocks, merged",
    total(z_b[i, p, c] * SHARE, p) / total(SHARE, p),
    total(o_b[i, p, c] * exp(m_b[i, p] - m[i]), p) / total(SHIFTED, p),
    [
        ("what a block counts, read backwards", at_this(SHARE, SHIFTED, i)),
        ("the output of a block; its denominator cancels", unfold(OUTPUT)),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="log-sum-exp-merge",
    title="Outputs of blocks merge by the log-sum-exp of their scores, and need nothing else",
    statement=(
        "Of a block of which the query sees a key, let the output be z = o / D and L = m + log D, "
        "the logarithm of the sum of its exponentials; another block has neither and is left out. "
        "The mean of the blocks' outputs with weights e^L is the sum of the blocks' "
        "numerators over the sum of their denominators, all at one shift, which is the output of "
        "all keys."
    ),
    parts=(WEIGHT, MERGE),
    kind=Kind.EVERY,
    consequence=(
        "Programs return the output and L, not m, D and o. Two calls on two parts of the keys can "
        "be merged afterwards, as is done where a long cache is cut into parts or lies on several "
        "machines."
    ),
    sources=(YE, DAO),
    nonzero=(D_b[i, p],),
)
