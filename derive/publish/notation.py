"""Notations: how a sum, a product or an entry is put down in LaTeX, in plain text, in speech.

Each notation is an algebra whose scalars are phrases, so that the interpreter that computes a
formula's entries also writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sympy import Rational

from derive.formula import UPPER_LIMIT
from derive.publish.words import Language, language

SUM, REACH, PRODUCT, ATOM = 1, 2, 3, 4
"""How tightly a phrase holds together; a weaker one is bracketed inside a stronger one.

A sum sign reaches over all that follows it in a product, so it may stand last there, not first;
the same goes for a quotient on one line.
"""

BAR = "bar"
"""How the name of a gradient ends: zbar is the gradient by z."""


GREEK = {"theta": "θ", "epsilon": "ε", "lambda": "λ", "gamma": "γ", "beta": "β"}
"""Letters that formulas call by their names."""


@dataclass(frozen=True)
class Phrase:
    """A piece of a formula as it is written, and how tightly it holds together.

    ``after_minus`` is what follows the minus sign of a phrase that starts with one, so that it can
    be taken away instead of added. ``coefficient`` tells the numbers of the formula itself: the
    minus sign of such a number stands before the whole product, that of a value in brackets.
    """

    text: str
    strength: int = ATOM
    after_minus: str = ""
    coefficient: bool = False

    def __str__(self) -> str:
        return self.text


class Notation(Protocol):
    """An algebra whose scalars are phrases, with the signs that only writing has."""

    equals: str
    about: str
    """What stands between the two sides of an equation."""

    def number(self, value: Rational) -> Phrase:
        """Write a number of the formula itself."""

    def decimal(self, text: str) -> Phrase:
        """Write a decimal as it was written; 1e-9 comes with its power of ten."""

    def name(self, letter: str) -> Phrase:
        """Write an index or a size, such as j or n_q."""

    def entry(self, letter: str, indices: Sequence[str | Phrase]) -> Phrase:
        """Write an entry of an array; indices of several characters are set apart by a comma.

        An index that is more than a letter or a number comes as a phrase.
        """

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        """Write a sum of terms, a negative one with a minus sign before it."""

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        """Write a product, with brackets around what would fall apart in it."""

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        """Write a quotient."""

    def exp(self, exponent: Phrase) -> Phrase:
        """Write e to a power."""

    def tanh(self, argument: Phrase) -> Phrase:
        """Write a hyperbolic tangent."""

    def cos(self, angle: Phrase) -> Phrase:
        """Write a cosine."""

    def sin(self, angle: Phrase) -> Phrase:
        """Write a sine."""

    def sqrt(self, radicand: Phrase) -> Phrase:
        """Write a square root."""

    def power(self, base: Phrase, exponent: int) -> Phrase:
        """Write a whole power from 2 on, such as a square."""

    def bracket(self, left: Phrase, relation: str, right: Phrase) -> Phrase:
        """Write Iverson's bracket around <=, < or =."""

    def floor(self, argument: Phrase) -> Phrase:
        """Write the largest whole number that is not above the argument."""

    def remainder(self, number: Phrase, divisor: Phrase) -> Phrase:
        """Write what is left of a number when a divisor is taken away as often as it goes."""

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        """Write the largest of several values."""

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        """Write a sum over an index, from 1 to ``high``."""

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        """Write a maximum over an index, from 1 to ``high``."""

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        """Mark a term of a written-out sum as the one at ``place``, where a page needs that."""


