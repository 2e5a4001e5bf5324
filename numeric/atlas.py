"""Check the atlas: properties and theorems a second way, the torch code, and the worked numbers.

Rows of an earlier run are kept where nothing that they rest on has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import numpy
import torch
from sympy import IndexedBase

from derive.atlas_evidence import (
    AtlasEvidence,
    CodeCheck,
    MechanismChecks,
    NumbersCheck,
    ProgramCheck,
    TheoremChecks,
    digest,
    theorem_digest,
    versions,
)
from derive.code import function, result_function
from derive.evidence import REFUTED, UNDECIDED, WITHIN_BOUND
from derive.examples import BUILT_IN, Example, load
from derive.formula import d_v, n_h
from derive.proof_check import check_variant
from derive.sizes import sizes as sizes_of
from derive.small_sizes import shapes_at, small_sizes
from derive.theorems import THEOREMS
from derive.theorems.checking import recheck_theorem
from derive.variants import ATLAS
from derive.variants.variant import Variant
from numeric.bounds import rounding_bounds
from numeric.comparison import compare
from numeric.inputs import rounded_inputs
from numeric.precision import FLOAT64
from numeric.theorems import check_theorem_programs
from numeric.verifying import verify

Progress = Callable[[str], None]


def _silent(_: str) -> None:
    """Tell nobody."""


Row = MechanismChecks | TheoremChecks

FUNCTION_ULP = 2
"""Error of torch's float64 exp, tanh, cos and sin on a CPU in units in the last place.

Taken on trust from SLEEF, which states at most 1.0 for those that torch calls, with as much again
for what runs elsewhere; a test measures it.
"""

TOKENS = 3
LARGER = {d_v: 2, n_h: 2}
"""The shape at which the code of a mechanism is proved: several tokens, heads and dimensions."""


def check_atlas(
    earlier: AtlasEvidence | None = None,
    jobs: int = 1,
    progress: Progress = _silent,
    command: str = "derive atlas",
) -> AtlasEvidence:
    """Check every mechanism and every theorem, except what ``earlier`` still holds of."""
    start = time.perf_counter()
    known = _still_true(earlier)
    tasks: list[tuple[Callable[[str], Row], str]] = [
        (check_mechanism, key) for key in ATLAS if key not in known
    ]
    tasks += [(check_theorem, name) for name in THEOREMS if _theorem(name) not in known]
    for row in _run(tasks, jobs, progress):
        known[row.key if isinstance(row, MechanismChecks) else _theorem(row.name)] = row
    return AtlasEvidence(
        mechanisms=tuple(known[key] for key in ATLAS),  # type: ignore[misc]
        theorems=tuple(known[_theorem(name)] for name in THEOREMS),  # type: ignore[misc]
        versions=tuple(versions().items()),
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - start, 1),
    )


def check_mechanism(key: str) -> MechanismChecks:
    """Decide the properties of one mechanism, prove its torch code, and bound its numbers."""
    start = time.perf_counter()
    variant = ATLAS[key]
    return MechanismChecks(
        key=key,
        digest=digest(variant),
        properties=check_variant(variant),
        code=check_code(variant),
        numbers=tuple(check_numbers(variant, load(name)) for name in BUILT_IN),
        seconds=round(time.perf_counter() - start, 1),
    )


def check_theorem(name: str) -> TheoremChecks:
    """Check a theorem's proof a second way, and the programs whose steps it is about."""
    start = time.perf_counter()
    theorem = THEOREMS[name]
    return TheoremChecks(
        name=name,
        digest=theorem_digest(theorem),
        method=recheck_theorem(theorem),
        programs=tuple(
            ProgramCheck(found.program, found.source, found.verdict, found.shapes, found.passed)
            for found in check_theorem_programs(theorem=name)
        ),
        seconds=round(time.perf_counter() - start, 1),
    )


