from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from sympy import Expr, Rational, Sum, exp, sqrt

from derive.algebras.decimal import Decimal
from derive.algebras.exact import Exact
from derive.attention import MECHANISMS, SCALED, SOFTMAX, SUM_NORMALISED
from derive.evidence import REFUTED, WITHIN_BOUND, Comparison
from derive.examples import BUILT_IN, load
from derive.formula import Choice, D, K, Mechanism, Q, Stage, V, a, d, i, j, k, n, s, total, x, z
from derive.score import dot_product
from derive.weighted_sum import weighted_sum
from derive.worked import work_out
from numeric import reference
from numeric.computing import Computation, as_shown, generated, lambdified, torch_code
from numeric.evaluate import Arrays, Backend
from numeric.precision import FLOAT32, FLOAT64, Precision
from numeric.verification import check

PRECISIONS = [FLOAT64, FLOAT32]
SCORE, OUTPUT = dot_product(x, x), weighted_sum(x, k)


def attention(
    score: Expr | None = None,
    denominator: Expr | None = None,
    weight: Expr | None = None,
    context: Expr | None = None,
) -> Mechanism:
    """Return softmax attention with other right-hand sides, where they are given."""
    normaliser = (
        Stage(D[i], total(exp(s[i, j]), j) if denominator is None else denominator),
        Stage(a[i, j], exp(s[i, j]) / D[i] if weight is None else weight),
    )
    return Mechanism(
        "altered",
        (
            SCORE if score is None else Choice("score", "altered", (Stage(s[i, j], score),)),
            Choice("normalise", "altered", normaliser),
            OUTPUT if context is None else Choice("", "altered", (Stage(z[i, k], context),)),
        ),
    )


WRONG_FORMULAS = {
    "no exp in the denominator": (attention(denominator=total(s[i, j], j)), {"D", "a", "z"}),
    "no exp in the numerator": (attention(weight=s[i, j] / D[i]), {"a", "z"}),
    "no denominator": (attention(weight=exp(s[i, j])), {"a", "z"}),
    "weights transposed": (attention(context=total(a[j, i] * x[j, k], j)), {"z"}),
    "sum starts one late": (attention(context=Sum(a[i, j] * x[j, k], (j, 2, n))), {"z"}),
    "denominator starts one late": (
        attention(denominator=Sum(exp(s[i, j]), (j, 2, n))),
        {"D", "a", "z"},
    ),
    "dimension starts one late": (
        attention(score=Sum(x[i, k] * x[j, k], (k, 2, d))),
        {"s", "D", "a", "z"},
    ),
    "the query's vector for the value's": (attention(context=total(a[i, j] * x[i, k], j)), {"z"}),
    "the first vector for the value's": (attention(context=total(a[i, j] * x[1, k], j)), {"z"}),
    "another row's denominator": (attention(weight=exp(s[i, j]) / D[1]), {"a", "z"}),
    "a sign": (attention(score=-total(x[i, k] * x[j, k], k)), {"s", "D", "a", "z"}),
    "a part in ten thousand": (
        attention(score=total(x[i, k] * x[j, k], k) * Rational(10001, 10000)),
        {"s", "D", "a", "z"},
    ),
}


def refuted(comparisons: tuple[Comparison, ...]) -> set[str]:
    assert comparisons
    for row in comparisons:
        assert (row.verdict == WITHIN_BOUND) is (row.reason == "")
        assert row.verdict in (WITHIN_BOUND, REFUTED)
        if row.ratio is not None:
            assert (row.ratio > 1) is (row.verdict == REFUTED)
    return {row.stage for row in comparisons if row.verdict == REFUTED}


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
@pytest.mark.parametrize("sentence", BUILT_IN)
@pytest.mark.parametrize("name", WRONG_FORMULAS)
def test_torch_refutes_a_wrong_formula(name: str, sentence: str, precision: Precision) -> None:
    wrong, stages = WRONG_FORMULAS[name]
    way = replace(torch_code("softmax", precision)[0], mechanism=wrong)
    assert refuted(check(load(sentence), [way])) == stages


