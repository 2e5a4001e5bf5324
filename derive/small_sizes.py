"""Small sizes at which a mechanism is written out: a few tokens, and as little else as it needs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sympy import IndexedBase, Integer, Symbol

from derive.formula import Mechanism, d, d_e, d_f, d_v, n, n_b, n_g, n_h, n_p, n_q

_FEW: Mapping[Symbol, int] = {d: 2, d_v: 1, d_e: 2, d_f: 1, n_b: 1, n_h: 1, n_g: 1, n_p: 1}


def small_sizes(
    mechanism: Mechanism,
    tokens: int,
    dimensions: int | None = None,
    instead: Mapping[Symbol, int] = MappingProxyType({}),
) -> dict[Symbol, int]:
    """Return a number for every size of a mechanism with ``tokens`` queries and keys.

    Every other size is as small as shows the formula. Equations between sizes are kept, so
    ``dimensions``, those of queries and keys, count only where no equation says how many there are.
    ``instead`` gives other numbers for sizes that are otherwise as small as can be.
    """
    numbers = {size: Integer(length) for size, length in {**_FEW, **instead}.items()}
    numbers |= {n: Integer(tokens), n_q: Integer(tokens)}
    if dimensions is not None:
        numbers[d] = Integer(dimensions)
    for symbol, value in mechanism.relations:
        # A number of heads that share one is seen from two on.
        numbers |= {other: Integer(2) for other in value.free_symbols - numbers.keys()}
        numbers[symbol] = value.xreplace(numbers)
    return {size: int(number) for size, number in numbers.items()}


def shapes_at(
    mechanism: Mechanism, sizes: Mapping[Symbol, int]
) -> dict[IndexedBase, tuple[int, ...]]:
    """Return the shape of each input as numbers."""
    numbers = {size: Integer(length) for size, length in sizes.items()}
    return {
        base: tuple(int(size.xreplace(numbers)) for size in mechanism.shapes[base])
        for base in mechanism.inputs
    }