class Latex:
    """LaTeX as KaTeX takes it; ``times`` stands between factors."""

    equals = " = "
    about = r" \approx "

    def __init__(self, times: str = r"\,") -> None:
        self.times = times

    def number(self, value: Rational) -> Phrase:
        size = abs(value)
        written = str(size) if size.q == 1 else rf"\tfrac{{{size.p}}}{{{size.q}}}"
        return _coefficient(_signed(Phrase(written), negative=value.is_negative))

    def decimal(self, text: str) -> Phrase:
        size, negative = text.removeprefix("-"), text.startswith("-")
        mantissa, _, exponent = size.lower().partition("e")
        if not exponent:
            return _signed(Phrase(size), negative=negative)
        power = Phrase(rf"{mantissa} \cdot 10^{{{int(exponent)}}}", PRODUCT)
        return _signed(power, negative=negative)

    def name(self, letter: str) -> Phrase:
        stem, _, below = letter.partition("_")
        return Phrase(f"{stem}_{{{below}}}" if below else stem)

    def entry(self, letter: str, indices: Sequence[str | Phrase]) -> Phrase:
        stem, above = parts_of_name(
            letter, lambda stem: rf"\bar{{{stem}}}", lambda name: rf"\{name} "
        )
        raised = f"^{{({above})}}" if above else ""
        names = [t.text if isinstance(t, Phrase) else self.name(t).text for t in indices]
        below = f"_{{{_side_by_side(names)}}}" if indices else ""
        return Phrase(f"{stem}{raised}{below}")

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        return _joined_terms(terms, " + ", " - ")

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        return _joined_factors(factors, f" {self.times} ", self.bracketed)

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        return Phrase(rf"\frac{{{numerator}}}{{{denominator}}}")

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"e^{{{exponent}}}")

    def tanh(self, argument: Phrase) -> Phrase:
        return Phrase(rf"\tanh\left({argument}\right)")

    def cos(self, angle: Phrase) -> Phrase:
        return Phrase(rf"\cos\left({angle}\right)")

    def sin(self, angle: Phrase) -> Phrase:
        return Phrase(rf"\sin\left({angle}\right)")

    def sqrt(self, radicand: Phrase) -> Phrase:
        return Phrase(rf"\sqrt{{{radicand}}}")

    def power(self, base: Phrase, exponent: int) -> Phrase:
        # A raised label is no place for another exponent.
        raised = "^" in base.text and base.strength == ATOM
        bracketed = rf"\left({base}\right)" if raised else self.bracketed(base, ATOM)
        return Phrase(f"{bracketed}^{{{exponent}}}")

    def bracket(self, left: Phrase, relation: str, right: Phrase) -> Phrase:
        sign = {"<=": r"\le", "<": "<", "=": "="}[relation]
        return Phrase(rf"\left[{left} {sign} {right}\right]")

    def floor(self, argument: Phrase) -> Phrase:
        return Phrase(rf"\left\lfloor {argument} \right\rfloor")

    def remainder(self, number: Phrase, divisor: Phrase) -> Phrase:
        divided = self.bracketed(divisor, ATOM)
        return Phrase(rf"{self.bracketed(number, PRODUCT)} \bmod {divided}", PRODUCT)

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        return Phrase(rf"\max\left({', '.join(v.text for v in values)}\right)")

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        inner = self.bracketed(body, REACH)
        return Phrase(rf"\sum_{{{self.name(index)}=1}}^{{{self.name(high)}}} {inner}", REACH)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        inner = self.bracketed(body, REACH)
        return Phrase(rf"\max_{{1 \le {self.name(index)} \le {self.name(high)}}} {inner}", REACH)

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return term

    def bracketed(self, phrase: Phrase, needed: int) -> str:
        return phrase.text if phrase.strength >= needed else rf"\left({phrase}\right)"


class LinkedLatex(Latex):
    """LaTeX in which each term of a written-out sum is marked, so that a page can light it up."""

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return marked(term, lambda text: rf"\htmlData{{{index}={place}}}{{{text}}}")


