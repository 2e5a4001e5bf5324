"""transformers: each module's eager attention against its sdpa, or against attention by hand."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from tests.third_party.by_hand import (
    attention,
    causal,
    merged,
    root_mean_square,
    split,
    turned,
)
from tests.third_party.case import Called, Case, Comparison, call, tokens

PACKAGE = "transformers"


def _parts(model: str) -> tuple[Any, Any]:
    home = f"transformers.models.{model}"
    return (
        importlib.import_module(f"{home}.modeling_{model}"),
        importlib.import_module(f"{home}.configuration_{model}"),
    )


def _config(model: str, name: str, kind: str, **sizes: Any) -> Any:
    config = getattr(_parts(model)[1], name)(**sizes)
    config._attn_implementation = kind
    return config


def _mask(kind: str, length: int, window: int | None = None) -> torch.Tensor:
    """Return the mask that the library itself makes: numbers to add, or booleans."""
    from transformers import masking_utils

    seen = masking_utils.causal_mask_function
    if window:
        seen = masking_utils.and_masks(masking_utils.sliding_window_overlay(window), seen)
    if kind == "eager":
        return masking_utils.eager_mask(1, length, length, mask_function=seen, dtype=torch.float64)
    return masking_utils.sdpa_mask(
        1, length, length, mask_function=seen, allow_is_causal_skip=False
    )


def _both(make: Callable[[str], Called], *shape: int) -> Callable[[], Comparison]:
    """Compare the eager module with the one that calls torch's kernel."""
    return lambda: Comparison(make("eager"), make("sdpa"), {"x": tokens(*shape)})


def _simple(
    model: str,
    module: str,
    config: str,
    sizes: dict[str, Any],
    *,
    is_causal: bool = False,
    how: Callable[..., Any] | None = None,
    **extra: Any,
) -> Callable[[], Comparison]:
    """Modules that are called with tokens and a mask."""

    def make(kind: str) -> Called:
        own = getattr(_parts(model)[0], module)(_config(model, config, kind, **sizes), **extra)
        if how is not None:
            return Called(own, how)
        if not is_causal:
            return Called(own, call)
        mask = _mask(kind, 3)
        return Called(own, lambda own, x: own(x, attention_mask=mask))

    return _both(make, 1, 3, 4)


ROTARY_SIZES = {
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "num_hidden_layers": 2,
    "vocab_size": 8,
    "intermediate_size": 8,
    "max_position_embeddings": 16,
    "attention_dropout": 0.0,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}


