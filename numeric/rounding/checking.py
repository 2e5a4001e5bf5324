"""Check a program on designed inputs: infer its contract, judge every element, shrink a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from derive.errors import InputError
from derive.options import Options
from derive.rounding_claim import OutputFigures, RoundingClaim, RoundingVerdict, RoundingWitness
from numeric.rounding.contract import Contract, declared
from numeric.rounding.designed import (
    BEYOND_FLOAT16,
    GRADIENTS_BEYOND_FLOAT16,
    HIDDEN_NAN,
    Drawn,
    Shapes,
    designed,
)
from numeric.rounding.diagnosis import diagnosis, keeps, looser_contracts
from numeric.rounding.enclosed import Array
from numeric.rounding.judging import (
    BEYOND,
    OUTPUT,
    SUSPICIOUS,
    UNBOUNDED,
    UNCERTAIN,
    UNDEFINED,
    WITHIN,
    Evaluation,
    Judged,
    judge,
)
from numeric.rounding.problem import Problem, problem
from numeric.rounding.resolution import BLIND, Resolution, resolution
from numeric.rounding.running import Failed, compilations, run
from numeric.rounding.shrinking import SEARCHED, searched, simplest
from numeric.rounding.watching import UNRECOGNISED, Inferred, inferred
from numeric.rounding.words import words

RESOLVED = ("normal", "later keys score higher")
"""The families whose resolution is worked out: it costs as much as a bound."""

OTHER_TOKENS = (1, 2, 3, 33, 65)
"""Other numbers of tokens: the fewest, and one more than powers of two."""

GUESSED = 64.0
"""Bounds within which an error refutes nothing where softmax was not recognised."""

MOST_WRITTEN = 60
"""Numbers that a witness writes out; of more it names the family that they are of."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Checked:
    """What is checked: a program that takes tensors in order, and the formula's options."""

    program: Callable[..., Any]
    options: Options
    dtype: Any
    backward: bool = False
    device: str = "cpu"

    @property
    def dtype_name(self) -> str:
        """The type as torch names it."""
        return str(self.dtype).removeprefix("torch.")

    def judge(self, drawn: Drawn, contract: Contract) -> tuple[Evaluation, tuple[Judged, ...]]:
        """Run the program on one set of inputs, and judge what it gives.

        Raises:
            Failed: It cannot be run on them.
        """
        upstream = drawn.gradient(self.dtype, self.device) if self.backward else None
        tensors = drawn.tensors(self.dtype, self.device)
        found = run(self.program, tensors, tuple(drawn.arrays), upstream)
        posed = self.posed(drawn)
        try:
            return judge(posed, contract, found.results, drawn.upstream if self.backward else None)
        except ValueError as error:
            raise Failed(str(error)) from None

    def posed(self, drawn: Drawn) -> Problem:
        """Return the exact problem that one set of inputs poses."""
        arrays = drawn.arrays
        return problem(
            arrays["query"],
            arrays["key"],
            arrays["value"],
            self.options,
            bias=arrays.get("bias"),
            mask=arrays.get("mask"),
        )


