"""Measure the bound: how tight it is, and what it catches, beside the rules of other projects."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import torch

from derive.evidence import fingerprint
from derive.options import Options
from derive.rounding_claim import RoundingClaim, RoundingVerdict
from derive.rounding_evidence import (
    CANNOT,
    CAUGHT,
    FALSE_ALARM,
    MISSED,
    OURS,
    PASSED,
    RoundingEvidence,
    Tightness,
    Trial,
)
from numeric.catalogue.bugs import BUGS
from numeric.catalogue.case import Case
from numeric.catalogue.correct import CORRECT
from numeric.catalogue.eager_reference import reference as eager
from numeric.catalogue.rivals import FAILS, RIVALS
from numeric.rounding.checking import Checked, check_rounding
from numeric.rounding.contract import default
from numeric.rounding.designed import Shapes

CASES: tuple[Case, ...] = (*BUGS, *CORRECT)
DTYPES = ("float32", "bfloat16", "float16")
"""The types of the catalogue's table; float64 costs Arb balls for every element."""

FINE = ("float64",)
"""The type of finite differences: wrong gradients are tried in it, too."""

SHAPES = ((1, 1, 6, 3), (1, 1, 64, 64), (1, 1, 512, 64))
SEED = 0
Progress = Callable[[str], None]


def measure(
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    command: str = "derive measure",
    shrink: bool = False,
    places: Sequence[int] | None = None,
    dtypes: Sequence[str] = DTYPES,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
) -> RoundingEvidence:
    """Run the catalogue in each type, and measure tightness at each shape.

    Args:
        jobs: Processes that share the work.
        progress: Called with a line of text while the work goes on.
        command: What repeats it.
        shrink: Whether the simplest inputs that show each bug are looked for: minutes.
        places: Which of ``CASES`` to run; all without it.
        dtypes: Types of numbers.
        shapes: Shapes at which tightness is measured.
    """
    from numeric.verifying import versions

    started = time.perf_counter()
    tell = progress or (lambda _: None)
    chosen = range(len(CASES)) if places is None else places
    wanted = [
        (place, dtype)
        for place in chosen
        for dtype in (*(FINE if CASES[place].backward else ()), *dtypes)
        if dtype in CASES[place].dtypes
    ]
    trials: dict[tuple[int, str], Trial] = {}
    for key, trial in _tried(wanted, jobs, shrink):
        trials[key] = trial
        tell(f"{len(trials)} of {len(wanted)} programs: {trial.name} in {trial.dtype}")
    tell("tightness")
    tight = tuple(
        row for shape in shapes for dtype in ("float64", *dtypes) for row in tightness(shape, dtype)
    )
    return RoundingEvidence(
        tightness=tight,
        trials=tuple(trials[key] for key in wanted),
        device=f"CPU, {platform.machine()}, one thread",
        fingerprint=fingerprint(),
        versions=versions(),
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 1),
    )


def _tried(
    wanted: Sequence[tuple[int, str]], jobs: int, shrink: bool
) -> Iterator[tuple[tuple[int, str], Trial]]:
    if jobs == 1:
        for place, dtype in wanted:
            yield (place, dtype), trial(place, dtype, shrink=shrink)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_alone) as pool:
        waiting = {pool.submit(trial, *key, shrink=shrink): key for key in wanted}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _alone() -> None:
    torch.set_num_threads(1)


def trial(place: int, dtype: str, *, shrink: bool = False) -> Trial:
    """Judge one of ``CASES`` by our rule and by every other."""
    case = CASES[place]
    claim = judged(case, dtype, shrink=shrink)
    is_bug = bool(case.source)
    alarm = claim.verdict is RoundingVerdict.REFUTED
    silent = claim.verdict.passed
    ours = _word(is_bug, alarm) if alarm or silent else CANNOT
    verdicts = [(OURS, ours)]
    for rival in RIVALS:
        found = rival.judge(case.program, eager(case), case, dtype, SEED)
        cannot = found.startswith("cannot")
        verdicts.append((rival.name, CANNOT if cannot else _word(is_bug, found == FAILS)))
    return Trial(
        name=case.name,
        source=case.source,
        address=case.address,
        dtype=dtype,
        backward=case.backward,
        contract=claim.contract_name,
        verdicts=tuple(verdicts),
        ratio=claim.ratio,
        smallest=_smallest(claim),
        likely="; ".join(claim.diagnosis),
    )


def judged(case: Case, dtype: str, *, shrink: bool = False) -> RoundingClaim:
    """Return our claim about a program of the catalogue.

    A wrong one that keeps the contract it is watched to have is held against the one that correct
    programs of its type keep: it may have lost digits that it should have kept.
    """
    checked = Checked(case.program, case.options, getattr(torch, dtype), bool(_backward(case)))
    given: dict[str, Any] = {
        "hidden_anything": case.hidden_anything,
        "search": False,
        "shrink": shrink,
        "seed": SEED,
    }
    contract = f"{dtype} {case.contract}" if case.contract else None
    claim = check_rounding(checked, shapes_of(case), contract=contract, **given)
    if case.source and claim.verdict is not RoundingVerdict.REFUTED:
        return check_rounding(checked, shapes_of(case), contract=default(dtype), **given)
    return claim


def shapes_of(case: Case) -> Shapes:
    """Return the shapes of a case's inputs."""
    s = case.shape
    lengths = {"b": s.batch, "h": s.heads, "i": s.queries, "j": s.tokens, "1": 1}

    def added(name: Any) -> tuple[int, ...] | None:
        if not getattr(case.options, name):
            return None
        return tuple(lengths[axis] for axis in case.options.axes(name))

    return Shapes(
        (s.batch, s.heads, s.queries, s.dim),
        (s.batch, s.kv_heads, s.tokens, s.dim),
        (s.batch, s.kv_heads, s.tokens, s.value_dim),
        added("bias"),
        added("mask"),
    )


def tightness(shape: tuple[int, ...], dtype: str) -> Iterator[Tightness]:
    """Measure torch's eager and fused attention, causal, forward and backward."""
    for name, program in (("eager", _eager), ("fused", _fused)):
        checked = Checked(
            program, Options(leading=2, causal="top-left"), getattr(torch, dtype), backward=True
        )
        claim = check_rounding(
            checked,
            Shapes(shape, shape, shape),
            families=("normal",),
            other_shapes=False,
            shrink=False,
        )
        for figures in claim.outputs:
            if figures.largest_bound is None or not figures.largest_error:
                continue
            yield Tightness(
                program=name,
                dtype=dtype,
                shape="x".join(str(length) for length in shape[-2:]),
                output=figures.name,
                bound=figures.largest_bound,
                error=figures.largest_error,
                reference=claim.reference,
                seconds=claim.seconds,
            )


def _eager(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.mT * query.shape[-1] ** -0.5
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(hidden, -torch.inf).softmax(-1) @ value


def _fused(query: Any, key: Any, value: Any) -> Any:
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def _backward(case: Case) -> bool:
    return case.backward or not case.source


def _word(is_bug: bool, alarm: bool) -> str:
    if is_bug:
        return CAUGHT if alarm else MISSED
    return FALSE_ALARM if alarm else PASSED


def _smallest(claim: RoundingClaim) -> str:
    if claim.witness is None or not claim.witness.inputs:
        return ""
    return ", ".join(
        f"{name} {'x'.join(map(str, _lengths(values)))}" for name, values in claim.witness.inputs
    )


def _lengths(values: Any) -> tuple[int, ...]:
    if isinstance(values, str):
        return ()
    return (len(values), *(_lengths(values[0]) if values else ()))