def _rotary_module(
    model: str, family: str, kind: str, window: int | None, length: int, sizes: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Return the module, its tables of cosines and sines, and its mask."""
    modeling, _ = _parts(model)
    config = _config(model, f"{family}Config", kind, **(ROTARY_SIZES | sizes))
    module = getattr(modeling, f"{family}Attention")(config, layer_idx=0)
    tables = getattr(modeling, f"{family}RotaryEmbedding")(config)(
        torch.zeros(1, dtype=torch.float64), torch.arange(length)[None]
    )
    return module, tables, _mask(kind, length, window)


def _rotary(
    model: str, family: str, *, window: int | None = None, length: int = 3, **sizes: Any
) -> Callable[[], Comparison]:
    """Modules that are given tables of cosines and sines: eager against sdpa."""

    def make(kind: str) -> Called:
        module, tables, mask = _rotary_module(model, family, kind, window, length, sizes)
        return Called(
            module,
            lambda module, x: module(
                hidden_states=x, position_embeddings=tables, attention_mask=mask
            ),
        )

    return _both(make, 1, length, 8)


def _rotary_by_hand(
    model: str, family: str, *, normalised: bool = False, scale: float | None = None,
    cap: float | None = None, **sizes: Any,
) -> Callable[[], Comparison]:  # fmt: skip
    """The same against attention by hand."""

    def build() -> Comparison:
        module, tables, mask = _rotary_module(model, family, "eager", None, 3, sizes)

        def by_hand(module, x):
            query, key, value = (
                split(project(x), heads)
                for project, heads in ((module.q_proj, 2), (module.k_proj, 1), (module.v_proj, 1))
            )
            if normalised:
                query = root_mean_square(query, module.q_norm.weight, 1e-6)
                key = root_mean_square(key, module.k_norm.weight, 1e-6)
            query, key = (turned(vectors, *tables) for vectors in (query, key))
            result = attention(query, key, value, scale=scale, cap=cap, seen=causal(3))
            return module.o_proj(merged(result))

        def program(module, x):
            return module(hidden_states=x, position_embeddings=tables, attention_mask=mask)

        return Comparison(Called(module, program), Called(module, by_hand), {"x": tokens(1, 3, 8)})

    return build


def _gpt2_by_hand() -> Comparison:
    config = _config("gpt2", "GPT2Config", "eager", **GPT2)
    module = _parts("gpt2")[0].GPT2Attention(config, layer_idx=0)

    def by_hand(module, x):
        projected = x @ module.c_attn.weight + module.c_attn.bias
        query, key, value = (split(part, 2) for part in projected.chunk(3, -1))
        joined = merged(attention(query, key, value, seen=causal(3)))
        return joined @ module.c_proj.weight + module.c_proj.bias

    mask = _mask("eager", 3)
    return Comparison(
        Called(module, lambda module, x: module(x, attention_mask=mask)),
        Called(module, by_hand),
        {"x": tokens(1, 3, 4)},
    )


def _bloom() -> Comparison:
    """ALiBi as slope times the place of the key: the softmax does not see a shift of a row."""
    modeling, _ = _parts("bloom")
    config = _config("bloom", "BloomConfig", "eager", hidden_size=4, n_head=2, vocab_size=8)
    module = modeling.BloomAttention(config, layer_idx=0)
    positions = modeling.build_alibi_tensor(torch.ones(1, 3), 2, torch.float64)
    mask = _mask("eager", 3)

    def by_hand(module, x, residual):
        projected = module.query_key_value(x).unflatten(-1, (2, 3, 2))
        query, key, value = (projected[..., n, :].transpose(1, 2) for n in range(3))
        slopes = torch.tensor([2**-4, 2**-8], dtype=torch.float64)[:, None, None]
        back = torch.arange(3) - torch.arange(3)[:, None]
        joined = merged(attention(query, key, value, bias=slopes * back, seen=causal(3)))
        return residual + module.dense(joined)

    return Comparison(
        Called(module, lambda module, x, residual: module(x, residual, positions, mask)),
        Called(module, by_hand),
        {"x": tokens(1, 3, 4), "residual": tokens(1, 3, 4)},
    )


def _t5_by_hand() -> Comparison:
    """A bias for each distance, of its bucket; scores are not scaled."""
    config = _config("t5", "T5Config", "eager", **T5)
    module = _parts("t5")[0].T5Attention(config, has_relative_attention_bias=True, layer_idx=0)

    def by_hand(module, x):
        query, key, value = (split(part(x), 2) for part in (module.q, module.k, module.v))
        # 4 buckets for keys before the query and at it, 4 for those after: 0, 1 and far by itself.
        distance = torch.arange(3) - torch.arange(3)[:, None]
        bucket = distance.abs() + 4 * (distance > 0)
        bias = module.relative_attention_bias.weight[bucket].permute(2, 0, 1)
        return module.o(merged(attention(query, key, value, scale=1, bias=bias)))

    return Comparison(Called(module, call), Called(module, by_hand), {"x": tokens(1, 3, 4)})


def _latent(kind: str) -> Called:
    modeling, _ = _parts("deepseek_v3")
    config = _config(
        "deepseek_v3",
        "DeepseekV3Config",
        kind,
        hidden_size=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        q_lora_rank=2,
        kv_lora_rank=2,
        qk_rope_head_dim=4,
        qk_nope_head_dim=2,
        v_head_dim=2,
        num_hidden_layers=1,
        vocab_size=8,
        max_position_embeddings=16,
    )
    module = modeling.DeepseekV3Attention(config, layer_idx=0)
    tables = modeling.DeepseekV3RotaryEmbedding(config)(
        torch.zeros(1, dtype=torch.float64), torch.arange(3)[None]
    )
    mask = _mask(kind, 3)
    return Called(module, lambda module, x: module(x, tables, mask))


SMALL = {"hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 8}
GPT2 = {"n_embd": 4, "n_head": 2, "n_layer": 1, "n_positions": 8, "vocab_size": 8,
        "bos_token_id": None, "eos_token_id": None}  # fmt: skip
OPT = {"hidden_size": 4, "num_attention_heads": 2, "ffn_dim": 4, "vocab_size": 8,
       "word_embed_proj_dim": 4}  # fmt: skip
WHISPER = {"d_model": 4, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
           "vocab_size": 8}  # fmt: skip
T5 = {"d_model": 4, "d_kv": 2, "num_heads": 2, "d_ff": 4, "vocab_size": 8, "num_layers": 1,
      "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16}  # fmt: skip


def _whisper(kind: str) -> Called:
    config = _config("whisper", "WhisperConfig", kind, **WHISPER)
    module = _parts("whisper")[0].WhisperAttention(4, 2, config=config, layer_idx=0)
    return Called(module, call)


def _swin(kind: str) -> Called:
    config = _config("swin", "SwinConfig", kind, embed_dim=4, num_heads=[2], depths=[1])
    return Called(_parts("swin")[0].SwinAttention(config, 4, 2, 2), call)


def _case(name: str, build: Callable[[], Comparison]) -> Case:
    return Case(name, PACKAGE, build)


TRANSFORMERS = (
    _case(
        "GPT-2",
        _simple("gpt2", "GPT2Attention", "GPT2Config", GPT2, is_causal=True, layer_idx=0),
    ),
    _case("GPT-2 by hand", _gpt2_by_hand),
    _case("BERT", _simple("bert", "BertSelfAttention", "BertConfig", SMALL)),
    _case(
        "ViT", _simple("vit", "ViTAttention", "ViTConfig", {k: SMALL[k] for k in list(SMALL)[:3]})
    ),
    _case("ALBERT", _simple("albert", "AlbertAttention", "AlbertConfig", SMALL)),
    _case("CLIP", _simple("clip", "CLIPAttention", "CLIPTextConfig", SMALL, is_causal=True)),
    _case("OPT", _simple("opt", "OPTAttention", "OPTConfig", OPT, is_causal=True, layer_idx=0)),
    _case("Whisper", _both(_whisper, 1, 3, 4)),
    _case("Swin window", _both(_swin, 1, 4, 4)),
    _case(
        "T5 encoder",
        _simple("t5", "T5Attention", "T5Config", T5, has_relative_attention_bias=True, layer_idx=0),
    ),
    _case("T5 encoder by hand", _t5_by_hand),
    _case("BLOOM by hand", _bloom),
    _case("Llama", _rotary("llama", "Llama", head_dim=4)),
    _case("Llama by hand", _rotary_by_hand("llama", "Llama", head_dim=4)),
    _case(
        "Mistral with a window",
        _rotary("mistral", "Mistral", head_dim=4, sliding_window=2, window=2, length=4),
    ),
    _case(
        "Gemma 2 by hand",
        _rotary_by_hand(
            "gemma2",
            "Gemma2",
            head_dim=4,
            query_pre_attn_scalar=5,
            sliding_window=16,
            scale=5**-0.5,
            cap=50.0,
        ),
    ),
    _case("Qwen 2", _rotary("qwen2", "Qwen2")),
    _case("Qwen 3", _rotary("qwen3", "Qwen3", head_dim=4)),
    _case("Qwen 3 by hand", _rotary_by_hand("qwen3", "Qwen3", head_dim=4, normalised=True)),
    _case("Phi 3", _rotary("phi3", "Phi3")),
    _case("Cohere", _rotary("cohere", "Cohere")),
    _case("Granite", _rotary("granite", "Granite", attention_multiplier=0.3)),
    _case("DeepSeek-V3 latent attention", _both(_latent, 1, 3, 4)),
)
