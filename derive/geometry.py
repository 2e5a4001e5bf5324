"""Length and angle: why longer vectors win a dot product.

The score of two tokens is the product of their lengths and of the cosine of the angle between them.
"""

from __future__ import annotations

from typing import Any

from sympy import Rational, sqrt

from derive.algebras.decimal import Decimal
from derive.derivation import Derivation, derive
from derive.elements import Elements
from derive.examples import Example
from derive.formula import Stage, array, i, j, k, total, x
from derive.rewriting import fold, unfold
from derive.score import dot_product

r, c = array("r"), array("c")

(SCORE,) = dot_product(x, x).stages

LENGTH = Stage(r[i], sqrt(total(x[i, k] ** 2, k)))
"""r[i] = sqrt(sum_k x[i, k]^2), the length of a token's vector."""

COSINE = Stage(c[i, j], total(x[i, k] * x[j, k], k) / (r[i] * r[j]))
"""c[i, j], the cosine of the angle between two vectors; defined where neither length is zero."""


def score_by_angle() -> Derivation:
    """Prove r[i] r[j] c[i, j] = s[i, j]."""
    reasons = [
        ("the definition of c; the lengths cancel", unfold(COSINE)),
        ("the definition of s, read backwards", fold(SCORE)),
    ]
    return derive(r[i] * r[j] * c[i, j], SCORE.target, reasons, (SCORE, LENGTH, COSINE))


def lengths_and_cosines(example: Example) -> tuple[Any, Any]:
    """Return each vector's length, shape (n), and each pair's cosine, shape (n, n), to 50 digits.

    Raises ``ZeroDivisionError`` where a vector is zero: it has no angle with anything.
    """
    decimal = Decimal()
    given = {x: example.array(lambda value: decimal.number(Rational(value)))}
    arrays = Elements(decimal, given).run((LENGTH, COSINE))
    return arrays[r], arrays[c]
