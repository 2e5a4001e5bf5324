"""What a rounding bound rests on: in which precision a program computes, stores and sums.

A contract covers every evaluation, in any order of each sum, that rounds to nearest in the
precisions stated here, has an exp as accurate as stated here, takes matrix products as inner
products, and subtracts from the scores the largest of the query's row, or the largest of those seen
so far. So it tells "my softmax dropped to bfloat16" from "bfloat16 attention is like that". Not
covered: softmax without a shift or with one that lags behind, products by Strassen's method, a
hyperbolic tangent in hardware of few digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, exp, expm1, log, log1p, sqrt
from typing import Any

from derive.errors import InputError
from numeric.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TFLOAT32, Precision

STATISTICAL = 4.0
"""Factor L of the statistical bound. Were roundings independent and uniform, an element would
exceed it with probability at most 2 exp(-3 L^2 / 2) = 8e-11 (Hoeffding; sub-Gaussian proxy 1/3)."""


@dataclass(frozen=True)
class Stored:
    """Numbers written in a precision below that of the arithmetic, ``times`` times over."""

    precision: Precision
    times: int = 1

    @property
    def growth(self) -> float:
        """(1 + u)^times - 1."""
        return expm1(self.times * log1p(unit(self.precision)))

    @property
    def underflow(self) -> float:
        """What numbers below the normal range lose: h / 2 each time."""
        return self.times * float(self.precision.smallest_subnormal) / 2

    def __str__(self) -> str:
        often = {1: "once", 2: "twice"}.get(self.times, f"{self.times} times")
        return f"{self.precision.name}, {often}"


@dataclass(frozen=True)
class Contract:
    """Which precision each part of attention is computed and stored in.

    Attributes:
        output: Of the result, stored ``output_times``, and of gradients, stored ``gradient_times``.
        accumulation: Of products and sums in matrix products.
        softmax: Of exp, its sum, and the quotient.
        summation: Of the sum of exponentials, if not ``softmax``; the sum is then stored.
        gradients: Copies of gradients in another precision than the output's: that of the inputs.
        inputs: Copies of query, key, value and upstream gradient, if they are rounded again.
        scores: Copies of scores, if any is stored below ``accumulation``.
        weights: Copies of weights, whether divided by their sum already or not.
        score_gradients: Copies of the gradients of weights and of scores.
        block: Keys in one block of an online softmax; None where there are no blocks.
        exp_ulp: Error of exp, in units in the last place of ``softmax``.
        exp_floor: Exponent below which exp may give zero.
        tanh_ulp: Error of tanh, likewise.
        gradient_block: Terms of a gradient's sum after which it is stored and taken up again; None
            where the sum is stored once.
        in_parts: Whether the shift, exp, its sum and the division are operations of their own. Then
            shifted scores are stored like scores, and where the division comes last, gradients have
            their row sums from the output.
        logarithmic: Whether weights are exp(score - log-sum-exp), not quotients.
        recomputes: Whether the backward pass computes weights anew from log-sum-exp, and row sums
            from the stored output, as fused kernels do.
        differentiates_maximum: Whether gradients flow through the maximum that is subtracted:
            they are zero in exact arithmetic.
    """

    name: str
    output: Precision
    accumulation: Precision
    softmax: Precision
    summation: Precision | None = None
    inputs: Stored | None = None
    scores: Stored | None = None
    weights: Stored | None = None
    score_gradients: Stored | None = None
    output_times: int = 1
    gradient_times: int = 1
    gradients: Stored | None = None
    block: int | None = None
    exp_ulp: float = 1.0
    exp_floor: float | None = None
    tanh_ulp: float = 3.0
    gradient_block: int | None = None
    in_parts: bool = False
    logarithmic: bool = False
    recomputes: bool = False
    differentiates_maximum: bool = False
    statistical: bool = False

    @property
    def stored_output(self) -> Stored:
        """The output's own roundings."""
        return Stored(self.output, self.output_times)

    @property
    def stored_gradient(self) -> Stored:
        """A gradient's own roundings."""
        return Stored(self.output, self.gradient_times)

    @property
    def exp_error(self) -> float:
        """Relative error of exp: a unit in the last place is at most 2 u of the number."""
        return 2 * unit(self.softmax) * self.exp_ulp

    @property
    def exp_lost(self) -> float:
        """What exp may lose where it gives zero or a subnormal number."""
        smallest = float(self.softmax.smallest_normal)
        floor = log(smallest) if self.exp_floor is None else self.exp_floor
        return max(smallest, exp(floor) * (1 + 2.0**-50))

    def blocks(self, keys: int) -> int:
        """How many blocks of keys a query may meet; one more, for keys split among threads."""
        return 1 if self.block is None else ceil(keys / self.block) + 1

    def gradient_parts(self, terms: int) -> int:
        """How often a gradient that is a sum of so many terms is stored."""
        return 1 if self.gradient_block is None else ceil(terms / self.gradient_block)

    def growth(self, roundings: int, precision: Precision) -> float:
        """g(m) = m u / (1 - m u); statistically, at most L sqrt(m) u takes the place of m u."""
        u = unit(precision)
        moved = roundings * u
        if self.statistical:
            moved = min(moved, STATISTICAL * sqrt(roundings) * u)
        return moved / (1 - moved) if moved < 1 else float("inf")

    def sum_growth(self, terms: int, roundings: int) -> float:
        """Relative error of a sum of numbers of one sign, and of a few operations around it.

        The sum is at least nearly 1, the largest of its terms: what underflows counts in full.
        """
        summed = self.growth(terms, self.summation or self.softmax)
        around = self.growth(roundings + 1, self.softmax)
        lost = (terms + roundings) * float(self.softmax.smallest_subnormal)
        return summed + around + summed * around + lost

    def expecting(self) -> Contract:
        """Return the same contract for independent roundings: evidence, not proof."""
        return replace(self, statistical=True)

    def words(self) -> tuple[str, ...]:
        """Say in words what is stated."""
        lines = [f"output in {self.stored_output}" if self.output_times > 1 else ""]
        lines[0] = lines[0] or f"output in {self.output.name}"
        lines.append(f"matrix products accumulate in {self.accumulation.name}")
        floor = "" if self.exp_floor is None else f", exp may be zero below {self.exp_floor:g}"
        lines.append(
            f"softmax in {self.softmax.name}, exp within {self.exp_ulp:g} units in the last place"
            + floor
        )
        if self.summation is not None and self.summation != self.softmax:
            lines.append(f"exponentials added up in {self.summation.name}")
        for name, stored in (
            ("inputs rounded to", self.inputs),
            ("scores stored in", self.scores),
            ("weights stored in", self.weights),
            ("gradients of scores stored in", self.score_gradients),
        ):
            if stored is not None:
                lines.append(f"{name} {stored}")
        if self.block is not None:
            lines.append(f"keys in blocks of {self.block} or more")
        if self.gradient_block is not None:
            lines.append(
                f"sums of gradients stored in {self.output.name} every {self.gradient_block} terms"
            )
        if self.in_parts:
            lines.append("softmax in operations of its own: shift, exp, sum, division")
        if self.logarithmic:
            lines.append("weights may be exp(score - log-sum-exp)")
        if self.recomputes:
            lines.append("weights computed anew for the gradients")
        return tuple(lines)


