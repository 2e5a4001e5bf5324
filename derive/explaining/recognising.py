"""Recognise what a tensor is by what it equals, not by the operations that made it.

Each guess is a formula in earlier tensors, computed at the random point and compared with what the
program holds there. So a softmax is one whether it is an operator, exponentials of shifted scores
over their sum, or blocks with running maxima; and nothing is called a softmax that is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import numpy

from derive.arrays import Unsupported
from derive.constants import ExactNumber
from derive.explaining.meaning import softmax, turned_halves, turned_pairs
from derive.explaining.numbers import is_one, product
from derive.explaining.steps import scaled, structural
from derive.explaining.structure import NOWHERE, Source, Step, Structure, use_size
from derive.explaining.terms import Call, Fixed, Scaled, Term, Use, View, call, parts, viewed
from derive.graph import Reference
from derive.tensors import LOWEST, MINUS_INFINITY, NOT_A_NUMBER, ZERO, Tensor

Guess = Callable[["Recogniser", Step], Term | None]


class Recogniser:
    """Find the formula of each step of a program, each once."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.point = structure.point
        self._found: dict[str, Term] = {}

    def formula(self, name: str) -> Term:
        """Return what a named tensor is, in terms of others."""
        if name not in self._found:
            self._found[name] = self._formula(name)
        return self._found[name]

    def _formula(self, name: str) -> Term:
        step = self.structure.steps.get(name)
        if step is None:
            return self.structure.operand(name)
        if step.node is not None and (self.structure.value(name).kinds == ZERO).all():
            return View(Fixed(numpy.zeros(())), numpy.zeros(step.shape, dtype=numpy.int64))
        for guess in GUESSES:
            term = guess(self, step)
            if term is not None:
                return term
        return structural(self.structure, step)

    def use(self, name: str) -> Term:
        """Return a tensor by name; one that only moves elements of a step is a view of it."""
        operand = self.structure.operand(name)
        if isinstance(operand, Use | View):
            return operand
        return Use(name, self.structure.value(name).shape)

    def candidates(self, step: Step) -> Iterator[tuple[str, Tensor[Any]]]:
        """Yield the tensors that a step is made of and that have as many elements, first first."""
        seen: set[str] = set()
        for name in self.structure.before(step.name):
            value = self.structure.value(name)
            if isinstance(value, Tensor) and not value.truth and same_grid(value.shape, step.shape):
                operand = self.structure.operand(name)
                # A view that only reshapes says nothing new.
                key = operand.name if isinstance(operand, Use) else name
                if key not in seen:
                    seen.add(key)
                    yield name, self.point.shaped(value, step.shape)


