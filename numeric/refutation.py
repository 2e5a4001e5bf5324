"""Find numbers at which two programs certainly differ, as few and as simple as can be found.

A difference modulo a prime is not yet a refutation. It is one when both programs, evaluated in
Arb balls on the same exact numbers, give enclosures that have no point in common, or when one
gives a number and the other none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

import numpy
from flint import arb, ctx

from derive.algebras.elementwise import ElementwiseArrays
from derive.arrays import Unsupported
from derive.constants import ExactNumber
from derive.graph import Input
from derive.program import Program
from derive.tensors import KINDS, MINUS_INFINITY, NOT_A_NUMBER, PLUS_INFINITY, ZERO, Tensor, Tensors
from derive.verdict import Witness
from numeric.ball_scalars import BallScalars, NotCertain

PRECISIONS = (64, 192, 1024)
"""Bits of the enclosures, tried in turn: a small difference needs more of them."""

NARROW = [Fraction(number) for number in (-2, -1, 0, 1, 2)]
WIDE = ("-1000", "-10", "-3/2", "-1/2", "0", "1/3", "1", "5/2", "30", "1000")
"""Numbers that are drawn from: simple ones, and ones that clamps and caps notice."""

DRAWS = 18
SPARSE_DRAWS = 160

Numbers = Mapping[str, numpy.ndarray[Any, numpy.dtype[numpy.object_]]]
"""For each input an array of fractions."""


@dataclass(frozen=True)
class _Found:
    numbers: Numbers
    bits: int
    output: str
    place: tuple[int, ...]
    left: Any
    right: Any

    @property
    def visible(self) -> bool:
        """Whether the two values differ in double precision."""
        if isinstance(self.left, str) or isinstance(self.right, str):
            return True
        gap = abs(self.left - self.right).abs_upper()
        size = max(self.left.abs_upper(), self.right.abs_upper())
        return bool(gap > size * arb(2) ** -52) and bool(gap > arb(2) ** -1074)


def refutation(
    left: Program,
    right: Program,
    inputs: Sequence[Input],
    *,
    landmarks: Sequence[Fraction] = (),
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Witness | None:
    """Return a certified witness that the programs differ; None where none was found.

    ``landmarks`` are numbers that the programs hold: inputs are tried at them and beside them.
    """
    random = Random(seed)
    comparison = _Comparison(left, right)
    found = _first(comparison, inputs, random, landmarks)
    if found is None:
        return None
    if progress is not None:
        progress("a witness was found; looking for simpler numbers")
    return _witness(comparison, _simplest(comparison, found))


class _Comparison:
    """Evaluates both programs on exact numbers and looks for elements that certainly differ."""

    def __init__(self, left: Program, right: Program) -> None:
        self.left, self.right = left, right

    def differs(self, numbers: Numbers, bits: int, only: str = "") -> _Found | None:
        """Return an element at which the enclosures are disjoint.

        It is the one furthest apart of the first output that has any, or of the output ``only``.
        """
        with ctx.workprec(bits):
            try:
                mine, theirs = (self._outputs(p, numbers) for p in (self.left, self.right))
            except (NotCertain, ZeroDivisionError, Unsupported):
                return None
            for name, a, b in zip(self.left.output_names, mine, theirs, strict=True):
                best: _Found | None = None
                distance = arb(-1)
                for place in numpy.ndindex(*a.shape):
                    apart = _apart(a, b, place)
                    if apart is not None and apart > distance:
                        distance = apart
                        values = tuple(_value(t, place) for t in (a, b))
                        best = _Found(numbers, bits, name, place, *values)
                if best is not None and only in ("", name):
                    return best
            return None

    def _outputs(self, program: Program, numbers: Numbers) -> list[Tensor[Any]]:
        tensors: Tensors[Any] = Tensors(ElementwiseArrays(BallScalars()))
        values = {name: _lifted(tensors, array) for name, array in numbers.items()}
        return program.outputs(values, tensors)


def _lifted(tensors: Tensors[Any], array: Any) -> Tensor[Any]:
    unique = sorted(set(array.ravel()))
    index = {value: place for place, value in enumerate(unique)}
    places = numpy.array([index[value] for value in array.ravel()], dtype=numpy.intp)
    data = tensors.algebra.constants(
        [ExactNumber.of(value) for value in unique], places.reshape(array.shape)
    )
    # A zero that an input happens to hold is a number like any other, not a structural zero.
    return tensors.finite(data, array.shape)


def _apart(left: Tensor[Any], right: Tensor[Any], place: tuple[int, ...]) -> Any:
    """Return a lower bound on the distance of two elements, None where they may be equal."""
    kinds = int(left.kinds[place]), int(right.kinds[place])
    if max(kinds) > ZERO:
        certain = {MINUS_INFINITY, PLUS_INFINITY, NOT_A_NUMBER, 0, ZERO}
        one_is_no_number = (kinds[0] > ZERO) != (kinds[1] > ZERO) or kinds[0] != kinds[1]
        return arb(1) if one_is_no_number and set(kinds) <= certain else None
    a, b = left.data[place], right.data[place]
    if not (a.is_finite() and b.is_finite()) or a.overlaps(b):
        return None
    return abs(a - b).abs_lower()


def _value(tensor: Tensor[Any], place: tuple[int, ...]) -> Any:
    kind = int(tensor.kinds[place])
    return tensor.data[place] if kind <= ZERO else KINDS[kind]


def _first(
    comparison: _Comparison,
    inputs: Sequence[Input],
    random: Random,
    landmarks: Sequence[Fraction],
) -> _Found | None:
    beside = {mark + step for mark in landmarks for step in (-1, 0, 1)}
    palettes = [NARROW, [Fraction(number) for number in WIDE]]
    if beside:
        palettes.append(sorted({*beside, *(-number for number in beside)}))
    for bits in PRECISIONS:
        for attempt in range(DRAWS):
            palette = palettes[attempt % len(palettes)]
            found = comparison.differs(_drawn(inputs, random, palette), bits)
            if found is not None:
                return found
    # A leak through a mask is seen where everything else is exactly zero.
    for numbers in _sparse(inputs, random):
        found = comparison.differs(numbers, PRECISIONS[0])
        if found is not None:
            return found
    return None


def _drawn(inputs: Sequence[Input], random: Random, palette: Sequence[Any]) -> dict[str, Any]:
    return {item.name: _array(item, lambda: random.choice(palette)) for item in inputs}


def _sparse(inputs: Sequence[Input], random: Random) -> Iterator[Numbers]:
    """Yield numbers that are zero but for one element of one input: values, keys, queries."""
    tried = 0
    upstream = [item for item in inputs if _is_upstream(item)]
    ordered = [*(item for item in inputs[::-1] if not _is_upstream(item)), *upstream]
    for background in (0, 1):
        for item in ordered:
            for place in numpy.ndindex(*item.type.shape):
                numbers = _drawn(inputs, random, range(background + 1))
                one = _array(item, lambda: 0)
                one[place] = Fraction(1)
                numbers[item.name] = one
                if item.name != inputs[-1].name and _is_upstream(inputs[-1]):
                    numbers[inputs[-1].name] = _array(inputs[-1], lambda: 1)
                yield numbers
                tried += 1
                if tried >= SPARSE_DRAWS:
                    return


def _is_upstream(item: Input) -> bool:
    return item.name.startswith("grad_output")


def _array(item: Input, draw: Callable[[], Any]) -> Any:
    array = numpy.empty(item.type.shape, dtype=object)
    for place in numpy.ndindex(*array.shape):
        array[place] = Fraction(draw())
    return array


def _simplest(comparison: _Comparison, found: _Found) -> _Found:
    """Set as many numbers as possible to zero, whole inputs first, and the rest to one."""
    for target in (Fraction(0), Fraction(1)):
        for name, array in found.numbers.items():
            places = [p for p in numpy.ndindex(*array.shape) if array[p] not in (0, target)]
            if target == 0:
                places = [p for p in numpy.ndindex(*array.shape) if array[p] != 0]
            size = len(places)
            while size:
                for start in range(0, len(places), size):
                    part = places[start : start + size]
                    changed = _with(found.numbers, name, part, target)
                    better = comparison.differs(changed, found.bits, found.output)
                    # A visible difference is not given up for one that only rounding may make.
                    if better is not None and (better.visible or not found.visible):
                        found = better
                size //= 2
    return found


def _with(numbers: Numbers, name: str, places: Sequence[Any], value: Fraction) -> Numbers:
    array = numbers[name].copy()
    for place in places:
        array[place] = value
    return {**numbers, name: array}


def _witness(comparison: _Comparison, found: _Found) -> Witness:
    # Enclosures with more bits, where they can be had, show more digits.
    closer = comparison.differs(found.numbers, 4 * found.bits, found.output)
    found = closer or found
    with ctx.workprec(found.bits):
        difference = ""
        if not isinstance(found.left, str) and not isinstance(found.right, str):
            difference = (found.left - found.right).str(3, radius=False)
        texts = _enclosures(found.left, found.right)
        return Witness(
            inputs=tuple((name, _nested(array)) for name, array in found.numbers.items()),
            output=found.output,
            place=found.place,
            left=texts[0],
            right=texts[1],
            difference=difference,
            visible=found.visible,
        )


def _enclosures(left: Any, right: Any) -> tuple[str, str]:
    """Write both with as many certified digits as it takes to tell them apart."""
    texts = ("", "")
    for digits in (8, 16, 32, 64, 128, 256, 512, 1024, 2048):
        texts = _written(left, digits), _written(right, digits)
        if isinstance(left, str) or isinstance(right, str):
            break
        if not arb(texts[0]).overlaps(arb(texts[1])):
            break
    return texts


def _written(value: Any, digits: int) -> str:
    return value if isinstance(value, str) else str(value.str(digits))


def _nested(array: Any) -> Any:
    if array.ndim == 0:
        return str(array.item())
    return tuple(
        _nested(part) if part.ndim else str(part.item()) for part in map(numpy.asarray, array)
    )
