"""Notations: how a sum, a product or an entry is put down in LaTeX, in plain text, in speech.

Each notation is an algebra whose scalars are phrases, so that the interpreter that computes a
formula's entries also writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sympy import Rational

SUM, REACH, PRODUCT, ATOM = 1, 2, 3, 4
"""How tightly a phrase holds together; a weaker one is bracketed inside a stronger one.

A sum sign reaches over all that follows it in a product, so it may stand last there, not first.
"""


@dataclass(frozen=True)
class Phrase:
    """A piece of a formula as it is written, and how tightly it holds together."""

    text: str
    strength: int = ATOM

    def __str__(self) -> str:
        return self.text


def _signed(text: str) -> Phrase:
    """Return a number as a phrase; a negative one is bracketed in a product."""
    return Phrase(text, SUM if text.startswith("-") else ATOM)


class Latex:
    """LaTeX as KaTeX takes it; ``times`` stands between factors."""

    def __init__(self, times: str = r"\,") -> None:
        self.times = times

    def number(self, value: Rational) -> Phrase:
        return _signed(str(value) if value.q == 1 else rf"\tfrac{{{value.p}}}{{{value.q}}}")

    def decimal(self, text: str) -> Phrase:
        """Return a decimal as it was written; 1e-9 comes with its power of ten."""
        mantissa, _, exponent = text.lower().partition("e")
        if not exponent:
            return _signed(text)
        power = rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
        return Phrase(power, SUM if text.startswith("-") else PRODUCT)

    def name(self, letter: str) -> Phrase:
        stem, _, below = letter.partition("_")
        return Phrase(f"{stem}_{{{below}}}" if below else stem)

    def entry(self, letter: str, indices: Sequence[str]) -> Phrase:
        """Return an entry of an array; two-digit indices are set apart by a comma."""
        names = [self.name(index).text for index in indices]
        return Phrase(f"{letter}_{{{_side_by_side(names)}}}")

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        return _joined_terms(terms, " + ", " - ")

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        if factors[0].text == "-1":
            return Phrase("-" + self.multiply(factors[1:]).text, SUM)
        if len(factors) == 1:
            return factors[0]
        return _joined_factors(factors, f" {self.times} ", self.bracketed)

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        return Phrase(rf"\frac{{{numerator}}}{{{denominator}}}")

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"e^{{{exponent}}}")

    def sqrt(self, radicand: Phrase) -> Phrase:
        return Phrase(rf"\sqrt{{{radicand}}}")

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        return Phrase(rf"\max\left({', '.join(v.text for v in values)}\right)")

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        inner = self.bracketed(body, REACH)
        return Phrase(rf"\sum_{{{index}=1}}^{{{self.name(high)}}} {inner}", REACH)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        inner = self.bracketed(body, REACH)
        return Phrase(rf"\max_{{1 \le {index} \le {self.name(high)}}} {inner}", REACH)

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        """Return a term of a written-out sum, the one at ``place``; here unmarked."""
        return term

    def bracketed(self, phrase: Phrase, needed: int) -> str:
        return phrase.text if phrase.strength >= needed else rf"\left({phrase}\right)"


class LinkedLatex(Latex):
    """LaTeX in which each term of a written-out sum is marked, so that a page can light it up."""

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return Phrase(rf"\htmlData{{{index}={place}}}{{{term}}}", term.strength)


class Text:
    """One line of plain text for a terminal: s_ij = Σ_k x_ik·x_jk."""

    times = "·"

    def number(self, value: Rational) -> Phrase:
        return _signed(str(value))

    def decimal(self, text: str) -> Phrase:
        """Return a decimal as it was written."""
        return _signed(text)

    def name(self, letter: str) -> Phrase:
        return Phrase(letter)

    def entry(self, letter: str, indices: Sequence[str]) -> Phrase:
        return Phrase(f"{letter}_{_side_by_side(indices)}")

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        return _joined_terms(terms, " + ", " - ")

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        if factors[0].text == "-1":
            return Phrase("-" + self.multiply(factors[1:]).text, SUM)
        if len(factors) == 1:
            return factors[0]
        return _joined_factors(factors, self.times, self.bracketed)

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        above, below = self.bracketed(numerator, PRODUCT), self.bracketed(denominator, ATOM)
        return Phrase(f"{above} / {below}", PRODUCT)

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"exp({exponent})")

    def sqrt(self, radicand: Phrase) -> Phrase:
        return Phrase(f"√{self.bracketed(radicand, ATOM)}")

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        return Phrase(f"max({', '.join(v.text for v in values)})")

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"Σ_{index} {self.bracketed(body, REACH)}", REACH)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"max_{index} {self.bracketed(body, REACH)}", REACH)

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return term

    def bracketed(self, phrase: Phrase, needed: int) -> str:
        return phrase.text if phrase.strength >= needed else f"({phrase})"


class Speech(Text):
    """A sentence for a screen reader: s i j equals the sum over k from 1 to d of ..."""

    times = " times "

    def entry(self, letter: str, indices: Sequence[str]) -> Phrase:
        return Phrase(" ".join([self.name(letter).text, *indices]))

    def name(self, letter: str) -> Phrase:
        spoken = letter.replace("_", " ")
        return Phrase(f"capital {spoken}" if letter[0].isupper() else spoken)

    def add(self, terms: Sequence[Phrase]) -> Phrase:
        return _joined_terms(terms, " plus ", " minus ")

    def multiply(self, factors: Sequence[Phrase]) -> Phrase:
        if factors[0].text == "-1":
            return Phrase("minus " + self.multiply(factors[1:]).text, SUM)
        return super().multiply(factors)

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        return Phrase(f"{numerator}, divided by {denominator}", PRODUCT)

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"e to the power {exponent}")

    def sqrt(self, radicand: Phrase) -> Phrase:
        return Phrase(f"the square root of {radicand}")

    def largest(self, values: Sequence[Phrase]) -> Phrase:
        return Phrase(f"the largest of {', '.join(v.text for v in values)}")

    def total(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"the sum over {index} from 1 to {self.name(high)} of {body}", REACH)

    def largest_over(self, index: str, high: str, body: Phrase) -> Phrase:
        return Phrase(f"the largest, over {index} from 1 to {self.name(high)}, of {body}", REACH)

    def bracketed(self, phrase: Phrase, needed: int) -> str:
        return phrase.text if phrase.strength >= needed else f"the quantity {phrase}, "


Notation = Latex | Text


def _side_by_side(names: Sequence[str]) -> str:
    return ("" if all(len(name) == 1 for name in names) else ",").join(names)


def _joined_factors(
    factors: Sequence[Phrase], times: str, bracketed: Callable[[Phrase, int], str]
) -> Phrase:
    *first, last = factors
    parts = [bracketed(factor, PRODUCT) for factor in first] + [bracketed(last, REACH)]
    return Phrase(times.join(parts), min(PRODUCT, last.strength) if last.strength > SUM else PRODUCT)


def _joined_terms(terms: Sequence[Phrase], plus: str, minus: str) -> Phrase:
    if len(terms) == 1:
        return terms[0]
    sign = "minus " if minus == " minus " else "-"
    text = terms[0].text
    for term in terms[1:]:
        negative = term.text.startswith(sign)
        text += minus + term.text.removeprefix(sign) if negative else plus + term.text
    return Phrase(text, SUM)
