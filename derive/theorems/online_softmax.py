"""Softmax block by block: states of any blocks of keys merge to the state of all of them."""

from __future__ import annotations

from sympy import Add, Expr, Indexed, IndexedBase, Integer, Sum, Symbol, exp

from derive.brackets import AtMost, Equals
from derive.formula import (
    D,
    Stage,
    V,
    array,
    c,
    d_v,
    i,
    j,
    l,
    m,
    n,
    n_p,
    n_q,
    p,
    s,
    total,
)
from derive.rewriting import distribute, fold, pull_out, rewrite, split_exponentials, unfold
from derive.sum_rules import (
    Known,
    add_exponents,
    exchange,
    last_apart,
    multiply_out,
    pick,
    push_in,
    take_exponent,
    up_to,
    up_to_one,
)
from derive.theorems.theorem import (
    Chain,
    Induction,
    Kind,
    Recurrence,
    Setting,
    Theorem,
    at_this,
    chain,
    induction,
    supposed,
)
from derive.variants.variant import Source

MILAKOV = Source(
    "Milakov and Gimelshein",
    2018,
    "Online normalizer calculation for softmax",
    "https://arxiv.org/abs/1805.02867",
)
RABE = Source(
    "Rabe and Staats",
    2021,
    "Self-attention does not need O(n²) memory",
    "https://arxiv.org/abs/2112.05682",
)
DAO = Source(
    "Dao, Fu, Ermon, Rudra and Ré",
    2022,
    "FlashAttention: Fast and memory-efficient exact attention with IO-awareness",
    "https://arxiv.org/abs/2205.14135",
    "section 3.1",
)

M, P, o = array("M"), array("P"), array("o")
"""M[i, j] is 1 where query i may see key j, else 0; P[j] is the number of the block of key j."""

D_b, m_b, o_b = array("D_b"), array("m_b"), array("o_b")
"""The state of block p for query i: a denominator, any shift, and a numerator."""

D_r, m_r, o_r = array("D_r"), array("m_r"), array("o_r")
"""The state of a loop after block p, with any shift."""

r = Symbol("r", integer=True, positive=True)
"""A block, in a sum over blocks."""


# Two blocks, then three: states are opaque numbers.


def merged(name: str, left: str, right: str, shift: str, *others: Symbol) -> Stage:
    """X = X_left e^(m_left - m) + X_right e^(m_right - m): the merge of two states."""
    one, two = (
        array(f"{name}_{state}")[(i, *others)] * exp(array(f"m_{state}")[i] - array(shift)[i])
        for state in (left, right)
    )
    return Stage(array(f"{name}_{left}{right}")[(i, *others)], one + two)


def flat(name: str, *others: Symbol) -> Expr:
    """Return the sum of the states 1, 2 and 3, each shifted to m."""
    return Add(
        *(
            array(f"{name}_{state}")[(i, *others)] * exp(array(f"m_{state}")[i] - m[i])
            for state in (1, 2, 3)
        )
    )


def associative(title: str, name: str, first: tuple[str, str], last: tuple[str, str]) -> Chain:
    """Merge two of three states, then the third; the shift of the two in between is any number."""
    inner = merged(name, *first, f"m_{''.join(first)}")
    outer = merged(name, *last, "m")
    return chain(
        title,
        outer.target,
        flat(name),
        [
            ("the outer merge", unfold(outer)),
            ("the inner merge", unfold(inner)),
            ("multiply out", multiply_out),
            ("e^u e^v = e^(u + v): the shift in between cancels", add_exponents),
        ],
        Setting((inner, outer)),
    )


LEFT_FIRST = associative("the first two, then the third", "D", ("1", "2"), ("12", "3"))
RIGHT_FIRST = associative("the last two, then the first", "D", ("2", "3"), ("1", "23"))
OUTER_FIRST = associative("the first and the third, then the second", "D", ("1", "3"), ("13", "2"))


# The states of blocks of keys, with masks.


def weight(shift: Expr) -> Expr:
    """Return what a key adds to a denominator: nothing where it is masked."""
    return M[i, j] * exp(s[i, j] - shift)


BLOCK_D = Stage(D_b[i, p], total(Equals(p, P[j]) * weight(m_b[i, p]), j), (n_q, n_p))
BLOCK_O = Stage(o_b[i, p, c], total(Equals(p, P[j]) * weight(m_b[i, p]) * V[j, c], j))
WHOLE_D = Stage(D[i], total(weight(m[i]), j))
WHOLE_O = Stage(o[i, c], total(weight(m[i]) * V[j, c], j))
BLOCKS = Setting(
    (BLOCK_D, BLOCK_O, WHOLE_D, WHOLE_O),
    given=((P, (n,)), (M, (n_q, n)), (m_b, (n_q, n_p))),
    whole=((P, n_p),),
    most={n_q: 1, n_p: 2},
)


def all_blocks(title: str, block: Stage, whole: Stage) -> Chain:
    """Add up the states of all blocks, each shifted to the shift of the whole."""
    return chain(
        title,
        total(block.target * exp(m_b[i, p] - m[i]), p),
        whole.target,
        [
            ("the state of a block", unfold(block)),
            ("the shift goes under the sum", push_in),
            ("e^u e^v = e^(u + v): the block's own shift cancels", add_exponents),
            ("finite sums may be taken in either order", exchange),
            ("each key is in one block", pick(Known(whole={P: n_p}))),
            ("the state of all keys, read backwards", fold(whole)),
        ],
        BLOCKS,
    )


