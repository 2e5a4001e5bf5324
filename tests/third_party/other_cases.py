"""Modules of other packages: two of their own ways against each other, or attention by hand."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import torch

from numeric.implementations.importing import file_of, part_of, standing_in
from tests.third_party.by_hand import attention, causal, merged, split
from tests.third_party.case import Called, Case, Comparison, call, tokens


def _against(module: Any, by_hand: Callable[..., Any], **shapes: tuple[int, ...]) -> Comparison:
    inputs = {name: tokens(*shape) for name, shape in shapes.items()}
    return Comparison(Called(module, call), Called(module, by_hand), inputs)


# llms-from-scratch


def _chapter() -> Any:
    with standing_in("tiktoken.load"):
        return importlib.import_module("llms_from_scratch.ch03")


def _first_version() -> Comparison:
    def by_hand(module, x):
        query, key, value = (x @ w for w in (module.W_query, module.W_key, module.W_value))
        return attention(query[None], key[None], value[None])[0]

    return _against(_chapter().SelfAttention_v1(3, 2), by_hand, x=(3, 3))


def _second_version() -> Comparison:
    def by_hand(module, x):
        parts = (module.W_query, module.W_key, module.W_value)
        query, key, value = (x @ part.weight.T for part in parts)
        return attention(query[None], key[None], value[None])[0]

    return _against(_chapter().SelfAttention_v2(3, 2), by_hand, x=(3, 3))


def _wrapper() -> Comparison:
    def by_hand(module, x):
        return torch.cat(
            [
                attention(head.W_query(x), head.W_key(x), head.W_value(x), seen=causal(3))
                for head in module.heads
            ],
            -1,
        )

    return _against(_chapter().MultiHeadAttentionWrapper(3, 2, 4, 0.0, 2), by_hand, x=(1, 3, 3))


def _multi_head() -> Comparison:
    def by_hand(module, x):
        parts = (module.W_query, module.W_key, module.W_value)
        query, key, value = (split(part(x), 2) for part in parts)
        return module.out_proj(merged(attention(query, key, value, seen=causal(3))))

    return _against(_chapter().MultiHeadAttention(4, 4, 4, 0.0, 2), by_hand, x=(1, 3, 4))


def _multi_head_of_torch() -> Comparison:
    def by_hand(module, x):
        query, key, value = (split(part, 2) for part in module.qkv(x).chunk(3, -1))
        return module.proj(merged(attention(query, key, value, seen=causal(3))))

    return _against(_chapter().PyTorchMultiHeadAttention(4, 4, 2), by_hand, x=(1, 3, 4))


# x-transformers


def _x_transformers(**options: Any) -> Callable[[], Comparison]:
    """Its own softmax against torch's kernel, with the same parameters."""

    def build() -> Comparison:
        module = importlib.import_module("x_transformers.x_transformers").Attention

        def make(flash: bool) -> Called:
            return Called(module(4, dim_head=2, heads=2, flash=flash, **options), call)

        return Comparison(make(False), make(True), {"x": tokens(1, 3, 4)})

    return build


def _x_transformers_zero() -> Comparison:
    """A key and a value of zero add one to each denominator."""
    module = importlib.import_module("x_transformers.x_transformers").Attention

    def by_hand(module, x):
        query, key, value = (split(part(x), 2) for part in (module.to_q, module.to_k, module.to_v))
        weights = torch.exp(query @ key.mT / math.sqrt(2))
        joined = merged(weights @ value / (1 + weights.sum(-1, keepdim=True)))
        return module.to_out(joined)

    return _against(module(4, dim_head=2, heads=2, add_zero_kv=True), by_hand, x=(1, 3, 4))


def _x_transformers_sparse() -> Comparison:
    module = importlib.import_module("x_transformers.x_transformers").Attention
    sparse = module(4, dim_head=2, heads=2, sparse_topk=2)
    return Comparison(Called(sparse, call), Called(sparse, call), {"x": tokens(1, 3, 4)})


# timm, vit-pytorch, diffusers


def _timm() -> Comparison:
    with standing_in(
        "torchvision.ops.misc", "torchvision.models.feature_extraction", "torchvision"
    ):
        layer = part_of("timm", "layers.attention").Attention

    def make(fused: bool) -> Called:
        module = layer(4, 2, qkv_bias=True)
        module.fused_attn = fused
        return Called(module, call)

    return Comparison(make(False), make(True), {"x": tokens(1, 3, 4)})


