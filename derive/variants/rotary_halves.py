"""Rotary position embeddings as GPT-NeoX and Llama lay them out: a pair has one half each."""

from __future__ import annotations

from derive.formula import n_p, p
from derive.variants.rotary import INPUTS, SU, rotary_attention
from derive.variants.variant import Source, Variant

NEOX = Source(
    "Black et al.",
    2022,
    "GPT-NeoX-20B: An open-source autoregressive language model",
    "https://arxiv.org/abs/2204.06745",
)

LLAMA = Source(
    "Hugging Face",
    2023,
    "transformers: modeling_llama.py",
    "https://github.com/huggingface/transformers/blob/main/src/transformers/models/llama/modeling_llama.py",
    "rotate_half",
)

VARIANT = Variant(
    key="rotary-halves",
    title="Rotary embeddings, two halves",
    family="Positions",
    summary=(
        "Dimension p of the first half and dimension p of the second half of each query and key "
        "are turned together. It is the other layout with the dimensions in another order: "
        "weights that were trained with one give wrong scores with the other."
    ),
    mechanism=rotary_attention("two halves", p, p + n_p),
    sources=(SU, NEOX, LLAMA),
    inputs=INPUTS,
    against="rotary-interleaved",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
