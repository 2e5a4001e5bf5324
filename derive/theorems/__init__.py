"""Theorems about attention, each one small file: a statement, and a proof that pages show.

To add one, write a file beside the others and name it here.
"""

from __future__ import annotations

from collections.abc import Mapping

from derive.theorems import (
    causal_two_ways,
)
from derive.theorems.theorem import Theorem

_MODULES = (causal_two_ways,)

THEOREMS: Mapping[str, Theorem] = {module.THEOREM.name: module.THEOREM for module in _MODULES}
"""Every theorem by its name, in the order in which pages list them."""
