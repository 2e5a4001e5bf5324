"""Compare implementations with the formulas of the atlas, one by one or in several processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context

import torch

from derive.implementations import Row, digest, without
from derive.variants import ATLAS
from derive.verdict import Claim, Verdict
from numeric.capture_error import CaptureError
from numeric.implementations.implementation import Implementation
from numeric.implementations.inputs import example_inputs
from numeric.implementations.listed import IMPLEMENTATIONS
from numeric.verifying import verify, versions

__all__ = ["IMPLEMENTATIONS", "compared", "installed", "listed_row", "rows", "versions"]

Progress = Callable[[str], None]


def installed(package: str) -> str:
    """Return the version of an installed package, "" where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def rows(
    places: Sequence[int], *, jobs: int = 1, progress: Progress | None = None
) -> tuple[Row, ...]:
    """Compare those of ``IMPLEMENTATIONS`` that have these places; return a row for each."""
    tell = progress or (lambda _: None)
    found: dict[int, Row] = {}
    for place, row in _compared(places, jobs):
        found[place] = row
        tell(f"{len(found)} of {len(places)}: {row.name}, {row.verdict}")
    return tuple(found[place] for place in places)


def _compared(places: Sequence[int], jobs: int) -> Iterator[tuple[int, Row]]:
    if jobs == 1:
        for place in places:
            yield place, listed_row(place)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_alone) as pool:
        waiting = {pool.submit(listed_row, place): place for place in places}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _alone() -> None:
    torch.set_num_threads(1)


def listed_row(place: int) -> Row:
    """Compare one of ``IMPLEMENTATIONS`` with its formula."""
    return compared(IMPLEMENTATIONS[place])


def compared(implementation: Implementation) -> Row:
    """Compare an implementation with its formula, forward and backward, at its example shapes."""
    started = time.perf_counter()
    mechanism = without(ATLAS[implementation.mechanism].mechanism, *implementation.without)
    values = implementation.values()
    inputs = example_inputs(mechanism, implementation.sizes, values)
    floating = tuple(name for name in values if inputs[name].is_floating_point())
    try:
        report = verify(
            implementation.build(),
            mechanism,
            list(inputs.values()),
            names=list(inputs),
            fixed=floating,
            backward=True,
            other_shapes=False,
        )
    except CaptureError as error:
        verdict, reason = Verdict.UNDECIDED, str(error)
    else:
        verdict, reason = report.verdict, _reason(report.claims[0])
    return Row(
        mechanism=implementation.mechanism,
        package=implementation.package,
        version=version(implementation.package),
        name=implementation.name,
        call=implementation.call,
        given=implementation.without,
        fixed=tuple(values),
        verdict=verdict,
        backward=True,
        shapes=tuple((name, tuple(tensor.shape)) for name, tensor in inputs.items()),
        remark=implementation.differs,
        reason=" ".join(reason.split()),
        formula=digest(mechanism),
        torch=torch.__version__,
        date=datetime.now(UTC).date().isoformat(),
        seconds=round(time.perf_counter() - started, 1),
    )


def _reason(claim: Claim) -> str:
    if claim.witness is not None:
        return f"{claim.how}: {claim.witness.left} and {claim.witness.right} at {claim.shape}"
    return claim.reason
