"""timm: its attention layers. The package needs torchvision; these modules of it do not."""

from __future__ import annotations

from typing import Any

import torch

from numeric.implementations.adapting import (
    NO_PROJECTIONS,
    Adapted,
    Made,
    first,
    in_columns,
    merged,
    one_head,
    split,
    with_parameters,
)
from numeric.implementations.implementation import Implementation, Program
from numeric.implementations.importing import part_of, standing_in

PACKAGE = "timm"
PLAIN = "timm.layers.attention.Attention"


def layers(name: str) -> Any:
    """Import a module of the package's layers."""
    with standing_in(
        "torchvision.ops.misc", "torchvision.models.feature_extraction", "torchvision"
    ):
        return part_of("timm", f"layers.{name}")


def _multi_head() -> Program:
    module = layers("attention").Attention(4, 2, proj_bias=False).double().eval()

    def attend(module: Any, x: Any, query: Any, key: Any, value: Any, output: Any) -> Any:
        weights = {"qkv.weight": torch.cat([query, key, value]), "proj.weight": output}
        return with_parameters(module, weights, x[None])[0]

    return Adapted(module, attend)


def _causal() -> Program:
    module = in_columns(layers("attention").Attention(2, 1), {}, "qkv", "proj")
    return one_head(lambda *arrays: split(module(merged(*arrays), is_causal=True), 1))


def _gated() -> Program:
    """The gate reads all columns; its weights are zero for those of queries, keys and values."""
    module = layers("attention").Attention(9, 1, attn_head_dim=2, gated=True)
    in_columns(module, {"qkv": 6}, "proj")

    def attend(module: Any, query: Any, key: Any, value: Any, x: Any, gate: Any) -> Any:
        weights = {"gate.weight": torch.nn.functional.pad(gate, (6, 0))}
        together = torch.cat([query, key, value, x], -1)[None]
        return with_parameters(module, weights, together)[0]

    return Adapted(module, attend)


def _normalised() -> Program:
    norm = layers("norm").RmsNorm
    module = layers("attention").Attention(4, 2, qk_norm=True, norm_layer=norm)
    in_columns(module, {}, "qkv", "proj")

    def attend(module: Any, query: Any, key: Any, value: Any, of_q: Any, of_k: Any, _: Any) -> Any:
        weights = {"q_norm.weight": of_q, "k_norm.weight": of_k}
        return split(with_parameters(module, weights, merged(query, key, value)), 2)

    return Adapted(module, attend)


def _turned(half: bool) -> Any:
    def build() -> Program:
        layer = layers("attention").AttentionRope
        module = layer(4, 1, num_prefix_tokens=0, rotate_half=half)
        in_columns(module, {}, "qkv", "proj")

        def attend(query: Any, key: Any, value: Any, cosine: Any, sine: Any) -> Any:
            tables = (_twice(table, half) for table in (sine, cosine))
            x = torch.cat([query, key, value], -1)[None]
            return first(module(x, rope=torch.cat([*tables], -1)))[0]

        return attend

    return build


def _twice(table: Any, half: bool) -> Any:
    return torch.cat([table, table], -1) if half else table.repeat_interleave(2, -1)


def _differential(*, whole: bool) -> Any:
    """Two heads; queries and keys of the two softmaxes are neighbouring heads.

    The share is what its parameters make otherwise; ``whole`` keeps the norm and the factor that
    follow.
    """

    def build() -> Program:
        module = layers("diff_attention").DiffAttention(8, 2)
        in_columns(module, {}, "proj")
        module.qkv = Made()
        module.fused_attn = False
        for name in ("q1", "k1", "q2", "k2"):
            delattr(module, f"lambda_{name}")
        if not whole:
            module.sub_norm = torch.nn.Identity()
            module.lambda_init = 0.0

        def attend(module: Any, *arrays: Any) -> Any:
            query_1, key_1, query_2, key_2, value, shares = arrays
            module._compute_lambda = lambda: shares[:, None, None]
            query, key = (
                torch.stack(pair, 1).flatten(0, 1) for pair in ((query_1, query_2), (key_1, key_2))
            )
            module.qkv.made = merged(query, key, value)
            ones = {"sub_norm.weight": torch.ones(4, dtype=torch.float64)} if whole else {}
            return split(with_parameters(module, ones, merged(value)), 2)

        return Adapted(module, attend)

    return build


def _pooled() -> Program:
    layer = layers("attention_pool").AttentionPoolLatent
    module = layer(2, 0, num_heads=1, latent_len=2, q_proj=False, pool_type="")
    module.kv = Made()
    module.double().eval()

    def attend(module: Any, query: Any, key: Any, value: Any) -> Any:
        module.kv.made = torch.cat([key, value], -1)[None]
        return with_parameters(module, {"latent": query[None]}, value[None])[0]

    return Adapted(module, attend)


SHARES = "the shares as its lambda"

TIMM = (
    Implementation("multi-head", PACKAGE, PLAIN, _multi_head, "proj_bias=False",
                   sizes={"n_q": 3, "d_e": 4, "d_f": 4}),
    Implementation("causal", PACKAGE, PLAIN, _causal, f"is_causal=True; {NO_PROJECTIONS}",
                   sizes={"n_q": 3}),
    Implementation("gated-output", PACKAGE, PLAIN, _gated, f"gated=True; {NO_PROJECTIONS}",
                   sizes={"n_q": 3}),
    Implementation(
        "rms-normalised", PACKAGE, PLAIN, _normalised,
        f"qk_norm=True, norm_layer=RmsNorm; {NO_PROJECTIONS}", sizes={"n_q": 3},
        values=lambda: {"epsilon": torch.tensor([1e-6], dtype=torch.float64)},
    ),
    Implementation(
        "rotary-halves", PACKAGE, "timm.layers.attention.AttentionRope", _turned(True),
        f"rotate_half=True; {NO_PROJECTIONS}", without=("angles",), sizes={"d": 4, "d_v": 4},
    ),
    Implementation(
        "rotary-interleaved", PACKAGE, "timm.layers.attention.AttentionRope", _turned(False),
        NO_PROJECTIONS, without=("angles",), sizes={"d": 4, "d_v": 4},
    ),
    Implementation(
        "differential", PACKAGE, "timm.layers.diff_attention.DiffAttention",
        _differential(whole=False),
        f"{SHARES}; without the norm and the factor that follow; {NO_PROJECTIONS}",
        sizes={"n_q": 3, "d_v": 4},
    ),
    Implementation(
        "differential", PACKAGE, "timm.layers.diff_attention.DiffAttention",
        _differential(whole=True), f"{SHARES}; {NO_PROJECTIONS}", sizes={"n_q": 3, "d_v": 4},
        differs="it also normalises each head's result and multiplies it by 1 - lambda_init",
    ),
    Implementation(
        "scaled-dot-product", PACKAGE, "timm.layers.attention_pool.AttentionPoolLatent", _pooled,
        "q_proj=False, the queries as its latent vectors; its projection an identity",
    ),
)  # fmt: skip
