"""Light HTML for the many lines of an explorer: a tenth of the weight of typeset maths."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Rational

from derive.publish.notation import ATOM, PRODUCT, Phrase, Text


class Html(Text):
    """HTML with italic letters and raised exponents; every linked term carries ``data-j``."""

    times = "\N{NARROW NO-BREAK SPACE}·\N{NARROW NO-BREAK SPACE}"

    def number(self, value: Rational) -> Phrase:
        return self._with_minus(super().number(value))

    def decimal(self, text: str) -> Phrase:
        return self._with_minus(super().decimal(text))

    def name(self, letter: str) -> Phrase:
        return Phrase(f"<i>{letter}</i>")

    def entry(self, letter: str, indices: Sequence[str]) -> Phrase:
        below = super().entry("", indices).text.removeprefix("_")
        return Phrase(f"<i>{letter}</i><sub>{below}</sub>")

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        above, below = self.bracketed(numerator, PRODUCT), self.bracketed(denominator, ATOM)
        return Phrase(f"{above} / {below}", PRODUCT)

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"<i>e</i><sup>{exponent}</sup>")

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return Phrase(f'<span data-{index}="{place}">{term}</span>', term.strength)

    def _with_minus(self, phrase: Phrase) -> Phrase:
        return Phrase(phrase.text.replace("-", "−"), phrase.strength)