def unit(precision: Precision) -> float:
    """Return the unit roundoff u = 2^-bits."""
    return float(precision.unit_roundoff)


def _plain(precision: Precision) -> Contract:
    """Everything in one precision, with softmax in operations of its own."""
    return Contract(
        precision.name,
        output=precision,
        accumulation=precision,
        softmax=precision,
        exp_ulp=2,
        in_parts=True,
        differentiates_maximum=True,
    )


def _eager(precision: Precision) -> Contract:
    """Each operation writes its result: scores up to four times, weights, gradients likewise."""
    return Contract(
        f"{precision.name} eager",
        output=precision,
        accumulation=FLOAT32,
        softmax=FLOAT32,
        inputs=Stored(precision),
        scores=Stored(precision, 4),
        weights=Stored(precision),
        score_gradients=Stored(precision, 4),
        output_times=2,
        gradient_times=4,
        exp_ulp=2,
        differentiates_maximum=False,
    )


def _fused(precision: Precision, inputs: Stored | None = None) -> Contract:
    """One kernel: scores stay in float32; a fast exp, blocks of 32 keys or more."""
    narrow = precision if inputs is None else inputs.precision
    stored = None if precision is FLOAT32 and inputs is None else Stored(narrow)
    return Contract(
        f"{precision.name} fused" if inputs is None else "tfloat32 fused",
        output=precision,
        accumulation=FLOAT32,
        softmax=FLOAT32,
        inputs=inputs,
        weights=stored,
        score_gradients=stored,
        block=32,
        exp_ulp=4,
        exp_floor=-86.0,
        recomputes=True,
    )


CONTRACTS = {
    contract.name: contract
    for contract in (
        _plain(FLOAT64),
        replace(_fused(FLOAT32), name="float64 fused", output=FLOAT64, accumulation=FLOAT64,
                softmax=FLOAT64, exp_floor=-700.0),
        _plain(FLOAT32),
        _fused(FLOAT32),
        _fused(FLOAT32, Stored(TFLOAT32)),
        _eager(BFLOAT16),
        _fused(BFLOAT16),
        _eager(FLOAT16),
        _fused(FLOAT16),
    )
}  # fmt: skip
"""Contracts by name: what can be declared in place of one that is inferred."""


def declared(contract: Contract | str) -> Contract:
    """Return a contract, or the one of that name.

    Raises:
        InputError: There is none of that name.
    """
    if isinstance(contract, Contract):
        return contract
    if contract not in CONTRACTS:
        raise InputError(
            "contract", contract, "there is none of this name", f"write one of {_listed()}"
        )
    return CONTRACTS[contract]


def default(dtype: Any) -> Contract:
    """Return the contract that correct programs of this type keep, fused or not.

    Raises:
        InputError: No contract is known for the type.
    """
    names = {
        "float64": "float64 fused",
        "float32": "float32 fused",
        "bfloat16": "bfloat16 eager",
        "float16": "float16 eager",
    }
    name = str(dtype).removeprefix("torch.")
    if name not in names:
        raise InputError(
            "dtype", name, "no contract is known for it", f"write one of {', '.join(names)}"
        )
    return _either(CONTRACTS[names[name]])


def _either(contract: Contract) -> Contract:
    """Widen a contract so that eager and fused programs both keep it."""
    return replace(
        contract,
        name=contract.output.name,
        block=contract.block or 32,
        exp_ulp=max(contract.exp_ulp, 4),
        exp_floor=-86.0 if contract.softmax is FLOAT32 else -700.0,
        in_parts=True,
        logarithmic=True,
        recomputes=True,
        differentiates_maximum=True,
    )


def _listed() -> str:
    return ", ".join(repr(name) for name in CONTRACTS)
