from __future__ import annotations

import math
from fractions import Fraction
from random import Random
from typing import Any

import mpmath
import numpy
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from derive.attention import MECHANISMS, RAW, SOFTMAX
from derive.elements import Elements
from derive.examples import load
from derive.formula import Mechanism, a, s, x, z
from numeric.balls import computed, working_bits
from numeric.bounds import Rounded, Rounding, rounding_bounds
from numeric.precision import FLOAT32, FLOAT64, Precision

SELF_ATTENTION = ["raw", "sum", "softmax", "shifted", "scaled"]
SHORT = Precision("short", 11)
"""Few bits, no limits: rounding errors are large, and higher-order terms matter."""

Vectors = list[list[Fraction]]


def vectors(scale: int = 1) -> st.SearchStrategy[Vectors]:
    entry = st.integers(-999, 999).map(lambda value: Fraction(value * scale, 500))
    sizes = st.tuples(st.integers(1, 5), st.integers(1, 4))
    return sizes.flatmap(
        lambda size: st.lists(
            st.lists(entry, min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]
        )
    )


def as_array(rows: Vectors) -> Any:
    entries = numpy.empty((len(rows), len(rows[0])), dtype=object)
    for place in numpy.ndindex(*entries.shape):
        entries[place] = rows[place[0]][place[1]]
    return entries


def broken_bound(mechanism: Mechanism, found: dict[Any, Any], expected: dict[Any, Any]) -> str:
    """Name the first entry that is surely beyond its bound; empty if there is none."""
    for stage in mechanism.stages:
        for place in numpy.ndindex(*expected[stage.array].shape):
            rounded = expected[stage.array][place]
            if abs(computed(found[stage.array][place]) - rounded.exact) > rounded.error:
                return f"{stage.array}{place}"
    return ""


def worst_case(
    adversary: Any, mechanism: Mechanism, rows: Any, precision: Precision, seed: int, towards: int
) -> dict[Any, Any]:
    with mpmath.workdps(100):
        algebra = adversary(precision, 1, Random(seed), towards)
        given_x = numpy.empty(rows.shape, dtype=object)
        for place in numpy.ndindex(*rows.shape):
            exact = mpmath.mpf(rows[place].numerator) / rows[place].denominator
            kept = precision.round(rows[place]) == rows[place]
            given_x[place] = exact if kept else algebra.rounded(exact)
        return Elements(algebra, {x: given_x}).run(mechanism.stages)


@pytest.mark.parametrize("precision", [SHORT, FLOAT32, FLOAT64], ids=lambda p: p.name)
@pytest.mark.parametrize("name", SELF_ATTENTION)
@given(rows=vectors(), seed=st.integers(0, 2**32), towards=st.sampled_from([-1, 0, 1]))
def test_no_rounding_that_the_model_allows_is_beyond_the_bound(
    adversary: Any, name: str, precision: Precision, rows: Vectors, seed: int, towards: int
) -> None:
    mechanism, entries = MECHANISMS[name], as_array(rows)
    try:
        expected = rounding_bounds(mechanism, {x: entries}, precision, 1)
        found = worst_case(adversary, mechanism, entries, precision, seed, towards)
    except ZeroDivisionError:
        return
    with working_bits(precision):
        assert broken_bound(mechanism, found, expected) == ""


@pytest.mark.parametrize(("kind", "precision"), [("float32", FLOAT32), ("float64", FLOAT64)])
@pytest.mark.parametrize("name", SELF_ATTENTION)
@given(
    rows=vectors(),
    exponent=st.sampled_from([-160, -110, -70, -24, -20, -4, 0, 2, 5]),
    seed=st.integers(0, 2**32),
)
def test_no_float_in_any_order_is_beyond_the_bound(
    floats: Any, name: str, kind: str, precision: Precision, rows: Vectors, exponent: int, seed: int
) -> None:
    mechanism = MECHANISMS[name]
    entries = as_array(rows) * Fraction(10) ** exponent
    type_ = numpy.dtype(kind).type
    rounded = numpy.frompyfunc(lambda value: type_(float(precision.round(value))), 1, 1)(entries)
    try:
        expected = rounding_bounds(mechanism, {x: entries}, precision, 3)
    except ZeroDivisionError:
        return
    with numpy.errstate(all="ignore"):
        found = Elements(floats(type_, Random(seed)), {x: rounded}).run(mechanism.stages)
    with working_bits(precision):
        assert broken_bound(mechanism, found, expected) == ""


class NoProductRounding(Rounding):
    def multiply(self, factors: Any) -> Rounded:
        found = super().multiply(factors)
        own = self.accumulated(len(factors) - 1) * abs(found.exact)
        return Rounded(found.exact, found.error - own)


class NoSumRounding(Rounding):
    def add(self, terms: Any) -> Rounded:
        found = super().add(terms)
        return Rounded(found.exact, sum((term.error for term in terms), arb(0)))