class Text:
    """One line of plain text for a terminal: s_ij = Σ_k x_ik·x_jk."""

    equals = " = "
    about = " ≈ "
    times = "·"
    minus = "-"

    def number(self, value: Rational) -> Phrase:
        strength = ATOM if value.q == 1 else PRODUCT
        size = Phrase(str(abs(value)), strength)
        return _coefficient(_signed(size, value.is_negative, self.minus))

    def decimal(self, text: str) -> Phrase:
        return _signed(Phrase(text.removeprefix("-")), text.startswith("-"), self.minus)

    def name(self, letter: str) -> Phrase:
        return Phrase(letter)

    def entry(self, letter: str, indices: Sequence[str | Phrase]) -> Phrase:
        stem, above = parts_of_name(
            letter, lambda stem: f"{stem}\N{COMBINING MACRON}", GREEK.__getitem__
        )
        raised = f"_{above}" if above else ""
        if any(isinstance(t, Phrase) for t in indices):
            return Phrase(f"{stem}{raised}[{', '.join(map(str, indices))}]")
        return Phrase(f"{stem}{raised}_{_side_by_side([str(t) for t in indices])}")

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        return _joined_terms(terms, " + ", f" {self.minus} ")

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        return _joined_factors(factors, self.times, self.bracketed, self.minus)

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        above, below = self.bracketed(numerator, PRODUCT), self.bracketed(denominator, ATOM)
        return Phrase(f"{above} / {below}", REACH)

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"exp({exponent})")

    def tanh(self, argument: Phrase) -> Phrase:
        return Phrase(f"tanh({argument})")

    def cos(self, angle: Phrase) -> Phrase:
        return Phrase(f"cos({angle})")

    def sin(self, angle: Phrase) -> Phrase:
        return Phrase(f"sin({angle})")

    def bracket(self, left: Phrase, relation: str, right: Phrase) -> Phrase:
        return Phrase(f"[{left} {relation.replace('<=', '≤')} {right}]")

    def floor(self, argument: Phrase) -> Phrase:
        return Phrase(f"⌊{argument}⌋")

    def remainder(self, number: Phrase, divisor: Phrase) -> Phrase:
        divided = self.bracketed(divisor, ATOM)
        return Phrase(f"{self.bracketed(number, PRODUCT)} mod {divided}", PRODUCT)

    def sqrt(self, radicand: Phrase) -> Phrase:
        return Phrase(f"√{self.bracketed(radicand, ATOM)}")

    def power(self, base: Phrase, exponent: int) -> Phrase:
        return Phrase(f"{self.bracketed(base, ATOM)}{_raised(exponent)}")

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        return Phrase(f"max({', '.join(v.text for v in values)})")

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"Σ_{_reach(index, high)} {self.bracketed(body, REACH)}", REACH)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"max_{_reach(index, high)} {self.bracketed(body, REACH)}", REACH)

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return term

    def bracketed(self, phrase: Phrase, needed: int) -> str:
        return phrase.text if phrase.strength >= needed else f"({phrase})"


def _reach(index: str, high: str) -> str:
    """Return an index, and how far it counts where that is another index."""
    return f"({index} ≤ {high})" if high in _INDICES else index


_INDICES = frozenset(map(str, UPPER_LIMIT))


class Speech(Text):
    """A sentence for a screen reader: s i j equals the sum over k from 1 to d of ...

    It is in the language of the page that is being made, unless ``words`` are given.
    """

    def __init__(self, words: Language | None = None) -> None:
        self.words = words or language()
        self.equals, self.about, self.times = (
            f" {self._said(sign)} " for sign in ("equals", "about", "times")
        )
        self.minus = f"{self._said('negative')} "

    def _said(self, key: str, /, **values: object) -> str:
        return self.words[f"speech.{key}"].format_map(values)

    def number(self, value: Rational) -> Phrase:
        return self._unbracketed(super().number(value))

    def decimal(self, text: str) -> Phrase:
        mantissa, _, exponent = text.lower().partition("e")
        if exponent:
            power = self.decimal(str(int(exponent)))
            negative, size = mantissa.startswith("-"), mantissa.removeprefix("-")
            text = "-" * negative + self._said("power-of-ten", mantissa=size, exponent=power)
        return self._unbracketed(super().decimal(text))

    def entry(self, letter: str, indices: Sequence[str | Phrase]) -> Phrase:
        stem, above = parts_of_name(
            letter, lambda stem: self._said("bar", letter=stem), lambda name: self._said(name)
        )
        return Phrase(" ".join([self.name(f"{stem} {above}".strip()).text, *map(str, indices)]))

    def name(self, letter: str) -> Phrase:
        first, blank, rest = letter.replace("_", " ").partition(" ")
        said = self._said("capital", letter=first) if first[:1].isupper() else first
        return Phrase(f"{said}{blank}{rest}")

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        return _joined_terms(terms, f" {self._said('plus')} ", f" {self._said('minus')} ")

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        below = self.bracketed(denominator, PRODUCT)
        said = self._said("quotient", numerator=numerator, denominator=below)
        return Phrase(said, PRODUCT)

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(self._said("exp", exponent=self.bracketed(exponent, PRODUCT)))

    def tanh(self, argument: Phrase) -> Phrase:
        return Phrase(self._said("tanh", argument=self.bracketed(argument, PRODUCT)))

    def cos(self, angle: Phrase) -> Phrase:
        return Phrase(self._said("cos", argument=self.bracketed(angle, PRODUCT)))

    def sin(self, angle: Phrase) -> Phrase:
        return Phrase(self._said("sin", argument=self.bracketed(angle, PRODUCT)))

    def bracket(self, left: Phrase, relation: str, right: Phrase) -> Phrase:
        key = {"<=": "at-most", "<": "below", "=": "is"}[relation]
        condition = self._said(key, left=left, right=right)
        return Phrase(self._said("bracket", condition=condition))

    def floor(self, argument: Phrase) -> Phrase:
        return Phrase(self._said("floor", argument=self.bracketed(argument, PRODUCT)))

    def remainder(self, number: Phrase, divisor: Phrase) -> Phrase:
        said = self._said("remainder", number=self.bracketed(number, PRODUCT), divisor=divisor)
        return Phrase(said, PRODUCT)

    def sqrt(self, radicand: Phrase) -> Phrase:
        return Phrase(self._said("sqrt", radicand=radicand))

    def power(self, base: Phrase, exponent: int) -> Phrase:
        key = {2: "squared", 3: "cubed"}.get(exponent, "power")
        said = self._said(key, base=self.bracketed(base, ATOM), exponent=exponent)
        return Phrase(said, PRODUCT)

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        return Phrase(self._said("largest", values=", ".join(v.text for v in values)))

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        said = self._said("total", index=index, high=self.name(high), body=body)
        return Phrase(said, REACH)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        said = self._said("largest-over", index=index, high=self.name(high), body=body)
        return Phrase(said, REACH)

    def bracketed(self, phrase: Phrase, needed: int) -> str:
        if phrase.strength >= needed:
            return phrase.text
        return self._said("quantity", content=phrase)

    def _unbracketed(self, number: Phrase) -> Phrase:
        """Return a number that needs no words around it: three times minus two is clear."""
        return replace(number, strength=ATOM)


