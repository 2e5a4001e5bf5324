"""All formulas that a page's reader can switch to, as one script; equal stages stand there once."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sympy import Symbol

from derive.composition import Composition, composed
from derive.formula import Mechanism
from derive.publish.script.emitting import PRELUDE, emitted, sizes
from derive.settings import ROOT, Normaliser

NORMALISERS: tuple[Normaliser, ...] = ("softmax", "shifted", "sum", "raw")
FACTOR = Symbol("beta", real=True)
"""Stands for a scale that is a number of the page's own."""

Scaled = Literal["", "root", "factor"]
SCALES: tuple[Scaled, ...] = ("", "root", "factor")


@dataclass(frozen=True)
class Switches:
    """What a reader has chosen: a normaliser, a scale, the causal mask, projections."""

    normaliser: Normaliser
    scale: Scaled = ""
    causal: bool = False
    projected: bool = False

    @property
    def key(self) -> str:
        """The name by which the script knows it."""
        causal, projected = "causal" * self.causal, "projected" * self.projected
        return ",".join([self.normaliser, self.scale, causal, projected])

    @property
    def mechanism(self) -> Mechanism:
        """The formula, with a letter for a scale of the page's own."""
        scale = {"": None, "root": ROOT, "factor": FACTOR}[self.scale]
        return composed(self.normaliser, scale, self.causal, self.projected)


def switches_of(composition: Composition) -> Switches:
    """Return the choices that a composition stands for."""
    scale: Scaled = "root" if composition.scale == ROOT else "factor"
    return Switches(
        composition.normaliser,
        "" if composition.scale is None else scale,
        composition.causal,
        composition.projections is not None,
    )


def all_switches() -> tuple[Switches, ...]:
    """Return every choice that there is."""
    return tuple(
        Switches(*chosen)
        for chosen in itertools.product(NORMALISERS, SCALES, (False, True), (False, True))
    )


@cache
def formulas_script() -> str:
    """Return the script: it leaves ``attentionFormulas`` with the stages of every choice."""
    numbers: dict[str, int] = {}
    mechanisms: dict[str, list[int]] = {}
    read_off: dict[str, dict[str, tuple[str, int]]] = {}
    for switches in all_switches():
        mechanism = switches.mechanism
        sources = [emitted(stage, mechanism).source() for stage in mechanism.stages]
        mechanisms[switches.key] = [numbers.setdefault(s, len(numbers)) for s in sources]
        read_off["projected" if switches.projected else "plain"] = sizes(mechanism)
    stages = ",\n    ".join(numbers)
    return (
        "// Written by SymPy from the formulas in index form: see derive.publish.script.\n"
        f'globalThis.attentionFormulas = (() => {{\n  "use strict";\n{PRELUDE}'
        f"  const stages = [\n    {stages},\n  ];\n"
        f"  const mechanisms = {json.dumps(mechanisms)};\n"
        f"  const sizes = {json.dumps(read_off)};\n"
        "  return { stages, mechanisms, sizes };\n})();\n"
    )
