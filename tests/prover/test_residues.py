"""Residues: the identities that they must see, and the differences that they must not miss."""

from random import Random

import numpy
import pytest

from derive.algebras import prime_chain
from derive.algebras.degrees import FREE, Degree
from derive.algebras.residues import NeedsLevel, NeedsSquare, ResidueArrays, Unlucky
from derive.constants import recognised

SEEDS = range(8)


def constant(algebra, value, shape=()):
    return algebra.constants([recognised(value)], numpy.zeros(shape, dtype=numpy.intp))


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed {seed}")
def algebra(request):
    return ResidueArrays(Random(request.param), levels=3)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_chain_is_what_it_says(length):
    chain = prime_chain.draw(Random(length), length, squares=(2, 3, 5))
    assert len(chain.primes) == length
    for prime in chain.primes:
        assert all(prime % k for k in range(2, 70000) if k * k <= prime)
        assert prime % 8 == 7
        assert all(prime_chain.is_square(n, prime) for n in (2, 3, 5))
    for low, high, w in zip(chain.primes, chain.primes[1:], chain.generators, strict=False):
        assert (high - 1) % low == 0
        assert w != 1
        assert pow(w, low, high) == 1


@pytest.mark.parametrize("number", [0, 1, 2, 9, 561, 3215031751 - 2, 2147483647, 25326001])
def test_primes_are_told_from_others(number):
    by_division = number > 1 and all(number % k for k in range(2, int(number**0.5) + 1))
    assert prime_chain.is_prime(number) == by_division


def test_exp_turns_sums_into_products(algebra):
    a, b = algebra.free((5,)), algebra.free((5,))
    together = algebra.exp(algebra.add(a, b))
    apart = algebra.multiply(algebra.exp(a), algebra.exp(b))
    assert algebra.same(together, apart).all()
    assert not algebra.same(together, algebra.exp(a)).any()


def test_exp_of_exp_needs_a_level_for_each():
    algebra = ResidueArrays(Random(1), levels=2)
    once = algebra.exp(algebra.free((2,)))
    with pytest.raises(NeedsLevel):
        algebra.exp(once)


def test_past_the_longest_chain_exp_is_a_function_like_any_other():
    algebra = ResidueArrays(Random(1), levels=4)
    value = algebra.free((2,))
    for _ in range(4):
        value = algebra.exp(value)
    assert "exp" in algebra.used


def test_log_undoes_exp_and_a_sum_of_logs_is_the_log_of_a_product(algebra):
    a, b = algebra.exp(algebra.free((4,))), algebra.exp(algebra.free((4,)))
    assert algebra.same(algebra.exp(algebra.log(a)), a).all()
    sum_of_logs = algebra.add(algebra.log(a), algebra.log(b))
    assert algebra.same(sum_of_logs, algebra.log(algebra.multiply(a, b))).all()
    assert not algebra.same(sum_of_logs, algebra.log(algebra.add(a, b))).any()


def test_roots_of_constants_multiply():
    algebra = ResidueArrays(Random(3), squares=(2, 3, 6))
    two, three, six = (constant(algebra, n**0.5) for n in (2, 3, 6))
    assert algebra.same(algebra.multiply(two, three), six)
    quarter = constant(algebra, 2**-0.25)
    assert algebra.same(algebra.multiply(quarter, quarter), algebra.inverse(two))


@pytest.mark.parametrize("seed", SEEDS)
def test_three_roots_of_two_are_the_root_of_eighteen(seed):
    algebra = ResidueArrays(Random(seed), levels=3, squares=(2,))
    product = algebra.multiply(constant(algebra, 3.0), constant(algebra, 2**0.5))
    assert algebra.same(product, constant(algebra, 18**0.5))
    fourth = algebra.multiply(constant(algebra, 2.0), constant(algebra, 0.5**0.25))
    assert algebra.same(algebra.multiply(fourth, fourth), constant(algebra, 8**0.5))


