from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy
import pytest
import torch
from sympy import Expr, Rational, Sum, exp, sqrt

from derive.attention import CROSS, MECHANISMS, RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.errors import InputError
from derive.evidence import REFUTED, SKIPPED, UNDECIDED, WITHIN_BOUND, Comparison, Evidence
from derive.examples import BUILT_IN, Example, load
from derive.formula import Choice, D, Mechanism, Stage, a, d, i, j, k, n, s, total, x, z
from derive.normaliser import softmax
from derive.score import dot_product
from derive.weighted_sum import weighted_sum
from numeric.computations import Computation, computations, generated, lambdified
from numeric.evaluate import Arrays, Backend
from numeric.precision import FLOAT32, FLOAT64, Precision
from numeric.torch_stages import TORCH_CODE
from numeric.verification import check, check_all, compared_rows

MakeExample = Callable[..., Example]
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
    way = replace(_torch_code("softmax", precision), mechanism=wrong)
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
    right = _torch_code("softmax", FLOAT64)
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


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return check_all()


def test_everything_passes(evidence: Evidence) -> None:
    assert [row for row in evidence.comparisons if row.verdict != WITHIN_BOUND] == []
    assert evidence.passed
    evidence.check_current()


def test_every_stage_is_compared_in_every_way(evidence: Evidence) -> None:
    found = {
        (row.example, row.mechanism, row.stage, row.implementation, row.precision)
        for row in evidence.comparisons
    }
    assert len(found) == len(evidence.comparisons)
    for sentence in BUILT_IN:
        for name, mechanism in MECHANISMS.items():
            for stage in map(str, (stage.array for stage in mechanism.stages)):
                for precision in ("float64", "float32"):
                    for library in ("numpy", "torch"):
                        for kind in ("derived", "generated"):
                            way = f"{kind}, {library}"
                            assert (sentence, name, stage, way, precision) in found
                    ways = {f for f in found if f[:3] == (sentence, name, stage)}
                    torch_code = {f for f in ways if f[3].startswith("torch") and f[4] == precision}
                    assert torch_code or stage in ("m", "D")
                assert (sentence, name, stage, "derived, mpmath", "50 digits") in found


def test_all_tokens_are_queries(evidence: Evidence) -> None:
    sizes = {sentence: load(sentence).shape for sentence in BUILT_IN}
    for row in evidence.comparisons:
        tokens, dimensions = sizes[row.example]
        queries = 1 if row.mechanism == "cross" else tokens
        width = {"s": tokens, "a": tokens, "z": dimensions, "m": 1, "D": 1}[row.stage]
        assert row.elements == queries * width


def test_errors_and_bounds_are_small(evidence: Evidence) -> None:
    for row in evidence.comparisons:
        assert row.error_ulp is not None
        assert row.bound_ulp is not None
        assert row.ratio is not None
        assert 0 <= row.error_ulp < 6
        assert 1 < row.bound_ulp < 60
        assert 0.999 * row.error_ulp / row.bound_ulp <= row.ratio < 0.75


def test_the_evidence_says_what_it_ran_with(evidence: Evidence) -> None:
    assert list(evidence.versions) == [
        "python",
        "attention-derived",
        "sympy",
        "numpy",
        "torch",
        "mpmath",
        "python-flint",
    ]
    assert evidence.versions["torch"] == torch.__version__
    assert evidence.command == "derive check --all"
    assert evidence.date.endswith("+00:00")
    assert 0 < evidence.seconds < 600


def test_the_evidence_survives_json(evidence: Evidence) -> None:
    assert Evidence.from_json(evidence.to_json()) == evidence


def test_checks_are_repeatable() -> None:
    ways = [way for way in computations() if way.name in ("raw", "shifted")]
    assert check(load("journey"), ways) == check(load("journey"), ways)


def test_progress_is_told() -> None:
    told: list[str] = []
    check(load("journey"), [_torch_code("softmax", FLOAT32)], told.append)
    assert told == ["journey: softmax attention, torch, loops, float32"]


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
def test_where_exp_overflows_nothing_is_certified(
    sentence: MakeExample, precision: Precision
) -> None:
    large = sentence(["1000", "900"], ["-1000", "800"], ["10", "0"])
    by_hand = {row.stage: row for row in check(large, [_torch_code("softmax", precision)])}
    assert by_hand["s"].verdict == WITHIN_BOUND
    for stage in ("D", "a", "z"):
        assert by_hand[stage].verdict == UNDECIDED
        assert f"a result may overflow {precision.name}" in by_hand[stage].reason