def same_grid(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Tell whether two shapes have the same last two axes and as many elements."""
    return left[-2:] == right[-2:] and use_size(left) == use_size(right)


def operation(step: Step) -> str:
    """Return the name of a step's operation without its overload; "" for an input."""
    return "" if step.node is None else step.node.operation.removeprefix("aten.").split(".")[0]


def masked(recogniser: Recogniser, step: Step) -> Term | None:
    """X where some places are kept, elsewhere minus infinity, the smallest float or a constant."""
    if operation(step) not in ("add", "sub", "where", "masked_fill", "scatter", "tril", "triu"):
        return None
    value = recogniser.structure.value(step.name)
    for reference in step.node.references() if step.node else ():
        other = recogniser.structure.value(reference.name)
        if not isinstance(other, Tensor) or other.truth or other.shape != value.shape:
            continue
        keep = recogniser.point.equal_places(value, other)
        if keep.all() or not keep.any():
            continue
        fill = _fill(recogniser, step, value.kinds[~keep])
        if fill is None:
            continue
        argument = recogniser.use(reference.name)
        term = call("masked", argument, shape=step.shape, keep=keep, fill=fill)
        if recogniser.point.holds(term, value):
            return term
    return None


def _fill(recogniser: Recogniser, step: Step, kinds: Any) -> float | None:
    for kind, fill in (
        (MINUS_INFINITY, -numpy.inf),
        (LOWEST, float(numpy.finfo(numpy.float64).min)),
        (ZERO, 0.0),
    ):
        if (kinds == kind).all() and (fill or operation(step) not in ("add", "sub")):
            return fill
    if step.node is None or operation(step) not in ("where", "masked_fill"):
        return None
    for argument in step.node.arguments[1:]:
        fixed = argument
        if isinstance(argument, Reference):
            fixed = recogniser.structure.value(argument.name)
        if isinstance(fixed, Tensor) or numpy.asarray(fixed).dtype.kind not in "fi":
            continue
        values = numpy.unique(numpy.asarray(fixed))
        if values.size == 1 and not numpy.isnan(values[0]):
            return float(values[0])
    return None


def normalised(recogniser: Recogniser, step: Step) -> Term | None:
    """exp(x) / sum exp(x) along an axis, of an earlier x; also exp(x) / (1 + sum exp(x))."""
    value = recogniser.structure.value(step.name)
    if operation(step) not in MAKE_WEIGHTS:
        return None
    for axis in reversed(range(len(step.shape))):
        if step.shape[axis] < 2 or not _sums_to_one(recogniser, value, axis):
            continue
        for name, x in recogniser.candidates(step):
            for empty in (False, True) if _has_empty(x, axis) else (False,):
                try:
                    guess = softmax(recogniser.point.tensors, x, axis, empty=empty)
                except (Unsupported, ZeroDivisionError):
                    continue
                if recogniser.point.same(value, guess):
                    return call(
                        "softmax",
                        _shaped(recogniser.use(name), step.shape),
                        shape=step.shape,
                        axis=axis - len(step.shape),
                        empty=empty,
                    )
    if operation(step) in ("div", "mul") and step.shape:
        for name, _ in recogniser.candidates(step):
            term = call(
                "softmax",
                _shaped(recogniser.use(name), step.shape),
                shape=step.shape,
                axis=-1,
                plus_one=True,
            )
            if recogniser.point.holds(term, value):
                return term
    return None


MAKE_WEIGHTS = [
    "_softmax",
    "_safe_softmax",
    "div",
    "mul",
    "exp",
    "where",
    "add",
    "sub",
    "slice_scatter",
    "cat",
    "masked_fill",
    "getitem",
]
"""Operations that weights can come out of."""


def _shaped(term: Term, shape: tuple[int, ...]) -> Term:
    if isinstance(term, Use):
        return Use(term.name, shape)
    return viewed(term, numpy.arange(use_size(shape)).reshape(shape))


def _sums_to_one(recogniser: Recogniser, value: Tensor[Any], axis: int) -> bool:
    m = recogniser.point.tensors
    rows = m.total(value, (axis,), True)
    # A row without any key is not a number, or zero.
    empty = (value.kinds == NOT_A_NUMBER) | (value.kinds == ZERO)
    full = ~empty.all(axis=axis, keepdims=True)
    if not full.any():
        return False
    ones = m.full(rows.shape, ExactNumber.of(1))
    return bool(recogniser.point.equal_places(rows, ones)[full].all())


def _has_empty(x: Tensor[Any], axis: int) -> bool:
    return bool((x.kinds == MINUS_INFINITY).all(axis=axis).any())


def log_sum_exp(recogniser: Recogniser, step: Step) -> Term | None:
    """Log sum exp(x) along the last axis of an earlier x."""
    if operation(step) not in ("log", "logsumexp", "add", "where"):
        return None
    value = recogniser.structure.value(step.name)
    for name in recogniser.structure.before(step.name):
        x = recogniser.structure.value(name)
        if not isinstance(x, Tensor) or x.truth or not x.shape or x.shape[-1] < 2:
            continue
        if x.kinds.size != use_size(step.shape) * x.shape[-1]:
            continue
        term = call("log-sum-exp", recogniser.use(name), shape=step.shape, axis=-1)
        if recogniser.point.holds(term, value):
            return term
    return None


def softmax_gradient(recogniser: Recogniser, step: Step) -> Term | None:
    """A ∘ (da - rowsum(da ∘ a)), for weights a that are a softmax."""
    if operation(step) not in ("sub", "add", "mul", "_softmax_backward_data", "where"):
        return None
    structure, value = recogniser.structure, recogniser.structure.value(step.name)
    if not any(_sums_to_zero(recogniser, value, axis) for axis in range(len(step.shape))):
        return None
    earlier = [name for name, _ in recogniser.candidates(step)]
    for name in earlier:
        operand = structure.operand(name)
        if not isinstance(operand, Use) or structure.steps[operand.name].node is None:
            continue
        weights = recogniser.formula(operand.name)
        if not _is_softmax(weights):
            continue
        for other in earlier:
            if other == name:
                continue
            term = call(
                "softmax gradient",
                Use(operand.name, step.shape),
                _shaped(recogniser.use(other), step.shape),
                shape=step.shape,
                axis=weights.option("axis"),
            )
            if recogniser.point.holds(term, value):
                return term
    return None


def _sums_to_zero(recogniser: Recogniser, value: Tensor[Any], axis: int) -> bool:
    """Tell whether rows sum to zero, as the gradients by the arguments of a softmax do."""
    m = recogniser.point.tensors
    rows = m.total(value, (axis,), True)
    known = rows.kinds != NOT_A_NUMBER
    zeros = m.full(rows.shape, ExactNumber.of(0))
    return bool(recogniser.point.equal_places(rows, zeros)[known].all())


def _is_softmax(term: Term) -> TypeGuard[Call]:
    return isinstance(term, Call) and term.function == "softmax" and not term.option("plus_one")


def norm(recogniser: Recogniser, step: Step) -> Term | None:
    """X over its root mean square, or its deviation, along the last axis."""
    if operation(step) not in ("mul", "div") or not step.shape:
        return None
    structure = recogniser.structure
    value = structure.value(step.name)
    roots = [
        name for name in structure.before(step.name) if _operation_of(structure, name) in ROOTS
    ]
    if not roots:
        return None
    for name, _ in recogniser.candidates(step):
        for epsilon in _epsilons(structure, roots):
            for function in ("RMS norm", "layer norm"):
                term = call(function, recogniser.use(name), shape=step.shape, epsilon=epsilon)
                if recogniser.point.holds(term, value):
                    return term
    return None


ROOTS = ("sqrt", "rsqrt", "pow")


def _operation_of(structure: Structure, name: str) -> str:
    node = structure.nodes.get(name)
    return "" if node is None else node.operation.removeprefix("aten.").split(".")[0]


def _epsilons(structure: Structure, roots: list[str]) -> list[float]:
    found = [0.0]
    for root in roots:
        for reference in structure.nodes[root].references():
            node = structure.nodes.get(reference.name)
            if node is None or _operation_of(structure, reference.name) != "add":
                continue
            for argument in node.arguments:
                if isinstance(argument, Reference):
                    argument = structure.value(argument.name)
                if not isinstance(argument, Tensor) and numpy.size(argument) == 1:
                    found.append(float(numpy.asarray(argument).ravel()[0]))
    return list(dict.fromkeys(reversed(found)))


def turned(recogniser: Recogniser, step: Step) -> Term | None:
    """(-x2, x1) of the halves of the last axis, or of its pairs: what rotary positions add."""
    if operation(step) not in ("cat", "stack"):
        return None
    structure, value = recogniser.structure, recogniser.structure.value(step.name)
    m = recogniser.point.tensors
    owners = _owners(structure, step)
    for name in owners:
        x = structure.value(name)
        if not isinstance(x, Tensor) or x.kinds.size != value.kinds.size:
            continue
        if not x.shape or x.shape[-1] % 2:
            continue
        for swap, pairs in ((turned_halves, False), (turned_pairs, True)):
            if recogniser.point.same(value, m.rearrange(swap, x, m.negate(x))):
                return call("turned", recogniser.use(name), shape=step.shape, pairs=pairs)
    return None


def _owners(structure: Structure, step: Step) -> list[str]:
    """Return the tensors from which a joined tensor is made, nearest first."""
    return list(reversed(structure.before(step.name)))[:12]


def whole_attention(recogniser: Recogniser, step: Step) -> Term | None:
    """softmax(c q kᵀ) v, computed in blocks so that no tensor of the program holds the weights."""
    if operation(step) not in ("div", "mul", "cat"):
        return None
    structure, value = recogniser.structure, recogniser.structure.value(step.name)
    earlier = structure.before(step.name)
    if sum(_operation_of(structure, name) in PRODUCTS for name in earlier) < 2:
        return None
    if not any(_operation_of(structure, name) in ("exp", "exp2") for name in earlier):
        return None
    return attention_of(recogniser, earlier, value)


PRODUCTS = ("bmm", "mm", "matmul", "baddbmm", "addmm")


def attention_of(recogniser: Recogniser, earlier: list[str], value: Tensor[Any]) -> Term | None:
    """Try the tensors that are multiplied as queries, keys and values of one attention."""
    structure = recogniser.structure
    factors: dict[str, ExactNumber] = {}
    products = []
    for name in earlier:
        if _operation_of(structure, name) in PRODUCTS:
            node = structure.nodes[name]
            if len(list(node.references())) == 2:
                products.append(node)
    sides = []
    for node in products:
        left, right = (structure.sources.get(r.name) for r in node.references())
        if left is not None and right is not None:
            inner = product(left.factor, right.factor)
            sides.append((node, _owner(structure, left), _owner(structure, right), inner))
    for name in earlier:
        owner = _owner(structure, structure.sources[name])
        factor = structure.sources[name].factor
        if owner is not None and not is_one(factor):
            factors.setdefault(f"{owner} {factor}", factor)
    tried: set[tuple[Any, ...]] = set()
    for node, query, key, inner in sides:
        for _, _, values, _ in sides:
            if query is None or key is None or values is None:
                continue
            found = [
                product(inner, factor)
                for place, factor in factors.items()
                if place.startswith(f"{node.name} ")
            ]
            for factor in [*found, inner]:
                trial = (query, key, values, str(factor))
                if trial in tried or len(tried) > MOST_TRIALS:
                    continue
                tried.add(trial)
                term = _attention(recogniser, query, key, values, factor, value)
                if term is not None:
                    return term
    return None


MOST_TRIALS = 60


def _owner(structure: Structure, source: Any) -> str | None:
    term: Term = structure.gathered(source.places)
    while isinstance(term, View | Scaled):
        term = parts(term)[0]
    return term.name if isinstance(term, Use) else None


def _attention(
    recogniser: Recogniser,
    query: str,
    key: str,
    values: str,
    factor: ExactNumber,
    value: Tensor[Any],
) -> Term | None:
    shapes = [recogniser.structure.steps[name].shape for name in (query, key, values)]
    if any(len(shape) < 2 for shape in shapes) or shapes[0][-1] != shapes[1][-1]:
        return None
    if shapes[1][-2] != shapes[2][-2] or shapes[0][:-2] != shapes[2][:-2]:
        return None
    shape = (*shapes[0][:-1], shapes[2][-1])
    if use_size(shape) != value.kinds.size:
        return None
    rows, columns = shapes[0][-2], shapes[1][-2]
    masks: list[Any] = [None]
    if rows > 1:
        masks.append(numpy.tri(rows, columns, columns - rows, dtype=bool))
        if rows != columns:
            masks.append(numpy.tri(rows, columns, dtype=bool))
    for keep in masks:
        arguments = [Use(n, s) for n, s in zip((query, key, values), shapes, strict=True)]
        term = call("attention", *arguments, shape=shape, factor=factor, keep=keep)
        if recogniser.point.holds(term, value):
            return viewed(term, numpy.arange(value.kinds.size).reshape(value.shape))
    return None


def joined_sum(recogniser: Recogniser, step: Step) -> Term | None:
    """Tensors added up that each stand among zeros: they are put side by side."""
    if operation(step) != "add":
        return None
    structure = recogniser.structure
    sources = _padded_terms(structure, step.name)
    if sources is None or len(sources) < 2:
        return None
    places = numpy.full(step.shape, NOWHERE)
    terms: list[Term] = []
    first = 0
    for source in sorted(sources, key=lambda one: int(numpy.argmax(one.places != NOWHERE))):
        inside = source.places != NOWHERE
        if (places[inside] != NOWHERE).any():
            return None
        shape = _box(inside)
        places[inside] = numpy.arange(first, first + inside.sum())
        first += int(inside.sum())
        term = structure.gathered(source.places[inside].reshape(shape))
        terms.append(scaled(source.factor, term))
    if (places == NOWHERE).any():
        return None
    term = call("joined", *terms, shape=step.shape, places=places)
    return term if recogniser.point.holds(term, structure.value(step.name)) else None


def _padded_terms(structure: Structure, name: str) -> list[Source] | None:
    if name in structure.padded:
        return [structure.padded[name]]
    node = structure.nodes.get(name)
    if node is None or _operation_of(structure, name) != "add":
        return None
    found = []
    for argument in node.arguments:
        inner = _padded_terms(structure, argument.name) if isinstance(argument, Reference) else None
        if inner is None:
            return None
        found += inner
    return found


def _box(inside: Any) -> tuple[int, ...]:
    """Return the shape of the places that hold, where they form a block."""
    shape = tuple(len(numpy.unique(axis)) for axis in numpy.nonzero(inside))
    return shape if use_size(shape) == inside.sum() else (int(inside.sum()),)


GUESSES: tuple[Guess, ...] = (
    joined_sum,
    masked,
    normalised,
    softmax_gradient,
    log_sum_exp,
    norm,
    turned,
    whole_attention,
)
"""In the order in which they are tried; the first that holds at the point is taken."""
