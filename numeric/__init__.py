"""The torch side: attention as the notes write it, and torch programs checked against formulas.

::

    from derive import Options, load, scaled_dot_product_attention
    from numeric import check, verify

    check(load("journey"))
    print(verify(attention, scaled_dot_product_attention(Options()), (query, key, value)))

Torch is imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazily import lazily

if TYPE_CHECKING:
    from numeric.bounds import Rounded, Rounding, rounding_bounds
    from numeric.capture_error import CaptureError
    from numeric.capturing import Captured, capture
    from numeric.computing import Computation, computations
    from numeric.evaluate import Compiled, TooLong, compiled
    from numeric.precision import (
        BFLOAT16,
        FLOAT16,
        FLOAT32,
        FLOAT64,
        TFLOAT32,
        Precision,
        decimal_digits,
    )
    from numeric.printed import PRINTED, Printed, reproduce
    from numeric.rounding.assertion import BeyondBound, SuspiciousRounding, assert_within_bound
    from numeric.rounding.contract import CONTRACTS, Contract, Stored
    from numeric.rounding_bound import bound_rounding
    from numeric.tasks import Task, reports
    from numeric.verification import check, check_all
    from numeric.verifying import verify

__all__ = [
    "BFLOAT16",
    "CONTRACTS",
    "FLOAT16",
    "FLOAT32",
    "FLOAT64",
    "PRINTED",
    "TFLOAT32",
    "BeyondBound",
    "CaptureError",
    "Captured",
    "Compiled",
    "Computation",
    "Contract",
    "Precision",
    "Printed",
    "Rounded",
    "Rounding",
    "Stored",
    "SuspiciousRounding",
    "Task",
    "TooLong",
    "assert_within_bound",
    "bound_rounding",
    "capture",
    "check",
    "check_all",
    "compiled",
    "computations",
    "decimal_digits",
    "reports",
    "reproduce",
    "rounding_bounds",
    "verify",
]

__getattr__ = lazily(
    "numeric",
    {
        "bounds": "Rounded Rounding rounding_bounds",
        "capturing": "Captured capture",
        "capture_error": "CaptureError",
        "computing": "Computation computations",
        "evaluate": "Compiled TooLong compiled",
        "precision": "BFLOAT16 FLOAT16 FLOAT32 FLOAT64 TFLOAT32 Precision decimal_digits",
        "printed": "PRINTED Printed reproduce",
        "rounding.assertion": "BeyondBound SuspiciousRounding assert_within_bound",
        "rounding.contract": "CONTRACTS Contract Stored",
        "rounding_bound": "bound_rounding",
        "tasks": "Task reports",
        "verification": "check check_all",
        "verifying": "verify",
    },
)


def __dir__() -> list[str]:
    return __all__
