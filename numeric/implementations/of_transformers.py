"""transformers: the attention functions and modules of its models, in the "eager" way."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from numeric.implementations.adapting import (
    NO_PROJECTIONS,
    Adapted,
    batched,
    buckets,
    first,
    in_columns,
    merged,
    one_head,
    split,
    with_parameters,
)
from numeric.implementations.implementation import Implementation, Program

PACKAGE, MODELS = "transformers", "transformers.models"
SELF = {"n_q": 3}
TURNED = {"d": 4, "d_v": 4}


def modeling(model: str) -> Any:
    """Import the modules of a model; nothing is fetched from a network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    return importlib.import_module(f"{MODELS}.{model}.modeling_{model}")


def configured(model: str, name: str, **sizes: Any) -> Any:
    """Return the configuration of a model with these sizes."""
    home = importlib.import_module(f"{MODELS}.{model}.configuration_{model}")
    config = getattr(home, name)(**sizes)
    config._attn_implementation = "eager"
    return config


def mask(queries: int, keys: int, seen: Callable[..., Any] | None = None, **more: Any) -> Any:
    """Return the mask that the package makes for its models: numbers that are added to scores."""
    from transformers import masking_utils

    function = seen or masking_utils.causal_mask_function
    return masking_utils.eager_mask(
        1, queries, keys, mask_function=function, dtype=torch.float64, **more
    )


def eager(
    model: str,
    masked: Callable[..., Any] | None = None,
    parts: Mapping[str, Any] | None = None,
    **options: Any,
) -> Callable[..., Any]:
    """Return a model's attention function of (batch, heads, tokens, dimensions).

    The module that it is passed holds ``parts``. ``masked`` makes the mask from the numbers of
    queries and keys and what follows the values. The function's result has heads after tokens.
    """
    function = modeling(model).eager_attention_forward

    def attend(query: Any, key: Any, value: Any, *others: Any) -> Any:
        module = SimpleNamespace(num_key_value_groups=1, training=False, **(parts or {}))
        seen = masked(query.shape[-2], key.shape[-2], *others) if masked else None
        given = {"scaling": query.shape[-1] ** -0.5, **options}
        return first(function(module, query, key, value, seen, **given)).transpose(1, 2)

    return attend


def _name(model: str, part: str) -> str:
    return f"{MODELS}.{model}.modeling_{model}.{part}"


def _eager(
    key: str,
    model: str,
    call: str = "",
    masked: Callable[..., Any] | None = None,
    *,
    more: Any = None,
    **options: Any,
) -> Implementation:
    def build() -> Program:
        function = eager(model, masked, **options)

        def attend(query: Any, key: Any, value: Any, *others: Any) -> Any:
            return batched(lambda *arrays: function(*arrays, *others), heads=False)(
                query, key, value
            )

        return attend

    name = _name(model, "eager_attention_forward")
    return Implementation(key, PACKAGE, name, build, call, **(more or {}))


# Masks


def _sliding(queries: int, keys: int) -> Any:
    from transformers import masking_utils

    return mask(queries, keys, masking_utils.sliding_window_causal_mask_function(3))


def _both_sides(queries: int, keys: int) -> Any:
    from transformers import masking_utils

    return mask(queries, keys, masking_utils.sliding_window_bidirectional_mask_function(1))


def _padded(queries: int, keys: int, kept: Any) -> Any:
    from transformers import masking_utils

    return mask(queries, keys, masking_utils.bidirectional_mask_function, attention_mask=kept[None])


def _prefixed(queries: int, keys: int, prefix: Any) -> Any:
    from transformers import masking_utils

    causal = masking_utils.causal_mask_function
    return mask(queries, keys, masking_utils.or_masks(causal, lambda *places: prefix[places[-1]]))


# Sinks


def _sinks() -> Program:
    def attend(query: Any, key: Any, value: Any, sinks: Any) -> Any:
        return batched(eager("gpt_oss", parts={"sinks": sinks}))(query, key, value)

    return attend


