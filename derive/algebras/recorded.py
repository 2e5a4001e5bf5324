"""Numbers are instructions: running a program over them writes down its scalar program."""

from __future__ import annotations

from derive.constants import ExactNumber
from derive.straight_line import Operand, Recorder


class RecordedScalars(Recorder):
    """A recorder that programs can be run over; comparisons become opaque functions.

    What is shown of an opaque function holds for every function in its place, so for a maximum,
    or for the 0 or 1 that a comparison gives.
    """

    decides_order = False

    def constant(self, number: ExactNumber) -> Operand:
        """Record coefficient * root * logarithms of two."""
        factors = [self.number(number.coefficient)]
        if number.degree > 1:
            factors.append(self.root(number.radicand, number.degree))
        if number.logarithms:
            logarithm = self.logarithm(self.number(2))
            power = logarithm if number.logarithms > 0 else self.inverse(logarithm)
            factors += [power] * abs(number.logarithms)
        return self.multiply(*factors)

    def apply(self, function: str, *operands: Operand) -> Operand:
        """Record a function; a maximum does not depend on the order of its operands."""
        if function == "max":
            operands = tuple(sorted(set(operands)))
            if len(operands) == 1:
                return operands[0]
        return super().apply(function, *operands)

    def less(self, left: Operand, right: Operand, *, or_equal: bool) -> Operand:
        """Record left < right as a function of the difference; left <= right is its opposite."""
        if or_equal:
            return self.add(self.one, self.negate(self.less(right, left, or_equal=False)))
        return self.apply("indicator less", self.add(left, self.negate(right)))

    def equal(self, left: Operand, right: Operand) -> Operand:
        """Record left = right as a function of the squared difference."""
        difference = self.add(left, self.negate(right))
        return self.apply("indicator equal", self.multiply(difference, difference))