def check_code(variant: Variant) -> CodeCheck:
    """Prove that the generated torch code computes the formula, and autograd its gradients."""
    mechanism = variant.mechanism
    names = [str(base) for base in mechanism.inputs]
    report = verify(
        result_function(mechanism, torch),
        mechanism,
        example_tensors(variant),
        backward=True,
        names=names,
        other_shapes=False,
    )
    claim = report.claims[0]
    return CodeCheck(
        verdict=str(report.verdict),
        reason=claim.reason,
        shapes=tuple((name, tuple(shape)) for name, shape in claim.shapes),
        passed=report.verdict.passed,
    )


def example_tensors(variant: Variant) -> list[Any]:
    """Return inputs at a small shape; those of zeros and ones are the atlas's own, held fixed."""
    mechanism = variant.mechanism
    sizes = small_sizes(mechanism, TOKENS, instead=LARGER)
    vectors = load(BUILT_IN[0]).array()[:TOKENS]
    tensors = []
    for base, shape in shapes_at(mechanism, sizes).items():
        if base in mechanism.indicators:
            tensors.append(torch.from_numpy(variant.inputs[base].make(vectors).astype(bool)))
        else:
            tensors.append(torch.zeros(shape, dtype=torch.float64))
    return tensors


def check_numbers(variant: Variant, example: Example) -> NumbersCheck:
    """Compare every entry that the torch code computes in float64 with the certified bound."""
    mechanism, vectors = variant.mechanism, example.array()
    exact = {base: source.make(vectors) for base, source in variant.inputs.items()}
    rounded = rounded_inputs(exact, FLOAT64, "torch")
    found = function(mechanism, torch)(**{str(base): rounded[base] for base in rounded})
    known = sizes_of(mechanism, {base: entries.shape for base, entries in exact.items()})
    expected = rounding_bounds(
        mechanism, exact, FLOAT64, FUNCTION_ULP, function_ulp=FUNCTION_ULP, sizes=known
    )
    rows = [
        compare(_labels(example, base), found[str(base)], expected[base], FLOAT64)
        for base in expected
    ]
    words = [row.verdict for row in rows]
    verdict = next((word for word in (REFUTED, UNDECIDED) if word in words), WITHIN_BOUND)
    reason = next((f"{row.stage}: {row.reason}" for row in rows if row.verdict == verdict), "")
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return NumbersCheck(
        example=example.name,
        verdict=verdict,
        reason="" if verdict == WITHIN_BOUND else reason,
        elements=sum(row.elements for row in rows),
        ratio=max(ratios, default=None),
    )


def _labels(example: Example, base: IndexedBase) -> dict[str, str]:
    return {
        "example": example.name,
        "mechanism": "",
        "stage": str(base),
        "title": str(base),
        "implementation": "generated torch code",
    }


def _still_true(earlier: AtlasEvidence | None) -> dict[str, Row]:
    if earlier is None:
        return {}
    kept: dict[str, Row] = {
        row.key: row
        for row in earlier.mechanisms
        if row.key in ATLAS and row.passed and row.digest == digest(ATLAS[row.key])
    }
    for row in earlier.theorems:
        known = row.name in THEOREMS and row.passed
        if known and row.digest == theorem_digest(THEOREMS[row.name]):
            kept[_theorem(row.name)] = row
    return kept


def _theorem(name: str) -> str:
    """Return the name under which a theorem's row is kept, apart from those of mechanisms."""
    return f"theorem {name}"


def _run(
    tasks: list[tuple[Callable[[str], Row], str]], jobs: int, progress: Progress
) -> Iterable[Row]:
    if jobs == 1 or len(tasks) < 2:
        for check, name in tasks:
            progress(name)
            yield check(name)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_one_thread) as pool:
        futures: dict[Future[Row], str] = {pool.submit(check, name): name for check, name in tasks}
        for done, future in enumerate(as_completed(futures), start=1):
            progress(f"{done} of {len(tasks)}: {futures[future]}")
            yield future.result()


def _one_thread() -> None:
    """Keep a worker from using more than its own core: its tensors are tiny."""
    torch.set_num_threads(1)
    numpy.seterr(all="ignore")