class OneRoundingInAQuotient(Rounding):
    def divide(self, numerator: Rounded, denominator: Rounded) -> Rounded:
        found = super().divide(numerator, denominator)
        return Rounded(found.exact, found.error - self.u * abs(found.exact))


class DenominatorTakenAsExact(Rounding):
    def divide(self, numerator: Rounded, denominator: Rounded) -> Rounded:
        return super().divide(numerator, Rounded(denominator.exact, arb(0)))


class ExponentTakenAsExact(Rounding):
    def exp(self, exponent: Rounded) -> Rounded:
        return super().exp(Rounded(exponent.exact, arb(0)))


class ExactExp(Rounding):
    def __init__(self, precision: Precision, _: Any, function_ulp: Any = None) -> None:
        super().__init__(precision, 0, function_ulp)


class ExactInputs(Rounding):
    def number(self, value: Any) -> Rounded:
        return Rounded(super().number(value).exact, arb(0))


class ExactRoot(Rounding):
    def sqrt(self, radicand: Rounded) -> Rounded:
        return Rounded(super().sqrt(radicand).exact, arb(0))


class NoErrorInTheLargest(Rounding):
    def largest(self, values: Any) -> Rounded:
        return Rounded(super().largest(values).exact, arb(0))


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        (NoProductRounding, "raw"),
        (NoSumRounding, "raw"),
        (OneRoundingInAQuotient, "sum"),
        (DenominatorTakenAsExact, "sum"),
        (ExponentTakenAsExact, "softmax"),
        (ExactExp, "softmax"),
        (ExactInputs, "raw"),
        (ExactRoot, "scaled"),
        (NoErrorInTheLargest, "shifted"),
    ],
)
def test_a_rule_that_leaves_something_out_is_caught(
    adversary: Any, monkeypatch: pytest.MonkeyPatch, broken: type[Rounding], name: str
) -> None:
    mechanism, random = MECHANISMS[name], Random(0)
    monkeypatch.setattr("numeric.bounds.Rounding", broken)
    for attempt in range(2000):
        tokens, dimensions = random.choice((1, 2, 5)), random.choice((1, 2))
        # Ones leave a quotient's own roundings alone: products with them are exact.
        entries = [
            Fraction(random.choice((997, random.randint(1, 999))), 997)
            for _ in range(tokens * dimensions)
        ]
        rows = numpy.array(entries, dtype=object).reshape(tokens, dimensions)
        expected = rounding_bounds(mechanism, {x: rows}, SHORT, 1)
        found = worst_case(adversary, mechanism, rows, SHORT, attempt, random.choice((-1, 0, 1)))
        with working_bits(SHORT):
            if broken_bound(mechanism, found, expected):
                return
    pytest.fail(f"{broken.__name__} was never caught")


class NoUnderflow(Rounding):
    def __init__(self, precision: Precision, exp_ulp: int, function_ulp: Any = None) -> None:
        super().__init__(precision, exp_ulp, function_ulp)
        self.underflow = arb(0)


@pytest.mark.parametrize(("rules", "caught"), [(Rounding, False), (NoUnderflow, True)])
def test_underflow_must_be_counted(
    monkeypatch: pytest.MonkeyPatch, rules: type[Rounding], caught: bool
) -> None:
    monkeypatch.setattr("numeric.bounds.Rounding", rules)
    entries = as_array([[Fraction(1, 10**23), Fraction(3, 10**23)]])
    small = entries.astype("float32")
    expected = rounding_bounds(RAW, {x: entries}, FLOAT32, 1)
    score = small[0] @ small[0]
    with working_bits(FLOAT32):
        rounded = expected[s][0, 0]
        assert bool(abs(computed(score) - rounded.exact) > rounded.error) is caught


def test_the_bound_of_a_dot_product_is_nearly_reached(adversary: Any) -> None:
    # All terms positive and all roundings one way: what is left is the order of the sum.
    rows = as_array([[Fraction(7, 10), Fraction(9, 10), Fraction(8, 10), Fraction(6, 10)]])
    rounded = rounding_bounds(RAW, {x: rows}, FLOAT32, 1)[s][0, 0]
    ratios = []
    for seed in range(20):
        found = worst_case(adversary, RAW, rows, FLOAT32, seed, 1)[s][0, 0]
        with working_bits(FLOAT32):
            ratios.append(float((abs(computed(found) - rounded.exact) / rounded.error).mid()))
    assert 0.7 < max(ratios) <= 1


def test_the_bound_of_a_product_is_reached(adversary: Any) -> None:
    rows = as_array([[Fraction(7, 10)]])
    rounded = rounding_bounds(RAW, {x: rows}, FLOAT32, 1)[s][0, 0]
    found = {worst_case(adversary, RAW, rows, FLOAT32, seed, 1)[s][0, 0] for seed in range(9)}
    with working_bits(FLOAT32):
        ratio = max(abs(computed(value) - rounded.exact) / rounded.error for value in found)
        assert 0.999 < ratio <= 1


