"""Attention formulas, derived: one index form, read as LaTeX, numbers, arrays, code and proofs.

::

    from derive import SOFTMAX, load, work_out
    from derive.formula import a

    work_out(load("journey"), SOFTMAX).floats(a)[1]  # the weights of the second token

Importing this package never imports torch, and imports SymPy only when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazily import lazily

if TYPE_CHECKING:
    from derive.attention import CROSS, MECHANISMS, RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
    from derive.code import function, source
    from derive.derivation import Derivation, Step, recheck
    from derive.elements import Algebra, Elements
    from derive.errors import InputError
    from derive.examples import Example, load
    from derive.formula import Choice, FormulaError, Mechanism, Stage, array, largest, total
    from derive.gradients import BackwardFormula, vector_jacobian_product
    from derive.options import Options
    from derive.properties import Property, all_properties, decide
    from derive.scaled_dot_product import FORMULAS, scaled_dot_product_attention
    from derive.verdict import Claim, NotEstablished, Report, Verdict, Witness
    from derive.worked import Worked, work_out
    from derive.written_out import fully_substituted, with_named_pieces

__all__ = [
    "CROSS",
    "FORMULAS",
    "MECHANISMS",
    "RAW",
    "SCALED",
    "SHIFTED",
    "SOFTMAX",
    "SUM_NORMALISED",
    "Algebra",
    "BackwardFormula",
    "Choice",
    "Claim",
    "Derivation",
    "Elements",
    "Example",
    "FormulaError",
    "InputError",
    "Mechanism",
    "NotEstablished",
    "Options",
    "Property",
    "Report",
    "Stage",
    "Step",
    "Verdict",
    "Witness",
    "Worked",
    "all_properties",
    "array",
    "decide",
    "fully_substituted",
    "function",
    "largest",
    "load",
    "recheck",
    "scaled_dot_product_attention",
    "source",
    "total",
    "vector_jacobian_product",
    "with_named_pieces",
    "work_out",
]

__getattr__ = lazily(
    "derive",
    {
        "attention": "CROSS MECHANISMS RAW SCALED SHIFTED SOFTMAX SUM_NORMALISED",
        "code": "function source",
        "derivation": "Derivation Step recheck",
        "elements": "Algebra Elements",
        "errors": "InputError",
        "examples": "Example load",
        "formula": "Choice FormulaError Mechanism Stage array largest total",
        "gradients": "BackwardFormula vector_jacobian_product",
        "options": "Options",
        "properties": "Property all_properties decide",
        "scaled_dot_product": "FORMULAS scaled_dot_product_attention",
        "verdict": "Claim NotEstablished Report Verdict Witness",
        "worked": "Worked work_out",
        "written_out": "fully_substituted with_named_pieces",
    },
)


def __dir__() -> list[str]:
    return __all__
