"""diffusers: its attention module with the processor that writes softmax out."""

from __future__ import annotations

from typing import Any

import torch

from numeric.implementations.adapting import Adapted, in_columns, merged, split, with_parameters
from numeric.implementations.implementation import Implementation, Program

PACKAGE = "diffusers"
NAME = "diffusers.models.attention_processor.Attention"
PROJECTED = {"d_e": 4, "d_f": 4}


def _module(width: int, heads: int, processor: str = "AttnProcessor", **options: Any) -> Any:
    from diffusers.models import attention_processor

    made = getattr(attention_processor, processor)()
    return attention_processor.Attention(
        width, heads=heads, dim_head=2, out_bias=False, processor=made, **options
    ).double().eval()  # fmt: skip


def _weights(query: Any, key: Any, value: Any, output: Any) -> dict[str, Any]:
    names = ("to_q", "to_k", "to_v", "to_out.0")
    weights = (query, key, value, output)
    return {f"{name}.weight": weight for name, weight in zip(names, weights, strict=True)}


def _multi_head() -> Program:
    return Adapted(
        _module(4, 2),
        lambda module, x, *weights: with_parameters(module, _weights(*weights), x[None])[0],
    )


def _cross() -> Program:
    return Adapted(
        _module(4, 2, cross_attention_dim=4),
        lambda module, x, y, *weights: with_parameters(
            module, _weights(*weights), x[None], y[None]
        )[0],
    )


def _normalised() -> Program:
    module = _module(4, 2, "AttnProcessor2_0", qk_norm="rms_norm", eps=1e-6)
    in_columns(module, {"to_q": 4, "to_k": 4, "to_v": 4})
    module.to_out = torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Identity()])

    def attend(module: Any, query: Any, key: Any, value: Any, of_q: Any, of_k: Any, _: Any) -> Any:
        weights = {"norm_q.weight": of_q, "norm_k.weight": of_k}
        return split(with_parameters(module, weights, merged(query, key, value)), 2)

    return Adapted(module, attend)


DIFFUSERS = (
    Implementation("multi-head", PACKAGE, NAME, _multi_head, "AttnProcessor, out_bias=False",
                   sizes=PROJECTED | {"n_q": 3}),
    Implementation("cross-attention", PACKAGE, NAME, _cross, "AttnProcessor, out_bias=False",
                   sizes=PROJECTED),
    Implementation(
        "rms-normalised", PACKAGE, NAME, _normalised,
        'AttnProcessor2_0, qk_norm="rms_norm", eps=1e-6; its projections identities',
        sizes={"n_q": 3},
        values=lambda: {"epsilon": torch.tensor([1e-6], dtype=torch.float64)},
    ),
)  # fmt: skip
