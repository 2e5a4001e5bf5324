from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from sympy import Integer

from derive.cli import main
from derive.commands import torch_side as reaching
from derive.errors import InputError
from derive.evidence import EvidenceError
from derive.formula import FormulaError, K, Q, V, array, n
from derive.implementations import Implementations, Row, digest, joined, without
from derive.variants import ATLAS
from derive.verdict import Verdict
from numeric.implementations import proving
from numeric.implementations.implementation import Implementation
from numeric.implementations.inputs import example_inputs
from numeric.implementations.listed import IMPLEMENTATIONS

NAME = "torch.nn.functional.scaled_dot_product_attention"


@pytest.fixture(scope="module")
def record() -> Implementations:
    return Implementations.read()


def attention(**options: Any) -> Any:
    def attend(query: Any, key: Any, value: Any) -> Any:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, **options)

    return attend


# The record that ships


def test_the_record_is_current_for_every_formula(record: Implementations) -> None:
    record.check_current()


def test_the_record_has_a_row_for_each_implementation_that_is_listed(
    record: Implementations,
) -> None:
    keys = [one.key for one in IMPLEMENTATIONS]
    assert len(set(keys)) == len(keys)
    assert [row.key for row in record.rows] == keys


def test_every_verdict_is_as_stated(record: Implementations) -> None:
    assert [str(row) for row in record.rows if not row.as_stated] == []


def test_the_record_has_every_implementation_that_is_listed(record: Implementations) -> None:
    with_one = {row.mechanism for row in record.rows}
    assert with_one == {listed.mechanism for listed in IMPLEMENTATIONS} <= set(ATLAS)
    assert len(record.rows) == len(IMPLEMENTATIONS)
    passed = {row.mechanism for row in record.rows if row.verdict.passed}
    # Functions that normalise divide by no less than a small number.
    assert with_one - passed == {"query-key-normalised", "linear-causal"}


def test_rows_of_a_mechanism_are_told_the_strongest_first(record: Implementations) -> None:
    rows = record.of("causal")
    assert rows[0].verdict is Verdict.PROVED
    assert rows[-1].verdict is Verdict.REFUTED
    assert {row.mechanism for row in rows} == {"causal"}


FUSED = [place for place, one in enumerate(IMPLEMENTATIONS) if one.name == NAME]


@pytest.mark.parametrize("place", FUSED, ids=lambda place: IMPLEMENTATIONS[place].mechanism)
def test_the_rows_of_torch_are_reproduced(place: int, record: Implementations) -> None:
    row = next(row for row in record.rows if row.key == IMPLEMENTATIONS[place].key)
    found = proving.listed_row(place)
    assert found.verdict is row.verdict is Verdict.PROVED
    assert (found.shapes, found.formula) == (row.shapes, row.formula)


# Reading


def test_what_is_written_is_read_back(record: Implementations) -> None:
    assert Implementations.from_json(record.to_json()) == record


def changed(record: Implementations, change: Any) -> str:
    content = json.loads(record.to_json())
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["rows"][0].update(verdict="identity-tested"), "changed after it was written"),
        (lambda c: c["rows"][0].update(version="1.0"), "changed after it was written"),
        (lambda c: c["rows"].pop(), "changed after it was written"),
        (lambda c: c.pop("digest"), "changed after it was written"),
        (lambda c: c["rows"][0].update(verdict="true"), "not what was written"),
        (lambda c: c["rows"][0].update(stars=5), "not what was written"),
        (lambda c: c["rows"][0].pop("formula"), "not what was written"),
        (lambda c: c.update(extra=1), "not what was written"),
        (lambda c: c.update(format=0), "another format"),
    ],
)
def test_a_record_that_was_tampered_with_is_refused(
    change: Any, message: str, record: Implementations
) -> None:
    with pytest.raises(EvidenceError, match=message):
        Implementations.from_json(changed(record, change))


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError, match="run 'derive implementations' again"):
        Implementations.from_json(text)


def test_a_missing_record_says_how_to_make_it(tmp_path) -> None:
    with pytest.raises(EvidenceError, match="run 'derive implementations' again"):
        Implementations.read(tmp_path / "none.json")


# Formulas that have changed


def test_a_row_of_another_formula_is_refused_by_name(record: Implementations) -> None:
    rows = [replace(r, formula="0" * 64) if r.mechanism == "alibi" else r for r in record.rows]
    with pytest.raises(EvidenceError, match=r"alibi have changed.*--mechanism alibi'"):
        replace(record, rows=tuple(rows)).check_current()