def _vit_pytorch(name: str, by_hand: Callable[..., Any]) -> Callable[[], Comparison]:
    def build() -> Comparison:
        with standing_in("torchvision.transforms"):
            module = importlib.import_module(f"vit_pytorch.{name}").Attention
        return _against(module(4, heads=2, dim_head=2), by_hand, x=(1, 3, 4))

    return build


def _vit_by_hand(module, x):
    query, key, value = (split(part, 2) for part in module.to_qkv(module.norm(x)).chunk(3, -1))
    return module.to_out(merged(attention(query, key, value)))


def _talking_heads_by_hand(module, x):
    x = module.norm(x)
    query = split(module.to_q(x), 2)
    key, value = (split(part, 2) for part in module.to_kv(x).chunk(2, -1))
    scores = torch.einsum("bhij,hg->bgij", query @ key.mT / math.sqrt(2), module.mix_heads_pre_attn)
    weights = torch.softmax(scores, -1)
    weights = torch.einsum("bhij,hg->bgij", weights, module.mix_heads_post_attn)
    return module.to_out(merged(weights @ value))


def _diffusers(cross: int | None = None, **options: Any) -> Callable[[], Comparison]:
    """Batched products against torch's kernel."""

    def build() -> Comparison:
        processors = importlib.import_module("diffusers.models.attention_processor")

        def make(processor: Any) -> Called:
            return Called(
                processors.Attention(
                    4,
                    heads=2,
                    dim_head=2,
                    processor=processor,
                    cross_attention_dim=cross,
                    **options,
                ),
                call,
            )

        inputs = {"x": tokens(1, 3, 4)} | ({"context": tokens(1, 2, cross)} if cross else {})
        return Comparison(
            make(processors.AttnProcessor()), make(processors.AttnProcessor2_0()), inputs
        )

    return build


# performer, linformer, local attention, attention in little memory


def _performer() -> Comparison:
    fast = importlib.import_module("performer_pytorch.performer_pytorch").FastAttention

    def by_hand(module, query, key, value):
        def features(x):
            return torch.relu(x @ module.projection_matrix.T / 2**0.25) + 1e-3

        weights = features(query) @ features(key).mT
        return weights @ value / weights.sum(-1, keepdim=True)

    return _against(
        fast(2, nb_features=3, generalized_attention=True),
        by_hand,
        query=(1, 1, 3, 2),
        key=(1, 1, 3, 2),
        value=(1, 1, 3, 2),
    )


def _linformer() -> Comparison:
    module = importlib.import_module("linformer").LinformerSelfAttention(4, 3, k=2, heads=2)

    def by_hand(module, x):
        key = module.proj_k.T @ module.to_k(x)
        value = module.proj_v.T @ module.to_v(x)
        query, key, value = (split(part, 2) for part in (module.to_q(x), key, value))
        return module.to_out(merged(attention(query, key, value)))

    return _against(module, by_hand, x=(1, 3, 4))


def _local() -> Comparison:
    """Blocks of 2: a query sees its own block, causally, and the whole block before it."""
    local = importlib.import_module("local_attention.local_attention").LocalAttention

    def by_hand(_, query, key, value):
        block = torch.arange(4) // 2
        near = block[:, None] - block <= 1
        return attention(query, key, value, seen=causal(4) & near)

    shape = (1, 2, 4, 2)
    return _against(local(window_size=2, causal=True), by_hand, query=shape, key=shape, value=shape)


LITTLE_MEMORY = "memory_efficient_attention_pytorch"
SHORT = {"query": (1, 1, 4, 2), "key": (1, 1, 4, 2), "value": (1, 1, 4, 2)}


def _causal_by_hand(query, key, value):
    return attention(query, key, value, seen=causal(query.shape[-2]))


def _little_memory() -> Comparison:
    own = importlib.import_module(f"{LITTLE_MEMORY}.memory_efficient_attention").attention
    return Comparison(
        lambda query, key, value: own(query, key, value, causal=True),
        _causal_by_hand,
        {name: tokens(*shape) for name, shape in SHORT.items()},
    )


