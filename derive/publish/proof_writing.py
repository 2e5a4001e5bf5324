"""Write the expressions of proofs: besides what formulas have, means, derivatives, magnitudes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sympy import Abs, Expr, Symbol

from derive.publish.notation import ATOM, PRODUCT, Latex, Notation, Phrase, Speech
from derive.publish.writing import GeneralForm
from derive.theorems.expectation import Expectation
from derive.theorems.slope import Slope


class ProofForm(GeneralForm):
    """The general form, with E[...], partial derivatives and magnitudes."""

    def value(self, expression: Expr, where: Mapping[Symbol, int]) -> Phrase:
        """Write an expression; a mean and a derivative stand before what they are taken of."""
        if isinstance(expression, Abs):
            return self._magnitude(self.value(expression.args[0], where))
        if isinstance(expression, Expectation):
            return self._mean(self.value(expression.body, where))
        if isinstance(expression, Slope):
            of, by = (self.value(part, where) for part in expression.args)
            return self._slope(of, by)
        return super().value(expression, where)

    def _magnitude(self, body: Phrase) -> Phrase:
        if isinstance(self.notation, Latex):
            return Phrase(rf"\left|{body}\right|")
        if isinstance(self.notation, Speech):
            return Phrase(f"the magnitude of {self.notation.bracketed(body, PRODUCT)}")
        return Phrase(f"|{body}|")

    def _mean(self, body: Phrase) -> Phrase:
        if isinstance(self.notation, Latex):
            return Phrase(rf"\operatorname{{E}}\left[{body}\right]")
        if isinstance(self.notation, Speech):
            return Phrase(f"the mean of {self.notation.bracketed(body, PRODUCT)}")
        return Phrase(f"E[{body}]")

    def _slope(self, of: Phrase, by: Phrase) -> Phrase:
        if isinstance(self.notation, Latex):
            if of.strength == ATOM:
                return Phrase(rf"\frac{{\partial {of}}}{{\partial {by}}}")
            return Phrase(rf"\frac{{\partial}}{{\partial {by}}} \left({of}\right)", PRODUCT)
        if isinstance(self.notation, Speech):
            return Phrase(f"the derivative by {by} of {self.notation.bracketed(of, PRODUCT)}")
        return Phrase(f"∂({of})/∂{by}", PRODUCT)


def written(expression: Expr, notation: Notation | None = None, lead: Sequence[Symbol] = ()) -> str:
    """Write an expression of a proof, in LaTeX unless ``notation`` says otherwise.

    ``lead`` are the indices whose factors come first.
    """
    return ProofForm(notation or Latex()).write(expression, lead)
