"""Each wrong program is refuted, by numbers that torch confirms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
import torch

from derive.verdict import Verdict, Witness
from numeric import verify
from tests.prover.mutants import MUTANTS, Mutant
from tests.sampling import one_in

EACH = pytest.mark.parametrize("mutant", one_in(3, MUTANTS), ids=lambda mutant: mutant.name)

ROUNDING = 1e-13
"""What float64 loses in these programs, relative to the numbers in them, which are about 1."""


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def examples(shapes: tuple[tuple[int, ...], ...]) -> list[torch.Tensor]:
    return [torch.zeros(shape) for shape in shapes]


def results(program: Any, mutant: Mutant, witness: Witness) -> dict[str, torch.Tensor]:
    """Run a program, and its backward, as anyone would: with torch, at the witness."""
    inputs = {name: torch.tensor(_numbers(values)) for name, values in witness.inputs}
    upstream = inputs.pop("grad_output", None)
    for tensor in inputs.values():
        tensor.requires_grad_(mutant.backward)
    output = program(*inputs.values())
    found = {"output": output.detach()}
    if upstream is not None:
        gradients = torch.autograd.grad(
            output, list(inputs.values()), upstream, materialize_grads=True
        )
        found |= {f"gradient of {name}": one for name, one in zip(inputs, gradients, strict=True)}
    return found


def _numbers(values: Any) -> Any:
    if isinstance(values, str):
        return float(Fraction(values))
    return [_numbers(part) for part in values]


def middle(enclosure: str) -> float:
    """Read ``[0.25 +/- 1e-9]``, ``[+/- 1e-9]``, ``0.25`` or ``nan``."""
    return float(enclosure.strip("[]").partition(" ")[0].replace("+/-", "0"))


@EACH
def test_a_wrong_program_is_refuted_by_numbers_that_torch_confirms(mutant: Mutant) -> None:
    report = verify(
        mutant.wrong,
        mutant.right,
        examples(mutant.shapes),
        backward=mutant.backward,
        other_shapes=mutant.hidden_at is not None,
        exact=False,
    )

    assert report.verdict is Verdict.REFUTED, str(report)
    witness = report.witness
    assert witness is not None
    left, right = (
        float(results(program, mutant, witness)[witness.output][witness.place])
        for program in (mutant.wrong, mutant.right)
    )
    assert left == pytest.approx(middle(witness.left), rel=1e-7, abs=ROUNDING, nan_ok=True)
    assert right == pytest.approx(middle(witness.right), rel=1e-7, abs=ROUNDING, nan_ok=True)
    if witness.difference:
        difference = float(witness.difference)
        assert left - right == pytest.approx(difference, rel=0.01, abs=ROUNDING)
        assert not witness.visible or abs(difference) > ROUNDING or min(abs(left), abs(right)) == 0
    else:
        assert math.isfinite(left) != math.isfinite(right)


HIDDEN = [mutant for mutant in MUTANTS if mutant.hidden_at is not None]


@pytest.mark.parametrize("mutant", HIDDEN, ids=lambda mutant: mutant.name)
def test_a_mistake_that_needs_five_tokens_is_not_there_at_fewer(mutant: Mutant) -> None:
    assert mutant.hidden_at is not None
    report = verify(
        mutant.wrong, mutant.right, examples(mutant.hidden_at), other_shapes=False, exact=False
    )
    assert report.verdict is Verdict.IDENTITY_TESTED


@pytest.mark.parametrize(
    "name", ["masked_with_a_billion", "masked_with_ten_thousand"], ids=lambda name: name
)
def test_a_difference_that_no_float_shows_is_called_invisible(name: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    report = verify(
        mutant.wrong, mutant.right, examples(mutant.shapes), other_shapes=False, exact=False
    )
    assert report.witness is not None
    assert not report.witness.visible


RIGHT = {(mutant.right, mutant.shapes): mutant for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", RIGHT.values(), ids=lambda mutant: mutant.right.__name__)
def test_the_right_program_is_accepted_at_the_shapes_of_its_mutant(mutant: Mutant) -> None:
    report = verify(
        mutant.right,
        mutant.right,
        examples(mutant.shapes),
        backward=mutant.backward,
        other_shapes=False,
        exact=False,
    )
    assert report.verdict is Verdict.IDENTITY_TESTED


def test_there_are_as_many_mutants_as_names() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