def test_a_changed_formula_makes_its_rows_stale(record: Implementations) -> None:
    other = replace(ATLAS["causal"], mechanism=ATLAS["scaled-dot-product"].mechanism)
    with pytest.raises(EvidenceError, match="formulas of causal have"):
        record.check_current({**ATLAS, "causal": other})


def test_a_mechanism_that_is_gone_makes_its_rows_stale(record: Implementations) -> None:
    atlas = {key: variant for key, variant in ATLAS.items() if key != "sink"}
    with pytest.raises(EvidenceError, match="formulas of sink have"):
        record.check_current(atlas)


def test_the_digest_knows_shapes_and_relations_too() -> None:
    causal = ATLAS["causal"].mechanism
    related = replace(causal, relations=((n, Integer(3)),))
    assert digest(causal) == digest(replace(causal, title="the same"))
    assert digest(causal) != digest(related)


# Parts left out


def test_what_a_part_that_is_left_out_makes_is_given_with_its_shape() -> None:
    whole = ATLAS["rotary-halves"].mechanism
    left = without(whole, "angles")
    assert [str(base) for base in left.inputs] == ["Q", "K", "V", "C", "S"]
    assert [str(size) for size in left.shapes[array("C")]] == ["n", "n_p"]
    assert left.stages[-1] == whole.stages[-1]


def test_the_first_and_the_last_part_can_be_left_out() -> None:
    left = without(ATLAS["grouped-query"].mechanism, "projection", "output projection")
    assert left.inputs == (Q, K, V)
    assert str(left.stages[-1].array) == "z"


def test_a_part_that_there_is_not_cannot_be_left_out() -> None:
    with pytest.raises(KeyError, match="has no 'angles'"):
        without(ATLAS["causal"].mechanism, "angles")


# Inputs


def test_inputs_have_the_shapes_of_the_formula() -> None:
    found = example_inputs(ATLAS["grouped-query"].mechanism, {"d_e": 5}, {})
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        "x": (3, 5),
        "W_q": (8, 5),
        "W_k": (4, 5),
        "W_v": (4, 5),
        "W_o": (3, 8),
    }


def test_a_mask_hides_one_key_of_three() -> None:
    found = example_inputs(ATLAS["padding"].mechanism, {"n": 6}, {})
    assert found["M"].tolist() == [True, True, False, True, True, False]


def test_values_for_an_input_that_there_is_not_are_refused() -> None:
    with pytest.raises(FormulaError, match="it is not given m"):
        example_inputs(ATLAS["causal"].mechanism, {}, {"m": [1.0]})


# Verdicts that are not what was stated


def test_a_wrong_scale_that_is_passed_off_as_the_package_s_is_not_proved() -> None:
    wrong = Implementation("scaled-dot-product", "torch", NAME, lambda: attention(scale=0.7))
    row = proving.compared(wrong)
    assert row.verdict is Verdict.REFUTED
    assert "differs" in row.reason
    assert not row.as_stated


def test_a_wrong_gradient_is_not_proved() -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, x: Any) -> Any:
            return x.clone()

        @staticmethod
        def backward(_: Any, gradient: Any) -> Any:
            return 2 * gradient

    def build() -> Any:
        return lambda query, key, value: attention()(Doubled.apply(query), key, value)

    row = proving.compared(Implementation("scaled-dot-product", "torch", NAME, build))
    assert row.verdict is Verdict.REFUTED
    assert "gradient of Q" in row.reason


def test_a_remark_on_what_is_proved_is_not_as_stated() -> None:
    right = Implementation(
        "scaled-dot-product", "torch", NAME, attention, differs="it adds a small number"
    )
    row = proving.compared(right)
    assert row.verdict is Verdict.PROVED
    assert not row.as_stated


def test_a_program_that_cannot_be_captured_is_undecided() -> None:
    def build() -> Any:
        return lambda query, key, value: attention()(query, key, value) * query.sum().item()

    row = proving.compared(Implementation("scaled-dot-product", "torch", NAME, build))
    assert row.verdict is Verdict.UNDECIDED
    assert row.reason


def test_a_package_that_is_another_than_was_written_for_is_told_by_name() -> None:
    def build() -> Any:
        raise AttributeError("no attend")

    with pytest.raises(InputError, match=f"{NAME}: it cannot be made: AttributeError: no attend"):
        proving.compared(Implementation("scaled-dot-product", "torch", NAME, build))


# Old rows and new ones


