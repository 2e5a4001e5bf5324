"""Where there are few primes to draw from, the chance of a false pass is said to be as large."""

import torch

from derive.verdict import Verdict
from numeric import verify

TOPS = (71850239, 89591039, 98239679, 130542719)
"""All largest primes of four levels modulo which 3, 5, 7 and 11 are squares."""


def threefold(x):
    value = torch.exp(torch.exp(torch.exp(x / 10) / 10) / 10)
    for number in (3, 5, 7, 11):
        value = value * number**0.5
    return value


def off_by_a_multiple_of_all_primes(x):
    value = threefold(x)
    error = value
    for prime in TOPS:
        error = error * float(prime)
    return value + error


def test_a_difference_that_every_prime_divides_does_not_pass():
    report = verify(
        threefold, off_by_a_multiple_of_all_primes, (torch.randn(2),), other_shapes=False
    )
    assert not report.verdict.passed


def many_roots(x):
    for number in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31):
        x = x * number**0.5
    return x


def test_no_prime_is_looked_for_without_end():
    report = verify(many_roots, lambda x: 1 * many_roots(x), (torch.randn(2),), other_shapes=False)
    assert report.verdict is Verdict.UNDECIDED
    assert "too few primes" in str(report)
