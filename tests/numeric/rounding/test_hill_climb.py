"""Real programs of torch stay within the bound on the worst inputs that a search finds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.numeric.rounding.hill_climb import DTYPES, PROGRAMS, climb

SHAPES = ((1, 1, 6, 3), (1, 2, 16, 8))
STEPS = {(1, 1, 6, 3): 8, (1, 2, 16, 8): 4}
SEED = 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_input_found_exceeds_the_bound(dtype: Any, name: str, shape: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    steps = STEPS[shape] if dtype is not torch.float64 else 1
    found = climb(PROGRAMS[name], dtype, shape, steps=steps, seed=SEED)
    assert found.ratio < 1, (
        f"{found.name} errs {found.ratio:.4g} times the bound under {found.contract}; repeat with "
        f"climb(PROGRAMS[{name!r}], {dtype}, {shape}, steps={steps}, seed={SEED})"
    )
