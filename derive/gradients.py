r"""Vector-Jacobian products: how a sum of the outputs, weighted by zbar, changes with each input.

The equations are gone through from the last to the first. The gradient by an array is the sum,
over all entries that read it, of their own gradient times the derivative of what they read::

    abar[i, j] = sum_c zbar[i, c] V[j, c]
    sbar[i, j] = a[i, j] (abar[i, j] - sum_l a[i, l] abar[i, l])
    Qbar[i, k] = sum_j sbar[i, j] K[j, k] / sqrt(d)

Nothing but the index form is differentiated; no program's own gradient is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sympy import Expr, Indexed, IndexedBase, Symbol

from derive.differentiation import Entry, contributions
from derive.formula import (
    UPPER_LIMIT,
    Choice,
    FormulaError,
    Largest,
    Mechanism,
    Stage,
    array,
    p,
)
from derive.rewriting import with_letters
from derive.symbolic_shapes import expression, lengths_in_letters
from derive.tidying import Tidier

BAR = "bar"
"""How the name of a gradient ends: abar is the gradient by a."""


@dataclass(frozen=True)
class BackwardFormula:
    """A formula and its gradients, as one mechanism that also takes the gradient by its output.

    ``upstream`` is that given array, zbar for an output z; ``gradients`` names the gradient by
    each input, in the order of the inputs.
    """

    forward: Mechanism
    mechanism: Mechanism
    upstream: IndexedBase
    gradients: Mapping[IndexedBase, IndexedBase]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The equations of the gradients alone."""
        return self.mechanism.stages[len(self.forward.stages) :]


@cache
def vector_jacobian_product(mechanism: Mechanism) -> BackwardFormula:
    """ybar[y] = sum_t zbar[t] d z[t] / d Y[y], for every input Y of z, the last equation's array.

    An indicator, which is 0 or 1, has no gradient.
    """
    return _Backward(mechanism).formula()


def gradient_of(base: IndexedBase) -> IndexedBase:
    """Name the gradient by an array: abar for a, Wbar_q for W_q."""
    stem, mark, label = str(base).partition("_")
    return array(f"{stem}{BAR}{mark}{label}")


class _Backward:
    def __init__(self, mechanism: Mechanism) -> None:
        self.mechanism = mechanism
        self.output = mechanism.stages[-1].array
        self.tidier = Tidier(mechanism.stages, mechanism.indicators)
        self.shapes, self.same = _shapes(mechanism)
        self.active = _active(mechanism)
        self.terms: dict[IndexedBase, list[Expr]] = {}
        self.sources: dict[IndexedBase, list[str]] = {}
        self.letters = {stage.array: stage.target.indices for stage in mechanism.stages}
        for stage in mechanism.stages:
            for base in stage.reads - self.letters.keys():
                self.letters[base] = _letters(base, stage, self.shapes[base])

    def formula(self) -> BackwardFormula:
        found: list[Choice] = []
        for choice in reversed(self.mechanism.choices):
            for stage in reversed(choice.stages):
                found += self.through(choice, stage)
        inputs = [base for base in self.mechanism.inputs if base in self.active]
        found += [self.choice(base, self.total(base)) for base in inputs]
        upstream = gradient_of(self.output)
        given = tuple((base, self.mechanism.shapes[base]) for base in self.mechanism.inputs)
        whole = Mechanism(
            f"{self.mechanism.title}, with gradients",
            (*self.mechanism.choices, *found),
            (*given, (upstream, self.shapes[self.output])),
            self.mechanism.relations,
            self.mechanism.indicators,
        )
        return BackwardFormula(
            self.mechanism, whole, upstream, {base: gradient_of(base) for base in inputs}
        )

    def through(self, choice: Choice, stage: Stage) -> list[Choice]:
        """Carry the gradient by a stage's array back to what the stage reads."""
        if stage.array not in self.active or (
            stage.array != self.output and stage.array not in self.terms
        ):
            return []
        target = stage.target.indices
        found: list[Choice] = []
        weight: Expr = gradient_of(stage.array)[target]
        if isinstance(stage.value, Largest):
            if self.total(stage.array) != 0:
                raise FormulaError(
                    f"{stage} has no derivative where two are the largest, and what depends on "
                    f"{stage.array} does not cancel; write the formula without it"
                )
            return []
        if stage.array != self.output:
            gradient = self.total(stage.array)
            if self.inside(choice, stage, gradient):
                weight = gradient
            else:
                found.append(self.choice(stage.array, gradient))
        for base in sorted(stage.reads & self.active, key=str):
            entry = Entry(base, self.letters[base], self.shapes[base])
            value = Stage(stage.target, stage.value.xreplace(self.same))
            terms = contributions(value, self.shapes[stage.array], weight, entry)
            self.terms.setdefault(base, []).extend(terms)
            self.sources.setdefault(base, []).append(choice.role)
        return found

    def total(self, base: IndexedBase) -> Expr:
        return self.tidier.tidy(self.terms.get(base, []))

    def choice(self, base: IndexedBase, value: Expr) -> Choice:
        """Say what the gradient by an array is."""
        target = gradient_of(base)[self.letters[base]]
        stage = Stage(target, with_letters(value), self.shapes[base])
        through = ", ".join(dict.fromkeys(self.sources.get(base, ["nothing"])))
        return Choice(
            f"gradient by {base}", f"what reaches {base} back through: {through}", (stage,)
        )

    def inside(self, choice: Choice, stage: Stage, gradient: Expr) -> bool:
        """Tell whether an array is a means of its own choice alone, whose gradient is not stated.

        So is a row's denominator, with fewer axes than the result, and what is scaled by a number:
        its gradient is put where it is needed.
        """
        readers = {s.array for s in self.mechanism.stages if stage.array in s.reads}
        own = {s.array for s in choice.stages}
        fewer = len(stage.target.indices) < len(choice.stages[-1].target.indices)
        number, rest = gradient.as_coeff_Mul()
        scaled = isinstance(rest, Indexed) and number != 1
        return (fewer or scaled) and readers <= own


def _shapes(
    mechanism: Mechanism,
) -> tuple[dict[IndexedBase, tuple[Expr, ...]], dict[Symbol, Expr]]:
    """Return the shape of every array in letters, and sizes that are called by another's letter."""
    lengths = lengths_in_letters(mechanism)
    shapes = {base: tuple(map(expression, shape)) for base, shape in lengths.shapes.items()}
    known = {size: expression(lengths[size]) for size in UPPER_LIMIT.values() if size in lengths}
    return shapes, {size: other for size, other in known.items() if other != size}


def _active(mechanism: Mechanism) -> frozenset[IndexedBase]:
    """Return the arrays that change with the inputs, indicators apart."""
    active = set(mechanism.inputs) - mechanism.indicators
    for stage in mechanism.stages:
        if stage.reads & active:
            active.add(stage.array)
    return frozenset(active)


def _letters(base: IndexedBase, stage: Stage, shape: tuple[Expr, ...]) -> tuple[Symbol, ...]:
    """Return letters for the axes of an input: where it can be, those it is first read with."""
    usual = {size: index for index, size in reversed(UPPER_LIMIT.items())}
    entry = min((t for t in stage.value.atoms(Indexed) if t.base == base), key=str)
    letters: list[Symbol] = []
    for index, size in zip(entry.indices, shape, strict=True):
        wanted = [index if index in UPPER_LIMIT else usual.get(size, p), p, *UPPER_LIMIT]
        letters.append(next(letter for letter in wanted if letter not in letters))
    return tuple(letters)
