"""Claims about scores."""

from __future__ import annotations

from derive.binding import rename
from derive.claims.claim import Claim, Proof, difference, never, product_of
from derive.derivation import derive
from derive.formula import K, Mechanism, Q, Stage, i, j, s
from derive.rewriting import exactly, unfold
from derive.witness import Difference, Reading, surely_different


def _symmetric(mechanism: Mechanism) -> Proof:
    score = mechanism.stage(s)
    swapped = Stage(s[j, i], rename(score.value, {i: j, j: i}))
    return (
        derive(
            s[i, j],
            s[j, i],
            [
                ("the definition of s", unfold(score)),
                (
                    "the same products, for numbers commute: the definition of s_ji",
                    exactly(swapped),
                ),
            ],
            [score],
        ),
    )


def _asymmetric(mechanism: Mechanism, reading: Reading) -> Difference | None:
    scores = reading.run(mechanism.choice("score").stages)[s]
    left, right = scores[0, 1], scores[1, 0]
    return difference("s_12", left, right) if surely_different(left, right) else None


SYMMETRIC = Claim(
    "scores-symmetric",
    "Two tokens score each other alike",
    _symmetric,
    _asymmetric,
    ({Q: (2, 1), K: (2, 1)},),
    "Which of the two words asks does not matter, as long as query and key are the same vectors.",
)
SCORES_ARE_PRODUCT = Claim(
    "scores-are-a-matrix-product",
    "All scores at once are one matrix product",
    product_of(s),
    never,
    (),
    "Row i, column j of the product is the inner product of rows i and j.",
)
