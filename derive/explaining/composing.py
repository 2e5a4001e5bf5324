"""Which tensors get a line: those that the outputs are made of, as recognised, and no others."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy

from derive.explaining.recognising import Recogniser, attention_of
from derive.explaining.steps import fixed, scaled
from derive.explaining.structure import Structure
from derive.explaining.terms import (
    Call,
    Places,
    Raw,
    Scaled,
    Shape,
    Term,
    Use,
    View,
    call,
    in_order,
    parts,
    rebuilt,
    size,
    uses,
    viewed,
)
from derive.explaining.views import Moved, canonical, described

LONGEST = 9
"""Signs up to which formulas are put into each other."""


@dataclass(eq=False)
class Plan:
    """The formulas to be shown: by name, in order; ``held`` is what the program holds for each."""

    formulas: dict[str, Term] = field(default_factory=dict)
    held: dict[str, Term] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)


def plan(structure: Structure, recogniser: Recogniser) -> Plan:
    """Choose and arrange the lines of an explanation."""
    made = Plan()
    for reference in structure.graph.outputs:
        output = _output(structure, recogniser, made, reference.name)
        made.outputs.append(output)
        made.shapes.setdefault(output, structure.value(reference.name).shape)
    inputs = {item.name for item in structure.graph.inputs}
    waiting = [name for term in made.formulas.values() for name in uses(term)]
    while waiting:
        name = waiting.pop()
        if name in inputs or name in made.formulas:
            continue
        made.formulas[name] = _tidied(recogniser.formula(name))
        waiting += uses(made.formulas[name])
    known = [*inputs, *structure.nodes, *(item.name for item in structure.graph.constants)]
    order = {name: place for place, name in enumerate(known)}
    made.formulas = {
        name: made.formulas[name] for name in sorted(made.formulas, key=lambda n: order[n])
    }
    for name in made.formulas:
        made.held[name] = Use(name, structure.value(name).shape)
    _inline(made)
    _split_projections(made)
    _inline(made)
    _fold_factors(made)
    _inline(made)
    _reshape(made)
    return made


def _fixed(values: Places, name: str) -> Term:
    found = fixed(values, name)
    if found.shape == values.shape:
        return found
    return View(found, numpy.zeros(values.shape, dtype=numpy.int64))


def _output(structure: Structure, recogniser: Recogniser, made: Plan, name: str) -> str:
    if not structure.is_symbolic(name):
        made.formulas[name] = _fixed(numpy.asarray(structure.value(name)), name)
        return name
    operand = structure.operand(name)
    if isinstance(operand, Use) and operand.name in structure.nodes:
        name = operand.name
        made.formulas[name] = recogniser.formula(name)
    elif name in structure.nodes:
        joined = isinstance(operand, Call)
        whole = (
            attention_of(recogniser, structure.before(name), structure.value(name))
            if joined
            else None
        )
        made.formulas[name] = whole or operand
    return name


# Projections that are cut into queries, keys and values


def _split_projections(made: Plan) -> None:
    """Show x Wᵀ + b as the parts that are used of it: columns of W, in heads."""
    for name in list(made.formulas):
        term = made.formulas[name]
        if name in made.outputs or not _is_projection(term):
            continue
        sites = [places for other in made.formulas.values() for places in _sites(other, name)]
        moved = [places for places in sites if places is not None]
        if not sites or len(moved) < len(sites):
            continue
        groups: dict[bytes, Places] = {}
        for places in moved:
            bare, _, _ = canonical(places)
            groups.setdefault(bare.ravel().tobytes(), bare)
        cut = list(groups.values())
        every = numpy.concatenate([places.ravel() for places in cut])
        if len(numpy.unique(every)) != len(every) or (len(cut) == 1 and in_order(cut[0])):
            continue
        _replace_by_parts(made, name, cut)


def _is_projection(term: Term) -> bool:
    match term:
        case Scaled(tensor=inner):
            return _is_projection(inner)
        case View(inner, places):
            return (
                in_order(places)
                and places.size == math.prod(inner.shape)
                and (places.shape[-1:] == inner.shape[-1:] and _is_projection(inner))
            )
        case Call(function="add", arguments=(inner, bias)):
            return _is_projection(inner) and math.prod(bias.shape) in (1, term.shape[-1])
        case Call(function="matmul"):
            return True
    return False


def _sites(term: Term, name: str) -> list[Places | None]:
    """Return the places of each view of a name; None for a use of it as it is."""
    match term:
        case View(tensor=Use(name=found), places=places) if found == name:
            return [places]
        case Use(name=found) if found == name:
            return [None]
    return [site for part in parts(term) for site in _sites(part, name)]


def _replace_by_parts(made: Plan, name: str, cut: list[Places]) -> None:
    term = made.formulas[name]
    owner = numpy.full(math.prod(term.shape), -1)
    local = numpy.zeros(math.prod(term.shape), dtype=numpy.int64)
    labels = [f"{name}@{place}" for place in range(len(cut))]
    for place, places in enumerate(cut):
        owner[places.ravel()] = place
        local[places.ravel()] = numpy.arange(places.size)

    def changed(part: Term) -> Term:
        if isinstance(part, View) and isinstance(part.tensor, Use) and part.tensor.name == name:
            which = int(owner[part.places.ravel()[0]])
            return viewed(Use(labels[which], cut[which].shape), local[part.places])
        return rebuilt(part, changed)

    formulas: dict[str, Term] = {}
    for other, formula in made.formulas.items():
        if other == name:
            for label, places in zip(labels, cut, strict=True):
                formulas[label] = _tidied(_columns(term, places))
                made.held[label] = View(Use(name, term.shape), places)
        else:
            formulas[other] = changed(formula)
    made.formulas = formulas
    del made.held[name]


def _columns(term: Term, places: Places) -> Term:
    """Return elements of a projection by the columns of its matrix that they need."""
    width = term.shape[-1]
    columns = numpy.unique(places % width)
    rows = math.prod(term.shape) // width
    count = len(columns)
    if places.size != rows * count or count == width:
        return viewed(term, places)
    local = numpy.searchsorted(columns, places % width)
    return viewed(_narrowed(term, columns), places // width * count + local)


def _narrowed(term: Term, columns: Places) -> Term:
    """Return a projection to fewer columns: those of its matrix and of what is added."""
    shape = (*term.shape[:-1], len(columns))
    match term:
        case View(inner, _):
            return viewed(_narrowed(inner, columns), _counted(shape))
        case Scaled(factor, inner):
            return Scaled(factor, _narrowed(inner, columns))
        case Call(function="add", arguments=(inner, bias)):
            wide = bias.shape[-1:] == term.shape[-1:]
            cut = _last_axis(bias, columns) if wide else bias
            return call("add", _narrowed(inner, columns), cut, shape=shape)
        case Call(function="matmul", arguments=(left, right)):
            return call("matmul", left, _last_axis(right, columns), shape=shape)
    raise AssertionError("not a projection")


def _last_axis(term: Term, columns: Places) -> Term:
    places = _counted(term.shape)
    return viewed(term, places[..., columns])


# Short formulas inside others


def _inline(made: Plan) -> None:
    """Put what is used once into the line that uses it, where the line stays short."""
    changed = True
    while changed:
        changed = False
        count = Counter(name for term in made.formulas.values() for name in uses(term))
        for name, term in list(made.formulas.items()):
            if name in made.outputs or count[name] != 1:
                continue
            user = next(other for other, t in made.formulas.items() if name in uses(t))
            consumer = made.formulas[user]
            short = size(consumer) + size(term) <= LONGEST + 1
            if not isinstance(term, Use) and not (short and _fits(consumer, name, term)):
                continue
            made.formulas[user] = _with(consumer, name, term)
            del made.formulas[name], made.held[name]
            changed = True
            break


OPEN = {
    *[
        "add",
        "multiply",
        "divide",
        "power",
        "exp",
        "log",
        "sqrt",
        "inverse",
        "tanh",
        "sigmoid",
        "erf",
        "sin",
        "cos",
    ],
    *["silu", "gelu", "relu", "abs", "sign", "max", "min", "total", "mean"],
}
"""Functions whose arguments may be written out inside of them."""

CLOSED = {
    *["softmax", "masked", "attention", "joined", "largest"],
    "softmax gradient",
    "log-sum-exp",
}
"""Functions whose results keep a name of their own."""


def _fits(consumer: Term, name: str, term: Term) -> bool:
    inside = term.tensor if isinstance(term, Scaled) else term
    if isinstance(inside, Raw) or (isinstance(inside, Call) and inside.function in CLOSED):
        return False
    whole = isinstance(inside, Call) and _has_matmul(inside)
    return _parent_is_open(consumer, name, whole)


def _has_matmul(term: Term) -> bool:
    if isinstance(term, Call) and term.function == "matmul":
        return True
    return any(_has_matmul(part) for part in parts(term))


def _parent_is_open(term: Term, name: str, product: bool) -> bool:
    """Tell whether a formula may stand where a line uses its name."""
    above = _path(term, name)
    while above and isinstance(above[-1], Scaled):
        above.pop()
    if not above:
        return True
    parent = above.pop()
    if isinstance(parent, View):
        return all(isinstance(one, Scaled) for one in above)
    if isinstance(parent, Call):
        return parent.function in ("add", "tanh") if product else parent.function in OPEN
    return False


def _path(term: Term, name: str) -> list[Term]:
    """Return the formulas around the use of a name, the outermost first."""
    for part in parts(term):
        if name in uses(part):
            return [term, *_path(part, name)]
    return []


def _fold_factors(made: Plan) -> None:
    """Take the factor that a product is used with into the product's own line."""
    count = Counter(name for term in made.formulas.values() for name in uses(term))
    for name, term in list(made.formulas.items()):
        inside = term
        while isinstance(inside, Scaled | View):
            inside = inside.tensor
        known = isinstance(inside, Call) and inside.function == "matmul"
        if not known or count[name] != 1 or name in made.outputs:
            continue
        user = next(other for other, t in made.formulas.items() if name in uses(t))
        above = _path(made.formulas[user], name)
        while above and isinstance(above[-1], View):
            above.pop()
        factor = above[-1].factor if above and isinstance(above[-1], Scaled) else None
        around = above[-2] if len(above) > 1 else None
        if isinstance(around, Call) and around.function not in ("add", "joined", "matmul"):
            continue
        if factor is None or (abs(factor.coefficient) == 1 and factor.degree == 1):
            continue
        made.formulas[user] = _without_factor(made.formulas[user], name)
        made.formulas[name] = scaled(factor, term)
        made.held[name] = scaled(factor, made.held[name])


