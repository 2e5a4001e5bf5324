"""A mechanism as claims see it: its final scores, its weights, and what comes from the tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sympy import Expr, Indexed, IndexedBase, Integer, Mul, Sum, Symbol

from derive.binding import Lengths
from derive.derivation import DerivationError
from derive.formula import Mechanism, Stage, a, n, n_q, opened

SPARE_LETTERS = ("t", "r", "y", "v")
"""Names for an array that may be anything; the first that the formula does not use is taken."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A mechanism, and which given arrays are the same for every text of one length.

    What is not ``fixed`` comes from the tokens: a row, or an entry, for each of them. ``one_text``
    tells that the tokens that ask are those that are asked.
    """

    mechanism: Mechanism
    fixed: frozenset[IndexedBase] = frozenset()
    one_text: bool = True

    @cached_property
    def relations(self) -> dict[Symbol, Expr]:
        """Equations between sizes; a claim about tokens takes as many queries as keys."""
        return {n_q: n, **dict(self.mechanism.relations)}

    @cached_property
    def shapes(self) -> dict[IndexedBase, tuple[Expr, ...]]:
        """The shape of every array in letters, where there are as many queries as keys."""
        return self._shapes(self.relations)

    @cached_property
    def own_shapes(self) -> dict[IndexedBase, tuple[Expr, ...]]:
        """The shape of every array in letters, with the mechanism's own equations alone."""
        return self._shapes(dict(self.mechanism.relations))

    def _shapes(self, relations: Mapping[Symbol, Expr]) -> dict[IndexedBase, tuple[Expr, ...]]:
        same = {size: other for size, other in relations.items() if other.is_Symbol}
        given = {
            base: tuple(size.xreplace(same) for size in self.mechanism.shapes[base])
            for base in self.mechanism.inputs
        }
        lengths = Lengths(given).assume(same).learn(self.mechanism.stages)
        return {
            base: tuple(Integer(m) if isinstance(m, int) else m for m in shape)
            for base, shape in lengths.shapes.items()
        }

    def token_axes(self, base: IndexedBase) -> tuple[int, ...]:
        """Return the axes of an array that count tokens."""
        return tuple(place for place, size in enumerate(self.shapes[base]) if size == n)

    @cached_property
    def tokens(self) -> tuple[IndexedBase, ...]:
        """The given arrays that come from the tokens."""
        given = self.mechanism.inputs
        return tuple(b for b in given if b not in self.fixed and b not in self.mechanism.indicators)

    # From scores to weights

    @cached_property
    def normaliser(self) -> tuple[Stage, ...]:
        """The stages that make weights from the final scores."""
        return self.mechanism.choice("normalise").stages

    @cached_property
    def weight(self) -> Stage:
        """The stage that defines the weights."""
        return self.mechanism.stage(a)

    @property
    def query(self) -> Symbol:
        """The index of the query in the weights."""
        return self.weight.target.indices[-2]

    @property
    def key(self) -> Symbol:
        """The index of the key in the weights, or of the row that takes its place."""
        return self.weight.target.indices[-1]

    @cached_property
    def finals(self) -> tuple[Indexed, ...]:
        """The final scores: what the normaliser reads with the weights' indices but the last."""
        made = {stage.array for stage in self.normaliser}
        read = {base for stage in self.normaliser for base in stage.reads} - made
        row = self.weight.target.indices[:-1]
        return tuple(
            stage.target
            for stage in self.mechanism.stages
            if stage.array in read
            and len(stage.target.indices) == len(row) + 1
            and stage.target.indices[:-1] == row
        )

    @cached_property
    def scores(self) -> Indexed:
        """The final scores of each query and key."""
        for entry in self.finals:
            if entry.indices == self.weight.target.indices:
                return entry
        raise DerivationError(f"{self.mechanism.title}: no score for each query and key")

    @property
    def scores_are_of_tokens(self) -> bool:
        """Tell whether there is a score for every two tokens."""
        entries = [e for e in self.finals if e.indices == self.weight.target.indices]
        return bool(entries) and len(self.token_axes(entries[0].base)) == 2

    @cached_property
    def result(self) -> IndexedBase:
        """The array of the last equation."""
        return self.mechanism.stages[-1].array

    @cached_property
    def context(self) -> tuple[Stage, Indexed] | None:
        """The weighted sum over the keys and the weight in it; None where there is more in it."""
        for stage in self.mechanism.stages:
            if not isinstance(stage.value, Sum):
                continue
            body, index, _, _ = opened(stage.value)
            factors = Mul.make_args(body)
            if len(factors) != 2 or not all(isinstance(factor, Indexed) for factor in factors):
                continue
            for factor in factors:
                if self._weighs(factor, index):
                    return stage, factor
        return None

    def _weighs(self, entry: Indexed, index: Symbol) -> bool:
        """Tell whether an entry is a weight of the key that ``index`` sums over."""
        made_of = {stage.array for stage in self.upstream([entry.base])}
        per_pair = self.query in entry.indices and entry.indices[-1] == index
        return a in made_of and per_pair

    # Queries and keys

    @cached_property
    def queries(self) -> tuple[IndexedBase, ...]:
        """The arrays of queries: named Q, or labelled q, and not made from others so named."""
        return self._named("Q", "q")

    @cached_property
    def keys(self) -> tuple[IndexedBase, ...]:
        """The arrays of keys, as ``queries`` has those of queries."""
        return self._named("K", "k")

    def from_tokens(self, base: IndexedBase) -> bool:
        """Tell whether an array has an axis of tokens and is not fixed."""
        given = self.fixed | self.mechanism.indicators
        return base not in given and bool(self.token_axes(base))

    def made_of_tokens(self, base: IndexedBase) -> bool:
        """Tell whether an array comes from the tokens, with an axis of them or without."""
        read = {array for stage in self.upstream([base]) for array in stage.reads}
        return bool({base, *read} & set(self.tokens))

    def counts_tokens(self, size: Expr) -> bool:
        """Tell whether a size is how many tokens there are."""
        return size == n or bool(self.relations.get(size) == n)

    def upstream(
        self, targets: Iterable[IndexedBase], given: Iterable[IndexedBase] = ()
    ) -> tuple[Stage, ...]:
        """Return the stages that make ``targets``, in order, from ``given`` and the inputs."""
        wanted, stop = set(targets), set(given)
        found: list[Stage] = []
        for stage in reversed(self.mechanism.stages):
            if stage.array in wanted - stop:
                wanted |= stage.reads
                found.append(stage)
        return tuple(reversed(found))

    def _named(self, stem: str, label: str) -> tuple[IndexedBase, ...]:
        found: list[IndexedBase] = []
        arrays = (*self.mechanism.inputs, *(stage.array for stage in self.mechanism.stages))
        for base in arrays:
            name, _, rest = str(base).partition("_")
            if (name == stem or rest == label) and self.from_tokens(base):
                made = {s.array for s in self.upstream([base])} | {
                    b for s in self.upstream([base]) for b in s.reads
                }
                if not made & set(found):
                    found.append(base)
        return tuple(found)

    def spare(self, count: int = 1, **assumptions: bool) -> tuple[IndexedBase, ...]:
        """Return arrays that may be anything, under names that the formula does not use."""
        used = {str(base) for base in self.shapes}
        free = [name for name in SPARE_LETTERS if name not in used]
        if len(free) < count:
            raise DerivationError(f"{self.mechanism.title} uses all of {', '.join(SPARE_LETTERS)}")
        kind = assumptions or {"real": True}
        return tuple(IndexedBase(name, **kind) for name in free[:count])
