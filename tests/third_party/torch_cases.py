"""torch's own attention against the formula, or against attention by hand."""

from __future__ import annotations

from typing import Any

import torch
from sympy import Rational
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention as fused

from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention as formula
from tests.third_party.by_hand import attention, causal, merged, split
from tests.third_party.case import Called, Case, Comparison, call, tokens

HEADS = {"query": (1, 2, 3, 2), "key": (1, 2, 3, 2), "value": (1, 2, 3, 2)}


def _function(program: Any, reference: Any, shapes: dict[str, tuple[int, ...]] = HEADS):
    def build() -> Comparison:
        inputs = {name: tokens(*shape) for name, shape in shapes.items()}
        return Comparison(program, reference, inputs)

    return build


def _plain(query, key, value):
    return fused(query, key, value)


def _causal(query, key, value):
    return fused(query, key, value, is_causal=True)


def _causal_by_hand(query, key, value):
    return attention(query, key, value, seen=causal(query.shape[-2], key.shape[-2]))


def _boolean(query, key, value):
    return fused(query, key, value, attn_mask=causal(3))


def _floating(query, key, value, bias):
    return fused(query, key, value, attn_mask=bias)


def _scaled(query, key, value):
    return fused(query, key, value, scale=0.3)


def _scaled_by_hand(query, key, value):
    return attention(query, key, value, scale=0.3)


def _grouped(query, key, value):
    return fused(query, key, value, enable_gqa=True)


def _flex(**options: Any) -> Any:
    def run(query, key, value):
        return flex_attention(query, key, value, **options)

    return run


def _capped_by_hand(query, key, value):
    return attention(query, key, value, cap=2)


GROUPED = {"query": (1, 4, 3, 2), "key": (1, 2, 3, 2), "value": (1, 2, 3, 2)}
RECTANGULAR = {"query": (1, 2, 2, 2), "key": (1, 2, 4, 2), "value": (1, 2, 4, 2)}
WIDER = {"query": (1, 2, 3, 2), "key": (1, 2, 3, 2), "value": (1, 2, 3, 3)}


def _multi_head(program: Any, reference: Any) -> Any:
    def build() -> Comparison:
        module = torch.nn.MultiheadAttention(4, 2, batch_first=True)
        return Comparison(
            Called(module, program), Called(module, reference), {"x": tokens(1, 3, 4)}
        )

    return build


def _multi_head_by_hand(module, x, *, seen=None):
    projected = x @ module.in_proj_weight.T + module.in_proj_bias
    query, key, value = (split(part, 2) for part in projected.chunk(3, -1))
    joined = merged(attention(query, key, value, seen=seen))
    return joined @ module.out_proj.weight.T + module.out_proj.bias


def _encoder_layer() -> Comparison:
    layer = torch.nn.TransformerEncoderLayer(4, 2, dim_feedforward=3, batch_first=True, dropout=0)

    def by_hand(layer, x):
        x = layer.norm1(x + _multi_head_by_hand(layer.self_attn, x))
        return layer.norm2(x + layer.linear2(torch.relu(layer.linear1(x))))

    return Comparison(Called(layer, call), Called(layer, by_hand), {"x": tokens(1, 2, 4)})


def _causal_module(module, x):
    mask = torch.nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
    return module(x, x, x, attn_mask=mask, need_weights=False, is_causal=True)


TORCH = (
    Case("sdpa plain", "torch", _function(_plain, formula(Options(leading=2)))),
    Case(
        "sdpa causal",
        "torch",
        _function(_causal, formula(Options(leading=2, causal="top-left"))),
    ),
    Case("sdpa causal, rectangular", "torch", _function(_causal, _causal_by_hand, RECTANGULAR)),
    Case("sdpa boolean mask", "torch", _function(_boolean, _causal_by_hand)),
    Case(
        "sdpa floating mask",
        "torch",
        _function(
            _floating,
            lambda query, key, value, bias: attention(query, key, value, bias=bias),
            HEADS | {"bias": (1, 2, 3, 3)},
        ),
    ),
    Case(
        "sdpa scale",
        "torch",
        _function(_scaled, formula(Options(leading=2, scale=Rational(3, 10)))),
    ),
    Case("sdpa scale by hand", "torch", _function(_scaled, _scaled_by_hand)),
    Case("sdpa grouped heads", "torch", _function(_grouped, attention, GROUPED)),
    Case("sdpa wider values", "torch", _function(_plain, attention, WIDER)),
    Case("flex attention", "torch", _function(_flex(), attention)),
    Case("flex attention grouped", "torch", _function(_flex(enable_gqa=True), attention, GROUPED)),
    Case(
        "flex attention soft cap",
        "torch",
        _function(_flex(score_mod=lambda s, *_: 2 * torch.tanh(s / 2)), _capped_by_hand),
    ),
    Case(
        "MultiheadAttention",
        "torch",
        _multi_head(lambda module, x: module(x, x, x), _multi_head_by_hand),
    ),
    Case(
        "MultiheadAttention without weights",
        "torch",
        _multi_head(
            lambda module, x: module(x, x, x, need_weights=False),
            lambda module, x: module(x, x, x, need_weights=True),
        ),
    ),
    Case(
        "MultiheadAttention causal",
        "torch",
        _multi_head(
            _causal_module, lambda module, x: _multi_head_by_hand(module, x, seen=causal(3))
        ),
    ),
    Case("TransformerEncoderLayer", "torch", _encoder_layer),
)