@dataclass
class _Tally:
    """The figures of one output, over the inputs so far."""

    name: str
    counts: dict[int, int] = field(default_factory=dict)
    elements: int = 0
    ratio: float = -2.0
    error: float = 0.0
    bound: float = 0.0
    place: tuple[int, ...] = ()
    inputs: str = ""
    largest_error: float = 0.0
    largest_bound: float = 0.0

    def add(self, judged: Judged, family: str) -> None:
        self.elements += judged.codes.size
        for code, count in zip(*numpy.unique(judged.codes, return_counts=True), strict=True):
            self.counts[int(code)] = self.counts.get(int(code), 0) + int(count)
        usable = numpy.isfinite(judged.bound) & numpy.isfinite(judged.actual)
        if usable.any():
            error = abs(judged.actual - judged.exact.value)[usable].max()
            self.largest_error = max(self.largest_error, float(error))
            self.largest_bound = max(self.largest_bound, float(judged.bound[usable].max()))
        place = judged.worst
        ratio = float(judged.ratio[place])
        if ratio > self.ratio:
            self.ratio, self.place, self.inputs = ratio, place, family
            self.error = float(abs(judged.actual[place] - judged.exact.value[place]))
            self.bound = float(judged.bound[place])

    def figures(self) -> OutputFigures:
        finite = numpy.isfinite([self.ratio, self.error, self.bound]).all()
        return OutputFigures(
            name=self.name,
            elements=self.elements,
            within=self.counts.get(WITHIN, 0),
            suspicious=self.counts.get(SUSPICIOUS, 0),
            beyond=self.counts.get(BEYOND, 0),
            without=self.counts.get(UNBOUNDED, 0) + self.counts.get(UNCERTAIN, 0),
            undefined=self.counts.get(UNDEFINED, 0),
            ratio=self.ratio if finite else None,
            error=self.error if finite else None,
            bound=self.bound if finite else None,
            place=self.place,
            inputs=self.inputs,
            largest_error=self.largest_error,
            largest_bound=self.largest_bound,
        )


def check_rounding(
    checked: Checked,
    shapes: Shapes,
    *,
    contract: Contract | str | None = None,
    seed: int = 0,
    hidden_anything: bool = False,
    other_shapes: bool = True,
    families: tuple[str, ...] | None = None,
    search: bool = True,
    shrink: bool = True,
    progress: Progress | None = None,
) -> RoundingClaim:
    """Return a claim about the rounding of a program on designed inputs.

    Args:
        checked: The program, its formula's options and its type of numbers.
        shapes: The shapes of its inputs.
        contract: A contract or the name of one; inferred by watching the program without it.
        seed: Where random numbers start.
        hidden_anything: Whether what a query may not see may be NaN or infinite: then it must not
            reach the output.
        other_shapes: Whether other numbers of tokens are tried too, on normal inputs.
        families: Which families of inputs are tried; all that make sense without it.
        search: Whether small inputs are searched where nothing designed shows a failure, unless
            families are named or the shape is to stay.
        shrink: Whether the simplest inputs that show a failure are looked for.
        progress: Called with a line of text while the work goes on.

    Raises:
        InputError: The program cannot be run in this type at this shape.
    """
    started = time.perf_counter()
    tell = progress or (lambda _: None)
    tell(f"{checked.dtype_name}: watching")
    compiled = compilations()
    watched = _watched(checked, shapes, contract, seed)
    found = _Found(checked, watched.contract, watched.recognised)
    for drawn in designed(
        shapes,
        checked.options,
        checked.dtype,
        seed=seed,
        hidden_anything=hidden_anything,
        without=_out_of_range(checked, watched.contract),
        only=families,
    ):
        tell(f"{checked.dtype_name}: {drawn.family}")
        found.take(drawn)
    for drawn in _other_tokens(checked, shapes, seed) if other_shapes else ():
        tell(f"{checked.dtype_name}: {drawn.family}")
        found.take(drawn, must_run=False, watch=contract is None)
    if not found.tried:
        raise InputError("families", str(families), "there is none of these names", "leave it out")
    compiles = compilations() != compiled
    if search and found.failing is None and other_shapes and families is None and not compiles:
        tell(f"{checked.dtype_name}: searching")
        found.search(shapes, seed)
    witness: RoundingWitness | None = None
    likely: tuple[str, ...] = ()
    if found.failing is not None:
        likely = _likely(watched.contract, found.failing)
    if found.failing is not None and shrink:
        tell(f"{checked.dtype_name}: looking for the simplest inputs that show it")
        witness = _witness(
            checked,
            shapes,
            watched.contract,
            found.failing,
            seed,
            any_shape=not compiles,
        )
    outputs = tuple(tally.figures() for tally in found.tallies.values())
    return RoundingClaim(
        dtype=checked.dtype_name,
        verdict=_verdict(outputs, bool(found.causes)),
        contract_name=watched.contract.name,
        contract=watched.contract.words(),
        inferred=contract is None,
        remarks=watched.remarks,
        outputs=outputs,
        tried=tuple(found.tried),
        not_tried=tuple(found.not_tried),
        causes=tuple(found.causes),
        resolution=words(found.resolved),
        reference=found.reference,
        witness=witness,
        diagnosis=likely,
        seconds=round(time.perf_counter() - started, 3),
        reference_seconds=round(found.spent, 3),
    )


