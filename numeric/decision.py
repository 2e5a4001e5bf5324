"""Decide at one set of shapes: identity test, exact proof, witness, or neither."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from derive.arrays import Unsupported
from derive.identity_test import ALLOWED_ERROR, Outcome, identity_test
from derive.proving import Proved, proof
from derive.verdict import Claim, Verdict, Witness
from numeric.departure import departure
from numeric.refutation import refutation
from numeric.setting import Setting

PROOF_SECONDS = 10.0
PROOF_ELEMENTS = 500
"""A proof is attempted where the inputs have at most so many elements together."""

WITNESS_ELEMENTS = 2000
"""Numbers for a witness are looked for where the inputs have at most so many elements."""

REALS = "all numbers are real: what rounding does is another claim"
EXPONENTIALS = (
    "exp(a + b) = exp(a) exp(b) is used exactly; that different exponentials count as free "
    "numbers of their own rests on the random-exponent assumption of Li and Wu (arXiv 2506.04529)"
)
COEFFICIENTS = (
    "primes are drawn from a hash of both programs; that one divides every coefficient of a "
    "difference is taken to be as likely as for a random number"
)
DEFINED = "equal wherever both are defined: no denominator zero, no root of less than zero"
LOWEST = (
    "finfo.min is read as a number below all others that absorbs what is added to it, as it does "
    "in floating point"
)


@dataclass(frozen=True)
class Effort:
    """How hard to try."""

    exact: bool = True
    seed: int = 0
    allowed_error: float = ALLOWED_ERROR
    progress: Callable[[str], None] | None = None

    def tell(self, line: str) -> None:
        """Report what is being done."""
        if self.progress is not None:
            self.progress(line)


def decide(
    setting: Setting, effort: Effort, smaller: Callable[[], Setting | None] | None = None
) -> Claim:
    """Return the claim about ``setting``.

    ``smaller`` gives the same programs at a smaller shape where they differ too, if there is one:
    a witness is looked for there first.
    """
    started = time.perf_counter()
    if setting.unread:
        return Claim(setting.shapes, Verdict.UNDECIDED, reason=setting.unread)
    try:
        outcome = identity_test(
            setting.program,
            setting.reference,
            setting.inputs,
            seed=effort.seed,
            allowed_error=effort.allowed_error,
            progress=effort.progress,
        )
    except Unsupported as error:
        claim = Claim(setting.shapes, Verdict.UNDECIDED, reason=str(error))
    else:
        claim = (
            _equal(setting, outcome, effort)
            if outcome.equal
            else _different(setting, outcome, effort, smaller)
        )
    return replace(claim, seconds=round(time.perf_counter() - started, 3))


def assumptions(setting: Setting, outcome: Outcome, verdict: Verdict) -> tuple[str, ...]:
    """Return in words what a claim rests on."""
    said = [REALS, *setting.notes]
    if outcome.constants:
        read = ", ".join(f"{value} as {number}" for value, number in outcome.constants)
        said.append(f"constants are read as exact numbers: {read}")
    if outcome.lowest_read:
        said.append(LOWEST)
    if verdict is Verdict.IDENTITY_TESTED:
        said += [DEFINED, EXPONENTIALS, COEFFICIENTS]
    opaque = [name for name in outcome.opaque if name != "comparison"]
    if opaque and verdict in (Verdict.PROVED, Verdict.IDENTITY_TESTED):
        said.append(
            f"of {', '.join(opaque)} only this is used: equal arguments give equal values; "
            "so the claim holds whatever their values are"
        )
    if "comparison" in outcome.opaque and verdict is not Verdict.REFUTED:
        said.append("the claim holds whichever way each comparison of values comes out")
    return tuple(said)


def _equal(setting: Setting, outcome: Outcome, effort: Effort) -> Claim:
    reason = ""
    if effort.exact and setting.elements <= PROOF_ELEMENTS:
        effort.tell("proving exactly")
        found = proof(setting.program, setting.reference, setting.inputs, PROOF_SECONDS)
        if isinstance(found, Proved):
            return _proved(setting, outcome, found)
        reason = f"no exact proof: {found.reason}"
    return Claim(
        setting.shapes,
        Verdict.IDENTITY_TESTED,
        reason=reason,
        trials=outcome.trials,
        error=outcome.error,
        undefined=outcome.undefined,
        assumptions=assumptions(setting, outcome, Verdict.IDENTITY_TESTED),
    )


def _proved(setting: Setting, outcome: Outcome, found: Proved) -> Claim:
    return Claim(
        setting.shapes,
        Verdict.PROVED,
        elements=found.elements,
        definitions=found.definitions,
        assumptions=assumptions(setting, outcome, Verdict.PROVED),
        conditions=found.conditions,
        certificate=found.certificate,
        trials=outcome.trials,
        undefined=outcome.undefined,
    )


def _different(
    setting: Setting,
    outcome: Outcome,
    effort: Effort,
    smaller: Callable[[], Setting | None] | None,
) -> Claim:
    """A difference modulo primes refutes nothing until numbers confirm it."""
    first = outcome.differences[0]
    effort.tell(f"{first.output}{list(first.place)} differs; looking for a witness")
    small = (smaller() if smaller is not None else None) or setting
    witness = None
    if small.elements <= WITNESS_ELEMENTS:
        witness = refutation(
            small.program,
            small.reference,
            small.inputs,
            landmarks=small.landmarks,
            seed=effort.seed,
            progress=effort.progress,
        )
    if witness is not None:
        return Claim(
            small.shapes,
            Verdict.REFUTED,
            witness=_placed(small, witness),
            assumptions=assumptions(small, outcome, Verdict.REFUTED),
        )
    if effort.exact and setting.elements <= PROOF_ELEMENTS:
        # The exact prover knows identities of roots that residues do not.
        found = proof(setting.program, setting.reference, setting.inputs, PROOF_SECONDS)
        if isinstance(found, Proved):
            return _proved(setting, outcome, found)
    opaque = f"; held opaque: {', '.join(outcome.opaque)}" if outcome.opaque else ""
    return Claim(
        setting.shapes,
        Verdict.UNDECIDED,
        reason=(
            f"{first.output}{list(first.place)} differs at a random point, but no numbers were "
            f"found at which it certainly does{opaque}"
        ),
    )


def _placed(setting: Setting, witness: Witness) -> Witness:
    where = departure(
        setting.program.graph, setting.reference.tensors, setting.inputs, witness.output
    )
    return replace(witness, departure=where)
