"""The rules by which other projects decide whether two attention programs agree.

Each judges on random normal inputs, as these projects do, in the layout of the case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from numeric.catalogue.case import Case, Program
from numeric.catalogue.drawing import draw, draw_upstream
from numeric.catalogue.eager_reference import reference as eager
from numeric.catalogue.eager_reference import upcast_reference

PASSES, FAILS = "passes", "fails"
KERNELBENCH_TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2}


@dataclass(frozen=True)
class Rival:
    """A rule, and where it stands.

    ``judge`` takes the program, an eager reference in the same type, the case, the name of the type
    and a seed, and returns "passes", "fails", or "cannot: " and why.
    """

    name: str
    source: str
    judge: Callable[[Program, Program, Case, str, int], str]


def results(program: Program, case: Case, dtype_name: str, seed: int) -> list[Any]:
    """Return the output, and for a case about gradients those of query, key and value."""
    inputs = draw(case, getattr(torch, dtype_name), seed)
    leaves = [x.detach().requires_grad_() if x.is_floating_point() else x for x in inputs]
    output = program(*leaves)
    if not case.backward:
        return [output.detach()]
    upstream = draw_upstream(case, output, seed)
    return [output.detach(), *torch.autograd.grad(output, leaves[:3], upstream)]


def _assert_close(
    program: Program, reference: Program, case: Case, dtype_name: str, seed: int
) -> str:
    found = results(program, case, dtype_name, seed)
    try:
        torch.testing.assert_close(found, results(reference, case, dtype_name, seed))
    except AssertionError:
        return FAILS
    return PASSES


def _allclose(program: Program, reference: Program, case: Case, dtype_name: str, seed: int) -> str:
    found = results(program, case, dtype_name, seed)
    return _all_close(found, results(reference, case, dtype_name, seed))


def _kernelbench(
    program: Program, reference: Program, case: Case, dtype_name: str, seed: int
) -> str:
    tolerance = KERNELBENCH_TOLERANCES.get(dtype_name)
    if tolerance is None:
        return f"cannot: it has no tolerance for {dtype_name}"
    found = results(program, case, dtype_name, seed)[:1]
    expected = results(reference, case, dtype_name, seed)[:1]
    return _all_close(found, expected, atol=tolerance, rtol=tolerance)


def _gradcheck(program: Program, _: Program, case: Case, dtype_name: str, seed: int) -> str:
    if not case.backward:
        return "cannot: it holds a program's gradient against its own output"
    if dtype_name != "float64":
        return "cannot: its finite differences need float64"
    inputs = draw(case, torch.float64, seed)
    leaves = [x.detach().requires_grad_() if x.is_floating_point() else x for x in inputs]
    return PASSES if torch.autograd.gradcheck(program, leaves, raise_exception=False) else FAILS


def _flash_attention(program: Program, _: Program, case: Case, dtype_name: str, seed: int) -> str:
    """Allow twice the error of the reference in low precision, and what adding 0.3 rounds off.

    Three times with a soft cap. The errors are against the reference in float32, rounded.
    """
    if dtype_name not in ("float16", "bfloat16"):
        return f"cannot: its tests are in float16 and bfloat16, not in {dtype_name}"
    widened = upcast_reference(case, torch.float32)

    def rounded(query: Any, *others: Any) -> Any:
        return widened(query, *others).to(query.dtype)

    found = results(program, case, dtype_name, seed)
    exact = results(rounded, case, dtype_name, seed)
    low = results(eager(case, reordered=True), case, dtype_name, seed)
    times = 2 if case.options.soft_cap is None else 3
    for ours, theirs, true in zip(found, low, exact, strict=True):
        allowed = times * _largest(theirs - true) + 2 * _largest(true + 0.3 - 0.3 - true)
        if not _largest(ours - true) <= allowed:
            return FAILS
    return PASSES


def _largest(difference: Any) -> float:
    return float(difference.abs().max().item())


def _all_close(found: Sequence[Any], expected: Sequence[Any], **tolerances: float) -> str:
    pairs = zip(found, expected, strict=True)
    return PASSES if all(torch.allclose(a, b, **tolerances) for a, b in pairs) else FAILS


RIVALS = (
    Rival("torch.testing.assert_close", "torch, defaults for the type", _assert_close),
    Rival("torch.allclose", "torch, rtol 1e-5 and atol 1e-8", _allclose),
    Rival("torch.autograd.gradcheck", "torch, eps 1e-6, atol 1e-5 and rtol 1e-3", _gradcheck),
    Rival(
        "flash-attention's tests",
        "Dao-AILab/flash-attention, tests/cute/test_flash_attn.py",
        _flash_attention,
    ),
    Rival(
        "KernelBench",
        "ScalingIntelligence/KernelBench, src/kernelbench/eval.py",
        _kernelbench,
    ),
)
"""Other projects' rules, with the tolerances that they have."""