def _flash_by_hand() -> Comparison:
    """A flash attention in Python with a backward of its own, in blocks of 2."""
    own = importlib.import_module(f"{LITTLE_MEMORY}.flash_attention").FlashAttentionFunction
    return Comparison(
        lambda query, key, value: own.apply(query, key, value, None, True, 2, 2),
        _causal_by_hand,
        {name: tokens(*shape) for name, shape in SHORT.items()},
    )


# flash-linear-attention: its plain references


def _fla_softmax() -> Comparison:
    own = file_of("fla", "ops/attn/naive.py").naive_parallel_attn

    def by_hand(query, key, value):
        heads = (x.transpose(1, 2) for x in (query, key, value))
        return attention(*heads, seen=causal(3)).transpose(1, 2)

    return Comparison(
        lambda query, key, value: own(query, key, value)[0],
        by_hand,
        {"query": tokens(1, 3, 2, 2), "key": tokens(1, 3, 1, 2), "value": tokens(1, 3, 1, 2)},
    )


def _fla_linear() -> Comparison:
    own = file_of("fla", "ops/linear_attn/naive.py").naive_recurrent_linear_attn

    def by_hand(query, key, value):
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        return ((query @ key.mT).tril() @ value / math.sqrt(2)).transpose(1, 2)

    inputs = {name: tokens(1, 3, 1, 2) for name in ("query", "key", "value")}
    return Comparison(lambda query, key, value: own(query, key, value), by_hand, inputs)


def _fla_delta() -> Comparison:
    own = file_of("fla", "ops/delta_rule/naive.py").delta_rule_recurrence

    def by_hand(query, key, value, beta):
        state = torch.zeros(2, 2)
        rows = []
        for n in range(3):
            of_query, of_key, of_value = (x[0, 0, n] for x in (query, key, value))
            error = of_value - of_key @ state
            state = state + beta[0, 0, n] * torch.outer(of_key, error)
            rows.append(of_query / math.sqrt(2) @ state)
        return torch.stack(rows)[None, None]

    inputs = {name: tokens(1, 1, 3, 2) for name in ("query", "key", "value")}
    return Comparison(
        lambda query, key, value, beta: own(query, key, value, beta)[0],
        by_hand,
        inputs | {"beta": tokens(1, 1, 3)},
    )


def _cases(package: str, **builds: Callable[[], Comparison]) -> tuple[Case, ...]:
    return tuple(Case(f"{package} {name}", package, build) for name, build in builds.items())


OTHERS = (
    *_cases(
        "llms-from-scratch",
        self_attention_v1=_first_version,
        self_attention_v2=_second_version,
        wrapper=_wrapper,
        multi_head=_multi_head,
        multi_head_of_torch=_multi_head_of_torch,
    ),
    *_cases(
        "x-transformers",
        plain=_x_transformers(),
        causal=_x_transformers(causal=True),
        one_key_head=_x_transformers(one_kv_head=True),
        gated_values=_x_transformers(gate_values=True),
        zero_key=_x_transformers_zero,
    ),
    Case(
        "x-transformers largest scores alone",
        "x-transformers",
        _x_transformers_sparse,
        expected="undecided",
        reason="which scores are kept depends on their order",
    ),
    *_cases("timm", attention=_timm),
    *_cases(
        "vit-pytorch",
        vit=_vit_pytorch("vit", _vit_by_hand),
        talking_heads=_vit_pytorch("cait", _talking_heads_by_hand),
    ),
    *_cases(
        "diffusers",
        attention=_diffusers(),
        cross_attention=_diffusers(cross=3),
        with_residual=_diffusers(
            norm_num_groups=2, residual_connection=True, rescale_output_factor=2.0
        ),
    ),
    *_cases("performer-pytorch", generalized=_performer),
    *_cases("linformer", linformer=_linformer),
    *_cases("local-attention", causal=_local),
    *_cases("memory-efficient-attention-pytorch", attention=_little_memory),
    Case(
        "memory-efficient-attention-pytorch flash",
        "memory-efficient-attention-pytorch",
        _flash_by_hand,
        expected="undecided",
        reason="sums are clamped from below; that they never fall below it is not seen",
    ),
    *_cases("fla-core", softmax=_fla_softmax, linear=_fla_linear, delta_rule=_fla_delta),
)
