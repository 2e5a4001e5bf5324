"""Check arguments that read equations one by one, by a way that shares none of their rules.

The formula is written out in the names of its inputs' entries for three tokens, or evaluated over
intervals at numbers from a seed, and looked at: do the results of permuted inputs come permuted,
does an entry of a later token stand in an earlier result, is a bound ever passed?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import numpy
from sympy import Indexed, IndexedBase, Integer, Rational, Symbol

from derive.algebras.interval import Interval
from derive.algebras.symbolic import Symbolic
from derive.claims.bounds import SCORES_BOUNDED
from derive.claims.chains import changed
from derive.claims.claim import Kind, Line, Structural
from derive.claims.limits import at_zero
from derive.claims.places import alike_tokens
from derive.claims.shorter import shortened
from derive.claims.subject import Subject
from derive.derivation import DerivationError, is_zero
from derive.elements import Elements
from derive.formula import UPPER_LIMIT, a, n, n_q
from derive.small_sizes import shapes_at, small_sizes
from derive.witness import entries_of, entry_name, surely_below
from derive.written_out import named_entries

TOKENS = 3
"""How many tokens the formula is written out for."""

POINTS = 8
"""How many inputs are drawn where numbers are looked at."""

STEEP = 60
"""The beta at which a key that is beaten by 1 or more has next to no weight: e^-60."""

NEXT_TO_NONE = 1e-6

Masks = Callable[[int, Mapping[Symbol, int]], Mapping[IndexedBase, Any]]
"""Give the zeros and ones of a mechanism's masks for a number of tokens and the other sizes."""


def no_masks(_tokens: int, _sizes: Mapping[Symbol, int]) -> Mapping[IndexedBase, Any]:
    """Give nothing: for mechanisms without masks."""
    return {}


def recheck_argument(part: Structural, subject: Subject, masks: Masks = no_masks) -> str:
    """Check an argument; return in words how. Raises ``DerivationError`` where it does not hold."""
    return _CHECKS[part.kind](_Check(subject, masks), part.lines)


