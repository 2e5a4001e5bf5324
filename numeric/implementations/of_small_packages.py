"""Packages of one mechanism each: performer, linformer, local and memory-efficient attention."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from numeric.implementations.adapting import Adapted, batched, in_columns, with_parameters
from numeric.implementations.implementation import Implementation, Program

PERFORMER, LITTLE_MEMORY = "performer-pytorch", "memory-efficient-attention-pytorch"
LOCAL, LINFORMER = "local-attention", "linformer"
ON_PERFORMER = "performer_pytorch.performer_pytorch"
ON_LITTLE_MEMORY = "memory_efficient_attention_pytorch"


def _linear(name: str) -> Callable[[], Program]:
    """A function of queries' and keys' features, and values."""
    return lambda: batched(getattr(importlib.import_module(ON_PERFORMER), name), heads=False)


def _given_features(name: str) -> Callable[[], Program]:
    def build() -> Program:
        program = _linear(name)()
        return lambda value, of_query, of_key: program(of_query, of_key, value)

    return build


def _random_features() -> Program:
    fast = importlib.import_module(ON_PERFORMER).FastAttention
    own = fast(2, nb_features=2).double().eval()

    def attend(own: Any, query: Any, key: Any, value: Any, directions: Any) -> Any:
        weights = {"projection_matrix": directions}
        root = query.shape[-1] ** 0.25
        return batched(lambda *arrays: with_parameters(own, weights, *arrays), heads=False)(
            query * root, key * root, value
        )

    return Adapted(own, attend)


def _exact_features() -> Program:
    home = importlib.import_module(ON_PERFORMER)

    def attend(query: Any, key: Any, value: Any, directions: Any) -> Any:
        def features(x: Any, is_query: bool) -> Any:
            return home.softmax_kernel(
                x, projection_matrix=directions, is_query=is_query, normalize_data=False, eps=0
            )

        def linear(query: Any, key: Any, value: Any) -> Any:
            return home.linear_attention(features(query, True), features(key, False), value)

        return batched(linear, heads=False)(query, key, value)

    return attend


def _linformer() -> Program:
    own = importlib.import_module("linformer").LinformerSelfAttention(2, 3, k=2, heads=1)
    in_columns(own, {"to_q": 2, "to_k": 2, "to_v": 2}, "to_out")

    def attend(own: Any, query: Any, key: Any, value: Any, of_keys: Any, of_values: Any) -> Any:
        weights = {"proj_k": of_keys.T, "proj_v": of_values.T}
        # Its width is that of one part of its input.
        x = torch.cat([query, key, value], -1)[None]
        return with_parameters(own, weights, x)[0]

    return Adapted(own, attend)


def _local(**options: Any) -> Callable[[], Program]:
    def build() -> Program:
        local = importlib.import_module("local_attention.local_attention").LocalAttention
        own = local(exact_windowsize=True, **options).double().eval()
        return batched(own, heads=False)

    return build


def _little_memory(module: str, **options: Any) -> Callable[[], Program]:
    def build() -> Program:
        function = importlib.import_module(f"{ON_LITTLE_MEMORY}.{module}").attention

        def attend(query: Any, key: Any, value: Any, *masks: Any) -> Any:
            more = {"mask": masks[0][None]} if masks else {}
            return batched(lambda *arrays: function(*arrays, **options, **more), heads=False)(
                query, key, value
            )

        return attend

    return build


_PLAIN = f"{ON_LITTLE_MEMORY}.memory_efficient_attention"
_UNSCALED = f"{ON_LITTLE_MEMORY}.memory_efficient_cosine_sim_attention"

SMALL_PACKAGES = (
    Implementation("sum-normalised", PERFORMER, f"{ON_PERFORMER}.linear_attention",
                   _linear("linear_attention")),
    Implementation("linear", PERFORMER, f"{ON_PERFORMER}.linear_attention",
                   _given_features("linear_attention"), without=("features",)),
    Implementation("performer", PERFORMER, f"{ON_PERFORMER}.linear_attention",
                   _given_features("linear_attention"), without=("features",)),
    Implementation("performer", PERFORMER, f"{ON_PERFORMER}.softmax_kernel", _exact_features,
                   "normalize_data=False, eps=0; then linear_attention"),
    Implementation(
        "performer", PERFORMER, f"{ON_PERFORMER}.FastAttention", _random_features,
        "queries and keys times d^(1/4), by which it divides",
        differs="it adds 1e-4 to each feature",
    ),
    Implementation(
        "linear-causal", PERFORMER, f"{ON_PERFORMER}.causal_linear_attention_noncuda",
        _given_features("causal_linear_attention_noncuda"), without=("features",),
        differs="it adds 1e-6 to each sum of keys",
    ),
    Implementation("linformer", LINFORMER, "linformer.LinformerSelfAttention", _linformer,
                   "one head; its projections identities", sizes={"n_q": 3}),
    Implementation(
        "sliding-window", LOCAL, "local_attention.LocalAttention",
        _local(window_size=2, causal=True),
        "window_size=2, causal=True, exact_windowsize=True: two keys before and the own",
        sizes={"n_q": 6, "n": 6},
    ),
    Implementation(
        "bidirectional-window", LOCAL, "local_attention.LocalAttention", _local(window_size=1),
        "window_size=1, exact_windowsize=True", sizes={"n": 4},
    ),
    Implementation("dot-product", LITTLE_MEMORY, f"{_UNSCALED}.attention",
                   _little_memory("memory_efficient_cosine_sim_attention")),
    Implementation("scaled-dot-product", LITTLE_MEMORY, f"{_PLAIN}.attention",
                   _little_memory("memory_efficient_attention")),
    Implementation("shifted-softmax", LITTLE_MEMORY, f"{_PLAIN}.attention",
                   _little_memory("memory_efficient_attention")),
    Implementation("causal", LITTLE_MEMORY, f"{_PLAIN}.attention",
                   _little_memory("memory_efficient_attention", causal=True), "causal=True",
                   sizes={"n_q": 3}),
    Implementation("padding", LITTLE_MEMORY, f"{_PLAIN}.attention",
                   _little_memory("memory_efficient_attention"), "mask="),
)  # fmt: skip
