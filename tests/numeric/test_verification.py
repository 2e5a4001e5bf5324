from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy
import pytest
import torch

from derive.attention import CROSS, MECHANISMS, RAW, SHIFTED, SOFTMAX
from derive.errors import InputError
from derive.evidence import REFUTED, SKIPPED, UNDECIDED, WITHIN_BOUND, Evidence
from derive.examples import BUILT_IN, Example, Number, load
from derive.formula import K, Q, V, z
from derive.normaliser import softmax
from numeric.computing import as_shown, computations, lambdified, torch_code
from numeric.evaluate import Arrays, too_long
from numeric.inputs import exact_inputs
from numeric.precision import FLOAT32, FLOAT64, Precision, decimal_digits
from numeric.torch_stages import TORCH_CODE
from numeric.verification import check, check_all, compared_rows

MakeExample = Callable[..., Example]
PRECISIONS = [FLOAT64, FLOAT32]


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
                shown = (sentence, name, stage, "as shown", "50 digits") in found
                assert shown is (name != "cross")
            assert (sentence, name, "z", "torch, matrices", "float32") in found or name not in (
                "shifted",
                "cross",
            )


def test_all_tokens_are_queries(evidence: Evidence) -> None:
    sizes = {sentence: load(sentence).shape for sentence in BUILT_IN}
    for row in evidence.comparisons:
        tokens, dimensions = sizes[row.example]
        cross = row.mechanism == "cross"
        queries, columns = (2, dimensions + 1) if cross else (tokens, dimensions)
        width = {"s": tokens, "a": tokens, "z": columns, "m": 1, "D": 1}[row.stage]
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
    check(load("journey"), [torch_code("softmax", FLOAT32)[0]], told.append)
    assert told == ["journey: softmax attention, torch, loops, float32"]


@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: p.name)
def test_where_exp_overflows_nothing_is_certified(
    sentence: MakeExample, precision: Precision
) -> None:
    large = sentence(["1000", "900"], ["-1000", "800"], ["10", "0"])
    by_hand = {row.stage: row for row in check(large, [torch_code("softmax", precision)[0]])}
    assert by_hand["s"].verdict == WITHIN_BOUND
    for stage in ("D", "a", "z"):
        assert by_hand[stage].verdict == UNDECIDED
        assert f"a result may overflow {precision.name}" in by_hand[stage].reason


def test_the_shifted_form_does_not_overflow(sentence: MakeExample) -> None:
    large = sentence(["1000", "900"], ["-1000", "800"], ["10", "0"])
    rows = check(large, [torch_code("shifted", FLOAT64)[0]])
    assert {row.verdict for row in rows} == {WITHIN_BOUND}


def test_an_input_beyond_the_range_is_undecided(sentence: MakeExample) -> None:
    (row,) = check(sentence(["1e40"]), [torch_code("softmax", FLOAT32)[0]])
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


def test_a_denominator_lost_to_rounding_is_undecided(sentence: MakeExample) -> None:
    lost = sentence(["1e20", "1e-20"], ["-1e20", "3"])
    ways = [way for way in computations() if way.name == "sum" and way.precision != FLOAT32]
    for row in check(lost, ways):
        expected = WITHIN_BOUND if row.stage in ("s", "D") else UNDECIDED
        assert row.verdict == expected
        assert ("denominator" in row.reason) is (expected == UNDECIDED)


def test_an_exact_value_that_is_not_enclosed_tightly_enough_is_undecided(
    sentence: MakeExample,
) -> None:
    way = lambdified("shifted", SHIFTED, "mpmath", decimal_digits(50))
    rows = {row.stage: row for row in check(sentence(["1e150"], ["2"]), [way])}
    assert rows["s"].verdict == WITHIN_BOUND
    assert rows["z"].verdict == UNDECIDED
    assert rows["z"].reason


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
    for row in check(long_sentence, [torch_code("shifted", FLOAT32)[0]]):
        assert row.verdict == WITHIN_BOUND
        assert row.reason == f"{len(rows)} of 60 rows compared"
        assert row.elements == len(rows) * (20 if row.stage == "z" else 60)


def test_a_long_sentence_is_not_written_out(long_sentence: Example) -> None:
    (row,) = check(long_sentence, [lambdified("raw", RAW, "numpy", FLOAT64)])
    assert row.verdict == SKIPPED
    assert row.reason == "60 tokens; formulas are written out for at most 16"


def test_an_error_in_a_compared_row_of_a_long_sentence_is_refuted(long_sentence: Example) -> None:
    right = torch_code("shifted", FLOAT32)[0]

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


@pytest.mark.parametrize(("tokens", "queries"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_queries_keys_and_values_are_three_different_arrays(
    sentence: MakeExample, tokens: int, queries: int
) -> None:
    made = sentence(*[[f"{row}.1", f"-{row}"] for row in range(tokens)], query=tokens - 1)
    given = exact_inputs(CROSS, made)
    assert given[Q].shape == (queries, 2)
    assert given[K].shape == (tokens, 2)
    assert given[V].shape == (tokens, 3)
    assert given[Q].tolist() == [
        given[K][(tokens - 1 + q) % tokens].tolist() for q in range(queries)
    ]
    assert given[V][:, :2].tolist() == given[K].tolist()[::-1]
    assert given[V][:, 2].tolist() == [Fraction(row + 1, tokens) for row in range(tokens)]


def test_a_sentence_just_short_enough_is_written_out_with_wider_values(
    sentence: MakeExample,
) -> None:
    made = sentence(*[["0.1"] * 25] * 10)
    assert too_long(10, 25) == ""
    assert too_long(10, 26) != ""
    rows = check(made, [lambdified("cross", CROSS, "numpy", FLOAT64)])
    assert {row.verdict for row in rows} == {WITHIN_BOUND}


def test_what_is_not_shown_is_skipped_and_says_why(sentence: MakeExample) -> None:
    (row,) = check(sentence(["1e10"]), [as_shown("softmax", SOFTMAX)])
    assert row.verdict == SKIPPED
    assert row.reason.startswith("not worked in numbers: ")
    assert "exponential cannot be written" in row.reason


def test_negative_numbers_are_shown_as_they_are():
    rows = [[Fraction(3, 2), Fraction(-2)], [Fraction(-3, 10), Fraction(1)]]
    numbers = tuple(tuple(Number(value, str(float(value))) for value in row) for row in rows)
    example = Example("negative", "negative", ("a", "b"), numbers, 0, "a b")
    shown = [row for row in check(example) if row.implementation == "as shown"]
    assert shown
    assert all(row.verdict == WITHIN_BOUND for row in shown)
