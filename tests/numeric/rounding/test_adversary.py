"""No evaluation that keeps its contract, however badly it rounds, errs more than the bound says."""

from __future__ import annotations

import numpy
import pytest
import torch

from tests.numeric.rounding.adversary import attack
from tests.numeric.rounding.cases import case, contracts

SEEDS = 180
CHUNK = 30


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_no_adversary_exceeds_the_bound(start: int) -> None:
    for seed in range(start, start + CHUNK):
        taken = case(seed)
        with numpy.errstate(over="ignore"):
            worst = attack(taken.problem, taken.contract, taken.order, taken.upstream, seed=seed)
        for name, found in worst.items():
            assert found.ratio <= 1, (
                f"{name} errs {found.ratio:.4g} times the bound at {found.place} ({found.how}); "
                f"repeat with tests.numeric.rounding.cases.case({seed}): {taken.words}, "
                f"{taken.order}"
            )


def test_the_adversary_comes_near_the_bound() -> None:
    nearest = dict.fromkeys(("output", "query", "key", "value"), 0.0)
    for seed in range(25):
        taken = case(seed)
        with numpy.errstate(over="ignore"):
            worst = attack(taken.problem, taken.contract, taken.order, taken.upstream, seed=seed)
        for name in nearest:
            nearest[name] = max(nearest[name], worst[name].ratio)
    assert nearest["output"] > 0.8, nearest
    assert min(nearest.values()) > 0.4, nearest


def test_every_contract_and_order_is_tried() -> None:
    cases = [case(seed) for seed in range(SEEDS)]
    assert {taken.contract for taken in cases} >= set(contracts().values())
    assert {taken.order.softmax for taken in cases} == {
        "eager", "deferred", "logarithmic", "online", "split"
    }  # fmt: skip
    for name in ("anew", "base_two", "fused", "scale_first", "narrow_accumulator", "narrow_shift"):
        assert {getattr(taken.order, name) for taken in cases} == {False, True}, name
    posed = [taken.problem for taken in cases]
    assert any(one.is_shared for one in posed)
    assert any(one.soft_cap is not None and one.bias is not None for one in posed)
    assert any(one.empty.any() and one.empty_rows == "uniform" for one in posed)
