"""x-transformers: its function of queries, keys and values, and the module around it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from numeric.implementations.adapting import (
    NO_PROJECTIONS,
    SHORT_VECTORS,
    Adapted,
    batched,
    buckets,
    first,
    in_columns,
    merged,
    split,
    with_parameters,
)
from numeric.implementations.implementation import Implementation, Program

PACKAGE = "x-transformers"
FUNCTION, MODULE = "x_transformers.attend.Attend", "x_transformers.x_transformers.Attention"
PROJECTED = {"n_q": 3, "d_e": 4, "d_f": 4}


def _parts() -> Any:
    return importlib.import_module("x_transformers.x_transformers")


def _attend(**options: Any) -> Any:
    return importlib.import_module("x_transformers.attend").Attend(**options).double().eval()


def _plain(
    key: str, call: str = "", *, heads: bool = False, more: Any = None, **options: Any
) -> Implementation:
    """The function as it is called with queries, keys and values alone."""

    def build() -> Program:
        own = _attend(**options)
        return batched(lambda *arrays: own(*arrays), heads=heads)

    return Implementation(key, PACKAGE, FUNCTION, build, call, **(more or {}))


def _padding() -> Program:
    own = _attend()

    def attend(query: Any, key: Any, value: Any, kept: Any) -> Any:
        return batched(lambda *arrays: own(*arrays, mask=kept[None]), heads=False)(
            query, key, value
        )

    return attend


def _sigmoid() -> Program:
    own = _attend(sigmoid=True)

    def attend(query: Any, key: Any, value: Any, biases: Any) -> Any:
        bias = biases[:, None, None]
        return batched(lambda *arrays: own(*arrays, attn_bias=bias))(query, key, value)

    return attend


def _sink() -> Program:
    def attend(own: Any, query: Any, key: Any, value: Any, sinks: Any) -> Any:
        weights = {"head_attn_sink": sinks}
        return batched(lambda *arrays: with_parameters(own, weights, *arrays))(query, key, value)

    return Adapted(_attend(head_learned_sink=True, heads=2), attend)


def _talking() -> Program:
    def attend(own: Any, query: Any, key: Any, value: Any, scores: Any, weights: Any) -> Any:
        added = scores - torch.eye(2, dtype=torch.float64)
        parameters = {
            "pre_softmax_talking_heads.weight": added[..., None, None],
            "post_softmax_talking_heads.weight": weights[..., None, None],
        }
        return batched(lambda *arrays: with_parameters(own, parameters, *arrays))(query, key, value)

    return Adapted(_attend(heads=2, pre_talking_heads=True, post_talking_heads=True), attend)


def _attention(columns: int, heads: int, width: int, **options: Any) -> Any:
    return _parts().Attention(columns, heads=heads, dim_head=width, **options).double().eval()


def _projected(heads: int, **options: Any) -> Callable[[], Program]:
    """The module with the weights that a formula is given."""

    def attend(module: Any, x: Any, query: Any, key: Any, value: Any, output: Any) -> Any:
        names = ("to_q", "to_k", "to_v", "to_out")
        weights = (query, key, value, output)
        parameters = {f"{name}.weight": w for name, w in zip(names, weights, strict=True)}
        return first(with_parameters(module, parameters, x[None]))[0]

    return lambda: Adapted(_attention(4, heads, 2, **options), attend)


def _cross() -> Program:
    def attend(module: Any, x: Any, y: Any, *weights: Any) -> Any:
        names = ("to_q", "to_k", "to_v", "to_out")
        parameters = {f"{name}.weight": w for name, w in zip(names, weights, strict=True)}
        return first(with_parameters(module, parameters, x[None], context=y[None]))[0]

    return Adapted(_attention(4, 2, 2), attend)


def _memory() -> Program:
    module = _attention(2, 1, 2, num_mem_kv=2)
    in_columns(module, {"to_q": 2, "to_k": 2, "to_v": 2}, "to_out")

    def attend(module: Any, query: Any, key: Any, value: Any, keys: Any, values: Any) -> Any:
        weights = {"mem_k": keys[None], "mem_v": values[None]}
        x = torch.cat([query, key, value], -1)[None]
        return first(with_parameters(module, weights, x))[0]

    return Adapted(module, attend)


def _gated() -> Program:
    """The gate reads all columns; its weights are zero for those of queries, keys and values."""
    module = _attention(9, 1, 2, gate_values=True)
    in_columns(module, {"to_q": 2, "to_k": 2, "to_v": 2}, "to_out")

    def attend(module: Any, query: Any, key: Any, value: Any, x: Any, gate: Any) -> Any:
        weights = {"to_v_gate.weight": torch.nn.functional.pad(gate, (6, 0))}
        together = torch.cat([query, key, value, x], -1)[None]
        return first(with_parameters(module, weights, together))[0]

    return Adapted(module, attend)


def _cosine() -> Program:
    module = _attention(4, 2, 3, qk_norm=True)
    in_columns(module, {"to_q": 6, "to_k": 6, "to_v": 6}, "to_out")

    def attend(query: Any, key: Any, value: Any, _: Any) -> Any:
        return split(module(merged(query, key, value)), 2)

    return attend


def _turned() -> Program:
    """The embedding makes the angles of the places from 1 on, as the formula counts them."""
    module = _attention(4, 1, 4)
    in_columns(module, {"to_q": 4, "to_k": 4, "to_v": 4}, "to_out")

    def attend(embedding: Any, query: Any, key: Any, value: Any, frequencies: Any) -> Any:
        turns = with_parameters(embedding, {"inv_freq": frequencies}, torch.arange(1, 4))
        return first(module(torch.cat([query, key, value], -1)[None], rotary_pos_emb=turns))[0]

    return Adapted(_parts().RotaryEmbedding(4).double(), attend)


def _slopes() -> Program:
    own = _attend(causal=True)
    made = _parts().AlibiPositionalBias(2, slopes=[0.5, 0.25]).double()

    def attend(query: Any, key: Any, value: Any, _: Any) -> Any:
        return batched(lambda *arrays: own(*arrays, attn_bias=made(3, 3)))(query, key, value)

    return attend


def _buckets() -> Program:
    own = _attend(scale=1)
    made = _parts().RelativePositionBias(1, num_buckets=8, max_distance=16, heads=2)

    def attend(made: Any, query: Any, key: Any, value: Any, biases: Any) -> Any:
        bias = with_parameters(made, {"relative_attention_bias.weight": buckets(biases)}, 3, 3)
        return batched(lambda *arrays: own(*arrays, attn_bias=bias))(query, key, value)

    return Adapted(made.double(), attend)


X_TRANSFORMERS = (
    _plain(
        "raw-scores", "custom_attn_fn=torch.nn.Identity(), scale=1",
        custom_attn_fn=torch.nn.Identity(), scale=1,
    ),
    _plain("dot-product", "scale=1", scale=1),
    _plain("scaled-dot-product"),
    _plain("shifted-softmax"),
    _plain(
        "causal", "causal=True, as many queries as keys", causal=True,
        more={"sizes": {"n_q": 3}},
    ),
    _plain(
        "causal", "causal=True, fewer queries than keys", causal=True,
        more={"differs": "with fewer queries than keys its last query sees all keys"},
    ),
    Implementation("padding", PACKAGE, FUNCTION, _padding, "mask="),
    _plain(
        "soft-cap", "softclamp_logits=True, logit_softclamp_value=2",
        softclamp_logits=True, logit_softclamp_value=2.0,
    ),
    Implementation("sigmoid", PACKAGE, FUNCTION, _sigmoid, "sigmoid=True, the biases as attn_bias"),
    Implementation("sink", PACKAGE, FUNCTION, _sink, "head_learned_sink=True"),
    _plain("softmax-plus-one", "add_zero_kv=True", add_zero_kv=True),
    Implementation(
        "talking-heads", PACKAGE, FUNCTION, _talking,
        "pre_talking_heads=True with the weights less the identity, as it adds the scores "
        "themselves; post_talking_heads=True",
        sizes={"n_g": 2},
    ),
    Implementation(
        "alibi", PACKAGE, FUNCTION, _slopes,
        "causal=True, with its AlibiPositionalBias of slopes 1/2 and 1/4",
        values=lambda: {"m": torch.tensor([0.5, 0.25], dtype=torch.float64)},
    ),
    Implementation(
        "relative-bias", PACKAGE, FUNCTION, _buckets, "scale=1, with its RelativePositionBias"
    ),
    Implementation("multi-head", PACKAGE, MODULE, _projected(2), sizes=PROJECTED),
    Implementation(
        "multi-query", PACKAGE, MODULE, _projected(2, one_kv_head=True), "one_kv_head=True",
        sizes=PROJECTED,
    ),
    Implementation(
        "grouped-query", PACKAGE, MODULE, _projected(4, kv_heads=2), "kv_heads=2",
        sizes=PROJECTED | {"n": 2},
        differs="query heads 1 and 3 share a head of keys, 2 and 4 the other",
    ),
    Implementation(
        "cross-attention", PACKAGE, MODULE, _cross, "context=y", sizes=PROJECTED | {"n_q": 2}
    ),
    Implementation(
        "memory", PACKAGE, MODULE, _memory, f"num_mem_kv=2; {NO_PROJECTIONS}", sizes={"n_q": 3}
    ),
    Implementation(
        "gated-output", PACKAGE, MODULE, _gated, f"gate_values=True; {NO_PROJECTIONS}",
        sizes={"n_q": 3},
    ),
    Implementation(
        "query-key-normalised", PACKAGE, MODULE, _cosine, f"qk_norm=True; {NO_PROJECTIONS}",
        sizes={"n_q": 3, "d": 3, "d_v": 3},
        values=lambda: {"g": torch.tensor([10.0, 10.0], dtype=torch.float64)},
        differs=SHORT_VECTORS,
    ),
    Implementation(
        "rotary-interleaved", PACKAGE, MODULE, _turned,
        f"with its RotaryEmbedding; {NO_PROJECTIONS}",
        sizes={"d": 4, "d_v": 4},
    ),
)  # fmt: skip
