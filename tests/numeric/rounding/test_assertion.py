"""``assert_within_bound`` in someone's test: what passes, and what the message says."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from derive.errors import InputError
from numeric import BeyondBound, SuspiciousRounding, assert_within_bound
from numeric.rounding import assertion

SHAPE = (2, 4, 17, 8)


def given(dtype: Any = torch.float32, kv_heads: int = 4) -> tuple[Any, Any, Any]:
    generator = torch.Generator().manual_seed(0)

    def normal(heads: int) -> Any:
        shape = (SHAPE[0], heads, *SHAPE[2:])
        return torch.randn(shape, generator=generator).to(dtype)

    return normal(4), normal(kv_heads), normal(kv_heads)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_torch_s_own_attention_passes(dtype: Any) -> None:
    query, key, value = given(dtype)
    mask = torch.ones(17, 17, dtype=torch.bool).tril(2)
    bias = torch.linspace(-1, 1, 17 * 17).reshape(17, 17).to(dtype)
    assert_within_bound(sdpa(query, key, value), query, key, value)
    assert_within_bound(sdpa(query, key, value, is_causal=True), query, key, value, causal=True)
    assert_within_bound(sdpa(query, key, value, scale=0.3), query, key, value, scale=0.3)
    assert_within_bound(sdpa(query, key, value, attn_mask=mask), query, key, value, mask=mask)
    assert_within_bound(sdpa(query, key, value, attn_mask=bias), query, key, value, mask=bias)
    assert_within_bound(sdpa(query[0, 0], key[0, 0], value[0, 0]), *(x[0, 0] for x in given(dtype)))


def test_heads_may_share_keys() -> None:
    query, key, value = given(kv_heads=2)
    assert_within_bound(sdpa(query, key, value, enable_gqa=True), query, key, value)
    with pytest.raises(BeyondBound, match="heads share keys consecutively"):
        assert_within_bound(
            sdpa(query, key, value, enable_gqa=True), query, key, value, grouped="interleaved"
        )


def test_gradients_are_judged_too() -> None:
    query, key, value = (x.requires_grad_() for x in given())
    output = sdpa(query, key, value, is_causal=True)
    upstream = torch.ones_like(output)
    gradients = torch.autograd.grad(output, (query, key, value), upstream)
    arguments = {"causal": True, "grad_output": upstream}
    assert_within_bound(output, query, key, value, gradients=gradients, **arguments)
    wrong = (gradients[0], gradients[1] * 0.999, gradients[2])
    with pytest.raises(BeyondBound, match=r"gradient of key: .* the backward pass is not") as error:
        assert_within_bound(output, query, key, value, gradients=wrong, **arguments)
    assert "the output is right" in str(error.value)


@pytest.fixture(autouse=True)
def one_line_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``match`` look across the lines of a message."""
    message = assertion._message
    monkeypatch.setattr(
        assertion, "_message", lambda *found: message(*found).replace("\n", " ").strip()
    )


def test_the_message_says_what_is_likely_wrong() -> None:
    query, key, value = given()
    with pytest.raises(
        BeyondBound,
        match=r"output: \d+ of \d+ elements lie beyond their bound .* rounding in float32 explains "
        r".* likely: every key is seen: nothing is masked.* contract 'float32': .* would have "
        r"been caught: a scale that is wrong by ",
    ):
        assert_within_bound(sdpa(query, key, value), query, key, value, causal=True)
    with pytest.raises(BeyondBound, match=r"the scale is 0\.36, not 0\.353553"):
        assert_within_bound(sdpa(query, key, value, scale=0.36), query, key, value)
    low = sdpa(*(x.bfloat16() for x in (query, key, value))).float()
    with pytest.raises(BeyondBound, match=r"likely: errors of this size come from .*bfloat16"):
        assert_within_bound(low, query, key, value)
    with pytest.raises(BeyondBound, match="NaN or infinity"):
        assert_within_bound(sdpa(query, key, value) * torch.nan, query, key, value)
    with pytest.raises(BeyondBound, match="none of the known mistakes"):
        assert_within_bound(sdpa(query, key, value) + 4, query, key, value)


def test_a_wrong_shape_is_an_assertion() -> None:
    query, key, value = given()
    with pytest.raises(BeyondBound, match="output has the shape"):
        assert_within_bound(sdpa(query, key, value)[..., :3], query, key, value)


def test_rows_that_see_no_key_must_be_declared() -> None:
    query, key, value = given()
    mask = torch.ones(17, 17, dtype=torch.bool)
    mask[3] = False
    output = sdpa(query, key, value, attn_mask=mask)
    assert_within_bound(output, query, key, value, mask=mask, empty_rows="zero")
    with pytest.raises(BeyondBound, match="say what such a query gets: empty_rows='zero'"):
        assert_within_bound(output, query, key, value, mask=mask)
    undefined = output.clone()
    undefined[..., 3, :] = torch.nan
    assert_within_bound(undefined, query, key, value, mask=mask)


def test_arguments_that_do_not_belong_together() -> None:
    query, key, value = given()
    output = sdpa(query, key, value)
    with pytest.raises(InputError, match="one is given without the other"):
        assert_within_bound(output, query, key, value, grad_output=output)
    with pytest.raises(InputError, match="it holds numbers, and there is a bias too"):
        assert_within_bound(
            output, query, key, value, mask=torch.zeros(17, 17), bias=torch.zeros(17, 17)
        )
    with pytest.raises(InputError, match="whole numbers may mean either"):
        assert_within_bound(output, query, key, value, mask=torch.ones(17, 17, dtype=torch.int64))
    with pytest.raises(InputError, match="it does not fit the scores"):
        assert_within_bound(output, query, key, value, mask=torch.ones(3, 17, dtype=torch.bool))
    with pytest.raises(InputError, match="there is none of this name"):
        assert_within_bound(output, query, key, value, contract="bfloat17")


def test_what_independent_roundings_do_not_explain_is_a_warning() -> None:
    """An error below the bound, but far above what roundings of both signs add up to."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn((1, 1, 256, 64), generator=generator) for _ in range(3))
    exact = sdpa(*(x.double() for x in (query, key, value)))
    with pytest.warns(SuspiciousRounding, match="beyond what independent roundings explain"):
        assert_within_bound(_shifted(exact, query, key, value), query, key, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_within_bound(sdpa(query, key, value), query, key, value)


def _shifted(exact: Any, query: Any, key: Any, value: Any) -> Any:
    """Move every element by nine tenths of its bound."""
    from derive.options import Options
    from numeric.rounding.contract import default
    from numeric.rounding.judging import evaluate
    from numeric.rounding.problem import problem
    from numeric.rounding.running import as_array

    posed = problem(*(as_array(x) for x in (query, key, value)), Options(leading=2))
    bound = evaluate(posed, default("float32")).bound.output
    return (exact + 0.9 * torch.from_numpy(bound).reshape(exact.shape)).float()
