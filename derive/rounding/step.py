"""One step of the proof: what it says, why, and a check that can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class StepRefuted(AssertionError):
    """A step is false; says at which numbers."""


@dataclass(frozen=True)
class Step:
    """One step of the proof.

    Attributes:
        name: A word or two, with hyphens.
        title: What the step says, in a few words.
        claim: Its formula as LaTeX.
        why: The argument, in one to four sentences, with LaTeX between dollar signs.
        checked: Runs the check; returns in words what was checked, or raises ``StepRefuted``.
        where: Names in ``numeric/rounding`` whose lines use the step, each ``module.name``.
    """

    name: str
    title: str
    claim: str
    why: str
    checked: Callable[[], str]
    where: tuple[str, ...]
