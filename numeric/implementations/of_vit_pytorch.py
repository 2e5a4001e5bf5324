"""vit-pytorch: the attention of some of its models. It imports torchvision, but needs none."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from numeric.implementations.adapting import (
    SHORT_VECTORS,
    Adapted,
    in_columns,
    merged,
    split,
    with_parameters,
)
from numeric.implementations.implementation import Implementation, Program
from numeric.implementations.importing import standing_in

PACKAGE = "vit-pytorch"
IDENTITIES = "its layer norm and projections identities"


def _model(name: str) -> Any:
    with standing_in("torchvision.transforms"):
        return importlib.import_module(f"vit_pytorch.{name}").Attention


def _plain() -> Program:
    module = _model("vit")(2, heads=1, dim_head=2)
    in_columns(module, {}, "norm", "to_qkv", "to_out")

    def attend(*arrays: Any) -> Any:
        return module(torch.cat(arrays, -1)[None])[0]

    return attend


def _talking() -> Program:
    module = _model("cait")(12, heads=2, dim_head=2)
    in_columns(module, {"to_q": 4, "to_kv": 8}, "norm", "to_out")

    def attend(module: Any, *arrays: Any) -> Any:
        query, key, value, scores, weights = arrays
        parameters = {"mix_heads_pre_attn": scores.T, "mix_heads_post_attn": weights.T}
        return split(with_parameters(module, parameters, merged(query, key, value)), 2)

    return Adapted(module, attend)


def _cosine() -> Program:
    module = _model("normalized_vit")(4, heads=2, dim_head=2)
    in_columns(module, {"to_q": 4, "to_k": 4, "to_v": 4}, "to_out")

    def attend(module: Any, query: Any, key: Any, value: Any, scale: Any) -> Any:
        wide = scale[:, None, None].expand(-1, 1, 2)
        parameters = {"q_scale": wide, "k_scale": torch.ones_like(wide)}
        return split(with_parameters(module, parameters, merged(query, key, value)), 2)

    return Adapted(module, attend)


VIT_PYTORCH = (
    Implementation("scaled-dot-product", PACKAGE, "vit_pytorch.vit.Attention", _plain,
                   IDENTITIES, sizes={"n_q": 3}),
    Implementation("talking-heads", PACKAGE, "vit_pytorch.cait.Attention", _talking,
                   IDENTITIES, sizes={"n_q": 3, "n_g": 2}),
    Implementation(
        "query-key-normalised", PACKAGE, "vit_pytorch.normalized_vit.Attention", _cosine,
        "q_scale the same in all dimensions, k_scale one; its projections identities",
        sizes={"n_q": 3}, differs=SHORT_VECTORS,
    ),
)  # fmt: skip