ALL_D = all_blocks("the denominators of all blocks", BLOCK_D, WHOLE_D)
ALL_O = all_blocks("the numerators of all blocks", BLOCK_O, WHOLE_O)


# A block that is taken in at once, as programs do: its own state need not be made.

D_1, o_1, m_1, m_2 = (array(name) for name in ("D_1", "o_1", "m_1", "m_2"))


def taken_in(title: str, state: Indexed, term: Expr) -> Chain:
    """Merge a state and that of a block whose keys add ``term`` times e^(s - m_2)."""
    return chain(
        title,
        state * exp(m_1[i] - m[i]) + total(term * exp(s[i, j] - m_2[i]), j) * exp(m_2[i] - m[i]),
        state * exp(m_1[i] - m[i]) + total(term * exp(s[i, j] - m[i]), j),
        [
            ("the shift goes under the sum", push_in),
            ("e^u e^v = e^(u + v): the block's own shift cancels", add_exponents),
        ],
    )


TAKEN_D = taken_in("a block of keys taken into a denominator", D_1[i], Integer(1))
TAKEN_O = taken_in("a block of keys taken into a numerator", o_1[i, c], V[j, c])


# A loop over the blocks.


def loop(running: IndexedBase, state: IndexedBase, *others: Symbol) -> Recurrence:
    """X_1 = block 1 shifted;  X_p = X_{p-1} e^(m_{p-1} - m_p) + block p shifted."""
    own = state[(i, p, *others)] * exp(m_b[i, p] - m_r[i, p])
    earlier = running[(i, p - 1, *others)] * exp(m_r[i, p - 1] - m_r[i, p])
    shape = (n_q, n_p, *(d_v for _ in others))
    return Recurrence(
        running[(i, p, *others)], p, own.xreplace({p: Integer(1)}), earlier + own, shape
    )


def after_block(title: str, running: IndexedBase, state: IndexedBase, *others: Symbol) -> Induction:
    """Prove that the loop's state after block p is the sum of the states up to p, shifted."""
    made = loop(running, state, *others)
    up_to_p = AtMost(r, p) * state[(i, r, *others)] * exp(m_b[i, r] - m_r[i, p])
    goal = Sum(up_to_p, (r, 1, n_p)), made.target
    return induction(
        title,
        p,
        goal,
        [
            ("from 1 on, only 1 is at most 1", up_to_one),
            ("only the first block is left", pick()),
            ("how the loop begins, read backwards", rewrite(*reversed(made.begins))),
        ],
        [
            ("[r <= p] = [r <= p - 1] + [r = p]", last_apart(p)),
            ("one sum for each", distribute),
            ("of the second, only block p is left", pick()),
            ("e^u = e^v e^(u - v)", take_exponent(m_r[i, p - 1] - m_r[i, p])),
            ("what does not depend on r stands before the sum", pull_out),
            ("the statement for p - 1", supposed(goal, p)),
            ("one round of the loop, read backwards", at_this(*reversed(made.goes_on), p)),
        ],
        Setting((made,), given=((m_r, (n_q, n_p)),)),
    )


LOOP_D = after_block("the loop's denominator after block p", D_r, D_b)
LOOP_O = after_block("the loop's numerator after block p", o_r, o_b, c)
AT_THE_END = chain(
    "the loop's denominator after the last block",
    D_r[i, n_p],
    total(D_b[i, p] * exp(m_b[i, p] - m_r[i, n_p]), p),
    [
        ("the state after block p, for the last", rewrite(*reversed(LOOP_D.goal))),
        ("every block is at most the last", up_to()),
    ],
    Setting((loop(D_r, D_b),), given=((m_r, (n_q, n_p)),)),
)
QUOTIENT = chain(
    "numerator by denominator",
    o[i, c] / D[i],
    total(M[i, j] * exp(s[i, j]) * V[j, c], j) / total(M[i, l] * exp(s[i, l]), l),
    [
        ("the numerator of all keys", unfold(WHOLE_O)),
        ("the denominator of all keys", unfold(WHOLE_D)),
        ("e^(u + v) = e^u e^v", split_exponentials),
        ("the shift does not depend on the key, so it cancels", pull_out),
    ],
    Setting((WHOLE_D, WHOLE_O)),
)

THEOREM = Theorem(
    name="online-softmax",
    title="Softmax may be computed block by block, in any order, with any shifts",
    statement=(
        "The state of a set of keys is a shift m, the sum D of e^(s - m) and the sum o of "
        "e^(s - m) V. Two states merge to D_1 e^(m_1 - m) + D_2 e^(m_2 - m), o likewise, for any "
        "shift m. Merging three states gives the same whichever two are merged first; the states "
        "of blocks of any sizes, masked or empty, add up to the state of all keys; a loop over "
        "the blocks holds after each the state of all keys so far; and o / D, where the query sees "
        "any key, does not depend on m."
    ),
    parts=(
        LEFT_FIRST,
        RIGHT_FIRST,
        OUTER_FIRST,
        ALL_D,
        ALL_O,
        TAKEN_D,
        TAKEN_O,
        LOOP_D,
        LOOP_O,
        AT_THE_END,
        QUOTIENT,
    ),
    kind=Kind.EVERY,
    consequence=(
        "Attention needs no row of n scores in memory: FlashAttention keeps one state for each "
        "query, and blocks may be shared among processors and merged as a tree. The largest score "
        "so far is one choice of m, which keeps exponents at 0 or below."
    ),
    sources=(MILAKOV, RABE, DAO),
    nonzero=(D[i],),
    variants=("scaled-dot-product", "shifted-softmax"),
)
