"""Every row of the record of implementations is reproduced, by running what it names."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import pytest

from derive.implementations import Implementations, without
from derive.variants import ATLAS
from numeric.implementations.implementation import Implementation
from numeric.implementations.inputs import example_inputs
from numeric.implementations.listed import IMPLEMENTATIONS
from numeric.implementations.proving import compared

pytestmark = [
    pytest.mark.third_party,
    # What these packages import and call is theirs.
    pytest.mark.filterwarnings("ignore"),
]

CASES = {" ".join(one.key): one for one in IMPLEMENTATIONS}


@pytest.fixture(scope="module")
def record() -> dict[Any, Any]:
    return {row.key: row for row in Implementations.read().rows}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_row_is_reproduced(case: Implementation, record: dict[Any, Any]) -> None:
    row = record[case.key]
    if version(case.package) != row.version:
        pytest.skip(f"{case.package} {row.version} was compared, {version(case.package)} is here")
    found = compared(case)
    assert found.verdict is row.verdict, found.reason
    assert (found.shapes, found.formula) == (row.shapes, row.formula)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_row_names_is_what_is_run(case: Implementation) -> None:
    mechanism = without(ATLAS[case.mechanism].mechanism, *case.without)
    inputs = example_inputs(mechanism, case.sizes, case.values())
    program = case.build()
    home, _, name = case.name.partition(".")
    assert name.rpartition(".")[2] in names_run(program, inputs.values(), home)


def test_a_program_that_does_not_run_what_it_names_is_noticed() -> None:
    case = next(case for case in IMPLEMENTATIONS if case.package == "timm")
    inputs = example_inputs(ATLAS["multi-head"].mechanism, case.sizes, {})
    program = next(c for c in IMPLEMENTATIONS if c.key[:2] == ("multi-head", "torch")).build()
    assert "MultiheadAttention" in names_run(program, inputs.values(), "torch")
    assert "Attention" not in names_run(program, inputs.values(), "timm")


def names_run(program: Any, inputs: Any, home: str) -> set[str]:
    """Name the functions of a package that a call runs, and the classes whose methods it runs."""
    found: set[str] = set()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            if f"/{home}/" in frame.f_code.co_filename:
                found.add(frame.f_code.co_qualname.split(".")[0])
        elif event == "c_call":
            found.add(argument.__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        program(*inputs)
    finally:
        sys.setprofile(before)
    return found