PARTS_OF_AXES = {name for name in WRONG_FORMULAS if re.search("late|first|another row", name)}
"""Formulas that the array code, which works on whole axes, is not generated for."""


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", WRONG_FORMULAS)
def test_a_wrong_formula_compiled_is_refuted(
    name: str, backend: Backend, precision: Precision
) -> None:
    wrong, stages = WRONG_FORMULAS[name]
    way = replace(lambdified("softmax", wrong, backend, precision), mechanism=SOFTMAX)
    assert refuted(check(load("journey"), [way])) == stages


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", sorted(WRONG_FORMULAS.keys() - PARTS_OF_AXES))
def test_array_code_of_a_wrong_formula_is_refuted(
    name: str, backend: Backend, precision: Precision
) -> None:
    wrong, stages = WRONG_FORMULAS[name]
    way = replace(generated("softmax", wrong, backend, precision), mechanism=SOFTMAX)
    assert refuted(check(load("journey"), [way])) == stages


@pytest.mark.parametrize("make", [lambdified, generated])
@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
def test_a_formula_that_is_not_altered_passes(make: Any, precision: Precision) -> None:
    way = replace(make("softmax", attention(), "torch", precision), mechanism=SOFTMAX)
    assert refuted(check(load("journey"), [way])) == set()


@pytest.mark.parametrize(
    ("computed", "expected"),
    [
        (SOFTMAX, SCALED),
        (SCALED, SOFTMAX),
        (
            attention(score=total(x[i, k] * x[j, k], k) / d),
            SCALED,
        ),
        (attention(score=total(x[i, k] * x[j, k], k) * sqrt(d)), SCALED),
        (SUM_NORMALISED, SOFTMAX),
    ],
    ids=["no scale", "scale too much", "d for its root", "multiplied", "other normaliser"],
)
def test_another_mechanism_is_refuted(computed: Mechanism, expected: Mechanism) -> None:
    way = replace(lambdified("", computed, "numpy", FLOAT32), mechanism=expected)
    assert refuted(check(load("jim-john"), [way])) >= {"a", "z"}


def _altered(change: Callable[[dict[Any, Any]], dict[Any, Any]]) -> Computation:
    right = torch_code("softmax", FLOAT64)[0]
    return replace(right, stages=lambda given: change(dict(right.stages(given))))


WRONG_IMPLEMENTATIONS: dict[str, tuple[Callable[[dict[Any, Any]], dict[Any, Any]], set[str]]] = {
    "columns normalised": (lambda found: found | {a: torch.softmax(found[s], dim=0)}, {"a"}),
    "scores transposed in part": (lambda found: found | {s: found[s].roll(1, 0)}, {"s"}),
    "queries shifted by one": (lambda found: found | {z: found[z].roll(1, 0)}, {"z"}),
    "dimensions reversed": (lambda found: found | {z: found[z].flip(1)}, {"z"}),
    "half precision on the way": (lambda found: found | {a: found[a].half().double()}, {"a"}),
    "float32 for float64": (lambda found: found | {z: found[z].float()}, {"z"}),
    "one element": (lambda found: found | {z: found[z] + _one_off(found[z])}, {"z"}),
    "not a number": (lambda found: found | {a: found[a].sqrt().log().sqrt()}, {"a"}),
    "infinite": (lambda found: found | {D: found[D] / 0}, {"D"}),
    "a row short": (lambda found: found | {a: found[a][:-1]}, {"a"}),
    "a constant": (lambda found: found | {z: torch.zeros_like(found[z])}, {"z"}),
}


def _one_off(values: torch.Tensor) -> torch.Tensor:
    error = torch.zeros_like(values)
    error[-1, -1] = 1e-13
    return error