@pytest.mark.parametrize(("sentence", "most"), [("jim-john", 45), ("journey", 45)])
def test_bounds_of_the_worked_sentences_are_a_few_units(sentence: str, most: int) -> None:
    for mechanism in (SOFTMAX, MECHANISMS["shifted"]):
        expected = rounding_bounds(mechanism, {x: load(sentence).array()}, FLOAT32, 1)
        with working_bits(FLOAT32):
            for base in (s, a, z):
                for rounded in expected[base].ravel():
                    assert rounded.error / rounded.exact < most * 2.0**-23


def test_gamma_is_the_textbooks() -> None:
    with working_bits(FLOAT32):
        gamma = Rounding(FLOAT32, 1).accumulated(3)
        exact = 3 * FLOAT32.unit_roundoff / (1 - 3 * FLOAT32.unit_roundoff)
        assert gamma.contains(arb(exact.numerator) / arb(exact.denominator))


RULES = Rounding(FLOAT32, 1)
TINY, HUGE = Fraction(1, 10**30), Fraction(10**30)


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (lambda: RULES.exp(RULES.number(Fraction(89))), "overflow float32"),
        (lambda: RULES.multiply([RULES.number(HUGE)] * 2), "overflow float32"),
        (
            lambda: RULES.multiply([RULES.number(v) for v in (HUGE, TINY, HUGE, TINY)]),
            "overflow float32",
        ),
        (lambda: RULES.add([RULES.number(HUGE * 10**8)] * 4), "overflow float32"),
        (lambda: RULES.number(HUGE * HUGE), "beyond the range of float32"),
        (lambda: RULES.divide(RULES.number(HUGE), RULES.number(TINY)), "overflow float32"),
        (lambda: RULES.sqrt(RULES.number(Fraction(-1))), "negative"),
        (
            lambda: RULES.divide(RULES.number(Fraction(1)), Rounded(arb(1), arb(2))),
            "rounded to zero",
        ),
    ],
)
def test_what_cannot_be_bounded_has_an_infinite_bound_with_its_cause(
    result: Any, cause: str
) -> None:
    with working_bits(FLOAT32):
        found = result()
        assert not found.error.is_finite()
        assert cause in found.cause
        for later in (
            RULES.add([found, RULES.number(Fraction(1))]),
            RULES.multiply([found, RULES.number(Fraction(0))]),
            RULES.divide(RULES.number(Fraction(1)), found),
            RULES.divide(found, RULES.number(Fraction(2))),
            RULES.exp(found),
            RULES.sqrt(found),
            RULES.largest([found, RULES.number(Fraction(5))]),
        ):
            assert not later.error.is_finite()
            assert cause in later.cause


def test_a_denominator_that_is_exactly_zero_is_refused() -> None:
    with pytest.raises(ZeroDivisionError):
        RULES.divide(RULES.number(Fraction(1)), RULES.number(Fraction(0)))


def test_the_root_of_zero_is_zero() -> None:
    found = RULES.sqrt(RULES.number(Fraction(0)))
    assert found.exact == 0
    assert found.error == 0


def test_whole_numbers_round_nothing() -> None:
    entries = as_array([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(-1)]])
    for rounded in rounding_bounds(RAW, {x: entries}, FLOAT64, 1)[s].ravel():
        assert rounded.error < 2.0**-52


def test_only_the_rows_asked_for_are_worked_out() -> None:
    entries = as_array([[Fraction(value, 7)] for value in range(1, 6)])
    some = rounding_bounds(SOFTMAX, {x: entries}, FLOAT64, 1, rows=(1, 3))
    every = rounding_bounds(SOFTMAX, {x: entries}, FLOAT64, 1)
    for base in (s, a, z):
        for row in range(5):
            for part, whole in zip(some[base][row], every[base][row], strict=True):
                if row in (1, 3):
                    assert part.exact.overlaps(whole.exact)
                    assert float(part.error.mid()) == float(whole.error.mid())
                else:
                    assert part is None


@pytest.mark.parametrize("name", ["tanh", "cos", "sin"])
def test_a_function_is_bounded_only_where_its_error_is_stated(name: str) -> None:
    argument = Rounding(FLOAT64, 1).number(Fraction(1, 3))
    assert not getattr(Rounding(FLOAT64, 1), name)(argument).error.is_finite()
    bounded = getattr(Rounding(FLOAT64, 1, function_ulp=2), name)(argument)
    computed = getattr(math, name)(1 / 3)
    assert abs(arb(computed) - bounded.exact) <= bounded.error
    assert bounded.error < 1e-14
    # What the argument is off by reaches the result in full where the slope is one.
    exact = getattr(Rounding(FLOAT64, 1, function_ulp=0), name)(argument)
    assert float(exact.error) == pytest.approx(float(argument.error))