def test_the_shifted_form_does_not_overflow(sentence: MakeExample) -> None:
    large = sentence(["1000", "900"], ["-1000", "800"], ["10", "0"])
    rows = check(large, [_torch_code("shifted", FLOAT64)])
    assert {row.verdict for row in rows} == {WITHIN_BOUND}


def test_an_input_beyond_the_range_is_undecided(sentence: MakeExample) -> None:
    (row,) = check(sentence(["1e40"]), [_torch_code("softmax", FLOAT32)])
    assert row.verdict == UNDECIDED
    assert "beyond the range of float32" in row.reason


def test_a_sum_of_zero_is_skipped_with_its_row(sentence: MakeExample) -> None:
    # 0.1 + 0.2 - 0.3 is zero in fractions, and not in floating point.
    zero = sentence(["0", "1"], ["0.1", "2"], ["0.2", "0"], ["-0.3", "-3"], ["7", "0"])
    rows = check(zero)
    skipped = [row for row in rows if row.verdict == SKIPPED]
    assert {row.mechanism for row in skipped} == {"sum"}
    assert {row.reason for row in skipped} == {"not defined here: the denominator of row 1 is zero"}
    assert {row.verdict for row in rows if row.mechanism != "sum"} == {WITHIN_BOUND}


def test_whole_numbers_zeros_and_a_single_token_pass(sentence: MakeExample) -> None:
    for made in (
        sentence(["1", "0"], ["0", "-1"], ["2", "3"]),
        sentence(["0", "0"], ["0", "0"]),
        sentence(["0.3"]),
    ):
        assert {row.verdict for row in check(made)} <= {WITHIN_BOUND, SKIPPED}


def test_where_scores_underflow_their_sum_divides_nothing(sentence: MakeExample) -> None:
    small = sentence(["1e-30", "2e-30"], ["1e-25", "0"])
    for row in check(small):
        lost = row.mechanism == "sum" and row.precision == "float32" and row.stage in ("a", "z")
        assert row.verdict == (UNDECIDED if lost else WITHIN_BOUND)
        assert ("a denominator may be rounded to zero" in row.reason) is lost


@pytest.fixture
def long_sentence(sentence: MakeExample) -> Example:
    random = numpy.random.default_rng(3)
    rows = [[f"{value:.3f}" for value in row] for row in random.uniform(-1, 1, (60, 20))]
    made: Example = sentence(*rows, query=7)
    return made


def test_a_long_sentence_is_compared_in_some_rows(long_sentence: Example) -> None:
    rows = compared_rows(long_sentence)
    assert rows is not None
    assert 7 in rows
    assert 5 < len(rows) < 12
    for row in check(long_sentence, [_torch_code("shifted", FLOAT32)]):
        assert row.verdict == WITHIN_BOUND
        assert row.reason == f"{len(rows)} of 60 rows compared"
        assert row.elements == len(rows) * (20 if row.stage == "z" else 60)


def test_a_long_sentence_is_not_written_out(long_sentence: Example) -> None:
    (row,) = check(long_sentence, [lambdified("raw", RAW, "numpy", FLOAT64)])
    assert row.verdict == SKIPPED
    assert row.reason == "60 tokens; formulas are written out for at most 16"


def test_an_error_in_a_compared_row_of_a_long_sentence_is_refuted(long_sentence: Example) -> None:
    right = _torch_code("shifted", FLOAT32)

    def wrong(given: Arrays) -> Arrays:
        found = dict(right.stages(given))
        found[z][7, 3] += 1e-3
        return found

    rows = check(long_sentence, [replace(right, stages=wrong)])
    assert {row.stage for row in rows if row.verdict == REFUTED} == {"z"}


def test_a_sentence_beyond_the_limit_is_refused(sentence: MakeExample) -> None:
    with pytest.raises(InputError, match="201 tokens are too many; at most 200"):
        check(sentence(*[["1"]] * 201))


def test_torch_softmax_is_held_to_the_shifted_form() -> None:
    formulas = {
        code: mechanism.stages
        for ways in TORCH_CODE.values()
        for code, mechanism, _ in ways
        if "softmax" in code or "matrices" in code
    }
    assert formulas
    for stages in formulas.values():
        assert stages[1] == SHIFTED.stages[1]
    assert softmax().stages[0] not in [stage for st in formulas.values() for stage in st]


def test_keys_and_queries_of_another_array_are_compared() -> None:
    ways = [way for way in computations() if way.name == "cross"]
    rows = check(load("journey"), ways)
    assert {row.verdict for row in rows} == {WITHIN_BOUND}
    assert {way.mechanism.inputs for way in ways} == {CROSS.inputs}


def _torch_code(name: str, precision: Precision) -> Computation:
    return next(
        way
        for way in computations()
        if way.name == name and way.implementation == "torch, loops" and way.precision == precision
    )
