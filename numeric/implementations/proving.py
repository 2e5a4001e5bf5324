"""Compare implementations with the formulas of the atlas, one by one or in several processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context

import torch

from derive.errors import InputError
from derive.implementations import Row, digest, without
from derive.variants import ATLAS
from derive.verdict import Claim, Verdict
from numeric.capture_error import CaptureError
from numeric.implementations.implementation import Implementation, Program
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
    free = [name for name, tensor in inputs.items() if tensor.is_floating_point()]
    program = _built(implementation)
    try:
        report = verify(
            program,
            mechanism,
            list(inputs.values()),
            names=list(inputs),
            fixed=[name for name in values if name in free],
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
        left_out=implementation.without,
        fixed=tuple(name for name in inputs if name in values or name not in free),
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


def _built(implementation: Implementation) -> Program:
    try:
        return implementation.build()
    except Exception as error:
        # Packages move and rename what they have; one line says which.
        raise InputError(
            implementation.name,
            "",
            f"it cannot be made: {type(error).__name__}: {error}",
            f"{implementation.package} {version(implementation.package)} is another than was "
            "written for; mend its module in numeric/implementations",
        ) from error


def _reason(claim: Claim) -> str:
    if claim.witness is not None:
        return f"{claim.how}: {claim.witness.left} and {claim.witness.right} at {claim.shape}"
    return claim.reason
