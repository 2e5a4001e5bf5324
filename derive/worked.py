"""A sentence worked in numbers: every array of a mechanism, from the exact decimals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sympy import IndexedBase, Pow, Rational, exp

from derive.algebras.decimal import Decimal
from derive.algebras.exact import Exact
from derive.elements import Elements
from derive.errors import InputError
from derive.examples import Example
from derive.formula import Mechanism, x

MOST_TOKENS = 200
"""The longest sentence that is worked in numbers for all pairs of tokens."""


@dataclass(frozen=True, eq=False)
class Worked:
    """The arrays of ``mechanism`` for ``example``.

    Entries are fractions where the mechanism has no exponential and no root, else mpmath numbers
    of 50 digits.
    """

    example: Example
    mechanism: Mechanism
    arrays: dict[IndexedBase, Any]

    def __getitem__(self, base: IndexedBase) -> Any:
        return self.arrays[base]

    def floats(self, base: IndexedBase) -> Any:
        """Return one array as nested lists of the nearest float64 numbers."""
        return self.arrays[base].astype(float).tolist()


@cache
def work_out(example: Example, mechanism: Mechanism) -> Worked:
    """Compute every stage of a self-attention ``mechanism`` for ``example``.

    Raises ``InputError`` for a sentence that is too long, or whose scores sum to zero where the
    mechanism divides by that sum.
    """
    if len(example.tokens) > MOST_TOKENS:
        raise InputError(
            example.origin,
            "tokens",
            f"{len(example.tokens)} tokens are too many",
            f"all pairs are worked for at most {MOST_TOKENS}",
        )
    algebra = Exact() if is_rational(mechanism) else Decimal()
    given = {x: example.array(lambda value: algebra.number(Rational(value)))}
    try:
        arrays = Elements(algebra, given).run(mechanism.stages)
    except ZeroDivisionError:
        raise InputError(
            example.origin,
            "vectors",
            f"{mechanism.title} divides by zero here",
            "the scores of one query sum to zero; use softmax, or other vectors",
        ) from None
    return Worked(example, mechanism, arrays)


def is_rational(mechanism: Mechanism) -> bool:
    """Tell whether a mechanism needs nothing but the four arithmetic operations."""
    return not any(
        stage.value.has(exp) or any(not power.exp.is_Integer for power in stage.value.atoms(Pow))
        for stage in mechanism.stages
    )
