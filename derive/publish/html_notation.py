"""Light HTML for the many lines of an explorer: a tenth of the weight of typeset maths."""

from __future__ import annotations

from collections.abc import Sequence

from derive.publish.notation import ATOM, GREEK, PRODUCT, REACH, Phrase, Text, marked, parts_of_name


class Html(Text):
    """HTML with italic letters and raised exponents; every linked term carries ``data-j``."""

    # A value stays in one line with the sign before it.
    equals = " =\N{NO-BREAK SPACE}"
    about = " ≈\N{NO-BREAK SPACE}"
    times = "\N{NARROW NO-BREAK SPACE}·\N{NARROW NO-BREAK SPACE}"

    minus = "−"

    def decimal(self, text: str) -> Phrase:
        mantissa, _, exponent = text.lower().partition("e")
        if not exponent:
            return super().decimal(text)
        raised = str(int(exponent)).replace("-", self.minus)
        return super().decimal(f"{mantissa}·10<sup>{raised}</sup>")

    def name(self, letter: str) -> Phrase:
        return Phrase(f"<i>{letter}</i>")

    def entry(self, letter: str, indices: Sequence[str | Phrase]) -> Phrase:
        below = super().entry("", indices).text.removeprefix("_")
        stem, label = parts_of_name(
            letter, lambda stem: f"{stem}\N{COMBINING MACRON}", GREEK.__getitem__
        )
        raised = f"<sup>({label})</sup>" if label else ""
        return Phrase(f"<i>{stem}</i>{raised}<sub>{below}</sub>")

    def bracket(self, left: Phrase, relation: str, right: Phrase) -> Phrase:
        return super().bracket(left, "&lt;" if relation == "<" else relation, right)

    def divide(self, numerator: Phrase, denominator: Phrase) -> Phrase:
        above, below = self.bracketed(numerator, PRODUCT), self.bracketed(denominator, ATOM)
        return Phrase(f"{above} / {below}", REACH)

    def exp(self, exponent: Phrase) -> Phrase:
        return Phrase(f"<i>e</i><sup>{exponent}</sup>")

    def power(self, base: Phrase, exponent: int) -> Phrase:
        return Phrase(f"{self.bracketed(base, ATOM)}<sup>{exponent}</sup>")

    def linked(self, term: Phrase, index: str, place: int) -> Phrase:
        return marked(term, lambda text: f'<span data-{index}="{place}">{text}</span>')
