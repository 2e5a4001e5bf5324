"""Scalars are (exact value, bound on the error): reading a formula over them bounds its rounding.

The bound holds for every program that evaluates the formula's own sums, products, quotients,
exponentials, square roots and maxima in the stated precision, in any order of each sum and product.
It is computed from the operations and the precision alone, never from a run.

Model (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, chapters 2 to 4).
Rounding to nearest, unit roundoff u, smallest subnormal h:

    fl(x op y) = (x op y)(1 + t) + w,   |t| <= u,  |w| <= h / 2,  t w = 0

where w is zero for the sum of two floating-point numbers, because a sum that small is exact;

    g(m) = m u / (1 - m u),  and a product of m factors (1 + t) differs from 1 by at most g(m)

Throughout, x is the exact value, y what the program has, and e >= |y - x| the bound carried with
it, so |y| <= |x| + e. Each rule below proves the bound of its result from those of its operands,
for all y that they allow. A result that could overflow, divide by zero or take a root of a negative
number has the bound infinity, which no error is shown to meet.

Not covered: algebra that changes the formula, such as taking a common factor out of a sum, and
arithmetic that flushes subnormal results to zero, except inside exp.

Enclosures are Arb balls, so the bound itself is free of rounding doubts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy
from flint import arb
from sympy import IndexedBase, Rational, Symbol

from derive.formula import Mechanism
from numeric.balls import Ball, Balls, ball, working_bits
from numeric.on_demand import OnDemand
from numeric.precision import Precision

_BALLS = Balls()


@dataclass(frozen=True, eq=False)
class Rounded:
    """An exact value, enclosed, and a bound on the error of any evaluation of it.

    Where the bound is infinite, ``cause`` says why.
    """

    exact: Ball
    error: Ball
    cause: str = ""

    @property
    def magnitude(self) -> Ball:
        """An upper bound of |y|: the exact value's magnitude and the error."""
        return abs(self.exact) + self.error


