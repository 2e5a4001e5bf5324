"""Write a formula as JavaScript: its value, and the line that shows the numbers put in.

SymPy's printer writes the arithmetic. An entry such as s[i, j], which counts from 1, becomes
``v.s[i - 1][j - 1]``, a sum a call of ``sum`` with the term as a function of its index, and a
bracket 1 or 0; so the code serves any number of tokens and dimensions. The line is the same
formula, read by the interpreter that writes formulas for people, in a notation whose signs are
JavaScript's templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import Expr, Indexed, IndexedBase, Mul, Sum, Symbol
from sympy.printing.jscode import JavascriptCodePrinter

from derive.brackets import AtMost, Bracket
from derive.elements import UnknownNode
from derive.formula import UPPER_LIMIT, Largest, Mechanism, Stage, n, n_q, opened
from derive.publish.notation import ATOM, SUM, Phrase, Text
from derive.publish.writing import GeneralForm
from derive.rewriting import with_letters

PRELUDE = """\
  const count = (low, high, each) => {
    const found = [];
    for (let place = low; place <= high; place += 1) found.push(each(place));
    return found;
  };
  const sum = (low, high, each) => count(low, high, each).reduce((total, term) => total + term, 0);
  const most = (low, high, each) => Math.max(...count(low, high, each));
  const join = (low, high, each) => count(low, high, each).filter(Boolean).reduce(
    (text, term) => (term.startsWith("-") ? `${text} - ${term.slice(1)}` : `${text} + ${term}`));
"""
"""What the emitted code calls. A term that a mask leaves out is an empty text."""


@dataclass(frozen=True)
class Emitted:
    """One stage as JavaScript.

    ``entry`` computes an entry, ``line`` writes it with the numbers put in. Where the stage is a
    sum over the keys, ``term`` and ``term_line`` are those of one key.
    """

    name: str
    indices: tuple[str, ...]
    shape: tuple[str, ...]
    entry: str
    line: str
    term: str
    term_line: str

    def source(self) -> str:
        """Return the stage as a JavaScript object."""
        places = ", ".join(self.indices)
        keyed = ", ".join(dict.fromkeys([*self.indices, "j"]))
        parts = [
            f'name: "{self.name}"',
            f"shape: {list(self.shape)}".replace("'", '"'),
            f"entry: (v, {places}) => {self.entry}",
            f"line: (f, p, v, w, {places}) => {self.line}",
        ]
        if self.term:
            parts.append(f"term: (v, {keyed}) => {self.term}")
            parts.append(f"termLine: (f, p, v, w, {keyed}) => {self.term_line}")
        return "{ " + ",\n      ".join(parts) + " }"


def emitted(stage: Stage, mechanism: Mechanism) -> Emitted:
    """Return a stage of ``mechanism`` as JavaScript; an unknown operation is an ``UnknownNode``."""
    value, given = with_letters(stage.value), frozenset(mechanism.inputs)
    indices = tuple(map(str, stage.target.indices))
    term = term_line = ""
    if isinstance(value, Sum) and str(opened(value)[1]) == "j":
        body = opened(value)[0]
        term, term_line = _Values().doprint(body), _line(stage, body, given)
    return Emitted(
        str(stage.array),
        indices,
        tuple(_length(index, stage, mechanism) for index in stage.target.indices),
        _Values().doprint(value),
        _line(stage, value, given),
        term,
        term_line,
    )


def sizes(mechanism: Mechanism) -> dict[str, tuple[str, int]]:
    """Return where each size is read off: the array, and which of its axes."""
    return {
        str(length): (str(base), axis)
        for base in mechanism.inputs
        for axis, length in enumerate(mechanism.shapes[base])
    }


def _length(index: Symbol, stage: Stage, mechanism: Mechanism) -> str:
    """Return the size that an index of a target counts to."""
    for entry in stage.value.atoms(Indexed):
        if index in entry.indices and entry.base in mechanism.inputs:
            return str(mechanism.shapes[entry.base][entry.indices.index(index)])
    length = UPPER_LIMIT[index]
    return str(n if length == n_q else length)


class _Values(JavascriptCodePrinter):
    """SymPy's JavaScript, with sums, brackets and entries of arrays that count from 1."""

    def emptyPrinter(self, expr: Any) -> str:
        raise UnknownNode(expr)

    def _print_not_supported(self, expr: Any) -> str:
        raise UnknownNode(expr)

    def _print_Indexed(self, expr: Indexed) -> str:
        places = "".join(f"[{self._print(place)} - 1]" for place in expr.indices)
        return f"v.{expr.base}{places}"

    def _print_Symbol(self, expr: Symbol) -> str:
        return str(expr) if expr in UPPER_LIMIT else f"v.{expr}"

    def _print_Sum(self, expr: Sum) -> str:
        return self._counted("sum", expr)

    def _print_Largest(self, expr: Largest) -> str:
        return self._counted("most", expr)

    def _print_AtMost(self, expr: Bracket) -> str:
        return f"({condition(expr)} ? 1 : 0)"

    def _print_Mul(self, expr: Mul) -> str:
        brackets = [factor for factor in expr.args if isinstance(factor, Bracket)]
        if not brackets:
            product: str = super()._print_Mul(expr)
            return product
        # What a mask leaves out is not computed: there the exponential may overflow.
        rest = Mul(*(factor for factor in expr.args if not isinstance(factor, Bracket)))
        seen = " && ".join(map(condition, brackets))
        return f"({seen} ? {self._print(rest)} : 0)"

    def _counted(self, function: str, expr: Sum | Largest) -> str:
        body, index, low, high = opened(expr)
        return f"{function}({low}, {self._print(high)}, ({index}) => {self._print(body)})"