class _Check:
    def __init__(self, subject: Subject, masks: Masks) -> None:
        self.subject = subject
        self.sizes = small_sizes(subject.mechanism, TOKENS, 1)
        self.masks = masks(TOKENS, self.sizes)

    def named(self) -> dict[IndexedBase, Any]:
        """Return every input as the names of its entries; masks are numbers."""
        shapes = shapes_at(self.subject.mechanism, self.sizes)
        names = {base: named_entries(base, shape) for base, shape in shapes.items()}
        return {**names, **self.masks}

    def written(self, inputs: Mapping[IndexedBase, Any], target: IndexedBase) -> Any:
        """Write an array out in what ``inputs`` holds."""
        stages = self.subject.upstream([target])
        return Elements(Symbolic(), inputs, self.sizes).run(stages)[target]

    def permutation(self, lines: tuple[Line, ...]) -> str:
        """Swap two tokens, and move all on by one: these make every order of three."""
        self.all_stages(lines)
        inputs, target = self.named(), self.subject.result
        before = self.written(inputs, target)
        for order in ([1, 0, 2], [2, 0, 1]):
            moved = {b: self.ordered(b, inputs[b], order) for b in self.subject.tokens}
            after = self.written({**inputs, **moved}, target)
            self.same(self.ordered(target, before, order), after)
        return f"{before.size} results of {TOKENS} tokens compared in other orders"

    def ordered(self, base: IndexedBase, array: Any, order: list[int]) -> Any:
        for axis in self.subject.token_axes(base):
            array = numpy.take(array, order, axis=axis)
        return array

    def same(self, left: Any, right: Any) -> None:
        for (place, one), (_, other) in zip(entries_of(left), entries_of(right), strict=True):
            if one != other and not is_zero(one - other):
                raise DerivationError(f"entry {place}: {one} is not {other}")

    def earlier(self, lines: tuple[Line, ...]) -> str:
        """Look in each written-out result for entries of later tokens."""
        self.all_stages(lines)
        target = self.subject.result
        results = self.written(self.named(), target)
        (axis,) = self.subject.token_axes(target)
        for place, entry in entries_of(results):
            for read in entry.atoms(Indexed):
                if read.base in self.subject.tokens:
                    places = [read.indices[t] for t in self.subject.token_axes(read.base)]
                    if any(later > place[axis] for later in places):
                        raise DerivationError(f"{entry_name(target, place)} reads {read}")
        without = self.with_one_less(self.named(), target, first=False)
        earlier = [slice(None)] * results.ndim
        earlier[axis] = slice(0, -1)
        self.same(results[tuple(earlier)], without)
        return (
            f"{results.size} results of {TOKENS} tokens read no later one, "
            f"{without.size} stay without the last token"
        )

    def places(self, _lines: tuple[Line, ...]) -> str:
        """Look whether scores change from place to place, and with what stands before the text.

        Where every token has the same vectors, a score can only depend on the difference.
        """
        target = self.subject.scores.base
        scores = self.written(alike_tokens(self.subject, self.named()), target)
        self.same(scores[..., :-1, :-1], scores[..., 1:, 1:])
        named = self.named()
        without = self.with_one_less(named, target, first=True)
        self.same(self.written(named, target)[..., 1:, 1:], without)
        return (
            f"{scores[..., 1:, 1:].size} scores compared with those one place on, "
            f"{without.size} with those of the text without its first token"
        )

    def with_one_less(
        self, inputs: Mapping[IndexedBase, Any], target: IndexedBase, first: bool
    ) -> Any:
        """Write an array out for the text without its first token, or without its last."""
        sizes = {**self.sizes, n: TOKENS - 1, n_q: TOKENS - 1}
        shorter = shortened(self.subject, inputs, sizes, first)
        stages = self.subject.upstream([target])
        return Elements(Symbolic(), shorter, sizes).run(stages)[target]

    def continuity(self, lines: tuple[Line, ...]) -> str:
        """Write the weights out at beta = 0, and what is divided by."""
        stages = at_zero(self.subject)
        made = {stage.array for stage in stages}
        read = {base for stage in stages for base in stage.reads} - made
        numbers = {size: Integer(length) for size, length in self.sizes.items()}
        given = {}
        for base in read:
            shape = [int(size.xreplace(numbers)) for size in self.subject.shapes[base]]
            given[base] = self.masks.get(base, named_entries(base, shape))
        elements = Elements(Symbolic(), given, self.sizes)
        elements.run(stages)
        finals = {entry.base for entry in self.subject.finals}
        looked_at = 0
        *below_the_line, about_weights = lines
        weights = elements.arrays[about_weights.about.base]
        for row in numpy.ndindex(*weights.shape[:-1]):
            seen = [weight for weight in weights[row] if weight != 0]
            if not all(is_zero(weight - seen[0]) for weight in seen):
                raise DerivationError(f"at beta = 0 the weights {seen} of one row differ")
        for line in below_the_line:
            below = changed(line.about, finals, lambda _score: Integer(0))
            free = sorted(below.free_symbols & UPPER_LIMIT.keys(), key=str)
            for place in product(*(range(1, self.sizes[UPPER_LIMIT[t]] + 1) for t in free)):
                entry = elements.value(below, dict(zip(free, place, strict=True)))
                if not entry.is_positive:
                    raise DerivationError(f"SymPy does not find {entry} positive at beta = 0")
                looked_at += 1
        found = f"{weights.size} weights at beta = 0 compared in their rows"
        return f"{found}, {looked_at} denominators positive" if looked_at else found

    def shares(self, _lines: tuple[Line, ...]) -> str:
        """Make scores far apart, and look whether a key that is beaten keeps weight."""
        subject = self.subject
        self.sizes[UPPER_LIMIT[subject.key]] = TOKENS
        finals = [entry.base for entry in subject.finals]
        stages = subject.upstream([a], finals)
        made = {stage.array for stage in stages}
        read = {base for stage in stages for base in stage.reads} - made - set(finals)
        beaten = 0
        for seed in range(POINTS):
            draw = Random(seed)
            given = {base: self.drawn(base, draw, 2) for base in read}
            scores = {base: self.drawn(base, draw, 3) for base in finals}
            flat = {base: array * 0 for base, array in scores.items()}
            seen = self.enclosed({**given, **flat}, stages)[a]
            found = self.enclosed({**given, **{b: s * STEEP for b, s in scores.items()}}, stages)[a]
            compared = [s for s in scores.values() if s.shape == found.shape]
            for place, weight in entries_of(found):
                row = tuple(p - 1 for p in place[:-1])
                wins = [
                    all(s[row][key] > s[row][place[-1] - 1] for s in compared)
                    and not surely_below(abs(seen[row][key]), NEXT_TO_NONE)
                    for key in range(found.shape[-1])
                ]
                if any(wins):
                    beaten += 1
                    if not surely_below(abs(weight), NEXT_TO_NONE):
                        raise DerivationError(f"{entry_name(a, place)} keeps {weight}")
        if not beaten:
            raise DerivationError("no key was beaten: nothing was looked at")
        return f"{beaten} keys that are beaten have next to no weight at beta = {STEEP}"

    def magnitude(self, lines: tuple[Line, ...]) -> str:
        """Draw inputs, small and large, and look whether a bound is passed."""
        subject, looked_at = self.subject, 0
        shapes = shapes_at(subject.mechanism, self.sizes)
        for seed in range(POINTS):
            draw = Random(seed)
            given = {base: self.drawn(base, draw, 2) for base in shapes}
            for base in subject.tokens:
                given[base] = given[base] * 10 ** (seed % 3)
            for condition in SCORES_BOUNDED.nonzero(subject):
                for entry in condition.atoms(Indexed):
                    given[entry.base] = abs(given[entry.base])
            stages = subject.upstream([subject.scores.base])
            intervals = self.intervals(given)
            # In a bound, entries are not declared to be real.
            intervals |= {IndexedBase(str(base)): array for base, array in intervals.items()}
            reader = Elements(Interval(), intervals, self.sizes)
            arrays = reader.run(stages)
            for line in lines:
                for place, entry in entries_of(arrays[line.about.base]):
                    where = dict(zip(line.about.indices, place, strict=True))
                    if surely_below(reader.value(line.bound, where), abs(entry)):
                        name = entry_name(line.about.base, place)
                        raise DerivationError(f"{name} is {entry}, beyond {line.bound}")
                    looked_at += 1
        return f"{looked_at} entries within their bounds"

    def all_stages(self, lines: tuple[Line, ...]) -> None:
        """See that an argument leaves no equation out."""
        if [line.about for line in lines] != [s.target for s in self.subject.mechanism.stages]:
            raise DerivationError("an argument has to go through every equation in order")

    def drawn(self, base: IndexedBase, draw: Random, size: int) -> Any:
        """Draw an array of whole numbers other than 0, or take the mask."""
        if base in self.masks:
            return self.masks[base]
        numbers = {symbol: Integer(length) for symbol, length in self.sizes.items()}
        shape = [int(axis.xreplace(numbers)) for axis in self.subject.shapes[base]]
        entries = numpy.empty(shape, dtype=object)
        for place in numpy.ndindex(*shape):
            entries[place] = Fraction(draw.randint(1, size) * draw.choice((-1, 1)))
        return entries

    def intervals(self, arrays: Mapping[IndexedBase, Any]) -> dict[IndexedBase, Any]:
        number = Interval().number
        convert = numpy.vectorize(lambda value: number(Rational(value)), otypes=[object])
        return {base: convert(array) for base, array in arrays.items()}

    def enclosed(self, arrays: Mapping[IndexedBase, Any], stages: Any) -> dict[IndexedBase, Any]:
        return Elements(Interval(), self.intervals(arrays), self.sizes).run(stages)


_CHECKS: Mapping[Kind, Callable[[_Check, tuple[Line, ...]], str]] = {
    "permutation": _Check.permutation,
    "earlier tokens": _Check.earlier,
    "places": _Check.places,
    "continuity": _Check.continuity,
    "shares": _Check.shares,
    "magnitude": _Check.magnitude,
}
