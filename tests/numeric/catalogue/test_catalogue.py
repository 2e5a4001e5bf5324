"""Correct programs agree with the reference; each bug is one, and only where its entry says."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from numeric.catalogue.bugs import BUGS
from numeric.catalogue.case import DTYPES, Case
from numeric.catalogue.correct import CORRECT
from numeric.catalogue.drawing import draw, draw_upstream, laid_out
from numeric.catalogue.eager_reference import reference, upcast_reference
from numeric.catalogue.pieces import packed
from numeric.catalogue.rivals import RIVALS

PROGRAMS = Path(__file__).resolve().parents[3] / "docs" / "programs"
SEED = 3
Inputs = tuple[Any, ...]


def scaled(factor: float) -> Callable[..., Inputs]:
    def larger(query: Any, key: Any, *others: Any) -> Inputs:
        return (query * factor, key * factor, *others)

    return larger


def far_below(component: float) -> Callable[..., Inputs]:
    """All scores about minus the square of the component."""

    def lower(query: Any, key: Any, *others: Any) -> Inputs:
        query, key = query.clone(), key.clone()
        query[..., 0], key[..., 0] = component, -component
        return (query, key, *others)

    return lower


def falling(query: Any, key: Any, value: Any) -> Inputs:
    query, key, _ = far_below(100)(query, key, value)
    key[..., :4, 0] = 100
    return query, key, value


def hidden_key_above(query: Any, key: Any, value: Any, mask: Any) -> Inputs:
    query, key, _, _ = far_below(200)(query, key, value, mask)
    key[..., -1, :] = 0
    mask = torch.ones_like(mask)
    mask[..., -1] = False
    return query, key, value, mask


def hidden_nan(query: Any, key: Any, value: Any, mask: Any) -> Inputs:
    mask, value = mask.clone(), value.clone()
    mask[..., -1], value[..., -1, :] = False, torch.nan
    return query, key, value, mask


SHOWN_BY: dict[str, Callable[..., Inputs]] = {
    "product overflows before it is scaled": scaled(200),
    "soft cap overflows": scaled(100),
    "mask of -10000": hidden_key_above,
    "mask of -100000": far_below(1000),
    "hidden NaN reaches the output": hidden_nan,
    "no maximum subtracted": scaled(100),
    "denominator in float16": scaled(0),
    "maximum of the block alone": falling,
    "maximum of a hidden block": far_below(100),
    "maximum from a floor": far_below(1000),
    "weights of unusual scores": scaled(10),
}
"""Inputs for the bugs that normal ones do not show."""


def named(cases: tuple[Case, ...]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def differences(case: Case, inputs: Inputs) -> tuple[float, float]:
    """Return by how much the output and the gradients are off at most; infinity for NaN."""
    leaves = [x.detach().requires_grad_() if x.is_floating_point() else x for x in inputs]
    real = [x for x in leaves if x.is_floating_point()]
    found, expected = case.program(*leaves), upcast_reference(case)(*leaves)
    assert found.shape == expected.shape
    assert found.dtype == inputs[0].dtype
    upstream = draw_upstream(case, found, SEED)
    pairs = zip(
        torch.autograd.grad(found, real, upstream),
        torch.autograd.grad(expected, real, upstream.to(torch.float64)),
        strict=True,
    )
    return largest(found, expected), max(largest(a, b) for a, b in pairs)


def largest(found: Any, expected: Any) -> float:
    off = (found.detach().double() - expected.detach().double()).abs()
    return float(off.nan_to_num(nan=torch.inf).max())


def normal(case: Case) -> Inputs:
    shown_in = "float64" if "float64" in case.dtypes else case.dtypes[0]
    return draw(case, getattr(torch, shown_in), SEED)


@named(CORRECT)
def test_a_correct_program_and_its_gradients_are_the_reference(case: Case) -> None:
    output, gradient = differences(case, draw(case, torch.float64, SEED))
    assert output < 1e-9
    assert gradient < 1e-9


@pytest.mark.parametrize("dtype_name", DTYPES[1:])
@named(CORRECT)
def test_a_correct_program_works_in_every_type(case: Case, dtype_name: str) -> None:
    dtype = getattr(torch, dtype_name)
    output, _ = differences(case, draw(case, dtype, SEED))
    assert output < 16 * torch.finfo(dtype).eps


@named(CORRECT)
def test_the_reference_in_the_same_type_is_the_widened_one(case: Case) -> None:
    inputs = draw(case, torch.float64, SEED)
    for reordered in (False, True):
        found = reference(case, reordered=reordered)(*inputs)
        assert largest(found, upcast_reference(case)(*inputs)) < 1e-12


@named(BUGS)
def test_a_bug_is_one(case: Case) -> None:
    output, gradient = differences(case, SHOWN_BY.get(case.name, lambda *x: x)(*normal(case)))
    off = gradient if case.backward else output
    assert off > (1e-8 if "float64" in case.dtypes else 1e-3)
    if case.backward:
        assert output < 1e-9


@named(tuple(case for case in BUGS if case.name in SHOWN_BY and "float64" in case.dtypes))
def test_normal_inputs_do_not_show_a_special_bug(case: Case) -> None:
    assert case.note
    assert max(differences(case, normal(case))) < 1e-9


@named(tuple(case for case in BUGS if case.layout != "contiguous"))
def test_a_bug_of_layouts_is_none_for_tensors_in_order(case: Case) -> None:
    case = replace(case, layout="contiguous")
    assert max(differences(case, normal(case))) < 1e-9


@named(tuple(case for case in BUGS if "float64" not in case.dtypes))
def test_a_bug_of_a_type_is_none_in_float64(case: Case) -> None:
    assert max(differences(case, draw(case, torch.float64, SEED))) < 1e-9


def test_every_special_input_belongs_to_a_bug() -> None:
    assert SHOWN_BY.keys() <= {case.name for case in BUGS}


def test_names_are_unique_and_sources_well_formed() -> None:
    names = [case.name for case in (*CORRECT, *BUGS)]
    assert len(set(names)) == len(names)
    for case in BUGS:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+ \d+", case.source), case.source
        assert case.address == f"https://github.com/{case.source.replace(' ', '/issues/')}"
    assert not any(case.source or case.address for case in CORRECT)


def test_there_are_many_and_of_several_kinds() -> None:
    assert len(BUGS) >= 70
    assert sum(case.backward for case in BUGS) >= 15
    assert len({case.source for case in BUGS}) >= 65
    assert all(case.options.leading == 2 and set(case.dtypes) <= set(DTYPES) for case in BUGS)


def test_memory_is_read_in_order_and_from_its_start_again() -> None:
    tensor = torch.arange(6.0).view(1, 2, 3, 1)
    assert torch.equal(packed(tensor), tensor)
    assert packed(laid_out(tensor, "transposed")).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert packed(tensor[:, :1].expand(1, 2, 3, 1)).flatten().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.name)
@pytest.mark.parametrize("dtype_name", DTYPES)
def test_a_rival_accepts_its_own_reference(rival: Any, dtype_name: str) -> None:
    case = next(case for case in BUGS if case.backward)
    verdict = rival.judge(reference(case), reference(case), case, dtype_name, SEED)
    assert verdict == "passes" or verdict.startswith("cannot: ")


def verdicts(name: str, dtype_name: str) -> dict[str, str]:
    case = next(case for case in BUGS if case.name == name)
    return {
        rival.name: rival.judge(case.program, reference(case), case, dtype_name, SEED)
        for rival in RIVALS
    }


def test_rivals_find_a_large_difference() -> None:
    found = verdicts("silently not causal", "bfloat16")
    assert found.pop("torch.autograd.gradcheck").startswith("cannot: ")
    assert set(found.values()) == {"fails"}


def test_a_rule_about_outputs_misses_a_backward_bug() -> None:
    found = verdicts("backward pass always causal", "float64")
    assert found["torch.autograd.gradcheck"] == "fails"
    found = verdicts("backward pass always causal", "float32")
    assert found["KernelBench"] == "passes"
    assert found["torch.allclose"] == "fails"


def test_small_and_rare_differences_pass() -> None:
    assert verdicts("epsilon in the denominator", "float32")["KernelBench"] == "passes"
    assert verdicts("mask of -10", "bfloat16")["flash-attention's tests"] == "passes"
    assert verdicts("maximum from a floor", "float32")["torch.testing.assert_close"] == "passes"


def test_nan_fails_everywhere() -> None:
    found = verdicts("row without keys gives NaN", "float16")
    assert {found[name] for name in found if "gradcheck" not in name} == {"fails"}


def program(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"published_{name}", PROGRAMS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


of_this_torch = pytest.mark.skipif(
    not torch.__version__.startswith("2.13."), reason="what torch 2.13 gives"
)


@of_this_torch
@pytest.mark.parametrize("dtype_name", DTYPES[1:])
def test_a_row_without_keys_gives_zero_nan_or_the_mean(dtype_name: str) -> None:
    paths, dtype = program("masked_rows"), getattr(torch, dtype_name)
    query, key, value = torch.randn(3, 1, 2, 4, 4).to(dtype)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[1] = False
    rows = query, key, value, mask
    for zero in (paths.attention(*rows), paths.unfused(*rows), paths.module(*rows, fast=False)):
        assert not zero[..., 1, :].any()
        assert zero.isfinite().all()
    for nan in (
        paths.by_softmax(*rows),
        paths.module(*rows),
        paths.module(*rows, need_weights=True),
        paths.module(*rows, fast=False, need_weights=True),
    ):
        assert nan[..., 1, :].isnan().all()
        assert nan[..., [0, 2, 3], :].isfinite().all()
    mean = paths.by_smallest_number(*rows)[..., 1, :]
    torch.testing.assert_close(mean, value.mean(-2), atol=1e-2, rtol=1e-2)


@of_this_torch
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("dtype_name", DTYPES[1:])
def test_hidden_nan_leaks(dtype_name: str, bad: float) -> None:
    paths, dtype = program("masked_nan"), getattr(torch, dtype_name)
    query, key, value = torch.rand(3, 1, 2, 4, 4).to(dtype)
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[:, -1] = False
    poisoned_key, poisoned_value = key.clone(), value.clone()
    poisoned_key[..., -1, 0] = poisoned_value[..., -1, 0] = bad
    for leaks in (paths.attention, paths.unfused):
        assert leaks(query, poisoned_key, value, mask).isnan().all()
    for leaks in (paths.attention, paths.unfused, paths.by_softmax):
        leaked = leaks(query, key, poisoned_value, mask).isnan()
        assert leaked[..., 0].all()
        assert not leaked[..., 1:].any()
    assert paths.by_softmax(query, poisoned_key, value, mask).isfinite().all()
    assert paths.left_out(query, poisoned_key, poisoned_value, mask).isfinite().all()


def test_a_permuted_key_is_right_as_written() -> None:
    query, key, value = torch.randn(3, 2, 4, 4, 8, dtype=torch.float64)
    found = program("permuted").eager(*(x.transpose(1, 2) for x in (query, key, value)))
    plain = next(case for case in CORRECT if case.name == "eager")
    assert largest(found, plain.program(query, key, value)) < 1e-12
