"""Inputs to try for a counterexample to a claim about a mechanism of the atlas.

Few tokens before many, small sizes before large ones, simple numbers first. What is fixed for all
texts, such as learned matrices and masks, is taken from the numbers that the mechanism's page
prints, as far as the sizes need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import islice, product
from random import Random
from typing import Any

import numpy
from sympy import IndexedBase, Symbol

from derive.formula import n, n_q
from derive.small_sizes import shapes_at, small_sizes
from derive.variants.variant import Variant
from derive.witness import SIMPLE_NUMBERS, Arrays

MOST_TOKENS = 4
"""How many tokens are tried."""

IN_ORDER, AT_RANDOM = 12, 24
"""How many inputs are tried at one size: the simplest, and more drawn at random from a seed."""

DIMENSIONS = 3
"""The length of a token's vector, from which a mechanism's page makes its inputs."""


def trials(variant: Variant, fewest: int = 1) -> Iterator[tuple[Arrays, Mapping[Symbol, int]]]:
    """Yield inputs of ``fewest`` tokens and more, and sizes that their shapes may not tell."""
    for tokens in range(fewest, MOST_TOKENS + 1):
        for sizes in _sizes(variant, tokens):
            fixed = fixed_inputs(variant, tokens, sizes)
            if fixed is None:
                continue
            shapes = shapes_at(variant.mechanism, sizes)
            free = {base: shapes[base] for base in variant.mechanism.inputs if base not in fixed}
            for inputs in _simple(free):
                given = {**fixed, **inputs}
                yield {base: given[base] for base in variant.mechanism.inputs}, sizes


def text_of(variant: Variant) -> bool:
    """Tell whether the tokens that ask are those that are asked: as many, from one text."""
    return all(
        length == MOST_TOKENS
        for base, array in _printed(variant, MOST_TOKENS).items()
        for size, length in zip(variant.mechanism.shapes[base], array.shape, strict=True)
        if size in (n, n_q)
    )


def _sizes(variant: Variant, tokens: int) -> list[dict[Symbol, int]]:
    """Return the sizes to try: one dimension, two, then those of the printed numbers."""
    small = [small_sizes(variant.mechanism, tokens, dimensions) for dimensions in (1, 2)]
    printed = {
        size: length
        for base, array in _printed(variant, tokens).items()
        for size, length in zip(variant.mechanism.shapes[base], array.shape, strict=True)
        if size.is_Symbol
    }
    found: list[dict[Symbol, int]] = []
    for sizes in (*small, {**small[0], **printed, n: tokens, n_q: tokens}):
        if sizes not in found:
            found.append(sizes)
    return found


def fixed_inputs(
    variant: Variant, tokens: int, sizes: Mapping[Symbol, int]
) -> dict[IndexedBase, Any] | None:
    """Return the fixed arrays, cut to the sizes; None where fewer numbers are printed."""
    shapes = shapes_at(variant.mechanism, sizes)
    found = {}
    for base, array in _printed(variant, tokens).items():
        if not variant.inputs[base].fixed:
            continue
        if any(have < need for have, need in zip(array.shape, shapes[base], strict=True)):
            return None
        found[base] = array[tuple(map(slice, shapes[base]))]
    return found


@cache
def _printed(variant: Variant, tokens: int) -> dict[IndexedBase, Any]:
    """Return the inputs of a text whose vectors are all zero: the shapes, and what is fixed."""
    vectors = numpy.full((tokens, DIMENSIONS), Fraction(0), dtype=object)
    return {base: made.make(vectors) for base, made in variant.inputs.items()}


def _simple(shapes: Mapping[IndexedBase, tuple[int, ...]]) -> Iterator[dict[IndexedBase, Any]]:
    count = sum(int(numpy.prod(shape)) for shape in shapes.values())
    for numbers in (*islice(_in_order(count), IN_ORDER), *_at_random(count)):
        inputs, rest = {}, iter(numbers)
        for base, shape in shapes.items():
            entries = numpy.empty(shape, dtype=object)
            for place in numpy.ndindex(*shape):
                entries[place] = next(rest)
            inputs[base] = entries
        yield inputs


def _in_order(count: int) -> Iterator[tuple[Fraction, ...]]:
    """Yield rows of simple numbers: all zero, then those with a 1, then those with a -1 ..."""
    yield (SIMPLE_NUMBERS[0],) * count
    for most in range(1, len(SIMPLE_NUMBERS)):
        for row in product(SIMPLE_NUMBERS[: most + 1], repeat=count):
            if SIMPLE_NUMBERS[most] in row:
                yield row


def _at_random(count: int) -> list[tuple[Fraction, ...]]:
    random = Random(count)
    return [tuple(random.choices(SIMPLE_NUMBERS, k=count)) for _ in range(AT_RANDOM)]


def shrunk(variant: Variant, inputs: Arrays, fails: Callable[[Arrays], bool]) -> Arrays:
    """Put the simplest numbers that still make a claim fail in the place of those that do."""
    found = dict(inputs)
    for base, array in inputs.items():
        if variant.inputs[base].fixed:
            continue
        for place in numpy.ndindex(*array.shape):
            for number in SIMPLE_NUMBERS[: SIMPLE_NUMBERS.index(found[base][place])]:
                simpler = found[base].copy()
                simpler[place] = number
                if fails({**found, base: simpler}):
                    found[base] = simpler
                    break
    return found
