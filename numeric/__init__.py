"""The torch side: attention as the notes write it, and the checks of derived formulas against it.

    from derive import load
    from numeric import check
    check(load("journey"))

Importing this package imports torch.
"""

from numeric.bounds import Rounded, Rounding, rounding_bounds
from numeric.computations import Computation, computations
from numeric.evaluate import Compiled, TooLong, compiled
from numeric.precision import FLOAT32, FLOAT64, Precision, decimal_digits
from numeric.printed import PRINTED, Printed, reproduce
from numeric.verification import check, check_all

__all__ = [
    "FLOAT32",
    "FLOAT64",
    "PRINTED",
    "Compiled",
    "Computation",
    "Precision",
    "Printed",
    "Rounded",
    "Rounding",
    "TooLong",
    "check",
    "check_all",
    "compiled",
    "computations",
    "decimal_digits",
    "reproduce",
    "rounding_bounds",
]