def _without_factor(term: Term, name: str) -> Term:
    if isinstance(term, Scaled) and isinstance(term.tensor, Use | View) and name in uses(term):
        return term.tensor
    return rebuilt(term, lambda part: _without_factor(part, name) if name in uses(part) else part)


def _with(term: Term, name: str, inner: Term) -> Term:
    if isinstance(term, Use) and term.name == name:
        places = _counted(term.shape)
        return inner if inner.shape == term.shape else viewed(inner, places)
    changed = rebuilt(term, lambda part: _with(part, name, inner))
    if isinstance(changed, Scaled) and isinstance(changed.tensor, Scaled):
        return scaled(changed.factor, changed.tensor)
    if isinstance(changed, View):
        return _transposed_product(changed) or viewed(changed.tensor, changed.places)
    return changed


def _tidied(term: Term) -> Term:
    changed = rebuilt(term, _tidied)
    return (_transposed_product(changed) or changed) if isinstance(changed, View) else changed


def _transposed_product(view: View) -> Term | None:
    """(A B)ᵀ is Bᵀ Aᵀ."""
    inner = view.tensor
    if isinstance(inner, View):
        return None
    if isinstance(inner, Scaled):
        product = _transposed_product(View(inner.tensor, view.places))
        return None if product is None else Scaled(inner.factor, product)
    if not (isinstance(inner, Call) and inner.function == "matmul"):
        return None
    turned = numpy.swapaxes(_counted(inner.shape), -1, -2)
    places = numpy.argsort(turned.ravel())[view.places]
    before, after = described(view.places, inner.shape), described(places, turned.shape)
    if not _is_odd(before) or _is_odd(after):
        return None
    left, right = (
        viewed(part, numpy.swapaxes(_counted(part.shape), -1, -2))
        for part in reversed(inner.arguments)
    )
    return viewed(call("matmul", left, right, shape=turned.shape), places)


def _is_odd(moved: Moved) -> bool:
    return moved.transposed or bool({"rearranged", "transposed"} & set(moved.words))


def _counted(shape: Shape) -> Places:
    return numpy.arange(math.prod(shape)).reshape(shape)


# Shapes as they are used


def _reshape(made: Plan) -> None:
    """Show each tensor in the shape with the most axes in which it is used."""
    wanted: dict[str, list[Shape]] = {}

    def collect(term: Term) -> None:
        if isinstance(term, Use):
            wanted.setdefault(term.name, []).append(term.shape)
        for part in parts(term):
            collect(part)

    for term in made.formulas.values():
        collect(term)
    for name, held in made.held.items():
        shapes = [held.shape, *wanted.get(name, [])]
        best = made.shapes.get(name) or max(shapes, key=len)
        if best != held.shape:
            made.held[name] = _reshaped(held, best)


def _reshaped(term: Term, shape: Shape) -> Term:
    if isinstance(term, Use):
        return Use(term.name, shape)
    if isinstance(term, Scaled):
        return Scaled(term.factor, _reshaped(term.tensor, shape))
    return viewed(term, _counted(shape))