# Modules with projections


LLAMA = {
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "vocab_size": 8,
    "intermediate_size": 8,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}


def _unturned(tokens: int, dimensions: int) -> tuple[Any, Any]:
    """Return cosines of one and sines of zero: each token stays as it is."""
    table = torch.ones(1, tokens, dimensions, dtype=torch.float64)
    return table, torch.zeros_like(table)


def _llama(heads: int, groups: int) -> Callable[[], Program]:
    def build() -> Program:
        config = configured(
            "llama", "LlamaConfig", **LLAMA,
            num_attention_heads=heads, num_key_value_heads=groups, head_dim=2,
        )  # fmt: skip
        module = modeling("llama").LlamaAttention(config, layer_idx=0).double().eval()

        def call(module: Any, x: Any, query: Any, key: Any, value: Any, output: Any) -> Any:
            names = ("q_proj", "k_proj", "v_proj", "o_proj")
            weights = (query, key, value, output)
            parameters = {f"{n}.weight": w for n, w in zip(names, weights, strict=True)}
            turns = _unturned(x.shape[0], 2)
            return with_parameters(module, parameters, x[None], turns, None)[0][0]

        return Adapted(module, call)

    return build


# Positions


def _turning(model: str, family: str, table: Callable[[Any], Any]) -> Callable[[], Program]:
    """A module that is given tables of cosines and sines, for one head of four dimensions."""

    def build() -> Program:
        config = configured(
            model, f"{family}Config", **LLAMA,
            num_attention_heads=1, num_key_value_heads=1, head_dim=4,
        )  # fmt: skip
        module = getattr(modeling(model), f"{family}Attention")(config, layer_idx=0)
        in_columns(module, {"q_proj": 4, "k_proj": 4, "v_proj": 4}, "o_proj")

        def attend(module: Any, query: Any, key: Any, value: Any, cosine: Any, sine: Any) -> Any:
            tables = (table(cosine)[None], table(sine)[None])
            return first(module(merged(query, key, value), tables, None))

        return one_head(_with_tables(lambda *arrays: attend(module, *arrays)))

    return build


def _with_tables(attend: Callable[..., Any]) -> Program:
    """Give tables as they are: ``one_head`` puts an axis before them, too."""

    def call(query: Any, key: Any, value: Any, cosine: Any, sine: Any) -> Any:
        return attend(query, key, value, cosine[0], sine[0])

    return call


def _twice(table: Any) -> Any:
    return torch.cat([table, table], -1)


def _each_twice(table: Any) -> Any:
    return table.repeat_interleave(2, -1)


def _neox() -> Program:
    config = configured(
        "gpt_neox", "GPTNeoXConfig", hidden_size=4, num_attention_heads=1, num_hidden_layers=1,
        vocab_size=8, intermediate_size=4, max_position_embeddings=8,
    )  # fmt: skip
    module = modeling("gpt_neox").GPTNeoXAttention(config, layer_idx=0)
    in_columns(module, {}, "query_key_value", "dense")

    def attend(query: Any, key: Any, value: Any, cosine: Any, sine: Any) -> Any:
        tables = (_twice(cosine)[None], _twice(sine)[None])
        return first(module(merged(query, key, value), None, position_embeddings=tables))

    return one_head(_with_tables(attend))


