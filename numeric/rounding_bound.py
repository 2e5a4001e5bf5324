"""Bound the rounding of a torch program that computes scaled dot-product attention.

    print(bound_rounding(attention, scaled_dot_product_attention(Options(leading=2)),
                         (query, key, value), "bfloat16"))

The program itself runs, in its own type and with its own kernels, on designed inputs; every element
is compared with a certified bound. Over the reals, ``verify`` proves what it computes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from derive.errors import InputError
from derive.rounding_claim import RoundingClaim
from derive.scaled_dot_product import ScaledDotProduct

if TYPE_CHECKING:
    from derive.options import Options
    from numeric.rounding.contract import Contract
    from numeric.rounding.designed import Shapes

DTYPES = ("float64", "float32", "bfloat16", "float16")


def bound_rounding(
    function: Any,
    formula: Any,
    inputs: Sequence[Any] | Mapping[str, Any],
    dtype: str,
    *,
    backward: bool = False,
    contract: Contract | str | None = None,
    hidden_anything: bool = False,
    other_shapes: bool = True,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> RoundingClaim:
    """Return a claim about the rounding of ``function`` in ``dtype``.

    Args:
        function: A torch callable or module that takes query, key, value, then bias and mask.
        formula: Scaled dot-product attention with its options, without projections.
        inputs: Example tensors by position or by keyword: their shapes and device count.
        dtype: "float64", "float32", "bfloat16" or "float16".
        backward: Whether the gradients of all inputs are judged too.
        contract: Precisions, or the name of a contract; watched without it.
        hidden_anything: Whether what a query may not see may be NaN, and must not reach it.
        other_shapes: Whether other numbers of tokens are tried too.
        seed: Where random numbers start.
        progress: Called with a line of text while the work goes on.

    Raises:
        InputError: No bound is derived for this formula, or the program cannot be run.
    """
    import torch

    from numeric.rounding.checking import Checked, check_rounding

    if dtype not in DTYPES:
        raise InputError("dtype", dtype, "it is not known", f"write one of {', '.join(DTYPES)}")
    if not isinstance(formula, ScaledDotProduct) or formula.options.projections:
        raise InputError(
            "dtype",
            dtype,
            "rounding is bounded for scaled dot-product attention without projections",
            "compare with that formula, and wrap the attention inside of the projections",
        )
    kind = getattr(torch, dtype)
    values = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)
    device = next((str(v.device) for v in values if isinstance(v, torch.Tensor)), "cpu")
    program = _in_type(function, kind)
    if isinstance(inputs, Mapping):
        program = partial(_by_keyword, program, tuple(inputs))
    return check_rounding(
        Checked(program, formula.options, kind, backward, device),
        _shapes(values, formula.options),
        contract=contract,
        seed=seed,
        hidden_anything=hidden_anything,
        other_shapes=other_shapes,
        progress=progress,
    )


def _in_type(function: Any, kind: Any) -> Any:
    """Return a module's copy in another type; a function is what it is."""
    import torch

    if isinstance(function, torch.nn.Module):
        return copy.deepcopy(function).to(kind)
    return function


def _by_keyword(program: Any, names: Sequence[str], *tensors: Any) -> Any:
    return program(**dict(zip(names, tensors, strict=True)))


def _shapes(values: Sequence[Any], options: Options) -> Shapes:
    from numeric.rounding.designed import Shapes

    wanted = 3 + bool(options.bias) + bool(options.mask)
    if len(values) != wanted:
        raise InputError(
            "inputs",
            str(len(values)),
            f"the formula is given {wanted}",
            "give query, key, value, then bias and mask if it has them",
        )
    shapes = [tuple(value.shape) for value in values]
    added = iter(shapes[3:])
    return Shapes(
        shapes[0],
        shapes[1],
        shapes[2],
        next(added) if options.bias else None,
        next(added) if options.mask else None,
    )
