"""The contract that is inferred: precisions, copies, blocks, kernels, and the line that did it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention, softmax

from derive.errors import InputError
from numeric.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from numeric.rounding.contract import Contract, Stored
from numeric.rounding.watching import Inferred, inferred


def watched(program: Callable[..., Any], dtype: Any) -> Inferred:
    given = tuple(torch.ones(1, 2, 8, 4, dtype=dtype) for _ in range(3))
    return inferred(lambda: program(*given), given)


def eager(query: Any, key: Any, value: Any) -> Any:
    return (query @ key.mT / 2).softmax(-1) @ value


def widened(query: Any, key: Any, value: Any) -> Any:
    weights = softmax(query @ key.mT / 2, -1, dtype=torch.float32)
    return weights.to(query.dtype) @ value


def by_hand(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.mT / 2
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return weights @ value / weights.sum(-1, keepdim=True)


def by_logarithm(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.mT / 2
    return (scores - scores.logsumexp(-1, keepdim=True)).exp() @ value


def fused(query: Any, key: Any, value: Any) -> Any:
    return scaled_dot_product_attention(query, key, value)


def unfused(query: Any, key: Any, value: Any) -> Any:
    with sdpa_kernel(SDPBackend.MATH):
        return fused(query, key, value)


def in_blocks(query: Any, key: Any, value: Any) -> Any:
    parts = [query.float() @ block.float().mT / 2 for block in key.split(4, -2)]
    largest = torch.stack([part.amax(-1) for part in parts]).amax(0)[..., None]
    weights = [(part - largest).exp() for part in parts]
    total = sum(weight.sum(-1, keepdim=True) for weight in weights)
    blocks = zip(weights, value.split(4, -2), strict=True)
    return (sum(weight @ block.float() for weight, block in blocks) / total).to(query.dtype)


def contract(program: Callable[..., Any], dtype: Any) -> Contract:
    return watched(program, dtype).contract


def test_float32_and_float64_store_nothing_narrower() -> None:
    for dtype, precision in ((torch.float32, FLOAT32), (torch.float64, FLOAT64)):
        found = contract(eager, dtype)
        assert (found.output, found.accumulation, found.softmax) == (precision,) * 3
        assert (found.inputs, found.scores, found.weights, found.block) == (None,) * 4
        assert not found.in_parts


def test_copies_in_16_bits_are_counted() -> None:
    found = contract(eager, torch.bfloat16)
    assert found.scores == Stored(BFLOAT16, 2)  # the product, and it scaled
    assert found.weights == Stored(BFLOAT16, 1)
    assert found.softmax == FLOAT32
    assert contract(widened, torch.float16).weights == Stored(FLOAT16, 1)
    assert contract(unfused, torch.bfloat16).scores is None


def test_an_exponential_in_16_bits_is_named_with_its_line() -> None:
    found = watched(by_hand, torch.bfloat16)
    assert found.contract.softmax == BFLOAT16
    assert found.contract.in_parts
    assert found.contract.differentiates_maximum
    (remark,) = found.remarks
    assert remark.startswith("your softmax ran in bfloat16 (test_watching.py:")
    assert "amax(-1, keepdim=True)).exp()" in remark


def test_blocks_and_logarithms_are_seen() -> None:
    assert contract(in_blocks, torch.float32).block == 4
    assert contract(by_logarithm, torch.float32).logarithmic
    assert not contract(by_hand, torch.float32).logarithmic


def test_a_fused_kernel_is_a_blind_spot_with_a_stated_contract() -> None:
    found = watched(fused, torch.bfloat16)
    assert found.contract.name == "bfloat16, torch's fused CPU kernel"
    assert found.contract.gradient_block == 32
    assert "its contract is stated, not seen" in found.remarks[0]
    assert "adds gradients up in bfloat16" in found.remarks[1]


def test_a_program_without_softmax_gets_the_widest_contract() -> None:
    found = watched(lambda query, _key, _value: query * 1, torch.float32)
    assert "softmax was not recognised" in found.remarks[0]


def test_an_output_in_fewer_bits_is_seen() -> None:
    found = watched(lambda *given: eager(*given).bfloat16().float(), torch.float32)
    assert found.contract.output == BFLOAT16
    assert "the output was rounded to bfloat16" in found.remarks


@pytest.mark.parametrize("program", [eager, fused, by_hand])
def test_watching_changes_no_number(program: Callable[..., Any]) -> None:
    given = tuple(torch.randn(1, 2, 8, 4) for _ in range(3))
    kept = []
    inferred(lambda: kept.append(program(*given)), given)
    assert torch.equal(kept[0], program(*given))


def test_copies_of_blocks_are_counted_by_what_they_hold() -> None:
    def chunked(query: Any, key: Any, value: Any) -> Any:
        return torch.cat([eager(part, key, value) for part in query.split(1, -2)], -2)

    def scaled(query: Any, key: Any, value: Any) -> Any:
        return (query * 0.5 @ key.mT).softmax(-1) @ value

    assert contract(chunked, torch.bfloat16).scores == Stored(BFLOAT16, 5)
    assert contract(scaled, torch.bfloat16).inputs == Stored(BFLOAT16, 1)


def test_a_type_without_contract_is_named() -> None:
    with pytest.raises(InputError, match=r"float8_e4m3fn: .*: no contract is known for this type"):
        watched(lambda *given: eager(*given).to(torch.float8_e4m3fn).float(), torch.float32)