def _gptj() -> Program:
    config = configured(
        "gptj", "GPTJConfig", n_embd=4, n_head=1, n_layer=1, n_positions=3, rotary_dim=4,
        vocab_size=8, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    module = modeling("gptj").GPTJAttention(config, layer_idx=0)
    in_columns(module, {"q_proj": 4, "k_proj": 4, "v_proj": 4}, "out_proj")

    def attend(query: Any, key: Any, value: Any, cosine: Any, sine: Any) -> Any:
        table = {"embed_positions": torch.cat([sine, cosine], -1)}
        return first(
            with_parameters(
                module, table, merged(query, key, value), position_ids=torch.arange(3)[None]
            )
        )

    # Its table is a buffer, which no claim is to hold fixed.
    return Adapted(module, lambda _, *arrays: one_head(_with_tables(attend))(*arrays))


def _t5() -> Program:
    config = configured(
        "t5", "T5Config", d_model=4, d_kv=2, num_heads=2, d_ff=4, vocab_size=8, num_layers=1,
        relative_attention_num_buckets=8, relative_attention_max_distance=16,
    )  # fmt: skip
    module = modeling("t5").T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    in_columns(module, {"q": 4, "k": 4, "v": 4}, "o")

    def attend(module: Any, query: Any, key: Any, value: Any, biases: Any) -> Any:
        weights = {"relative_attention_bias.weight": buckets(biases)}
        return split(with_parameters(module, weights, merged(query, key, value)), 2)

    return Adapted(module, attend)


def _wav2vec2_bert() -> Program:
    config = configured(
        "wav2vec2_bert", "Wav2Vec2BertConfig", hidden_size=2, num_attention_heads=1,
        position_embeddings_type="relative_key", left_max_position_embeddings=2,
        right_max_position_embeddings=2,
    )  # fmt: skip
    module = modeling("wav2vec2_bert").Wav2Vec2BertSelfAttention(config)
    in_columns(module, {"linear_q": 2, "linear_k": 2, "linear_v": 2}, "linear_out")
    # The width of its output follows that of its input.
    return Adapted(module, _relative_keys)


def _relative_keys(module: Any, query: Any, key: Any, value: Any, vectors: Any) -> Any:
    together = torch.cat([query, key, value], -1)[None]
    return first(with_parameters(module, {"distance_embedding.weight": vectors}, together))[0]


def _bloom() -> Program:
    modeling_bloom = modeling("bloom")
    config = configured("bloom", "BloomConfig", hidden_size=4, n_head=2, vocab_size=8)
    module = modeling_bloom.BloomAttention(config, layer_idx=0)
    in_columns(module, {}, "query_key_value", "dense")

    def attend(query: Any, key: Any, value: Any, _: Any) -> Any:
        x = torch.stack([query, key, value], 2).permute(1, 0, 2, 3).flatten(1)[None]
        # The slopes are those that the package makes; a head's row is its slope times the place.
        biases = modeling_bloom.build_alibi_tensor(torch.ones(1, 3), 2, torch.float64)
        none = torch.zeros(1, 3, 4, dtype=torch.float64)
        return split(module(x, none, biases, mask(3, 3)), 2)

    return attend


def _bloom_slopes() -> Mapping[str, Any]:
    biases = modeling("bloom").build_alibi_tensor(torch.ones(1, 2), 2, torch.float64)
    return {"m": biases[:, 0, 1]}


def _mpt() -> Program:
    modeling_mpt = modeling("mpt")
    config = configured("mpt", "MptConfig", d_model=4, n_heads=2, n_layers=1, vocab_size=8)
    module = modeling_mpt.MptAttention(config, 0)
    in_columns(module, {}, "Wqkv", "out_proj")

    def attend(query: Any, key: Any, value: Any, _: Any) -> Any:
        biases = modeling_mpt.build_mpt_alibi_tensor(2, 3).double()
        hidden = torch.ones(3, 3, dtype=torch.bool).triu(1)
        return split(module(merged(query, key, value), biases, attention_mask=hidden), 2)

    return attend


def _mpt_slopes() -> Mapping[str, Any]:
    return {"m": -modeling("mpt").build_mpt_alibi_tensor(2, 2).double()[:, 0, 0]}


# Normalised queries and keys


def _qwen3() -> Program:
    config = configured(
        "qwen3", "Qwen3Config", **LLAMA,
        num_attention_heads=2, num_key_value_heads=2, head_dim=2, rms_norm_eps=1e-6,
    )  # fmt: skip
    module = modeling("qwen3").Qwen3Attention(config, layer_idx=0)
    in_columns(module, {"q_proj": 4, "k_proj": 4, "v_proj": 4}, "o_proj")

    def attend(module: Any, query: Any, key: Any, value: Any, of_q: Any, of_k: Any, _: Any) -> Any:
        weights = {"q_norm.weight": of_q, "k_norm.weight": of_k}
        turns = _unturned(3, 2)
        return split(with_parameters(module, weights, merged(query, key, value), turns, None), 2)

    return Adapted(module, attend)


def _small() -> Mapping[str, Any]:
    return {"epsilon": torch.tensor([1e-6], dtype=torch.float64)}


# Short vectors for keys and values


def _deepseek_v3() -> Program:
    config = configured(
        "deepseek_v3", "DeepseekV3Config", hidden_size=4, num_attention_heads=2,
        num_key_value_heads=2, q_lora_rank=None, kv_lora_rank=3, qk_rope_head_dim=2,
        qk_nope_head_dim=2, v_head_dim=2, num_hidden_layers=1, vocab_size=8,
        max_position_embeddings=16, rope_interleave=False,
    )  # fmt: skip
    module = modeling("deepseek_v3").DeepseekV3Attention(config, layer_idx=0)
    in_columns(module, {"q_proj": 8, "kv_a_proj_with_mqa": 5}, "kv_a_layernorm", "o_proj")
    return Adapted(module, _latent)


def _latent(
    module: Any, query: Any, latent: Any, of_keys: Any, of_values: Any, turned_q: Any, turned_k: Any
) -> Any:
    x = torch.cat([merged(torch.cat([query, turned_q], -1)), latent[None], turned_k[None]], -1)
    weights = {"kv_b_proj.weight": torch.cat([of_keys, of_values], 1).flatten(0, 1)}
    return split(with_parameters(module, weights, x, _unturned(3, 2), mask(3, 3)), 2)


# Networks that score


class _Context(torch.nn.Module):
    """In place of the recurrent part: the attended states, its first input."""

    def forward(self, attended: Any, _: Any) -> Any:
        """Return the attended states."""
        return attended


def _cell(inputs: int, hidden: int) -> Any:
    cell = modeling("slanet").SLANetAttentionGRUCell(inputs, hidden, 0)
    cell.rnn = _Context()
    return cell.double().eval()


def _additive() -> Program:
    def attend(cell: Any, query: Any, key: Any, value: Any, W: Any, U: Any, u: Any) -> Any:
        states = torch.cat([key, value], -1)
        weights = {
            "input_to_hidden.weight": torch.cat([U, torch.zeros_like(U)], -1),
            "hidden_to_hidden.weight": W,
            "hidden_to_hidden.bias": torch.zeros(3, dtype=torch.float64),
            "score.weight": u[None],
        }
        states = states.expand(query.shape[0], -1, -1)
        nothing = torch.empty(query.shape[0], 0, dtype=torch.float64)
        return first(with_parameters(cell, weights, query, states, nothing))[:, 2:]

    return Adapted(_cell(4, 3), attend)


def _pooling() -> Program:
    def attend(cell: Any, x: Any, W: Any, b: Any, u: Any) -> Any:
        weights = {
            "input_to_hidden.weight": W,
            "hidden_to_hidden.weight": torch.zeros(3, 3, dtype=torch.float64),
            "hidden_to_hidden.bias": b,
            "score.weight": u,
        }
        start = torch.zeros(1, 3, dtype=torch.float64)
        nothing = torch.empty(1, 0, dtype=torch.float64)
        return first(with_parameters(cell, weights, start, x[None], nothing))

    return Adapted(_cell(2, 3), attend)


def _module(
    key: str, model: str, part: str, build: Callable[[], Program], call: str = "", **more: Any
) -> Implementation:
    return Implementation(key, PACKAGE, _name(model, part), build, call, **more)


NO_TURN = "cosines one and sines zero"

TRANSFORMERS = (
    _eager("dot-product", "bert", "scaling=1", scaling=1.0),
    _eager("scaled-dot-product", "bert"),
    _eager("scaled-dot-product", "llama"),
    _eager("shifted-softmax", "llama"),
    _eager("causal", "llama", "with the causal mask of the package", mask),
    _eager("padding", "bert", "with the padding mask of the package", _padded),
    _eager("prefix", "gemma2", "or_masks of the causal mask and the prefix", _prefixed),
    _eager(
        "sliding-window",
        "mistral",
        "with the mask of the package for a window of 3",
        _sliding,
        more={"sizes": {"n_q": 5, "n": 5}},
    ),
    _eager(
        "bidirectional-window",
        "modernbert",
        "with the mask of the package for a distance of at most 1",
        _both_sides,
        more={"sizes": {"n": 4}},
    ),
    _eager("soft-cap", "gemma2", "softcap=2", softcap=2.0),
    _module("sink", "gpt_oss", "eager_attention_forward", _sinks),
    _module(
        "multi-head", "llama", "LlamaAttention", _llama(2, 2), NO_TURN,
        sizes={"d_e": 4, "d_f": 4},
    ),
    _module(
        "multi-query", "llama", "LlamaAttention", _llama(2, 1), f"one key head, {NO_TURN}",
        sizes={"d_e": 4, "d_f": 4},
    ),
    _module(
        "grouped-query", "llama", "LlamaAttention", _llama(4, 2), NO_TURN,
        sizes={"n": 2, "d_e": 4, "d_f": 4},
    ),
    _module(
        "rotary-halves", "llama", "LlamaAttention", _turning("llama", "Llama", _twice),
        NO_PROJECTIONS, without=("angles",), sizes=TURNED,
    ),
    _module(
        "rotary-halves", "gpt_neox", "GPTNeoXAttention", _neox, NO_PROJECTIONS,
        without=("angles",), sizes=TURNED,
    ),
    _module(
        "rotary-interleaved", "gptj", "GPTJAttention", _gptj, NO_PROJECTIONS,
        without=("angles",), sizes=TURNED,
    ),
    _module(
        "rotary-interleaved", "cohere", "CohereAttention",
        _turning("cohere", "Cohere", _each_twice), NO_PROJECTIONS,
        without=("angles",), sizes=TURNED,
    ),
    _module("relative-bias", "t5", "T5Attention", _t5, NO_PROJECTIONS),
    _module(
        "relative-keys", "wav2vec2_bert", "Wav2Vec2BertSelfAttention", _wav2vec2_bert,
        NO_PROJECTIONS,
    ),
    _module("alibi", "bloom", "BloomAttention", _bloom, NO_PROJECTIONS, values=_bloom_slopes),
    _module("alibi", "mpt", "MptAttention", _mpt, NO_PROJECTIONS, values=_mpt_slopes),
    _module(
        "rms-normalised", "qwen3", "Qwen3Attention", _qwen3, f"{NO_PROJECTIONS}, {NO_TURN}",
        sizes=SELF, values=_small,
    ),
    _module(
        "latent", "deepseek_v3", "DeepseekV3Attention", _deepseek_v3,
        f"{NO_PROJECTIONS} but for keys and values, {NO_TURN}",
    ),
    _module(
        "latent-absorbed", "deepseek_v3", "DeepseekV3Attention", _deepseek_v3,
        f"{NO_PROJECTIONS} but for keys and values, {NO_TURN}",
    ),
    _module(
        "additive", "slanet", "SLANetAttentionGRUCell", _additive,
        "without its recurrent unit; keys and values side by side as its states",
    ),
    _module(
        "pooling", "slanet", "SLANetAttentionGRUCell", _pooling,
        "without its recurrent unit, in a state of zeros; one query",
        sizes={"n_q": 1},
    ),
)  # fmt: skip