@dataclass(frozen=True)
class _Failing:
    """The first inputs on which an element lies beyond its bound."""

    drawn: Drawn
    evaluation: Evaluation
    judged: Judged
    output: Judged


@dataclass
class _Found:
    """What the inputs so far have shown."""

    checked: Checked
    contract: Contract
    recognised: bool = True
    tallies: dict[str, _Tally] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    causes: dict[str, None] = field(default_factory=dict)
    resolved: Resolution = BLIND
    failing: _Failing | None = None
    reference: str = ""
    spent: float = 0.0

    def take(self, drawn: Drawn, *, must_run: bool = True, watch: bool = False) -> None:
        """Run the program on these inputs and keep what was seen.

        ``watch`` infers the contract anew: of another shape, a loop stores more copies.
        """
        try:
            used = _watched_on(self.checked, drawn).contract if watch else self.contract
            evaluation, judged = self.checked.judge(drawn, used)
        except (Failed, InputError) as error:
            if must_run and not self.tried:
                raise InputError(
                    self.checked.dtype_name,
                    drawn.family,
                    f"the program fails: {error}",
                    "give it inputs that it takes, or another type",
                ) from None
            self.not_tried.append(f"{drawn.family}: {error}")
            return
        if not self.recognised:
            judged = tuple(map(_without_contract, judged))
        self.tried.append(drawn.family)
        self.spent += evaluation.seconds
        self.reference = evaluation.forward.how
        for one in judged:
            self.tallies.setdefault(one.name, _Tally(one.name)).add(one, drawn.family)
            if drawn.family != HIDDEN_NAN:
                self.causes.update(dict.fromkeys(one.causes))
            if self.failing is None and one.count(BEYOND):
                self.failing = _Failing(drawn, evaluation, one, judged[0])
        if drawn.family in RESOLVED and must_run:
            self.resolved = self.resolved.better(resolution(evaluation))

    def search(self, shapes: Shapes, seed: int) -> None:
        """Look for small inputs that fail, and take what is found."""
        small = searched(
            shapes,
            self.checked,
            lambda drawn: _beyond(self.checked, self.contract, drawn),
            seed,
        )
        if small is not None:
            self.take(small, must_run=False)
        else:
            self.tried.append(f"{SEARCHED} small ones of whole numbers")


def _without_contract(judged: Judged) -> Judged:
    """Leave elements open that another order of operations may explain: the contract is a guess."""
    near = (judged.codes == BEYOND) & (judged.ratio <= GUESSED)
    if not near.any():
        return judged
    codes = numpy.where(near, UNBOUNDED, judged.codes)
    return replace(judged, codes=codes, causes=(*judged.causes, UNRECOGNISED))


def _out_of_range(checked: Checked, contract: Contract) -> tuple[str, ...]:
    """Return the families that overflow what the contract stores."""
    if checked.dtype_name != "float16":
        return ()
    if checked.backward:
        return GRADIENTS_BEYOND_FLOAT16
    return BEYOND_FLOAT16 if contract.scores is not None else ()


def _watched(
    checked: Checked, shapes: Shapes, contract: Contract | str | None, seed: int
) -> Inferred:
    if contract is not None:
        return Inferred(declared(contract), ())
    return _watched_on(checked, next(designed(shapes, checked.options, checked.dtype, seed=seed)))


def _watched_on(checked: Checked, drawn: Drawn) -> Inferred:
    tensors = drawn.tensors(checked.dtype, checked.device)
    try:
        return inferred(lambda: run(checked.program, tensors, tuple(drawn.arrays)), tensors)
    except Failed as error:
        raise InputError(
            checked.dtype_name,
            drawn.family,
            f"the program fails: {error}",
            "give it inputs that it takes, or another type",
        ) from None


