"""The claim that scores depend on places only through their difference.

The final scores are written in what is given. The places of query and key may then be read where
they name a token's entry; everywhere else, in numbers, brackets, angles and computed indices, t
more tokens before both make i + t and j + t of them, and t has to cancel.
"""

from __future__ import annotations

import numpy
from sympy import (
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Pow,
    Sum,
    Symbol,
    cos,
    exp,
    expand_mul,
    sin,
)
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import freshen, same
from derive.brackets import AtMost, Bracket
from derive.claims.chains import chain, everywhere, unfolded
from derive.claims.claim import Claim, Line, Proof, Structural
from derive.claims.shorter import without_a_token
from derive.claims.subject import Subject
from derive.claims.weights import has_scores
from derive.derivation import DerivationError
from derive.formula import n, opened
from derive.witness import (
    Arrays,
    Difference,
    Reading,
    entries_of,
    entry_name,
    shown,
    surely_different,
)

SHIFT = Symbol("t", integer=True, nonnegative=True)
"""How many tokens more stand before the text."""

MIDDLE = Symbol("middle", integer=True, positive=True)
"""Entry n of a table by distance, wherever n is."""


def _relative(subject: Subject) -> Proof:
    target = subject.scores
    stages = subject.upstream([target.base])
    written: Expr = target
    for _, rule in unfolded(stages):
        written = rule(written)
    reasons = [
        *unfolded(stages),
        ("multiply out", multiplied_out),
        ("cos u cos v + sin u sin v = cos(u - v), and the like", of_differences),
    ]
    goal = of_differences(multiplied_out(written)) if written.has(cos, sin) else written
    moved = _Moved(subject, target)
    before = freshen(goal)
    after = moved.later(before)
    if not same(_settled(after), _settled(before)):
        raise DerivationError(f"{target}: t stays in {after}")
    words = (
        "i + t and j + t in place of i and j, where they do not name a token's entry: t cancels"
        if moved.seen
        else "places only name tokens' entries: they do not matter at all"
    )
    argument = Structural("places", (Line(goal, words),))
    if same(goal, written):
        return (argument,)
    return chain(target, goal, reasons, stages), argument


class _Moved:
    """Put t more tokens before the text."""

    def __init__(self, subject: Subject, target: Indexed) -> None:
        self.subject = subject
        self.places = {index: index + SHIFT for index in target.indices[-2:]}
        self.seen = False

    def later(self, part: Expr) -> Expr:
        """Return a part at places that are t more, tokens' entries staying what they are."""
        if part in self.places:
            self.seen = True
            return self.places[part]
        if self.subject.counts_tokens(part):
            raise DerivationError(f"{part} counts the tokens, of which there are t more")
        if isinstance(part, Indexed):
            return self.entry(part)
        if isinstance(part, ExprWithLimits):
            return self.summed(part)
        if not part.args:
            return part
        return part.func(*(self.later(argument) for argument in part.args))

    def entry(self, entry: Indexed) -> Expr:
        """Move the places that an entry is read at, where they are not the names of its tokens."""
        sizes = self.subject.shapes[entry.base]
        indices = []
        for index, size in zip(entry.indices, sizes, strict=True):
            names_token = size == n and self.subject.from_tokens(entry.base)
            if names_token and index not in self.places:
                raise DerivationError(f"{entry} names a token by its place in the whole text")
            if names_token:
                indices.append(index)
            elif size != n and size.has(n):
                # A table by distance counts to 2 n - 1; its middle, entry n, is for distance 0.
                moved = self.later(index.xreplace({n: MIDDLE}))
                indices.append(moved.xreplace({MIDDLE: n}))
            else:
                indices.append(self.later(index))
        return entry.base[tuple(indices)]

    def summed(self, part: ExprWithLimits) -> Expr:
        body, index, low, high = opened(part)
        factors = Mul.make_args(body)
        running = [f for f in factors if isinstance(f, AtMost) and f.args[0] == index]
        rest = Mul(*(factor for factor in factors if factor not in running))
        ends_at_token = len(running) == 1 and running[0].args[1] in self.places
        names_alone = not rest.free_symbols & self.places.keys() and not self.counted(rest, index)
        if ends_at_token and isinstance(part, Sum) and low == 1 and names_alone:
            # A sum up to the place of a token has t terms more before, the same for every token.
            self.seen = True
            more = IndexedBase("before", real=True)[rest.xreplace({index: Integer(1)})]
            return part + more
        if self.subject.counts_tokens(high):
            raise DerivationError(f"{part} goes over all tokens, of which there are t more")
        return part.func(self.later(body), (index, low, self.later(high)))

    def counted(self, part: Expr, index: Symbol) -> bool:
        """Tell whether places are more than the names that ``index`` gives to tokens' entries."""
        if isinstance(part, Indexed):
            axes = self.subject.token_axes(part.base)
            tokens = axes if self.subject.from_tokens(part.base) else ()
            return any(
                place != index if axis in tokens else place.has(index, n)
                for axis, place in enumerate(part.indices)
            )
        counts = part == index or self.subject.counts_tokens(part)
        return counts or any(self.counted(argument, index) for argument in part.args)


