"""What a theorem is: a statement about attention, and a proof as data that pages show.

A proof has parts, and each is one of a few kinds: a chain of equal expressions, an induction, a
comparison of exact numbers, an agreement with a formula that was derived elsewhere. Every part is
checked a second way by ``derive.theorems.checking``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sympy import Dummy, Expr, Indexed, IndexedBase, Integer, Symbol

from derive.binding import rename, same
from derive.derivation import Derivation, DerivationError, derive
from derive.formula import UPPER_LIMIT, FormulaError, Mechanism, Stage
from derive.rewriting import Rule, rewrite
from derive.theorems.expectation import Distribution
from derive.variants.variant import Source

Given = tuple[tuple[IndexedBase, tuple[Expr, ...]], ...]
Equation = tuple[Expr, Expr]
"""The two sides of an equation."""


class Kind(StrEnum):
    """How far a statement reaches."""

    EVERY = "for any number of tokens"
    SENTENCE = "for the sentence"


@dataclass(frozen=True)
class Recurrence:
    """An array whose rows are made one after the other.

    ``target[.., index, ..] = first`` where the index is 1, and ``following`` from 2 on, which may
    read the array itself at index - 1 and nowhere else. ``shape`` says how far its indices count.
    """

    target: Indexed
    index: Symbol
    first: Expr
    following: Expr
    shape: tuple[Expr, ...]

    def __post_init__(self) -> None:
        place = self.target.indices.index(self.index)
        for entry in self.first.atoms(Indexed) | self.following.atoms(Indexed):
            own = entry.base == self.array
            if own and (entry in self.first.atoms(Indexed) or not self._is_earlier(entry, place)):
                raise FormulaError(f"{self.target}: {entry} is not made before it")
        if len(self.shape) != len(self.target.indices):
            raise FormulaError(f"{self.target} has another number of indices than {self.shape}")

    @property
    def array(self) -> IndexedBase:
        """The array that is made row by row."""
        return self.target.base

    @property
    def begins(self) -> Equation:
        """The first row."""
        return self.target.xreplace({self.index: Integer(1)}), self.first

    @property
    def goes_on(self) -> Equation:
        """Every later row."""
        return self.target, self.following

    def _is_earlier(self, entry: Indexed, place: int) -> bool:
        return bool(entry.indices[place] == self.index - 1)


Definition = Stage | Recurrence


@dataclass(frozen=True)
class Setting:
    """What the letters of a proof mean.

    Attributes:
        definitions: The arrays that are made from others, in order.
        given: Shapes of arrays that may be anything, where their letters do not say them.
        relations: Equations between sizes, such as n_q = n.
        whole: Arrays of whole numbers, each with how far they count; all of them are tried.
        random: Laws that the random arrays may have; each is tried.
        most: Sizes that are never counted further in the second check.
        parameters: Letters that stand for any one number.
    """

    definitions: tuple[Definition, ...] = ()
    given: Given = ()
    relations: tuple[tuple[Symbol, Expr], ...] = ()
    whole: tuple[tuple[IndexedBase, Expr], ...] = ()
    random: tuple[tuple[Distribution, ...], ...] = ()
    most: Mapping[Symbol, int] = field(default_factory=dict)
    parameters: frozenset[Symbol] = frozenset()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The definitions that are plain equations."""
        return tuple(part for part in self.definitions if isinstance(part, Stage))


@dataclass(frozen=True)
class Chain:
    """Equal expressions one after the other; holds for every index from ``first`` on."""

    title: str
    derivation: Derivation
    setting: Setting
    first: Mapping[Symbol, int] = field(default_factory=dict)

    @property
    def goal(self) -> Equation:
        """The equation that the chain proves."""
        return self.derivation.goal


@dataclass(frozen=True)
class Induction:
    """A statement for index = 1 (``base``), and for each later one from the one before (``step``).

    ``step`` may use ``hypothesis``, the statement at index - 1; it holds from index 2 on.
    """

    title: str
    index: Symbol
    goal: Equation
    base: Chain
    step: Chain

    def __post_init__(self) -> None:
        at_one = tuple(rename(side, {self.index: Integer(1)}) for side in self.goal)
        for chain, wanted in ((self.base, at_one), (self.step, self.goal)):
            if not all(same(found, side) for found, side in zip(chain.goal, wanted, strict=True)):
                raise DerivationError(
                    f"{self.title}: {chain.title} proves {chain.goal[0]} = {chain.goal[1]}, "
                    f"where {wanted[0]} = {wanted[1]} is needed"
                )

    @property
    def hypothesis(self) -> Equation:
        """The statement at index - 1."""
        return before(self.goal, self.index)


