"""Attention formulas, derived: one index form, read as LaTeX, numbers, arrays, code and proofs.

::

    from derive import SOFTMAX, load, work_out
    from derive.formula import a

    work_out(load("journey"), SOFTMAX).floats(a)[1]  # the weights of the second token

Importing this package never imports torch, and imports SymPy only when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from derive.attention import CROSS, MECHANISMS, RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
    from derive.code import function, source
    from derive.derivation import Derivation, Step, recheck
    from derive.elements import Algebra, Elements
    from derive.errors import InputError
    from derive.examples import Example, load
    from derive.formula import Choice, FormulaError, Mechanism, Stage, array, largest, total
    from derive.properties import Property, all_properties, decide
    from derive.worked import Worked, work_out
    from derive.written_out import fully_substituted, with_named_pieces

__all__ = [
    "CROSS",
    "MECHANISMS",
    "RAW",
    "SCALED",
    "SHIFTED",
    "SOFTMAX",
    "SUM_NORMALISED",
    "Algebra",
    "Choice",
    "Derivation",
    "Elements",
    "Example",
    "FormulaError",
    "InputError",
    "Mechanism",
    "Property",
    "Stage",
    "Step",
    "Worked",
    "all_properties",
    "array",
    "decide",
    "fully_substituted",
    "function",
    "largest",
    "load",
    "recheck",
    "source",
    "total",
    "with_named_pieces",
    "work_out",
]

_MODULES = {
    "attention": "CROSS MECHANISMS RAW SCALED SHIFTED SOFTMAX SUM_NORMALISED",
    "code": "function source",
    "derivation": "Derivation Step recheck",
    "elements": "Algebra Elements",
    "errors": "InputError",
    "examples": "Example load",
    "formula": "Choice FormulaError Mechanism Stage array largest total",
    "properties": "Property all_properties decide",
    "worked": "Worked work_out",
    "written_out": "fully_substituted with_named_pieces",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"derive has no {name!r}")
    return getattr(import_module(f"derive.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