class Rounding:
    """The rules, for one precision; ``exp_ulp`` bounds the error of the program's exp.

    ``exp_ulp`` is taken on trust, in units in the last place of exp(y); a test measures it. So is
    ``function_ulp``, the same for its tanh, cos and sin; without it nothing is claimed of these.
    """

    def __init__(
        self,
        precision: Precision,
        exp_ulp: Fraction | int,
        function_ulp: Fraction | int | None = None,
    ) -> None:
        self.precision, self.function_ulp = precision, function_ulp
        self.u = ball(precision.unit_roundoff)
        self.underflow = ball(precision.smallest_subnormal / 2)
        self.exp_relative = ball(2 * precision.unit_roundoff * exp_ulp)
        self.exp_underflow = ball(
            precision.smallest_subnormal * exp_ulp + precision.smallest_normal
        )
        self.limit = None if precision.largest is None else ball(precision.largest)

    def accumulated(self, roundings: int) -> Ball:
        """g(m) = m u / (1 - m u): how far m relative roundings can move a result."""
        total = roundings * self.u
        return total / (1 - total)

    def number(self, value: Rational | Fraction) -> Rounded:
        """A given number: exact if the format holds it, else rounded once, u |x| + h/2."""
        exact, value = ball(value), _fraction(value)
        try:
            representable = self.precision.round(value) == value
        except OverflowError as error:
            return Rounded(exact, _INFINITY, str(error))
        return Rounded(exact, arb(0) if representable else self.u * abs(exact) + self.underflow)

    def add(self, terms: Sequence[Rounded]) -> Rounded:
        """A sum of m terms: sum e_i + g(m-1) sum |y_i|, in any order.

        Whatever the order, a term passes through at most m - 1 additions, each a factor (1 + t),
        and additions do not underflow. The y_i may be any numbers that their
        bounds allow, an unrounded product included: so a fused multiply-add, which skips a
        product's rounding, is covered, its own underflow being the one that the product did not
        use. An accumulator that starts at zero, and lanes filled up with zeros, add exactly.

        A single addition is rounded once, in proportion to its result: u |y_1 + y_2|.
        """
        exact = _BALLS.add([term.exact for term in terms])
        carried = _BALLS.add([term.error for term in terms])
        magnitudes = _BALLS.add([term.magnitude for term in terms])
        if len(terms) == 2:
            own = self.u * (abs(exact) + carried)
        else:
            own = self.accumulated(len(terms) - 1) * magnitudes
        reached = magnitudes * (1 + self.accumulated(len(terms)))
        return self.within_range(exact, carried + own, reached, terms)

    def multiply(self, factors: Sequence[Rounded]) -> Rounded:
        """A product of m factors: prod (|x_i| + e_i) - prod |x_i| + g(m-1) prod |y_i| + underflow.

        Of m factors, m - 1 products are rounded, in any order. One that underflows is off by h/2
        and then multiplied by the factors that are left: in all at most
        (m-1) h/2 (1 + g(m-1)) prod max(1, |y_i|). That product also bounds every intermediate
        result, so it decides overflow.
        A factor that is exactly 1 or -1 rounds nothing.
        """
        if all(f.error == 0 and abs(f.exact) == 1 for f in factors[1:]):
            exact = _BALLS.multiply([f.exact for f in factors])
            return Rounded(exact, factors[0].error, factors[0].cause)
        rounding = [f for f in factors if not (f.error == 0 and abs(f.exact) == 1)]
        roundings = max(len(rounding) - 1, 0)
        exact = _BALLS.multiply([f.exact for f in factors])
        magnitude = _BALLS.multiply([f.magnitude for f in factors])
        reached = _BALLS.multiply([f.magnitude.max(arb(1)) for f in factors])
        grown = 1 + self.accumulated(roundings)
        error = (
            (magnitude - abs(exact))
            + self.accumulated(roundings) * magnitude
            + roundings * self.underflow * grown * reached
        )
        return self.within_range(exact, error, reached * grown, factors)

    def divide(self, numerator: Rounded, denominator: Rounded) -> Rounded:
        """A quotient, or the numerator times a rounded reciprocal: two roundings at most.

        With x = N/D and e_D < |D|: |N^/D^ - N/D| = |e_N - x e_D| / |D^|, at most
        (e_N + |x| e_D) / (|D| - e_D); each of two roundings adds u of the result, and an underflow
        h/2, the reciprocal's multiplied by the numerator.
        """
        if denominator.exact == 0 and denominator.error == 0:
            raise ZeroDivisionError("a denominator is exactly zero")
        distance = abs(denominator.exact) - denominator.error
        exact = numerator.exact / denominator.exact
        if not distance > 0:
            cause = denominator.cause or "a denominator may be rounded to zero"
            return Rounded(exact, _INFINITY, cause)
        carried = (numerator.error + abs(exact) * denominator.error) / distance
        grown = 1 + self.accumulated(2)
        largest = abs(exact) + carried
        lost = self.underflow * (1 + numerator.magnitude) * grown
        reached = (largest + lost).max(1 / distance) * grown
        error = carried + self.accumulated(2) * largest + lost
        return self.within_range(exact, error, reached, (numerator, denominator))

    def exp(self, exponent: Rounded) -> Rounded:
        """An exponential: the error of its exponent, and the program's own.

        |exp(y) - exp(x)| <= exp(x) (exp(e) - 1), and exp(y) <= exp(x) exp(e). One unit in the last
        place of exp(y) is at most 2 u exp(y) + h, and a result below the normal range may be
        flushed to zero, off by the smallest normal number.
        """
        exact = exponent.exact.exp()
        largest = exact * exponent.error.exp()
        error = exact * exponent.error.expm1() + self.exp_relative * largest + self.exp_underflow
        return self.within_range(exact, error, abs(exact) + error, (exponent,))

    def tanh(self, argument: Rounded) -> Rounded:
        """A hyperbolic tangent: the error of its argument, and the program's own."""
        return self._flat(argument.exact.tanh(), argument, "tanh")

    def cos(self, angle: Rounded) -> Rounded:
        """A cosine: the error of its angle, and the program's own."""
        return self._flat(angle.exact.cos(), angle, "cosine")

    def sin(self, angle: Rounded) -> Rounded:
        """A sine: the error of its angle, and the program's own."""
        return self._flat(angle.exact.sin(), angle, "sine")

    def sqrt(self, radicand: Rounded) -> Rounded:
        """A square root: one rounding, and the error of what it is taken of.

        |sqrt(y) - sqrt(x)| = |y - x| / (sqrt(y) + sqrt(x)), with y at least x - e.
        Correctly rounded by IEEE 754; a root cannot underflow.
        """
        least = radicand.exact - radicand.error
        if radicand.exact == 0 and radicand.error == 0:
            return radicand
        exact = radicand.exact.sqrt()
        if not least > 0:
            cause = radicand.cause or "a root may be taken of a negative number"
            return Rounded(exact, _INFINITY, cause)
        carried = radicand.error / (exact + least.sqrt())
        error = carried + self.u * (exact + carried)
        return self.within_range(exact, error, radicand.magnitude, (radicand,))

    def largest(self, values: Sequence[Rounded]) -> Rounded:
        """The largest value: nothing is rounded, |max y_i - max x_i| <= max e_i."""
        exact = _BALLS.largest([value.exact for value in values])
        error = _BALLS.largest([value.error for value in values])
        return Rounded(exact, error, _inherited(values))

    def _flat(self, exact: Ball, argument: Rounded, name: str) -> Rounded:
        """A function f with |f'| <= 1: |f(y) - f(x)| <= |y - x|, and the program's own error.

        One unit in the last place of f(y) is at most 2 u |f(y)| + h.
        """
        if self.function_ulp is None:
            cause = argument.cause or f"no bound is known for a program's {name}"
            return Rounded(exact, _INFINITY, cause)
        reached = abs(exact) + argument.error
        own = ball(self.function_ulp) * 2 * (self.u * reached + self.underflow)
        return self.within_range(exact, argument.error + own, reached + own, (argument,))

    def within_range(
        self, exact: Ball, error: Ball, reached: Ball, operands: Sequence[Rounded]
    ) -> Rounded:
        """Return the pair, with an infinite bound unless ``reached`` is surely within range."""
        if not (exact.is_finite() and error.is_finite()):
            cause = _inherited(operands) or "the exact value is out of reach"
            return Rounded(exact, _INFINITY, cause)
        if self.limit is not None and not reached <= self.limit:
            return Rounded(exact, _INFINITY, f"a result may overflow {self.precision.name}")
        return Rounded(exact, error)


