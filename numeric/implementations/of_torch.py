"""torch: the fused function, flexible attention and the module of several heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from numeric.implementations.adapting import Adapted, batched, with_parameters
from numeric.implementations.implementation import Implementation, Program

FUSED = "torch.nn.functional.scaled_dot_product_attention"
FLEXIBLE = "torch.nn.attention.flex_attention.flex_attention"
MODULE = "torch.nn.MultiheadAttention"


def _fused(key: str, call: str = "", *, more: Any = None, **options: Any) -> Implementation:
    """The fused function, which takes any number of axes before the tokens."""

    def build() -> Program:
        def attend(query: Any, key: Any, value: Any) -> Any:
            return functional.scaled_dot_product_attention(query, key, value, **options)

        return attend

    return Implementation(key, "torch", FUSED, build, call, **(more or {}))


def _fused_with_mask() -> Program:
    def attend(query: Any, key: Any, value: Any, mask: Any) -> Any:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[None])

    return attend


def _one_temperature() -> Program:
    def attend(query: Any, key: Any, value: Any, _: Any) -> Any:
        scale = 0.5 * query.shape[-1] ** -0.5
        return functional.scaled_dot_product_attention(query, key, value, scale=scale)

    return attend


def _grouped() -> Program:
    def attend(query: Any, key: Any, value: Any) -> Any:
        return functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)

    return batched(attend)


def _flexible(
    key: str,
    call: str,
    modify: Callable[..., Any],
    *,
    heads: bool = False,
    scale: float | None = None,
    **more: Any,
) -> Implementation:
    """Flexible attention; ``modify(score, head, i, j, *others)`` changes each score."""

    def build() -> Program:
        from torch.nn.attention.flex_attention import flex_attention

        def attend(query: Any, key: Any, value: Any, *others: Any) -> Any:
            # A free number that is looked up by a place has a gradient that is an operation of its
            # own; one for each head is chosen instead.
            of_heads = [x.unbind() if x.is_floating_point() else x for x in others]

            def score_mod(score: Any, _: Any, head: Any, i: Any, j: Any) -> Any:
                return modify(score, head, i, j, *of_heads)

            def flexible(*arrays: Any) -> Any:
                return flex_attention(*arrays, score_mod=score_mod, scale=scale)

            return batched(flexible, heads=heads)(query, key, value)

        return attend

    return Implementation(key, "torch", FLEXIBLE, build, call, **more)


def _seen(score: Any, allowed: Any) -> Any:
    return torch.where(allowed, score, -torch.inf)


def _of_two(values: tuple[Any, Any], head: Any) -> Any:
    return torch.where(head == 0, *values)


def _module(key: str, call: str, use: Callable[..., Any], **more: Any) -> Implementation:
    """The module of two heads; ``use`` passes it the weights as a formula has them."""

    def build() -> Program:
        module = torch.nn.MultiheadAttention(4, 2, bias=False, batch_first=True).double().eval()
        return Adapted(module, use)

    return Implementation(key, "torch", MODULE, build, call, **more)


def _attending(
    module: Any, query: Any, key: Any, weights: tuple[Any, Any, Any], output: Any
) -> Any:
    parameters = {"in_proj_weight": torch.cat(weights), "out_proj.weight": output}
    result = with_parameters(module, parameters, query[None], key[None], key[None])
    return result[0][0]


def _with_zero() -> Program:
    """One head whose projections are identities."""
    module = torch.nn.MultiheadAttention(2, 1, bias=False, batch_first=True, add_zero_attn=True)

    def call(module: Any, *arrays: Any) -> Any:
        same = torch.eye(2, dtype=torch.float64)
        parameters = {"in_proj_weight": torch.cat([same] * 3), "out_proj.weight": same}
        return with_parameters(module, parameters, *(array[None] for array in arrays))[0][0]

    return Adapted(module.double().eval(), call)


PROJECTED = {"n_q": 3, "d_e": 4, "d_f": 4}

TORCH = (
    _fused("dot-product", "scale=1", scale=1),
    _fused("scaled-dot-product"),
    _fused("shifted-softmax"),
    _fused("causal", "is_causal=True", is_causal=True),
    Implementation(
        "temperature",
        "torch",
        FUSED,
        _one_temperature,
        "scale=1/(2 sqrt(d)), one head with the temperature 2",
        sizes={"n_h": 1},
        values=lambda: {"T": torch.tensor([2.0], dtype=torch.float64)},
    ),
    Implementation("padding", "torch", FUSED, _fused_with_mask, "the mask as attn_mask"),
    Implementation(
        "grouped-query",
        "torch",
        FUSED,
        _grouped,
        "enable_gqa=True",
        without=("projection", "output projection"),
    ),
    _flexible(
        "soft-cap",
        "score_mod caps the scores",
        lambda score, *_: 2 * torch.tanh(score / 2),
    ),
    _flexible(
        "temperature",
        "score_mod divides by the temperature of the head",
        lambda score, head, _i, _j, T: score / _of_two(T, head),
        heads=True,
    ),
    _flexible(
        "alibi",
        "score_mod adds the biases and hides later keys",
        lambda score, head, i, j, m: _seen(score - _of_two(m, head) * (i - j), i >= j),
        heads=True,
    ),
    _flexible(
        "relative-bias",
        "scale=1; score_mod adds the biases",
        lambda score, head, i, j, B: score + _of_two((B[0][j - i + 2], B[1][j - i + 2]), head),
        heads=True,
        scale=1,
        values=lambda: {"B": torch.arange(10, dtype=torch.float64).reshape(2, 5) / 2},
    ),
    _flexible(
        "prefix",
        "score_mod hides what lies after the prefix and the query",
        lambda score, _, i, j, M: _seen(score, (i >= j) | M[j]),
    ),
    _flexible(
        "sliding-window",
        "score_mod hides the keys outside of the window",
        lambda score, _, i, j: _seen(score, (i >= j) & (i - j < 3)),
        sizes={"n_q": 5, "n": 5},
    ),
    _flexible(
        "bidirectional-window",
        "score_mod hides the keys outside of the window",
        lambda score, _, i, j: _seen(score, (i - j < 2) & (j - i < 2)),
        sizes={"n": 4},
    ),
    _flexible(
        "dilated",
        "score_mod hides every other key",
        lambda score, _, i, j: _seen(score, (i >= j) & ((i - j) % 2 == 0)),
        sizes={"n": 4},
    ),
    _module(
        "multi-head",
        "bias=False",
        lambda module, x, q, k, v, o: _attending(module, x, x, (q, k, v), o),
        sizes=PROJECTED,
    ),
    _module(
        "cross-attention",
        "bias=False",
        lambda module, x, y, q, k, v, o: _attending(module, x, y, (q, k, v), o),
        sizes=PROJECTED | {"n_q": 2},
    ),
    Implementation(
        "softmax-plus-one",
        "torch",
        MODULE,
        _with_zero,
        "add_zero_attn=True, bias=False; one head, its projections identities",
    ),
)