def _settled(expression: Expr) -> Expr:
    """Multiply out angles and exponents, and write brackets as comparisons with 0."""

    def change(part: Expr) -> Expr:
        if isinstance(part, Bracket):
            return part.func((part.args[0] - part.args[1]).expand(), Integer(0))
        return part.func(part.args[0].expand()) if isinstance(part, cos | sin | exp) else part

    return everywhere(change)(expression)


def _multiply(part: Expr) -> Expr:
    return expand_mul(part, deep=False) if isinstance(part, Mul | Pow) else part


multiplied_out = everywhere(_multiply)
"""u (f + g) = u f + u g."""


def _of_difference(part: Expr) -> Expr:
    if not isinstance(part, Mul):
        return part
    turning = [factor for factor in part.args if isinstance(factor, cos | sin)]
    if len(turning) != 2:
        return part
    first, second = sorted(turning, key=lambda factor: isinstance(factor, sin))
    rest = Mul(*(factor for factor in part.args if factor not in turning))
    u, v = first.args[0], second.args[0]
    less, more = (u - v).expand(), (u + v).expand()
    if isinstance(first, cos) and isinstance(second, cos):
        found = cos(less) + cos(more)
    elif isinstance(first, sin):
        found = cos(less) - cos(more)
    else:
        found = sin(more) - sin(less)
    return expand_mul(rest * found / 2)


of_differences = everywhere(_of_difference)
"""2 cos u cos v = cos(u - v) + cos(u + v);  2 sin u sin v = cos(u - v) - cos(u + v);
2 cos u sin v = sin(u + v) - sin(u - v)."""


def _pairs_of_tokens(subject: Subject) -> bool:
    return has_scores(subject) and subject.one_text and subject.scores_are_of_tokens


def alike_tokens(subject: Subject, inputs: Arrays) -> Arrays:
    """Return inputs in which every token has the vectors of the first."""
    changed = dict(inputs)
    for base in subject.tokens:
        for axis in subject.token_axes(base):
            first = numpy.take(changed[base], [0], axis=axis)
            changed[base] = numpy.repeat(first, changed[base].shape[axis], axis=axis)
    return changed


def _absolute(subject: Subject, reading: Reading) -> Difference | None:
    """Compare scores one place on, and those of the text without its first token."""
    return _one_place_on(subject, reading) or _without_the_first(subject, reading)


def _without_the_first(subject: Subject, reading: Reading) -> Difference | None:
    shorter = without_a_token(subject, reading, first=True)
    if shorter is None:
        return None
    target = subject.scores.base
    stages = subject.upstream([target])
    longer, left = (each.run(stages)[target] for each in (reading, shorter))
    for place, before in entries_of(left):
        moved = (*place[:-2], place[-2] + 1, place[-1] + 1)
        after = longer[tuple(p - 1 for p in moved)]
        if surely_different(before, after):
            name = entry_name(target, moved)
            text = f"{entry_name(target, place)} without the first token, {shown(before)}"
            return Difference(name, text, shown(after))
    return None


def _one_place_on(subject: Subject, reading: Reading) -> Difference | None:
    target = subject.scores.base
    scores = reading.run(subject.upstream([target]))[target]
    for place, before in entries_of(scores[..., :-1, :-1]):
        moved = (*place[:-2], place[-2] + 1, place[-1] + 1)
        after = scores[tuple(p - 1 for p in moved)]
        if surely_different(before, after):
            name = entry_name(target, moved)
            return Difference(name, f"{entry_name(target, place)}, {shown(before)}", shown(after))
    return None


RELATIVE_POSITION = Claim(
    "relative-position",
    "Scores depend on the places of two tokens only through their difference",
    _relative,
    _absolute,
    (),
    "Where it holds, a text keeps its scores when other words are put before it.",
    applies=_pairs_of_tokens,
    fewest=2,
    about=lambda subject: (subject.scores.base,),
    narrow=alike_tokens,
)
