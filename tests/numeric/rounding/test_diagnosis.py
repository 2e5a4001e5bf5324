"""Each known mistake is named, and what is right is not blamed for any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from sympy import Rational

from derive.options import Options
from numeric.rounding.contract import CONTRACTS, default
from numeric.rounding.diagnosis import diagnosis, keeps, looser_contracts
from numeric.rounding.problem import Problem, problem
from numeric.rounding.reference import forward

Array = Any
RANDOM = numpy.random.default_rng(3)
QUERY = RANDOM.standard_normal((1, 4, 9, 8)).astype(numpy.float32).astype(numpy.float64)
KEY = RANDOM.standard_normal((1, 2, 9, 8)).astype(numpy.float32).astype(numpy.float64)
VALUE = RANDOM.standard_normal((1, 2, 9, 6)).astype(numpy.float32).astype(numpy.float64)
BIAS = RANDOM.standard_normal((9, 9)).astype(numpy.float32).astype(numpy.float64)
CONTRACT = default("float32")


def posed(numbers: Array = None, **options: Any) -> Problem:
    options.setdefault("grouped", "consecutive")
    return problem(QUERY, KEY, VALUE, Options(leading=2, **options), bias=numbers)


def computed(of: Problem) -> Array:
    return forward(of).output.value.astype(numpy.float32).astype(numpy.float64)


RIGHT = posed(causal="top-left")
CASES: dict[str, tuple[Problem, Callable[[], Array]]] = {
    "the scale is left out": (RIGHT, lambda: computed(posed(causal="top-left", scale=1))),
    "the scale is 1/d, not 1/sqrt(d)": (
        RIGHT,
        lambda: computed(posed(causal="top-left", scale=Rational(1, 8))),
    ),
    "the scale is 0.41, not 0.353553": (
        RIGHT,
        lambda: computed(posed(causal="top-left", scale=Rational(41, 100))),
    ),
    "every key is seen: nothing is masked": (RIGHT, lambda: computed(posed())),
    "heads share keys interleaved, head modulo kv_heads": (
        RIGHT,
        lambda: computed(posed(causal="top-left", grouped="interleaved")),
    ),
    "the bias is left out": (posed(BIAS, bias="ij"), lambda: computed(posed())),
    "the soft cap is left out": (posed(soft_cap=Rational(2)), lambda: computed(posed())),
}


@pytest.mark.parametrize("name", CASES)
def test_a_known_mistake_is_named(name: str) -> None:
    right, wrong = CASES[name]
    assert name in diagnosis(right, CONTRACT, wrong())


def test_numbers_that_nothing_explains_are_blamed_on_nothing() -> None:
    assert diagnosis(RIGHT, CONTRACT, computed(RIGHT) + 0.25) == ()
    assert diagnosis(RIGHT, CONTRACT, numpy.full((*RIGHT.query.shape[:2], 6), numpy.nan)) == ()


def test_a_rounded_output_is_recognised_by_its_numbers() -> None:
    actual = torch.from_numpy(computed(RIGHT)).bfloat16().double().numpy()
    names = [
        contract.name
        for contract in looser_contracts(CONTRACT, actual)
        if keeps(RIGHT, contract, actual)
    ]
    assert names[0] == "its output rounded to bfloat16"
    contract = CONTRACTS["float32"]
    assert not any(
        "its output" in other.name for other in looser_contracts(contract, computed(RIGHT))
    )