def condition(bracket: Bracket) -> str:
    """Return a bracket as a condition of JavaScript; one of another kind is an ``UnknownNode``."""
    if not isinstance(bracket, AtMost):
        raise UnknownNode(bracket)
    left, right = (_Values().doprint(side) for side in bracket.args)
    return f"{left} <= {right}"


def _line(stage: Stage, value: Expr, given: frozenset[IndexedBase]) -> str:
    form = _Lines(_Template(frozenset(map(str, given))))
    return f"`{form.write(value, stage.target.indices)}`"


class _Lines(GeneralForm):
    """The general form in templates: what a bracket leaves out is an empty text."""

    def product(self, factors: Sequence[Expr], where: Mapping[Symbol, int]) -> Phrase:
        brackets = [factor for factor in factors if isinstance(factor, Bracket)]
        others = [factor for factor in factors if not isinstance(factor, Bracket)]
        phrase = super().product(others, where)
        if not brackets:
            return phrase
        seen = " && ".join(map(condition, brackets))
        return Phrase(f'${{{seen} ? `{phrase}` : ""}}', phrase.strength)


class _Template(Text):
    """Plain text with the numbers left open: ``${f(...)}``, ``${p(...)}`` where one needs brackets.

    ``given`` names the arrays whose numbers are shown as they were written down.
    """

    def __init__(self, given: frozenset[str]) -> None:
        self.given = given

    def entry(self, letter: str, indices: Sequence[str | Phrase]) -> Phrase:
        holder = "w" if letter in self.given else "v"
        places = "".join(f"[{index} - 1]" for index in indices)
        return Phrase(f"${{f({holder}.{letter}{places})}}")

    def name(self, letter: str) -> Phrase:
        return Phrase(f"${{f(w.{letter})}}")

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        return super().multiply([_guarded(factor) for factor in factors])

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        return super().divide(_guarded(numerator), _guarded(denominator))

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        first, *others = terms
        return super().add([first, *map(_guarded_after_minus, others)])

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"${{join(1, {_end(high)}, ({index}) => `{body}`)}}", SUM)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        values = f'count(1, {_end(high)}, ({index}) => `{body}`).join(", ")'
        return Phrase(f"max(${{{values}}})", ATOM)


def _end(high: str) -> str:
    """Return how far a sum counts: to the place of an outer index, or to a size."""
    return high if high in map(str, UPPER_LIMIT) else f"v.{high}"


def _guarded(phrase: Phrase) -> Phrase:
    """Put a negative number in brackets, where the phrase is one number."""
    if not phrase.text.startswith("${f(") or phrase.text.count("${") != 1:
        return phrase
    return Phrase(phrase.text.replace("${f(", "${p(", 1), phrase.strength)


def _guarded_after_minus(term: Phrase) -> Phrase:
    if not term.after_minus:
        return term
    after = term.after_minus.replace("${f(", "${p(", 1)
    return Phrase(f"-{after}", term.strength, after)