def row_of(mechanism: str, call: str = "", **changes: Any) -> Row:
    row = Row(
        mechanism=mechanism,
        package="torch",
        version="2",
        name=NAME,
        call=call,
        left_out=(),
        fixed=(),
        verdict=Verdict.PROVED,
        backward=True,
        shapes=((str(Q), (2, 2)), (str(K), (2, 2)), (str(V), (2, 2))),
        remark="",
        reason="",
        formula=digest(ATLAS[mechanism].mechanism),
        torch="2",
        date="2026-01-01",
        seconds=1.0,
    )
    return replace(row, **changes)


def test_new_rows_take_the_place_of_old_ones_in_the_order_of_the_list() -> None:
    old, other = row_of("causal", version="1"), row_of("alibi")
    new = row_of("causal")
    found = joined([other, old], [new], [new.key, other.key], {new.key})
    assert found.rows == (new, other)
    assert found.kept == (other,)
    assert found.dropped == ()


def test_an_old_row_of_another_formula_or_call_is_dropped() -> None:
    stale, gone = row_of("causal", formula="0" * 64), row_of("alibi", call="slopes=")
    found = joined([stale, gone], [], [stale.key], set())
    assert found.rows == ()
    assert found.dropped == (stale, gone)


# The command


@pytest.fixture
def few(monkeypatch) -> list[Implementation]:
    """Let there be two implementations, one of a package that is not installed."""
    listed = [
        Implementation("scaled-dot-product", "torch", NAME, attention),
        Implementation("causal", "absent-package", "absent.attention", attention),
    ]
    monkeypatch.setattr(proving, "IMPLEMENTATIONS", listed)
    return listed


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["implementations", "--jobs", "1", *arguments])


@pytest.mark.usefixtures("few")
def test_the_command_writes_rows_and_keeps_those_of_absent_packages(tmp_path) -> None:
    path = tmp_path / "record.json"
    kept = row_of("causal", package="absent-package", name="absent.attention")
    Implementations((kept,), "derive implementations", "2026-01-01", ()).write(path)
    done = run("--output", str(path))
    assert done.exit_code == 0, done.output
    assert "absent-package is not installed: left out" in done.stderr
    assert "absent-package: rows kept as they were: 1" in done.stderr
    rows = Implementations.read(path).rows
    assert [row.package for row in rows] == ["torch", "absent-package"]
    assert rows[0].verdict is Verdict.PROVED
    assert rows[1] == kept


@pytest.mark.usefixtures("few")
def test_the_command_drops_rows_of_absent_packages_that_are_out_of_date(tmp_path) -> None:
    path = tmp_path / "record.json"
    stale = row_of("causal", package="absent-package", name="absent.attention", formula="0" * 64)
    Implementations((stale,), "derive implementations", "2026-01-01", ()).write(path)
    done = run("--output", str(path))
    assert "dropped, as its formula or its call is another now: causal" in done.stderr
    assert [row.package for row in Implementations.read(path).rows] == ["torch"]


def test_the_command_fails_where_a_verdict_is_not_as_stated(few, tmp_path) -> None:
    few[0] = replace(few[0], build=lambda: attention(scale=0.7))
    done = run("--output", str(tmp_path / "record.json"))
    assert done.exit_code == 1
    assert "no pass" in done.stderr
    assert "refuted" in done.stdout


def test_the_command_refuses_a_mechanism_that_there_is_not() -> None:
    done = run("--mechanism", "casual")
    assert done.exit_code == 2
    assert "there is no such mechanism; write one of raw-scores" in done.stderr


@pytest.mark.usefixtures("few")
def test_the_command_leaves_a_record_alone_that_it_cannot_read(tmp_path) -> None:
    path = tmp_path / "record.json"
    path.write_text("mine", encoding="utf-8")
    done = run("--output", str(path))
    assert done.exit_code == 2
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_program_that_cannot_be_made_leaves_the_record_as_it_was(few, tmp_path) -> None:
    def build() -> Any:
        raise ImportError("moved")

    few[0] = replace(few[0], build=build)
    path = tmp_path / "record.json"
    kept = Implementations((row_of("causal"),), "derive implementations", "2026-01-01", ())
    kept.write(path)
    done = run("--output", str(path))
    assert done.exit_code == 2
    assert "it cannot be made: ImportError: moved" in done.stderr
    assert Implementations.read(path) == kept


def test_the_command_says_what_to_install_where_torch_is_missing(monkeypatch, tmp_path) -> None:
    def absent(command: str, _: str) -> Any:
        raise InputError(command, "", "torch is not installed", "pip install it")

    monkeypatch.setattr(reaching, "torch_side", absent)
    done = run("--output", str(tmp_path / "record.json"))
    assert done.exit_code == 2
    assert "torch is not installed" in done.stderr