def _other_tokens(checked: Checked, shapes: Shapes, seed: int) -> Iterator[Drawn]:
    """Yield normal inputs with other numbers of tokens."""
    for tokens in OTHER_TOKENS:
        if tokens == shapes.key[-2]:
            continue
        resized = shapes.with_tokens(tokens)
        for drawn in designed(resized, checked.options, checked.dtype, seed=seed, only=("normal",)):
            if checked.options.empty_rows == "undefined" and checked.posed(drawn).empty.any():
                continue  # the given shape has no query that sees no key
            yield replace(drawn, family=f"{tokens} token{'s' * (tokens > 1)}")


def _beyond(
    checked: Checked, contract: Contract, drawn: Drawn, output: str | None = None
) -> Judged | None:
    """Return the first output, or the one of that name, with an element beyond its bound."""
    try:
        _, judged = checked.judge(drawn, contract)
    except (Failed, InputError):
        return None
    wanted = (one for one in judged if output in (None, one.name) and one.count(BEYOND))
    return next(wanted, None)


def _witness(
    checked: Checked,
    shapes: Shapes,
    contract: Contract,
    failing: _Failing,
    seed: int,
    *,
    any_shape: bool,
) -> RoundingWitness:
    """Return the simplest inputs found; the failing ones themselves where none are."""

    def beyond(drawn: Drawn) -> Judged | None:
        return _beyond(checked, contract, drawn, failing.judged.name)

    small = simplest(shapes, checked, failing.drawn, beyond, seed, any_shape=any_shape)
    found = None if small is None else beyond(small)
    drawn, judged = (
        (failing.drawn, failing.judged) if small is None or found is None else (small, found)
    )
    codes = numpy.where(judged.codes == BEYOND, judged.ratio, -1.0)
    place = tuple(map(int, numpy.unravel_index(int(codes.argmax()), codes.shape)))
    elements = sum(array.size for array in drawn.arrays.values())
    given = drawn.arrays if elements <= MOST_WRITTEN else {}
    shown = {**given, **({"grad_output": drawn.upstream} if given and checked.backward else {})}
    return RoundingWitness(
        inputs=tuple((name, _nested(array)) for name, array in shown.items()),
        family=drawn.family,
        output=judged.name,
        place=place,
        actual=f"{judged.actual[place]:.9g}",
        exact=_enclosure(float(judged.exact.value[place]), float(judged.exact.radius[place])),
        bound=f"{judged.bound[place]:.3g}",
    )


def _likely(contract: Contract, failing: _Failing) -> tuple[str, ...]:
    """Say what the program may compute instead."""
    output = failing.output
    posed = failing.evaluation.problem
    if failing.judged.name != OUTPUT and not output.count(BEYOND):
        return (f"the output is right; the {failing.judged.name} is not",)
    if not numpy.isfinite(output.actual).all():
        return ("it gives NaN or infinity where a number is expected",)
    found = diagnosis(posed, contract, output.actual)
    if found:
        return tuple(f"it looks like this: {name}" for name in found)
    looser = [
        f"errors of this size come from {other.name}"
        for other in looser_contracts(contract, output.actual)
        if keeps(posed, other, output.actual)
    ]
    return tuple(looser[:1])


def _verdict(outputs: Sequence[OutputFigures], without: bool) -> RoundingVerdict:
    if any(figures.beyond for figures in outputs):
        return RoundingVerdict.REFUTED
    if without:
        return RoundingVerdict.NO_CERTIFICATE
    if any(figures.suspicious for figures in outputs):
        return RoundingVerdict.SUSPICIOUS
    return RoundingVerdict.WITHIN_BOUND


def _enclosure(value: float, radius: float) -> str:
    return f"{value:.9g}" if radius < 1e-300 else f"[{value:.9g} +/- {radius:.2g}]"


def _nested(array: Array) -> Any:
    if array.ndim == 0:
        return str(bool(array)) if array.dtype == bool else f"{float(array):.17g}"
    return tuple(_nested(part) for part in array)