def test_a_root_that_is_missing_is_asked_for():
    missing = []
    for seed in range(64):
        algebra = ResidueArrays(Random(seed))
        if not all(prime_chain.is_square(5, prime) for prime in algebra.chain.primes):
            missing.append(algebra)
    assert missing
    for algebra in missing:
        with pytest.raises(NeedsSquare):
            constant(algebra, 5**0.5)


def test_an_inverse_undoes_and_a_zero_is_unlucky(algebra):
    a = algebra.free((3, 2))
    ones = constant(algebra, 1.0, (3, 2))
    assert algebra.same(algebra.multiply(a, algebra.inverse(a)), ones).all()
    with pytest.raises(Unlucky):
        algebra.inverse(algebra.add(a, algebra.negate(a)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (5, 300, 7)])
def test_matrix_products_are_exact(shape, algebra):
    rows, inner, columns = shape
    left, right = algebra.free((rows, inner)), algebra.free((inner, columns))
    found = algebra.matmul(left, right)
    for level, (a, b) in enumerate(zip(left.levels, right.levels, strict=True)):
        exact = a.astype(object) @ b.astype(object) % algebra.chain.primes[level]
        assert (found.levels[level] == exact).all()


def test_a_function_gives_equal_values_for_equal_arguments_only(algebra):
    a, b = algebra.free((6,)), algebra.free((6,))
    assert algebra.same(algebra.function("erf", a), algebra.function("erf", a)).all()
    assert not algebra.same(algebra.function("erf", a), algebra.function("erf", b)).any()
    assert not algebra.same(algebra.function("erf", a), algebra.function("abs", a)).any()
    long = "a long name that ends in one", "a long name that ends in two"
    assert not algebra.same(*(algebra.function(name, a) for name in long)).any()


def test_tanh_and_sigmoid_through_exp_see_that_they_are_one():
    """tanh(x) = 2 sigmoid(2 x) - 1."""
    opaque, expanded = (ResidueArrays(Random(2), expand=expand) for expand in (False, True))
    for algebra, expected in ((opaque, False), (expanded, True)):
        x = algebra.free((4,))
        twice = algebra.function("sigmoid", algebra.add(x, x))
        rewritten = algebra.add(algebra.add(twice, twice), constant(algebra, -1.0, (4,)))
        assert algebra.same(algebra.function("tanh", x), rewritten).all() == expected


def test_the_largest_of_a_set_does_not_depend_on_its_order(algebra):
    a = algebra.free((2, 5))
    everywhere = numpy.ones((2, 5), dtype=bool)
    turned = algebra.rearranged(lambda x: x[:, ::-1], a)
    assert algebra.same(algebra.largest(a, everywhere), algebra.largest(turned, everywhere)).all()
    fewer = everywhere.copy()
    fewer[:, 0] = False
    assert not algebra.same(algebra.largest(a, everywhere), algebra.largest(a, fewer)).any()
    alone = numpy.eye(2, 5, dtype=bool)
    only = algebra.rearranged(lambda x: x[[0, 1], [0, 1]], a)
    assert algebra.same(algebra.largest(a, alone), only).all()


def test_degrees_of_a_softmax_are_those_of_its_common_denominator():
    exponentials = FREE
    total = exponentials
    weights = exponentials.times(total.inverse(4))
    assert weights == weights.plus(weights)
    assert weights.denominator == 4
    assert weights.numerator == 1 + 3
    assert weights.times(FREE).numerator == 5


def test_degrees_bound_the_true_degree():
    """x^3 + 1/y over 2 elements of y: (x^3 y y' + y') / (y y')."""
    cube = FREE.times(FREE).times(FREE)
    found = cube.plus(FREE.inverse(2))
    assert found.denominator == 2
    assert found.numerator == 5
    assert Degree(3).plus(Degree(7)).numerator == 7


def test_how_often_a_difference_hides_is_within_the_bound():
    """x^30 - y^30 at points of a field with 31 elements: at most 30/31 of them are zero."""
    prime, degree = 31, 5
    points = [(x, y) for x in range(prime) for y in range(prime)]
    zeros = sum((pow(x, degree, prime) - pow(y, degree, prime)) % prime == 0 for x, y in points)
    assert zeros / len(points) <= degree / prime
