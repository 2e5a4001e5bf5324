"""The file that somebody starts from: a sentence with numbers to replace, each key explained."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from derive.visible import straight

_START = """\
# A sentence, and one vector for each of its tokens. Numbers are taken as you write them, exactly;
# nothing in this file is evaluated.

title: {title}

tokens: [{tokens}]

# One row for each token, in the same order, all of one length. These are placeholders: put yours.
vectors:
{vectors}

# The token that is worked in detail, or its position from 1 where a word comes twice ("#4").
query: {query}

# What follows is optional; take the number sign away to use it.

# sentence: The running text that the tokens come from.
# source: Who wrote it.

# How scores become weights: softmax, sum, raw, shifted (softmax as computers work it).
# mechanism: softmax

# A factor of every score: 1/sqrt(d), a number, or none.
# scale: 1/sqrt(d)

# Which keys a query sees: causal (up to itself), or none.
# mask: causal

# Matrices that make queries, keys and values: small, none, or your own, with a row for each number
# of a vector.
# projections:
#   query:
{matrix}
#   key:
{matrix}
#   value:
{matrix}
"""


def sentence_start(tokens: Sequence[str], dimensions: int) -> str:
    """Return a sentence file for ``tokens``, with vectors of so many one-decimal numbers."""
    chance = random.Random(" ".join(tokens))
    rows = [
        [f"{chance.randint(1, 9) / 10:.1f}" for _ in range(dimensions)] for _ in range(len(tokens))
    ]
    matrix = "\n".join(
        f"#     - [{', '.join('1.0' if row == column else '0.0' for column in range(dimensions))}]"
        for row in range(dimensions)
    )
    last = len(tokens) - 1
    return _START.format(
        title=_quoted(" ".join(tokens)),
        tokens=", ".join(map(_quoted, tokens)),
        vectors="\n".join(
            f"  - [{', '.join(row)}]  # {_comment(token)}"
            for row, token in zip(rows, tokens, strict=True)
        ),
        query=_quoted(tokens[last]) if tokens.count(tokens[last]) == 1 else f'"#{last + 1}"',
        matrix=matrix,
    )


def _quoted(text: str) -> str:
    """Return text as YAML has it: plain where it is plain letters, else in double quotes."""
    if text.replace(" ", "").isalnum() and text.isascii():
        return text
    # Written as it is, it can be read; what would turn the line around is escaped.
    return straight(json.dumps(text, ensure_ascii=False))


def _comment(text: str) -> str:
    return straight(json.dumps(text, ensure_ascii=False))[1:-1]
