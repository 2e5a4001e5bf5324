"""One attention to be evaluated: exact inputs, and which keys each query may see.

Everything is float64 that holds the given numbers exactly, in one layout: query (heads, n_q, d),
key (kv_heads, n, d), value (kv_heads, n, d_v), with the batch counted among the heads.
``shared[h]`` is the row of key and value that head h of the queries reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy
from sympy import Expr, Integer, sqrt, sympify

from derive.errors import InputError
from derive.options import Causal, EmptyRows, Grouping, Options
from numeric.rounding.enclosed import Array, Enclosed, U

HIDING = -1e30
"""A number this low, added to a score, is read as minus infinity: no score comes near."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Inputs and options of one scaled dot-product attention.

    ``visible`` (heads or 1, n_q, n) tells which keys a query may see; ``bias``, of the same form,
    is added to the scores. ``tainted`` (heads, n_q) marks queries that see an input which is not
    finite: no real number is expected there. ``lead`` is the shape before the last two axes that
    the caller's queries have, ``kv_lead`` that of the keys, ``bias_shape`` that of the bias.
    """

    query: Array
    key: Array
    value: Array
    shared: Array
    visible: Array
    scale: Enclosed
    exact_scale: Expr
    bias: Array | None = None
    soft_cap: float | None = None
    empty_rows: EmptyRows = "undefined"
    tainted: Array | None = None
    lead: tuple[int, ...] = ()
    kv_lead: tuple[int, ...] = ()
    bias_shape: tuple[int, ...] = ()

    @property
    def keys_seen(self) -> Array:
        """The key of each head (heads, n, d)."""
        return self.key[self.shared] if self.is_shared else self.key

    @property
    def values_seen(self) -> Array:
        """The value of each head (heads, n, d_v)."""
        return self.value[self.shared] if self.is_shared else self.value

    @property
    def is_shared(self) -> bool:
        """Whether heads share keys and values."""
        return len(self.key) != len(self.query)

    @cached_property
    def empty(self) -> Array:
        """Mark the queries that may see no key (heads, n_q)."""
        empty = ~self.visible.any(-1)
        return numpy.broadcast_to(empty, self.query.shape[:2])

    def with_scale(self, factor: float) -> Problem:
        """Return the same problem with the scale multiplied by ``factor``."""
        return replace(self, scale=Enclosed(self.scale.value * factor, self.scale.radius * factor))


def problem(
    query: Any,
    key: Any,
    value: Any,
    options: Options,
    *,
    bias: Any = None,
    mask: Any = None,
) -> Problem:
    """Lay out numpy arrays (..., n, d) for ``options``; a mask is True where a key may be seen.

    Raises:
        InputError: The shapes do not belong together.
    """
    query, key, value = (numpy.asarray(array, dtype=numpy.float64) for array in (query, key, value))
    _check_shapes(query, key, value, options)
    lead, kv_lead = query.shape[:-2], key.shape[:-2]
    n_q, n, d = query.shape[-2], key.shape[-2], query.shape[-1]
    hidden = None
    if bias is not None:
        bias = numpy.asarray(bias, dtype=numpy.float64)
        bias_shape = bias.shape
        _check_addable("bias", bias.shape, (*lead, n_q, n))
        bias = _per_head(bias, lead, n_q, n)
        hidden = bias <= HIDING
        bias = numpy.where(hidden, 0.0, bias)
    else:
        bias_shape = ()
    visible = _window(n_q, n, options.causal, options.window)[None]
    if mask is not None:
        mask = numpy.asarray(mask, dtype=bool)
        _check_addable("mask", mask.shape, (*lead, n_q, n))
        visible = visible & _per_head(mask, lead, n_q, n)
    if hidden is not None and hidden.any():
        visible = visible & ~hidden
    scale = 1 / sqrt(Integer(d)) if options.scale is None else sympify(options.scale, strict=True)
    flat_query, flat_key, flat_value = (_flat(array) for array in (query, key, value))
    shared = _shared(lead, kv_lead, options.grouped)
    tainted, (flat_query, flat_key, flat_value) = _without_what_is_not_finite(
        flat_query, flat_key, flat_value, shared, visible
    )
    if bias is not None and not numpy.isfinite(bias).all():
        tainted = tainted | (visible & ~numpy.isfinite(bias)).any(-1)
        bias = numpy.where(numpy.isfinite(bias), bias, 0.0)
    return Problem(
        query=flat_query,
        key=flat_key,
        value=flat_value,
        shared=shared,
        visible=visible,
        scale=_enclosed(scale),
        exact_scale=scale,
        bias=bias,
        soft_cap=None if options.soft_cap is None else float(options.soft_cap),
        empty_rows=options.empty_rows,
        tainted=tainted,
        lead=lead,
        kv_lead=kv_lead,
        bias_shape=bias_shape,
    )


def _enclosed(scale: Expr) -> Enclosed:
    number = float(scale)
    return Enclosed(numpy.float64(number), numpy.float64(2 * U * abs(number)))


def _window(n_q: int, n: int, causal: Causal | None, window: int | None) -> Array:
    rows, columns = numpy.arange(n_q)[:, None], numpy.arange(n)[None, :]
    if causal is None:
        return numpy.ones((n_q, n), dtype=bool)
    last = rows + (n - n_q if causal == "bottom-right" else 0)
    seen = columns <= last
    return seen if window is None else seen & (columns > last - window)


def _flat(array: Array) -> Array:
    return array.reshape(prod(array.shape[:-2]), *array.shape[-2:])


def _per_head(array: Array, lead: tuple[int, ...], n_q: int, n: int) -> Array:
    """Return (heads or 1, n_q, n): one for all heads where the heads do not differ."""
    if prod(array.shape[:-2]) == 1:
        array = array.reshape(array.shape[-2:] if array.ndim > 1 else (1, *array.shape))
        return numpy.broadcast_to(array, (n_q, n))[None]
    return _flat(numpy.broadcast_to(array, (*lead, n_q, n)))


def _shared(lead: tuple[int, ...], kv_lead: tuple[int, ...], grouped: Grouping | None) -> Array:
    if lead == kv_lead:
        return numpy.arange(prod(lead))
    batch, heads, kv_heads = prod(lead[:-1]), lead[-1], kv_lead[-1]
    head = numpy.arange(heads)
    group = head % kv_heads if grouped == "interleaved" else head // (heads // kv_heads)
    return (numpy.arange(batch)[:, None] * kv_heads + group[None, :]).reshape(-1)


def _without_what_is_not_finite(
    query: Array, key: Array, value: Array, shared: Array, visible: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    """Set infinities and NaN to zero, and mark the queries that see one."""
    tainted = numpy.zeros(query.shape[:2], dtype=bool)
    arrays = []
    for array in (query, key, value):
        finite = numpy.isfinite(array)
        arrays.append(array if finite.all() else numpy.where(finite, array, 0.0))
    tainted |= ~numpy.isfinite(query).all(-1)
    bad = ~(numpy.isfinite(key).all(-1) & numpy.isfinite(value).all(-1))
    if bad.any():
        tainted |= (visible & bad[shared][:, None, :]).any(-1)
    return tainted, (arrays[0], arrays[1], arrays[2])


def _check_shapes(query: Array, key: Array, value: Array, options: Options) -> None:
    shapes = ", ".join("x".join(map(str, a.shape)) for a in (query, key, value))
    problem = ""
    if min(query.ndim, key.ndim, value.ndim) < 2:
        problem = "each needs an axis of tokens and one of dimensions"
    elif query.shape[-1] != key.shape[-1]:
        problem = "queries and keys have different dimensions"
    elif key.shape[-2] != value.shape[-2] or key.shape[:-2] != value.shape[:-2]:
        problem = "keys and values are not equally many"
    elif 0 in query.shape or 0 in key.shape or 0 in value.shape:
        problem = "one of them is empty"
    elif query.shape[:-2] != key.shape[:-2]:
        fits = (
            query.ndim == key.ndim > 2
            and query.shape[:-3] == key.shape[:-3]
            and query.shape[-3] % key.shape[-3] == 0
        )
        if not fits:
            problem = "the axes before the tokens differ"
        elif options.grouped is None:
            problem = "the heads differ in number, and nothing says how they share keys"
    if problem:
        raise InputError(
            "query, key, value",
            shapes,
            problem,
            "give (..., n_q, d), (..., n, d), (..., n, d_v); with grouped heads add grouped=",
        )


def _check_addable(name: str, shape: tuple[int, ...], scores: tuple[int, ...]) -> None:
    try:
        fits = numpy.broadcast_shapes(shape, scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            name,
            "x".join(map(str, shape)),
            f"it does not fit the scores, which are {'x'.join(map(str, scores))}",
            "give it the last of these axes, each in full or of length 1",
        )
