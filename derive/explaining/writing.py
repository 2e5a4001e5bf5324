"""Write a formula over tensors as text and as LaTeX, with the words that it needs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy

from derive.constants import ExactNumber, recognised
from derive.explaining import masks
from derive.explaining.numbers import above_and_below, is_one
from derive.explaining.structure import one_number
from derive.explaining.terms import (
    Call,
    Fixed,
    Raw,
    Scaled,
    Shape,
    Term,
    Use,
    View,
    call,
)
from derive.explaining.views import Moved, described
from derive.graph import Argument, Reference

LARGEST_FLOAT = float(numpy.finfo(numpy.float64).max)

LARGEST_DENOMINATOR = 1000
"""Fixed numbers with a larger one are written as decimals."""

SHUFFLES = ("rearranged", "gathered", "transposed")
"""Words of a view that are written as part of the formula."""

SUM, PRODUCT, ATOM = 1, 2, 3
"""How tightly a written formula holds together."""


class Style(Protocol):
    """The signs of one way of writing."""

    def name(self, name: str) -> str:
        """Write the name of a tensor."""

    def transposed(self, text: str) -> str:
        """Write the transpose of an atom."""

    def ranged(self, text: str, ranges: tuple[str, ...]) -> str:
        """Write a part of a tensor; positions count from 1."""

    def bracketed(self, text: str) -> str:
        """Put brackets around a formula."""

    def quotient(self, above: str, below: str) -> str:
        """Write a quotient; in text both are bracketed already where they must be."""

    def number(self, number: ExactNumber) -> str:
        """Write an exact positive number."""

    def function(self, name: str, arguments: str) -> str:
        """Write a function of arguments."""

    def power(self, base: str, exponent: str) -> str:
        """Write a power of an atom."""

    def said(self, words: str) -> str:
        """Write words inside of a formula."""

    circle: str
    outer: str
    space: str
    fraction_is_atom: bool


class Plain:
    """One line of plain text."""

    circle, outer, space, fraction_is_atom = " ∘ ", " ⊗ ", " ", False

    def name(self, name: str) -> str:
        """Write the name of a tensor."""
        return name

    def transposed(self, text: str) -> str:
        """Write the transpose of an atom."""
        return f"{text}ᵀ"

    def ranged(self, text: str, ranges: tuple[str, ...]) -> str:
        """Write a part of a tensor; positions count from 1."""
        return f"{text}[{', '.join(ranges)}]"

    def bracketed(self, text: str) -> str:
        """Put brackets around a formula."""
        return f"({text})"

    def quotient(self, above: str, below: str) -> str:
        """Write a quotient; in text both are bracketed already where they must be."""
        return f"{above} / {below}"

    def number(self, number: ExactNumber) -> str:
        """Write an exact positive number."""
        return str(number)

    def function(self, name: str, arguments: str) -> str:
        """Write a function of arguments."""
        return f"{name}({arguments})"

    def power(self, base: str, exponent: str) -> str:
        """Write a power of an atom."""
        return f"{base}^{exponent if exponent.isdigit() else f'({exponent})'}"

    def said(self, words: str) -> str:
        """Write words inside of a formula."""
        return words


_ESCAPED = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_SHORT = re.compile(r"(d?)([a-zA-Zℓ])(\d*)(′*)")


def escaped(text: str) -> str:
    """Return text as LaTeX that prints exactly it."""
    return "".join(_ESCAPED.get(character, character) for character in text)


class Latex:
    """LaTeX for maths mode."""

    circle, outer, space, fraction_is_atom = r" \circ ", r" \otimes ", r" \, ", True

    def name(self, name: str) -> str:
        """Write the name of a tensor."""
        match = _SHORT.fullmatch(name)
        if match is None:
            return rf"\text{{{escaped(name)}}}"
        gradient, letter, digits, primes = match.groups()
        letter = r"\ell" if letter == "ℓ" else letter
        index = f"_{{{digits}}}" if digits else ""
        return (r"\mathrm{d}" if gradient else "") + letter + index + "'" * len(primes)

    def transposed(self, text: str) -> str:
        """Write the transpose of an atom."""
        return rf"{{{text}}}^{{\top}}"

    def ranged(self, text: str, ranges: tuple[str, ...]) -> str:
        """Write a part of a tensor; positions count from 1."""
        inside = ",\\,".join(one.replace("..", r"\ldots ") for one in ranges)
        return f"{text}[{inside}]"

    def bracketed(self, text: str) -> str:
        """Put brackets around a formula."""
        return rf"\left({text}\right)"

    def quotient(self, above: str, below: str) -> str:
        """Write a quotient; in text both are bracketed already where they must be."""
        return rf"\frac{{{above}}}{{{below}}}"

    def number(self, number: ExactNumber) -> str:
        """Write an exact positive number."""
        parts = []
        if number.coefficient != 1 or (number.degree == 1 and not number.logarithms):
            parts.append(_fraction(number.coefficient))
        if number.degree > 1:
            index = "" if number.degree == 2 else f"[{number.degree}]"
            parts.append(rf"\sqrt{index}{{{_fraction(number.radicand)}}}")
        parts += [r"\ln 2"] * number.logarithms
        return r" \, ".join(parts)

    def function(self, name: str, arguments: str) -> str:
        """Write a function of arguments."""
        plain = rf"\operatorname{{{name}}}" if name.isalpha() else rf"\text{{{escaped(name)}}}"
        return rf"{plain}\left({arguments}\right)"

    def power(self, base: str, exponent: str) -> str:
        """Write a power of an atom."""
        return f"{{{base}}}^{{{exponent}}}"

    def said(self, words: str) -> str:
        """Write words inside of a formula."""
        return rf"\text{{{escaped(words)}}}"


def _fraction(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@dataclass(eq=False)
class Writer:
    """Write formulas with the names of a program; ``notes`` collects what is said in words.

    ``axes`` names the last axes of the weights whose softmax has this identity.
    """

    style: Style
    names: Mapping[str, str]
    axes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def line(self, term: Term) -> tuple[str, tuple[str, ...]]:
        """Write a whole formula and return it with its notes."""
        self.notes = []
        text, _ = self._top(term)
        return text, tuple(dict.fromkeys(self.notes))

    def _top(self, term: Term) -> tuple[str, int]:
        """Write a line; what is said of its order is said of the line itself."""
        if isinstance(term, Scaled) and isinstance(term.tensor, View):
            inner = term.tensor
            bare, _ = self._told(inner)
            return self._scaled(term.factor, bare)
        if isinstance(term, View):
            bare, told = self._told(term)
            return self._write(bare) if told else self._write(term)
        return self._write(term)

    def _told(self, view: View) -> tuple[Term, bool]:
        """Return what a view is of, if words after the line can say all there is about it."""
        if isinstance(view.tensor, Use):
            return view, False
        moved = described(view.places, view.tensor.shape)
        if moved.ranges or moved.transposed:
            return view, False
        self.notes += [
            words.replace(" of {}", "").replace("{} ", "")
            for words in moved.words
            if words != "axes reordered"
        ]
        return view.tensor, True

    def _write(self, term: Term) -> tuple[str, int]:
        match term:
            case Use(name):
                return self.style.name(self.names[name]), ATOM
            case Fixed():
                return self._fixed(term)
            case View():
                return self._view(term)
            case Scaled(factor, inner):
                return self._scaled(factor, inner)
            case Raw():
                return self._raw(term), ATOM
            case Call():
                return self._call(term)

    def _at(self, term: Term, needed: int) -> str:
        text, strength = self._write(term)
        return text if strength >= needed else self.style.bracketed(text)

    def _view(self, term: View) -> tuple[str, int]:
        if isinstance(term.tensor, Fixed) and term.tensor.values.size == 1:
            return self._write(term.tensor)
        moved = described(term.places, term.tensor.shape)
        if moved == Moved() or moved.words == ("axes reordered",):
            if moved != Moved() and term.places.shape == term.tensor.shape:
                axes = _reordering(term.places, term.tensor.shape)
                self.notes.append(f"the axes of {self._short(term.tensor)} in the order {axes}")
            return self._write(term.tensor)
        if not moved.ranges and not moved.transposed and not {*moved.words} & {*SHUFFLES}:
            self.notes += [words.format(self._short(term.tensor)) for words in moved.words]
            return self._write(term.tensor)
        shuffled = bool({*moved.words} & {"rearranged", "gathered"}) and not moved.ranges
        text = self._write(term.tensor)[0] if shuffled else self._at(term.tensor, ATOM)
        if moved.ranges:
            text = self.style.ranged(text, moved.ranges)
        for words in moved.words:
            if words in ("rearranged", "gathered"):
                text = self.style.function(words, text)
            elif words not in ("axes reordered", "transposed"):
                self.notes.append(words.format(self._short(term.tensor)))
        if moved.transposed or "transposed" in moved.words:
            text = self.style.transposed(text)
        return text, ATOM

    def _short(self, term: Term) -> str:
        """Return what words call a tensor: its name, where it has one."""
        return self.names[term.name] if isinstance(term, Use) else "it"

    def _fixed(self, term: Fixed) -> tuple[str, int]:
        values = term.values
        if values.size == 1 or not term.name:
            first = values.ravel()[0]
            if not numpy.isfinite(first):
                return self.style.said(str(first)), ATOM
            if abs(first) == LARGEST_FLOAT:
                return self.style.said("finfo.min" if first < 0 else "finfo.max"), ATOM
            number = recognised(float(first))
            if number.coefficient.denominator > LARGEST_DENOMINATOR and number.degree == 1:
                return self.style.said(f"{float(first):g}"), ATOM
            if number.coefficient < 0:
                return f"-{self.style.number(_size(number))}", SUM
            return self.style.number(
                number
            ), ATOM if number.coefficient.denominator == 1 else PRODUCT
        return self.style.name(self.names.get(term.name, term.name)), ATOM

    def _scaled(self, factor: ExactNumber, inner: Term) -> tuple[str, int]:
        above, below = above_and_below(factor)
        is_sum = isinstance(inner, Call) and inner.function == "add"
        text = self._at(inner, PRODUCT)
        if self.style.fraction_is_atom and is_sum and is_one(above) and not is_one(below):
            text = self._write(inner)[0]
        if not is_one(above):
            text = f"{self.style.number(above)}{self.style.space}{text}"
        if not is_one(below):
            under = self.style.number(below)
            if " " in under and not self.style.fraction_is_atom:
                under = self.style.bracketed(under)
            text = self.style.quotient(text, under)
        if isinstance(inner, Call) and inner.function == "tanh":
            self.notes.append("soft cap")
        if factor.coefficient < 0:
            return f"-{text}", SUM
        return text, PRODUCT

    def _raw(self, term: Raw) -> str:
        written = dict(
            zip(term.references, (self._write(part)[0] for part in term.arguments), strict=True)
        )
        for name, values in term.given:
            written[name] = self._write(_constant(values, name))[0]
        given = [self._argument(argument, written) for argument in term.node.arguments]
        given += [f"{k}={self._argument(v, written)}" for k, v in term.node.keywords]
        text = self.style.function(term.node.operation, ", ".join(given))
        return text if term.item is None else self.style.ranged(text, (str(term.item + 1),))

    def _argument(self, argument: Argument, written: Mapping[str, str]) -> str:
        if isinstance(argument, Reference):
            return written[argument.name]
        if isinstance(argument, tuple):
            inside = ", ".join(self._argument(part, written) for part in argument)
            return f"[{inside}]"
        if isinstance(argument, int | float) and not isinstance(argument, bool):
            return f"{argument}"
        return self.style.said(str(argument))

    def _call(self, term: Call) -> tuple[str, int]:
        a, function = term.arguments, term.function
        match function:
            case "add":
                return self._sum(a), SUM
            case "multiply":
                return self._product(a)
            case "matmul":
                for part in a:
                    self._say_repeated(part)
                return " ".join(self._at(part, ATOM) for part in a), PRODUCT
            case "divide" | "inverse":
                above, below = a if function == "divide" else (Fixed(numpy.asarray(1)), a[0])
                if self.style.fraction_is_atom:
                    return self.style.quotient(self._write(above)[0], self._write(below)[0]), ATOM
                return self.style.quotient(self._at(above, PRODUCT), self._at(below, ATOM)), PRODUCT
            case "power":
                return self.style.power(self._at(a[0], ATOM), str(term.option("exponent"))), ATOM
            case "total" | "mean" | "largest":
                return self._reduced(term), ATOM
            case "softmax":
                return self._softmax(term), ATOM
            case "masked":
                return self._masked(term), ATOM
            case "attention":
                return self._attention(term), PRODUCT
            case "softmax gradient":
                return self._gradient(term), PRODUCT
            case "joined":
                return self._joined(term), ATOM
            case "turned":
                pairs = "neighbours" if term.option("pairs") else "halves"
                self.notes.append(f"turn: the {pairs} (x, y) of the last axis become (-y, x)")
                return self.style.function("turn", self._write(a[0])[0]), ATOM
            case "layer norm" | "RMS norm":
                epsilon = recognised(float(term.option("epsilon")))
                self.notes.append(f"ε = {_decimal(term.option('epsilon'), epsilon)}")
        return self.style.function(function, ", ".join(self._write(part)[0] for part in a)), ATOM

    def _say_repeated(self, term: Term) -> None:
        """Say that one head serves all, which no sign tells."""
        flat = isinstance(term, View) and len(term.tensor.shape) <= 2
        if (
            isinstance(term, View)
            and not flat
            and not described(term.places, term.tensor.shape).words
        ):
            times = term.places.size // len(numpy.unique(term.places))
            if times > 1:
                self.notes.append(f"{self._short(term.tensor)} repeated {times} times")

    def _product(self, a: tuple[Term, ...]) -> tuple[str, int]:
        """Write a product element by element; by an inverse it is a quotient."""
        first, second = a
        if isinstance(first, Call) and first.function == "inverse":
            first, second = second, first
        if isinstance(second, Call) and second.function == "inverse":
            return self._call(call("divide", first, *second.arguments, shape=second.shape))
        outer = is_outer(first.shape, second.shape) or is_outer(second.shape, first.shape)
        sign = self.style.outer if outer else self.style.circle
        return sign.join(self._at(part, ATOM) for part in a), PRODUCT

    def _sum(self, terms: tuple[Term, ...]) -> str:
        if (len(terms) == 2 and is_outer(terms[0].shape, terms[1].shape)) or (
            len(terms) == 2 and is_outer(terms[1].shape, terms[0].shape)
        ):
            self.notes.append("each with each")
        text = self._write(terms[0])[0]
        for term in terms[1:]:
            written = self._write(term)[0]
            if written.startswith("-"):
                text += f" - {written[1:]}"
            else:
                text += f" + {written}"
        return text

    def _reduced(self, term: Call) -> str:
        inner = term.arguments[0]
        rank, which = len(inner.shape), term.option("axes")
        word = {"total": "sum", "mean": "mean", "largest": "max"}[term.function]
        if which == (rank - 1,):
            word = f"row{word}"
        elif which == (rank - 2,):
            word = f"column{word}"
        elif len(which) < rank:
            self.notes.append(f"{word} over axis {', '.join(str(axis + 1) for axis in which)}")
        return self.style.function(word, self._write(inner)[0])

    def _softmax(self, term: Call) -> str:
        axis, rank = term.option("axis"), len(term.shape)
        named = self.axes.get(id(term), ())
        over = named[axis] if -axis <= len(named) else f"axis {rank + axis + 1} of {rank}"
        name = "softmax"
        if term.option("plus_one"):
            name = "softmax1"
            self.notes.append("softmax1: exp / (1 + sum of exp)")
        self.notes.append(f"over {over}")
        if term.option("empty"):
            self.notes.append("a query without keys gets zeros")
        return self.style.function(name, self._write(term.arguments[0])[0])

    def _masked(self, term: Call) -> str:
        keep, fill = term.option("keep"), term.option("fill")
        said = masks.described(keep)
        if fill == float(numpy.finfo(numpy.float64).min):
            self.notes.append("left out by the smallest float, not by minus infinity")
        elif fill != -math.inf:
            number = recognised(fill)
            filled = said.replace("left out", f"set to {number}")
            # A drawn mask says what is kept; what stands elsewhere must be said too.
            said = filled if filled != said else f"{said}, {number} elsewhere"
        self.notes.insert(0, said)
        return self.style.function("masked", self._write(term.arguments[0])[0])

    def _attention(self, term: Call) -> str:
        query, key, values = (self._at(part, ATOM) for part in term.arguments)
        product = f"{query} {self.style.transposed(key)}"
        above, below = above_and_below(term.option("factor"))
        if not is_one(above):
            product = f"{self.style.number(above)}{self.style.space}{product}"
        if not is_one(below):
            product = self.style.quotient(product, self.style.number(below))
        if term.option("factor").coefficient < 0:
            product = f"-{product}"
        self.notes.append("softmax over keys")
        keep = term.option("keep")
        if keep is not None:
            self.notes.append(masks.described(keep))
        return f"{self.style.function('softmax', product)} {values}"

    def _gradient(self, term: Call) -> str:
        weights, gradient = (self._at(part, ATOM) for part in term.arguments)
        self.notes.append("the softmax's vector-Jacobian product")
        axis = term.option("axis") % len(term.shape) - len(term.shape)
        word = {-1: "rowsum", -2: "columnsum"}.get(axis, "sum")
        if word == "sum":
            self.notes.append(f"sum over axis {len(term.shape) + axis + 1}")
        inner = self.style.function(word, f"{gradient}{self.style.circle}{weights}")
        difference = self.style.bracketed(f"{gradient} - {inner}")
        return f"{weights}{self.style.circle}{difference}"

    def _joined(self, term: Call) -> str:
        inside = ", ".join(self._write(part)[0] for part in term.arguments)
        places = term.option("places")
        for axis in range(len(term.shape)):
            if _is_concatenation(term, places, axis):
                self.notes.append(f"joined along axis {axis + 1}")
                return f"[{inside}]"
        return self.style.function("rearranged", inside)


def _reordering(places: Any, shape: Shape) -> str:
    counted = numpy.arange(places.size).reshape(shape)
    for order in itertools.permutations(range(len(shape))):
        if numpy.array_equal(counted.transpose(order), places):
            return ", ".join(str(axis + 1) for axis in order)
    return "of other axes"


def is_outer(left: Shape, right: Shape) -> bool:
    """Tell whether each element along one axis meets each along another."""
    rank = max(len(left), len(right))
    one, other = ((1,) * (rank - len(shape)) + tuple(shape) for shape in (left, right))
    longer = [place for place in range(rank) if one[place] > other[place] == 1]
    shorter = [place for place in range(rank) if other[place] > one[place] == 1]
    return bool(longer and shorter and longer[-1] < shorter[-1])


def _is_concatenation(term: Call, places: Any, axis: int) -> bool:
    first, blocks = 0, []
    for part in term.arguments:
        length = math.prod(part.shape)
        rest = math.prod(term.shape) // term.shape[axis]
        if length % rest:
            return False
        shape = (*term.shape[:axis], length // rest, *term.shape[axis + 1 :])
        blocks.append(numpy.arange(first, first + length).reshape(shape))
        first += length
    joined = numpy.concatenate(blocks, axis=axis)
    return joined.shape == places.shape and bool((joined == places).all())


def _constant(values: Any, name: str) -> Fixed:
    array = numpy.asarray(values)
    return Fixed(array) if one_number(array) is not None else Fixed(array, name)


def _size(number: ExactNumber) -> ExactNumber:
    return ExactNumber(abs(number.coefficient), number.radicand, number.degree, number.logarithms)


def _decimal(value: float, number: ExactNumber) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else str(number)