def parts_of_name(
    letter: str, barred: Callable[[str], str], greek: Callable[[str], str]
) -> tuple[str, str]:
    """Return a letter, with its bar where it is the gradient by an array, and what tells it.

    ``greek`` writes the letters that are called by their names.
    """
    stem, _, label = letter.partition("_")
    is_gradient = stem.endswith(BAR) and stem != BAR
    stem = stem.removesuffix(BAR) if is_gradient else stem
    stem = greek(stem) if stem in GREEK else stem
    return barred(stem) if is_gradient else stem, label


def _side_by_side(names: Sequence[str]) -> str:
    return ("" if all(len(name) == 1 for name in names) else ",").join(names)


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _signed(phrase: Phrase, negative: bool, minus: str = "-") -> Phrase:
    """Put a minus sign before a negative number; it is bracketed in a product."""
    return Phrase(f"{minus}{phrase}", SUM, phrase.text) if negative else phrase


def _coefficient(number: Phrase) -> Phrase:
    return replace(number, coefficient=True)


def marked(phrase: Phrase, mark: Callable[[str], str]) -> Phrase:
    """Mark the whole phrase, and also what is left of it when its minus sign is taken."""
    after_minus = mark(phrase.after_minus) if phrase.after_minus else ""
    return Phrase(mark(phrase.text), phrase.strength, after_minus)


def _joined_factors(
    factors: Sequence[Phrase],
    times: str,
    bracketed: Callable[[Phrase, int], str],
    minus: str = "-",
) -> Phrase:
    if len(factors) == 1:
        return factors[0]
    first, *others = factors
    if first.coefficient and first.after_minus:
        size = [] if first.after_minus == "1" else [Phrase(first.after_minus)]
        product = _joined_factors([*size, *others], times, bracketed, minus)
        return _signed(Phrase(bracketed(product, REACH)), negative=True, minus=minus)
    *before, last = factors
    parts = [bracketed(factor, PRODUCT) for factor in before] + [bracketed(last, REACH)]
    return Phrase(times.join(parts), REACH if last.strength == REACH else PRODUCT)


def _joined_terms(terms: Sequence[Phrase], plus: str, minus: str) -> Phrase:
    if len(terms) == 1:
        return terms[0]
    rest = "".join(
        minus + term.after_minus if term.after_minus else plus + term.text for term in terms[1:]
    )
    first = terms[0]
    return Phrase(first.text + rest, SUM, first.after_minus + rest if first.after_minus else "")
