"""Relative errors and underflow, put together; infinity where nothing can be said."""

from __future__ import annotations

from math import expm1, inf, log1p

from numeric.precision import Precision
from numeric.rounding.contract import Contract, Stored

HOPELESS = 0.5
"""A sum that may be off by so much of itself bounds nothing that is divided by it."""


def compounded(*relative: float) -> float:
    """Return the relative error of a product of factors that each err by this much."""
    if inf in relative:
        return inf
    return expm1(sum(map(log1p, relative))) * (1 + 2.0**-40)


def inverse(relative: float) -> float:
    """Return the relative error of a reciprocal: t / (1 - t)."""
    return relative / (1 - relative) if relative < HOPELESS else inf


def stored_growth(stored: Stored | None, times: int = 1) -> float:
    """Return the relative error of ``times`` factors that were each stored."""
    return 0.0 if stored is None else compounded(*([stored.growth] * times))


def stored_underflow(stored: Stored | None) -> float:
    """Return what a stored number may lose below the normal range."""
    return 0.0 if stored is None else stored.underflow


def underflow(precision: Precision) -> float:
    """Return half of the smallest subnormal number, as float64 holds it (at least its own)."""
    return max(float(precision.smallest_subnormal) / 2, 2.0**-1074)


def scaled_underflow(contract: Contract) -> float:
    """Return what an input loses below the normal range: when it is scaled, and when copied."""
    return 2 * underflow(contract.accumulation) + stored_underflow(contract.inputs)