def _inherited(operands: Sequence[Rounded]) -> str:
    return next((operand.cause for operand in operands if operand.cause), "")


_INFINITY = arb.pos_inf()


def rounding_bounds(
    mechanism: Mechanism,
    given: Mapping[IndexedBase, Any],
    precision: Precision,
    exp_ulp: Fraction | int,
    rows: Sequence[int] | None = None,
    *,
    function_ulp: Fraction | int | None = None,
    sizes: Mapping[Symbol, int] | None = None,
) -> dict[IndexedBase, Any]:
    """Return exact values and bounds of every stage: object arrays of ``Rounded``.

    ``given`` holds the exact inputs as object arrays of ``Fraction``. With ``rows``, counted from
    0, only those rows of each stage are worked out; the other entries are ``None``. ``sizes`` are
    those that no shape tells by itself; ``function_ulp`` is as in ``Rounding``.
    Raises ``ZeroDivisionError`` where a denominator is exactly zero.
    """
    with working_bits(precision):
        algebra = Rounding(precision, exp_ulp, function_ulp)
        rounded = {base: _each(algebra.number, entries) for base, entries in given.items()}
        entries = OnDemand(algebra, rounded, mechanism.stages, sizes)
        return {stage.array: entries.rows(stage, rows) for stage in mechanism.stages}


def _each(function: Any, entries: Any) -> Any:
    result = numpy.empty(entries.shape, dtype=object)
    for place in numpy.ndindex(*entries.shape):
        result[place] = function(entries[place])
    return result


def _fraction(value: Rational | Fraction) -> Fraction:
    return Fraction(int(value.p), int(value.q)) if isinstance(value, Rational) else value