@dataclass(frozen=True)
class Comparison:
    """Exact numbers that are compared: each left side is ``relation`` to its right side."""

    title: str
    relation: str
    pairs: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True)
class Agreement:
    """The end of ``chain`` is the equation for ``array`` in the gradients of ``mechanism``."""

    title: str
    chain: Chain
    mechanism: Mechanism
    array: IndexedBase


Part = Chain | Induction | Comparison | Agreement


@dataclass(frozen=True)
class Theorem:
    """A statement about attention, with its proof.

    Attributes:
        name: Its short name, in commands and addresses.
        title: What it says, in one line of plain text.
        statement: What its equations say, in plain text.
        parts: The proof; pages show each part's steps.
        goals: The titles of the parts whose equations state the theorem.
        kind: How far it reaches.
        consequence: What it means for a reader.
        sources: Where it was stated before.
        nonzero: Denominators that must not be zero; exponentials and sums of them never are.
        variants: Keys of the mechanisms that it is about.
    """

    name: str
    title: str
    statement: str
    parts: tuple[Part, ...]
    kind: Kind
    consequence: str
    sources: tuple[Source, ...] = ()
    nonzero: tuple[Expr, ...] = ()
    variants: tuple[str, ...] = ()

    @property
    def relations(self) -> tuple[tuple[Symbol, Expr], ...]:
        """The equations between sizes that its parts take for granted, such as n_q = n."""
        settings = [chain.setting for part in self.parts for chain in chains_of(part)]
        return tuple(dict.fromkeys(pair for setting in settings for pair in setting.relations))

    @property
    def goals(self) -> tuple[Equation, ...]:
        """The equations that its parts prove."""
        return tuple(part.goal for part in self.parts if isinstance(part, Chain | Induction))


def chains_of(part: Part) -> tuple[Chain, ...]:
    """Return the chains that a part is made of."""
    if isinstance(part, Chain):
        return (part,)
    if isinstance(part, Induction):
        return (part.base, part.step)
    return (part.chain,) if isinstance(part, Agreement) else ()


def chain(
    title: str,
    start: Expr,
    goal: Expr,
    reasons: Sequence[tuple[str, Rule]],
    setting: Setting = Setting(),
    first: Mapping[Symbol, int] | None = None,
) -> Chain:
    """Apply ``reasons`` (words and rule) in turn, from ``start`` to ``goal``."""
    derivation = derive(start, goal, reasons, setting.stages)
    return Chain(title, derivation, setting, first or {})


def induction(
    title: str,
    index: Symbol,
    goal: Equation,
    base: Sequence[tuple[str, Rule]],
    step: Sequence[tuple[str, Rule]],
    setting: Setting,
) -> Induction:
    """Prove ``goal`` for every place of ``index``, from its left side to its right side."""
    left, right = (rename(side, {index: Integer(1)}) for side in goal)
    return Induction(
        title,
        index,
        goal,
        chain("the first place", left, right, base, setting),
        chain("each later place", *goal, step, setting, first={index: 2}),
    )


def before(equation: Equation, index: Symbol) -> Equation:
    """Return an equation at the place before: index - 1 in place of the index."""
    left, right = (rename(side, {index: index - 1}) for side in equation)
    return left, right


def supposed(equation: Equation, index: Symbol) -> Rule:
    """Use the statement at index - 1, from its left side to its right side."""
    left, right = before(equation, index)
    return at_this(left, right, index)


def at_this(left: Expr, right: Expr, *held: Symbol) -> Rule:
    """Replace ``left`` by ``right`` for the ``held`` indices as they are, and any others."""
    fixed = {index: Dummy(index.name, **index.assumptions0) for index in held}
    back = {dummy: index for index, dummy in fixed.items()}
    rule = rewrite(rename(left, fixed), rename(right, fixed))

    def held_rule(expression: Expr) -> Expr:
        return rule(rename(expression, fixed)).xreplace(back)

    return held_rule


def any_index(expressions: Iterable[Expr]) -> tuple[Symbol, ...]:
    """Return the free indices of some expressions, in a fixed order."""
    found = {symbol for side in expressions for symbol in side.free_symbols}
    return tuple(sorted(found & UPPER_LIMIT.keys(), key=str))
