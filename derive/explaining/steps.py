"""The formula of one operation as it stands, where nothing more is recognised in it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy

from derive.arrays import Unsupported
from derive.aten.table import axes
from derive.constants import ExactNumber, recognised
from derive.explaining.numbers import ONE, inverse, is_one, negated, product
from derive.explaining.structure import Step, Structure, one_number
from derive.explaining.terms import Fixed, Raw, Scaled, Shape, Term, call
from derive.graph import Argument, Node, Reference
from derive.tensors import Selection

Write = Callable[["_Arguments", Shape], Term]


class _Arguments:
    """The arguments of one node, as formulas or as Python values."""

    def __init__(self, structure: Structure, node: Node) -> None:
        self.structure, self.node = structure, node
        self.keywords = dict(node.keywords)

    def __len__(self) -> int:
        return len(self.node.arguments)

    def term(self, place: int) -> Term:
        return self._term(self.node.arguments[place])

    def _term(self, argument: Argument) -> Term:
        if isinstance(argument, Reference):
            if argument.name in self.structure.sources:
                return self.structure.operand(argument.name)
            value = self.structure.value(argument.name)
            if isinstance(value, Selection):
                raise Unsupported(self.node.operation, "the place of the largest element is used")
            return fixed(numpy.asarray(value), argument.name)
        return fixed(numpy.asarray(argument))

    def given(self, place: int, default: Any = None) -> Any:
        return self.node.arguments[place] if place < len(self) else default

    def shape_of(self, place: int) -> Shape:
        value = self.structure.value(self.node.arguments[place].name)
        return tuple(value.shape)


def fixed(values: Any, name: str = "") -> Fixed:
    """Return fixed values as a formula; a tensor of one number is that number."""
    if values.size and values.dtype.kind in "fiub" and (values == values.ravel()[0]).all():
        return Fixed(values.ravel()[0].reshape(()).astype(values.dtype))
    return Fixed(values, name)


def structural(structure: Structure, step: Step) -> Term:
    """Return the formula of a step's own operation."""
    node = step.node
    if node is None:
        raise ValueError(f"{step.name} is an input: it has no formula")
    name = node.operation.removeprefix("aten.").partition(".")[0].rstrip("_")
    arguments = _Arguments(structure, node)
    if step.item is not None:
        if node.operation == "aten.native_layer_norm.default" and step.item == 0:
            return _layer_norm(arguments, step.shape)
        if node.operation == "aten.max.dim" and step.item == 0:
            return _reduced("largest")(arguments, step.shape)
        return raw(structure, step)
    write = WRITTEN.get(name)
    return raw(structure, step) if write is None else write(arguments, step.shape)


def raw(structure: Structure, step: Step) -> Raw:
    """Return the operation itself with its arguments."""
    node = step.node
    if node is None:
        raise ValueError(f"{step.name} is an input: it has no formula")
    names = list(dict.fromkeys(reference.name for reference in node.references()))
    moved = [name for name in names if structure.is_symbolic(name)]
    given = tuple((name, structure.value(name)) for name in names if name not in moved)
    if any(isinstance(structure.value(name), Selection) for name in moved):
        raise Unsupported(node.operation, "the place of the largest element is used")
    arguments = tuple(structure.operand(name) for name in moved)
    return Raw(node, tuple(moved), arguments, step.shape, given, step.item)


def scaled(factor: ExactNumber, term: Term) -> Term:
    """Return a factor times a formula; factors in a row are one."""
    if isinstance(term, Scaled):
        return scaled(product(factor, term.factor), term.tensor)
    return term if is_one(factor) else Scaled(factor, term)


def added(shape: Shape, *terms: Term) -> Term:
    """Return a sum."""
    return call("add", *terms, shape=shape)


def multiplied(left: Term, right: Term, shape: Shape) -> Term:
    """Return a product element by element, the factors of both before it."""
    for one, other in ((left, right), (right, left)):
        number = one_number(one.values) if isinstance(one, Fixed) else None
        if number is not None and other.shape == shape:
            return scaled(number, other)
    factor, (left, right) = _without_factors(left, right)
    return scaled(factor, call("multiply", left, right, shape=shape))


def _without_factors(*terms: Term) -> tuple[ExactNumber, list[Term]]:
    factor, bare = ONE, list[Term]()
    for term in terms:
        if isinstance(term, Scaled):
            factor = product(factor, term.factor)
        bare.append(term.tensor if isinstance(term, Scaled) else term)
    return factor, bare


def matrix_product(left: Term, right: Term, shape: Shape) -> Term:
    """Return a matrix product, the factors of both before it."""
    factor, (left, right) = _without_factors(left, right)
    return scaled(factor, call("matmul", left, right, shape=shape))


def _sum(sign: int, swap: bool = False) -> Write:
    def write(a: _Arguments, shape: Shape) -> Term:
        alpha = recognised(float(a.keywords.get("alpha", a.given(2, 1))))
        left, right = a.term(0), a.term(1)
        if swap:
            left, right = right, left
        factor = negated(alpha) if sign < 0 else alpha
        return added(shape, left, scaled(factor, right))

    return write


