"""Nothing that others wrote rightly is refuted: every type, every designed input, large shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sympy import Integer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from derive.options import Options
from derive.rounding_claim import RoundingVerdict, lines
from numeric.rounding.checking import Checked, check_rounding
from numeric.rounding.designed import Shapes

pytestmark = [
    pytest.mark.third_party,
    # What these packages import and call is theirs.
    pytest.mark.filterwarnings("ignore"),
]

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
CAUSAL = Options(leading=2, causal="top-left")
LARGE = (2, 8, 512, 64)
FEW = ("normal", "sharp", "whole numbers")
"""Families at the largest shape, where each takes seconds."""


def causal_mask(query: Any, key: Any) -> Any:
    """Zero, and the smallest number where a key is hidden, as transformers' models pass it."""
    hidden = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).triu(1)
    mask = torch.zeros(hidden.shape, dtype=query.dtype)
    return mask.masked_fill(hidden, torch.finfo(query.dtype).min)[None, None]


def from_transformers(function: Any, query: Any, key: Any, value: Any, **options: Any) -> Any:
    shared = query.shape[1] // key.shape[1]
    module = SimpleNamespace(num_key_value_groups=shared, training=False, is_causal=True)
    scale = query.shape[-1] ** -0.5
    mask = causal_mask(query, key)
    output, _ = function(module, query, key, value, mask, scaling=scale, dropout=0.0, **options)
    return output.transpose(1, 2)


def llama_eager() -> Any:
    from transformers.models.llama.modeling_llama import eager_attention_forward

    return partial(from_transformers, eager_attention_forward)


def gemma_eager() -> Any:
    from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward

    return partial(from_transformers, eager_attention_forward, softcap=20.0)


def transformers_sdpa() -> Any:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return partial(from_transformers, sdpa_attention_forward)


CAPPED = Options(leading=2, causal="top-left", soft_cap=Integer(20))
GROUPED = Options(leading=2, causal="top-left", grouped="consecutive")
TRANSFORMERS: dict[str, tuple[Callable[[], Any], Options, tuple[int, ...]]] = {
    "llama, eager": (llama_eager, CAUSAL, (2, 4, 24, 8)),
    "llama, eager, grouped heads": (llama_eager, GROUPED, (2, 2, 24, 8)),
    "gemma 2, eager, soft cap": (gemma_eager, CAPPED, (2, 4, 24, 8)),
    "sdpa": (transformers_sdpa, CAUSAL, (2, 4, 24, 8)),
    "sdpa, grouped heads": (transformers_sdpa, GROUPED, (2, 2, 24, 8)),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_is_within_its_bound(name: str, dtype: Any) -> None:
    make, options, shared = TRANSFORMERS[name]
    claim = check_rounding(
        Checked(make(), options, dtype, backward=True), Shapes((2, 4, 24, 8), shared, shared)
    )
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND, "\n".join(lines(claim))


def eager(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.mT * query.shape[-1] ** -0.5
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(hidden, -torch.inf).softmax(-1) @ value


def fused(query: Any, key: Any, value: Any) -> Any:
    return scaled_dot_product_attention(query, key, value, is_causal=True)


def unfused(query: Any, key: Any, value: Any) -> Any:
    with sdpa_kernel(SDPBackend.MATH):
        return fused(query, key, value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("program", [eager, fused])
def test_the_largest_shape_is_within_its_bound(program: Any, dtype: Any) -> None:
    claim = check_rounding(
        Checked(program, CAUSAL, dtype, backward=True),
        Shapes(LARGE, LARGE, LARGE),
        families=FEW,
        other_shapes=False,
    )
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND, "\n".join(lines(claim))


@pytest.mark.parametrize("program", [eager, fused])
def test_float64_at_a_real_shape_is_within_its_bound(program: Any) -> None:
    shape = (1, 2, 128, 64)
    claim = check_rounding(
        Checked(program, CAUSAL, torch.float64, backward=True),
        Shapes(shape, shape, shape),
        families=FEW,
        other_shapes=False,
    )
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND, "\n".join(lines(claim))
    assert claim.reference.startswith("Arb balls")


@pytest.mark.parametrize(
    "backend", ["FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "MATH"]
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_kernel_on_an_accelerator_is_within_its_bound(backend: str, dtype: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no accelerator here: nothing is claimed about its kernels")

    def program(query: Any, key: Any, value: Any) -> Any:
        with sdpa_kernel(getattr(SDPBackend, backend)):
            return fused(query, key, value)

    claim = check_rounding(
        Checked(program, CAUSAL, dtype, backward=True, device="cuda"),
        Shapes((1, 2, 128, 64), (1, 2, 128, 64), (1, 2, 128, 64)),
        other_shapes=False,
    )
    assert claim.verdict is not RoundingVerdict.REFUTED, "\n".join(lines(claim))
