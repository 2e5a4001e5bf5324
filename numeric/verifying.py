"""Does a torch program compute a formula, or what another program computes?

    report = verify(attention, scaled_dot_product_attention(causal="top-left"),
                    (query, key, value), backward=True)
    print(report)

Both sides are captured or derived, compared at random points modulo primes, proved equal exactly
where that is affordable, and refuted by numbers where they differ: each claim says which it was,
at which shapes, and what it rests on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from derive.arrays import Unsupported
from derive.errors import InputError
from derive.formula import FormulaError
from derive.identity_test import ALLOWED_ERROR, identity_test
from derive.verdict import Claim, Report, Verdict
from numeric.capture_error import CaptureError
from numeric.decision import Effort, decide
from numeric.rounding_bound import bound_rounding
from numeric.setting import Setting, Subjects, prepare, title
from numeric.shapes import TOKEN_AXIS, ExampleInputs, smaller, token_counts
from numeric.subject import subject

PACKAGES = ("attention-derived", "torch", "sympy", "python-flint")
NOT_RUN = (InputError, FormulaError, Unsupported)
"""Why a program may not be tried at a shape that was not asked for."""


def verify(
    function: Any,
    reference: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    *,
    backward: bool = False,
    fixed: Sequence[str] = (),
    names: Sequence[str] | None = None,
    other_shapes: bool = True,
    boundaries: Sequence[int] = (),
    exact: bool = True,
    seed: int = 0,
    allowed_error: float = ALLOWED_ERROR,
    dtypes: Sequence[str] = (),
    contract: Any = None,
    hidden_anything: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Return a report on whether ``function`` computes ``reference`` for all real inputs.

    Args:
        function: A torch callable or module.
        reference: A formula (a ``Mechanism``, whose arrays are given in order), or a callable or
            module that takes the same inputs.
        inputs: Example tensors, by position or by keyword: their shapes count, and the values of
            those that are held fixed.
        backward: Whether to compare the gradients of all inputs as well, for a free upstream
            gradient. A formula's gradients are derived from the formula.
        fixed: Names of floating inputs that keep their example values.
        names: Names of positional inputs, where the signature has no good ones.
        other_shapes: Whether other numbers of tokens are tried too, where both sides take them.
        boundaries: Numbers of tokens around which to try, such as block sizes and windows.
        exact: Whether to attempt an exact proof where the shapes are small.
        seed: Where the random points start.
        allowed_error: Base-two logarithm of the chance of a false pass.
        dtypes: Types in which rounding is bounded too, such as "bfloat16": separate claims.
        contract: The precisions of those claims, or their name; watched without it.
        hidden_anything: Whether what a query may not see may be NaN, and must not reach it.
        progress: Called with a line of text while the work goes on.

    Raises:
        CaptureError: A program cannot be read as a formula, and no ``dtypes`` are given; the
            message says why.
        InputError: The two sides do not take the same inputs.
    """
    effort = Effort(exact, seed, allowed_error, progress)
    examples = _examples(function, inputs, fixed, names)
    named = tuple(examples.values)[: len(inputs)]
    subjects = Subjects(function, reference, backward, tuple(fixed), named)
    effort.tell("capturing")
    claims: list[Claim] = []
    not_tried: list[str] = []
    try:
        own: Setting | None = prepare(subjects, list(examples.values.values()))
    except CaptureError as error:
        if not dtypes:
            raise
        # What cannot be read as a formula can be run all the same, and its rounding bounded.
        own = None
        claims.append(Claim(_given(examples), Verdict.UNDECIDED, reason=str(error)))
    tied = examples.tied_to(TOKEN_AXIS)
    if tied and other_shapes:
        not_tried.append(f"other numbers of tokens: {', '.join(tied)} is held fixed")
    resizable = other_shapes and not tied
    for tokens, resized in _shapes(examples, boundaries if resizable else None) if own else ():
        if any(claim.verdict is Verdict.REFUTED for claim in claims):
            not_tried.append(f"{tokens} tokens, after the refutation")
            continue
        try:
            setting = own if own and resized is examples else _prepared(subjects, resized)
        except NOT_RUN as error:
            not_tried.append(f"{tokens} tokens: {error}")
            continue
        effort.tell(f"{tokens} tokens")
        try:
            claims.append(decide(setting, effort, partial(_smallest, subjects, resized, effort)))
        except FormulaError as error:
            # Shapes that the program takes and the formula does not.
            if resized is examples:
                raise InputError(
                    title(reference), "shapes", str(error), "give inputs of the formula's shapes"
                ) from None
            not_tried.append(f"{tokens} tokens: {error}")
    return Report(
        program=title(function),
        reference=title(reference),
        backward=backward,
        claims=tuple(sorted(claims, key=lambda claim: claim.verdict.strength)),
        fixed=own.fixed if own else (),
        not_tried=tuple(not_tried),
        versions=versions(),
        rounding=tuple(
            bound_rounding(
                function,
                reference,
                inputs,
                dtype,
                backward=backward,
                contract=contract,
                hidden_anything=hidden_anything,
                other_shapes=other_shapes,
                seed=seed,
                progress=progress,
            )
            for dtype in dtypes
        ),
    )


def _examples(
    function: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    fixed: Sequence[str],
    names: Sequence[str] | None,
) -> ExampleInputs:
    slots = subject(function, inputs, fixed, names).slots[: len(inputs)]
    given = inputs.values() if isinstance(inputs, Mapping) else inputs
    values = {slot.name: value for slot, value in zip(slots, given, strict=True)}
    return ExampleInputs(values, tuple(slot.name for slot in slots if slot.is_free))


def _given(examples: ExampleInputs) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(examples.values[name].shape)) for name in examples.variable)


def _shapes(
    examples: ExampleInputs, boundaries: Sequence[int] | None
) -> Iterator[tuple[int, ExampleInputs]]:
    """Yield the inputs with each number of tokens, the fewest first."""
    own = examples.length(TOKEN_AXIS)
    if own is None or boundaries is None:
        yield own or 0, examples
        return
    for tokens in token_counts(own, boundaries):
        yield tokens, examples if tokens == own else examples.resized(TOKEN_AXIS, own, tokens)


def _prepared(subjects: Subjects, examples: ExampleInputs) -> Setting:
    return prepare(subjects, list(examples.values.values()))


def _smallest(subjects: Subjects, examples: ExampleInputs, effort: Effort) -> Setting | None:
    """Make axes as short as they can be while the two sides still differ."""
    best: Setting | None = None
    shortened: set[tuple[int, int]] = set()
    for axis, own, length in smaller(examples):
        if (axis, own) in shortened:
            continue
        candidate = examples.resized(axis, own, length)
        try:
            setting = _prepared(subjects, candidate)
            differs = not identity_test(
                setting.program, setting.reference, setting.inputs, seed=effort.seed
            ).equal
        except NOT_RUN:
            continue
        if differs:
            effort.tell(f"they differ with {length} in place of {own} on axis {axis}, too")
            best, examples = setting, candidate
            shortened.add((axis, own))
    return best


def versions() -> tuple[tuple[str, str], ...]:
    """Return what a report was made with."""
    found = [("python", ".".join(map(str, sys.version_info[:3])))]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)
