"""Two mechanisms side by side: which equations they share, and the smallest parts that differ.

Equations are paired by the array that they define. Of two equations that differ, the trees are
walked together; what has no counterpart is marked. Where only one of two mechanisms has heads, the
index of the head does not count as a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sympy import Add, Expr, Indexed, IndexedBase, Mul
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.formula import Mechanism, Stage, h, opened
from derive.rewriting import with_letters

Marks = frozenset[Expr]
NONE: Marks = frozenset()


@dataclass(frozen=True)
class Pair:
    """An equation of each side, or of one alone, and what differs in each right-hand side.

    The equations have their bound indices in readable letters, as they are written.
    """

    left: Stage | None
    right: Stage | None
    left_marks: Marks = NONE
    right_marks: Marks = NONE

    @property
    def same(self) -> bool:
        """Tell whether both sides have this equation, and nothing in it differs."""
        both = self.left is not None and self.right is not None
        return both and not self.left_marks and not self.right_marks


def compared(left: Mechanism, right: Mechanism) -> tuple[Pair, ...]:
    """Pair the equations of two mechanisms, in the order in which they are computed."""
    headless = _has_heads(left) != _has_heads(right)
    mine, theirs = _written(left), _written(right)
    pairs: list[Pair] = []
    waiting = list(theirs)
    for base, stage in mine.items():
        if base not in theirs:
            pairs.append(Pair(stage, None))
            continue
        # What the other side computes before this equation, and this side does not at all.
        while waiting and waiting[0] != base:
            early = waiting.pop(0)
            if early not in mine:
                pairs.append(Pair(None, theirs[early]))
        if waiting:
            waiting.pop(0)
        pairs.append(_pair(stage, theirs[base], headless=headless))
    pairs += [Pair(None, theirs[base]) for base in waiting if base not in mine]
    return tuple(pairs)


def differing(left: Expr, right: Expr, *, headless: bool = False) -> tuple[Marks, Marks]:
    """Return the smallest parts of each of two expressions that the other does not have."""
    marks_left: set[Expr] = set()
    marks_right: set[Expr] = set()
    for one, other in _differences(left, right, headless):
        marks_left.update(one)
        marks_right.update(other)
    return frozenset(marks_left), frozenset(marks_right)


def _pair(left: Stage, right: Stage, *, headless: bool) -> Pair:
    return Pair(left, right, *differing(left.value, right.value, headless=headless))


@lru_cache(maxsize=256)
def _written(mechanism: Mechanism) -> dict[IndexedBase, Stage]:
    return {
        stage.array: Stage(stage.target, with_letters(stage.value), stage.shape)
        for stage in mechanism.stages
    }


def _has_heads(mechanism: Mechanism) -> bool:
    return any(h in stage.target.indices for stage in mechanism.stages)


def _differences(
    left: Expr, right: Expr, headless: bool
) -> Iterator[tuple[Sequence[Expr], Sequence[Expr]]]:
    if _key(left, headless) == _key(right, headless):
        return
    if isinstance(left, Add) or isinstance(right, Add):
        yield from _differing_parts(Add, left, right, headless)
    elif isinstance(left, Mul) or isinstance(right, Mul):
        yield from _differing_parts(Mul, left, right, headless)
    elif isinstance(left, ExprWithLimits) and left.func is right.func:
        (body, *limits), (other, *others) = opened(left), opened(right)
        if limits == others:
            yield from _differences(body, other, headless)
        else:
            yield (left,), (right,)
    elif (
        left.func is right.func
        and left.args
        and not isinstance(left, Indexed)
        and len(left.args) == len(right.args)
    ):
        for mine, theirs in zip(left.args, right.args, strict=True):
            yield from _differences(mine, theirs, headless)
    else:
        yield (left,), (right,)


def _differing_parts(
    kind: type[Expr], left: Expr, right: Expr, headless: bool
) -> Iterator[tuple[Sequence[Expr], Sequence[Expr]]]:
    """Compare the terms of two sums, or the factors of two products; one side may be a single one.

    What both have goes away; of the rest, parts of one kind are compared with each other.
    """
    mine, theirs = _left_over(kind.make_args(left), kind.make_args(right), headless)
    partners = []
    for part in tuple(mine):
        other = next((other for other in theirs if _comparable(part, other)), None)
        if other is not None:
            mine.remove(part)
            theirs.remove(other)
            partners.append((part, other))
    shared = len(kind.make_args(left)) > len(mine)
    if not shared:
        yield (left,), (right,)
        return
    yield mine, theirs
    for part, other in partners:
        yield from _differences(part, other, headless)


def _comparable(left: Expr, right: Expr) -> bool:
    """Tell whether it helps to look into two parts: functions of one name, and sums."""
    return left.func is right.func and bool(left.args) and not isinstance(left, Indexed)


def _left_over(
    left: Sequence[Expr], right: Sequence[Expr], headless: bool
) -> tuple[list[Expr], list[Expr]]:
    """Take away what both have; return what is left of each."""
    rest = list(right)
    mine = []
    for part in left:
        found = next((r for r in rest if _key(r, headless) == _key(part, headless)), None)
        if found is None:
            mine.append(part)
        else:
            rest.remove(found)
    return mine, rest


@lru_cache(maxsize=8192)
def _key(expression: Expr, headless: bool) -> Expr:
    """Return an expression that is the same for two that count as the same."""
    canonical = expression.as_dummy()
    if not headless:
        return canonical
    entries = {
        entry: entry.base[tuple(index for index in entry.indices if index != h)]
        for entry in canonical.atoms(Indexed)
        if h in entry.indices and len(entry.indices) > 1
    }
    return canonical.xreplace(entries)
