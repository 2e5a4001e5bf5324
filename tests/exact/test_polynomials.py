"""Polynomials against SymPy, and that no exponent spills into its neighbour."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from derive.exact.polynomials import (
    GREATEST,
    ExponentOverflow,
    Polynomial,
    Ring,
    Rule,
    TooManyTerms,
    constant,
    from_fractions,
    generator_power,
    monomial,
    power,
    same,
    scaled,
    total,
)

SYMBOLS = sympy.symbols("x y z", positive=True)

coefficients = st.fractions(-5, 5, max_denominator=6).filter(bool)
exponents = st.tuples(*[st.integers(-3, 3)] * 3)
polynomials = st.dictionaries(exponents, coefficients, max_size=5)


def ring() -> Ring:
    result = Ring(limit_terms=1000)
    for _ in SYMBOLS:
        result.new()
    return result


def packed(terms: dict[tuple[int, ...], Fraction]) -> Polynomial:
    return from_fractions(
        {sum(power(g, e) for g, e in enumerate(each)): value for each, value in terms.items()},
        GREATEST,
    )


def as_sympy(within: Ring, polynomial: Polynomial) -> sympy.Expr:
    return sympy.Add(
        *(
            sympy.Rational(value.numerator, value.denominator)
            * sympy.Mul(*(SYMBOLS[g] ** e for g, e in within.exponents(held).items()))
            for held, value in polynomial.fractions()
        )
    )


@given(polynomials, polynomials)
def test_sums_and_products_are_those_of_sympy(
    first: dict[tuple[int, ...], Fraction], second: dict[tuple[int, ...], Fraction]
) -> None:
    within = ring()
    left, right = packed(first), packed(second)
    one, other = as_sympy(within, left), as_sympy(within, right)
    assert sympy.expand(as_sympy(within, total([left, right])) - one - other) == 0
    assert sympy.expand(as_sympy(within, within.multiply(left, right)) - one * other) == 0
    assert sympy.expand(as_sympy(within, scaled(left, Fraction(-2, 3))) + one * 2 / 3) == 0


@given(polynomials, polynomials, polynomials)
def test_reduced_products_have_the_same_values(
    first: dict[tuple[int, ...], Fraction],
    second: dict[tuple[int, ...], Fraction],
    rest: dict[tuple[int, ...], Fraction],
) -> None:
    """With x^2 = y z + rest in y, z, every product has its value where that holds."""
    within = ring()
    free = packed({(0, abs(b), abs(c)): value for (_, b, c), value in rest.items()})
    replacement = total([free, monomial(power(1) + power(2))])
    within.add_rule(Rule(((0, 2),), replacement))
    reduced = within.multiply(packed(first), packed(second))
    assert all(within.exponents(held).get(0, 0) < 2 for held in reduced.terms)
    # A square root of a rational may be irrational: compare modulo x^2 - replacement instead.
    x = SYMBOLS[0]
    difference = as_sympy(within, reduced) - as_sympy(ring(), packed(first)) * as_sympy(
        ring(), packed(second)
    )
    cleared = sympy.expand(sympy.expand(difference) * x**6 * SYMBOLS[1] ** 6 * SYMBOLS[2] ** 6)
    modulus = x**2 - as_sympy(within, replacement)
    assert sympy.rem(cleared, modulus, x) == 0 or sympy.expand(sympy.rem(cleared, modulus, x)) == 0


def test_equal_polynomials_have_equal_keys() -> None:
    half = Polynomial({0: 2, 1: 4}, 4)
    assert same(half, Polynomial({0: 1, 1: 2}, 2))
    assert half.key() == Polynomial({1: 2, 0: 1}, 2).key()
    assert not same(half, Polynomial({0: 1, 1: 2}, 3))


def test_terms_that_cancel_are_gone() -> None:
    x = generator_power(0)
    assert not total([x, scaled(x, -1)])
    assert not constant(0)


@pytest.mark.parametrize("sign", [1, -1])
def test_too_large_an_exponent_is_an_error_and_no_other_monomial(sign: int) -> None:
    within = ring()
    value = generator_power(0, sign * 20)
    with pytest.raises(ExponentOverflow):
        within.multiply(value, value)
    with pytest.raises(ExponentOverflow):
        power(0, sign * (GREATEST + 1))


def test_a_fourth_root_is_reduced_for_negative_powers_too() -> None:
    within = ring()
    root = generator_power(0)
    within.add_rule(Rule(((0, 4),), constant(2)))
    within.add_rule(Rule(((0, -1),), monomial(power(0, 3), Fraction(1, 2))))
    inverse = within.reduce(generator_power(0, -1))
    assert same(within.multiply(inverse, root), constant(1))
    assert same(within.product([root] * 8), constant(4))


def test_the_number_of_terms_is_limited() -> None:
    within = Ring(limit_terms=3)
    variables = [generator_power(within.new()) for _ in range(3)]
    whole = total([*variables, constant(1)])
    with pytest.raises(TooManyTerms):
        within.multiply(whole, whole)


def test_rewriting_that_does_not_end_is_stopped() -> None:
    within = Ring(limit_terms=3)
    x = within.new()
    within.add_rule(Rule(((x, 1),), total([generator_power(x), constant(1)])))
    with pytest.raises(TooManyTerms):
        within.reduce(generator_power(x))