@pytest.mark.parametrize("name", WRONG_IMPLEMENTATIONS)
def test_a_wrong_implementation_is_refuted(name: str) -> None:
    change, stages = WRONG_IMPLEMENTATIONS[name]
    assert refuted(check(load("journey"), [_altered(change)])) == stages


def test_the_reason_names_the_element_and_both_values() -> None:
    change, _ = WRONG_IMPLEMENTATIONS["one element"]
    row = next(r for r in check(load("journey"), [_altered(change)]) if r.stage == "z")
    assert row.worst == (6, 3)
    assert row.reason.startswith("element [6, 3] is 0.5")
    assert ", exactly 0.5" in row.reason
    assert row.error_ulp is not None
    assert row.bound_ulp is not None
    assert row.error_ulp > row.bound_ulp


def test_an_implementation_that_computes_nothing_does_not_pass() -> None:
    rows = check(load("journey"), [_altered(lambda _: {})])
    assert [row.verdict for row in rows] == [REFUTED]


def test_a_shape_is_compared_before_its_elements() -> None:
    change, _ = WRONG_IMPLEMENTATIONS["a row short"]
    row = next(r for r in check(load("journey"), [_altered(change)]) if r.stage == "a")
    assert row.reason == "the shape is (5, 6), not (6, 6)"


def _swapped(given: Arrays) -> Arrays:
    return {Q: given[Q], K: given[V], V: given[K]}


def _cut(given: Arrays) -> Arrays:
    """Swap keys and values, the values cut to the keys' width, so that the shapes agree."""
    width = given[K].shape[1]
    return {Q: given[Q], K: given[V][:, :width], V: given[K]}


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
@pytest.mark.parametrize("sentence", BUILT_IN)
@pytest.mark.parametrize("exchange", [_swapped, _cut])
@pytest.mark.parametrize("place", [0, 1], ids=["loops", "matrices"])
def test_keys_and_values_exchanged_are_refuted(
    place: int, exchange: Callable[[Arrays], Arrays], sentence: str, precision: Precision
) -> None:
    right = torch_code("cross", precision)[place]
    assert refuted(check(load(sentence), [right])) == set()
    wrong = replace(right, stages=lambda given: right.stages(exchange(given)))
    rows = check(load(sentence), [wrong])
    assert REFUTED in {row.verdict for row in rows}
    assert all(row.verdict == REFUTED for row in rows if row.stage in ("", "z"))


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
@pytest.mark.parametrize("sentence", BUILT_IN)
def test_keys_and_values_exchanged_in_the_reference_are_refuted(
    monkeypatch: pytest.MonkeyPatch, sentence: str, precision: Precision
) -> None:
    right = reference.attention
    monkeypatch.setattr(
        reference, "attention", lambda queries, keys, values: right(queries, values, keys)
    )
    (row,) = check(load(sentence), [torch_code("cross", precision)[1]])
    assert row.verdict == REFUTED
    assert row.reason.startswith("it cannot be computed: ")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Work sentences out afresh within a test and after it."""
    work_out.cache_clear()
    yield
    work_out.cache_clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("name", ["softmax", "shifted", "scaled"])
def test_a_wrong_exponential_in_the_shown_numbers_is_refuted(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    way, right = as_shown(name, MECHANISMS[name]), Decimal.exp
    assert refuted(check(load("journey"), [way])) == set()
    monkeypatch.setattr(Decimal, "exp", lambda self, u: right(self, u) * self.context.mpf("1.001"))
    work_out.cache_clear()
    # The factor cancels in the weights.
    assert refuted(check(load("journey"), [way])) == {"D"}


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("name", ["raw", "sum"])
def test_a_wrong_product_in_the_shown_fractions_is_refuted(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    way, right = as_shown(name, MECHANISMS[name]), Exact.multiply
    assert refuted(check(load("journey"), [way])) == set()
    monkeypatch.setattr(
        Exact, "multiply", lambda self, factors: right(self, factors) * Fraction(1001, 1000)
    )
    work_out.cache_clear()
    assert refuted(check(load("journey"), [way])) >= {"s", "z"}