def _quotient(a: _Arguments, shape: Shape) -> Term:
    left, right = a.term(0), a.term(1)
    factor_left, (left,) = _without_factors(left)
    factor_right, (right,) = _without_factors(right)
    factor = product(factor_left, inverse(factor_right))
    return scaled(factor, call("divide", left, right, shape=shape))


def _addmm(a: _Arguments, shape: Shape) -> Term:
    beta = recognised(float(a.keywords.get("beta", 1)))
    alpha = recognised(float(a.keywords.get("alpha", 1)))
    found = scaled(alpha, matrix_product(a.term(1), a.term(2), shape))
    return found if not beta.coefficient else added(shape, found, scaled(beta, a.term(0)))


def _function(name: str) -> Write:
    def write(a: _Arguments, shape: Shape) -> Term:
        return call(name, a.term(0), shape=shape)

    return write


def _of_two(name: str) -> Write:
    def write(a: _Arguments, shape: Shape) -> Term:
        return call(name, a.term(0), a.term(1), shape=shape)

    return write


def _reduced(name: str) -> Write:
    def write(a: _Arguments, shape: Shape) -> Term:
        rank = len(a.shape_of(0))
        which = axes(a.given(1), rank)
        # The largest is a free number at the random point, which no factor is taken out of.
        factor, (inner,) = (ONE, [a.term(0)]) if name == "largest" else _without_factors(a.term(0))
        return scaled(factor, call(name, inner, shape=shape, axes=which))

    return write


def _power(a: _Arguments, shape: Shape) -> Term:
    exponent = Fraction(a.given(1))
    if exponent == Fraction(-1, 2):
        return call("inverse", call("sqrt", a.term(0), shape=shape), shape=shape)
    return call("power", a.term(0), shape=shape, exponent=exponent)


def _clamped(a: _Arguments, shape: Shape) -> Term:
    low = a.given(1, a.keywords.get("min"))
    high = a.given(2, a.keywords.get("max"))
    term = a.term(0)
    for bound, name in ((low, "max"), (high, "min")):
        if bound is not None:
            term = call(name, term, a._term(bound), shape=shape)
    return term


def _log_softmax(a: _Arguments, shape: Shape) -> Term:
    axis = int(a.given(1)) % len(shape)
    kept = tuple(1 if place == axis else length for place, length in enumerate(shape))
    x = a.term(0)
    total = call("log-sum-exp", x, shape=kept, axis=axis - len(shape))
    return added(shape, x, Scaled(ExactNumber.of(-1), total))


def _layer_norm(a: _Arguments, shape: Shape) -> Term:
    if len(a.given(1)) != 1:
        raise Unsupported("aten.native_layer_norm", "explained over one axis only")
    term: Term = call("layer norm", a.term(0), shape=shape, epsilon=float(a.given(4)))
    if a.given(2) is not None:
        term = multiplied(term, a.term(2), shape)
    return term if a.given(3) is None else added(shape, term, a.term(3))


def _gelu(a: _Arguments, shape: Shape) -> Term:
    return call("gelu", a.term(0), shape=shape)


def _vector_norm(a: _Arguments, shape: Shape) -> Term:
    x, rank = a.term(0), len(a.shape_of(0))
    which = axes(a.given(2), rank)
    square = call("power", x, shape=x.shape, exponent=Fraction(2))
    return call("sqrt", call("total", square, shape=shape, axes=which), shape=shape)


WRITTEN: dict[str, Write] = {
    "add": _sum(1),
    "sub": _sum(-1),
    "rsub": _sum(-1, swap=True),
    "mul": lambda a, shape: multiplied(a.term(0), a.term(1), shape),
    "div": _quotient,
    "addmm": _addmm,
    "baddbmm": _addmm,
    "bmm": lambda a, shape: matrix_product(a.term(0), a.term(1), shape),
    "mm": lambda a, shape: matrix_product(a.term(0), a.term(1), shape),
    "matmul": lambda a, shape: matrix_product(a.term(0), a.term(1), shape),
    "reciprocal": _function("inverse"),
    "rsqrt": lambda a, shape: call("inverse", call("sqrt", a.term(0), shape=shape), shape=shape),
    "square": lambda a, shape: call("power", a.term(0), shape=shape, exponent=Fraction(2)),
    "pow": _power,
    "exp2": lambda a, shape: call(
        "exp", scaled(ExactNumber(Fraction(1), logarithms=1), a.term(0)), shape=shape
    ),
    "sum": _reduced("total"),
    "mean": _reduced("mean"),
    "amax": _reduced("largest"),
    "clamp": _clamped,
    "clamp_min": _clamped,
    "maximum": _of_two("max"),
    "minimum": _of_two("min"),
    "linalg_vector_norm": _vector_norm,
    "_log_softmax": _log_softmax,
    "gelu": _gelu,
    **{
        name: _function(name)
        for name in [
            "exp",
            "log",
            "sqrt",
            "tanh",
            "sigmoid",
            "erf",
            "sin",
            "cos",
            "silu",
            "relu",
            "abs",
            "sign",
        ]
    },
}
"""How each operation is written that has a formula of its own."""
