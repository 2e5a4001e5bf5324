"""``assert_within_bound``: what stands in a test where a tolerance used to be guessed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import torch
from sympy import Expr, Rational

from derive.errors import InputError
from derive.options import Causal, EmptyRows, Grouping, Options
from numeric.rounding.contract import Contract, declared, default
from numeric.rounding.diagnosis import diagnosis, keeps, looser_contracts
from numeric.rounding.judging import (
    BEYOND,
    GRADIENTS,
    OUTPUT,
    SUSPICIOUS,
    UNBOUNDED,
    UNCERTAIN,
    Evaluation,
    Judged,
    judge,
)
from numeric.rounding.problem import problem
from numeric.rounding.resolution import resolution
from numeric.rounding.running import as_array
from numeric.rounding.words import words


class BeyondBound(AssertionError):
    """A number is further from the exact one than any rounding explains, or has no bound."""


class SuspiciousRounding(UserWarning):
    """Within the bound, but beyond what independent roundings explain: evidence, no proof."""


def assert_within_bound(
    actual: Any,
    query: Any,
    key: Any,
    value: Any,
    *,
    causal: bool | Causal = False,
    mask: Any = None,
    bias: Any = None,
    scale: float | Expr | None = None,
    window: int | None = None,
    soft_cap: float | Expr | None = None,
    grouped: Grouping | None = None,
    empty_rows: EmptyRows = "undefined",
    contract: Contract | str | None = None,
    grad_output: Any = None,
    gradients: tuple[Any, Any, Any] | None = None,
) -> None:
    """Assert that ``actual`` is softmax(scale query key^T) value, up to certified rounding.

    The error of every element is compared with a bound that follows from the inputs and from the
    precisions of the contract; there is no tolerance to choose.

    Args:
        actual: The output (..., n_q, d_v) that is judged.
        query: (..., n_q, d); key (..., n, d) and value (..., n, d_v) in the same type.
        key: As above.
        value: As above.
        causal: True or "top-left" where query i sees the keys up to i, or "bottom-right".
        mask: Booleans, True where a key may be seen, or numbers that are added to the scores.
        bias: Numbers that are added to the scores, beside a boolean mask.
        scale: Factor of the scores, 1/sqrt(d) without it; a float stands for itself, exactly.
        window: Only the last so many keys are seen; needs ``causal``.
        soft_cap: c, where scores s become c tanh(s / c).
        grouped: How heads share keys and values where there are fewer of those: "consecutive"
            (torch's ``enable_gqa``) or "interleaved"; consecutive if not said.
        empty_rows: What a query that sees no key gets: "zero", "uniform" (the mean of all values);
            "undefined" expects NaN, the 0/0 of the formula.
        contract: Precisions, as a ``Contract`` or the name of one; without it, those that fused and
            eager programs of ``actual``'s type keep. For gradients that is wide, since it covers
            autograd through an online softmax: name your kernel's, such as "float32 fused".
        grad_output: Upstream gradient, where ``gradients`` are judged too.
        gradients: Those of query, key and value.

    Raises:
        BeyondBound: An element lies beyond its bound, or has none; the message says where, by how
            much, and what is likely wrong.
        InputError: The arguments do not belong together.
    """
    __tracebackhide__ = True
    if mask is not None and mask.dtype != torch.bool and not mask.is_floating_point():
        raise InputError(
            "mask", str(mask.dtype), "whole numbers may mean either", "give booleans or floats"
        )
    if mask is not None and mask.dtype != torch.bool:
        if bias is not None:
            raise InputError(
                "mask", str(mask.dtype), "it holds numbers, and there is a bias too", "add them up"
            )
        mask, bias = None, mask
    if grouped is None and query.ndim > 2 and query.shape[:-2] != key.shape[:-2]:
        grouped = "consecutive"
    options = Options(
        leading=2 if grouped else 0,
        causal=("top-left" if causal else None) if isinstance(causal, bool) else causal,
        window=window,
        scale=_exact(scale),
        soft_cap=_exact(soft_cap),
        grouped=grouped,
        empty_rows=empty_rows,
    )
    used = default(actual.dtype) if contract is None else declared(contract)
    posed = problem(
        as_array(query),
        as_array(key),
        as_array(value),
        options,
        bias=None if bias is None else as_array(bias),
        mask=None if mask is None else mask.detach().cpu().numpy(),
    )
    results = {OUTPUT: as_array(actual)}
    if (gradients is None) != (grad_output is None):
        raise InputError("gradients", "grad_output", "one is given without the other", "give both")
    for name, gradient in zip(GRADIENTS.values(), gradients or (), strict=False):
        results[name] = as_array(gradient)
    upstream = None if grad_output is None else as_array(grad_output)
    try:
        found, judged = judge(posed, used, results, upstream)
    except ValueError as error:
        raise BeyondBound(str(error)) from None
    message = _message(found, judged)
    if message:
        raise BeyondBound(message)
    _warn(judged)


def _exact(number: float | Expr | None) -> Expr | None:
    if number is None or isinstance(number, Expr):
        return number
    return Rational(*float(number).as_integer_ratio())


def _message(found: Evaluation, judged: tuple[Judged, ...]) -> str:
    lines: list[str] = []
    for one in judged:
        beyond, without = one.count(BEYOND), one.count(UNBOUNDED) + one.count(UNCERTAIN)
        if beyond:
            lines += _beyond(found, one, beyond)
        if without:
            lines.append(
                f"{one.name}: {without} of {one.codes.size} elements have no certificate: "
                f"{'; '.join(one.causes) or 'the exact value is not enclosed tightly enough'}"
            )
    if not lines:
        return ""
    output = judged[0]
    if output.count(BEYOND):
        lines += [f"likely: {cause}" for cause in _likely(found, output)]
    elif any(one.count(BEYOND) for one in judged):
        lines.append("likely: the output is right and the backward pass is not")
    if any(UNSTATED in cause for one in judged for cause in one.causes):
        lines.append("say what such a query gets: empty_rows='zero' or 'uniform'")
    lines += [f"contract '{found.contract.name}': {'; '.join(found.contract.words())}"]
    lines += [f"would have been caught: {'; '.join(words(resolution(found)))}"]
    return "\n".join(lines)


UNSTATED = "nothing states what it gets"


def _beyond(found: Evaluation, one: Judged, beyond: int) -> list[str]:
    ratio = numpy.where(one.codes == BEYOND, one.ratio, -1.0)
    place = tuple(map(int, numpy.unravel_index(int(ratio.argmax()), ratio.shape)))
    exact, radius = one.exact.value[place], one.exact.radius[place]
    rows: list[int] = sorted(set(numpy.nonzero(one.codes == BEYOND)[-2].tolist()))
    shown = ", ".join(map(str, rows[:8])) + (", ..." if len(rows) > 8 else "")
    return [
        f"{one.name}: {beyond} of {one.codes.size} elements lie beyond their bound",
        f"  {one.name}{list(place)} is {one.actual[place]:.9g}; exactly it is {exact:.9g} "
        f"(within {radius:.1g}); rounding in {found.contract.output.name} explains "
        f"{one.bound[place]:.3g}, the error is {abs(one.actual[place] - exact):.3g}",
        f"  tokens with such elements: {shown}",
    ]


def _likely(found: Evaluation, output: Judged) -> tuple[str, ...]:
    if not numpy.isfinite(output.actual).all():
        return ("it gives NaN or infinity where a number is expected",)
    causes = diagnosis(found.problem, found.contract, output.actual)
    if causes:
        return causes
    for other in looser_contracts(found.contract, output.actual):
        if keeps(found.problem, other, output.actual):
            return (f"errors of this size come from {other.name}",)
    return ("none of the known mistakes explains these numbers",)


def _warn(judged: tuple[Judged, ...]) -> None:
    for one in judged:
        count = one.count(SUSPICIOUS)
        if count:
            warnings.warn(
                f"{one.name}: {count} of {one.codes.size} elements are within their bound, but "
                "beyond what independent roundings explain",
                SuspiciousRounding,
                stacklevel=3,
            )
