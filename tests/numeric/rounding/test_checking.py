"""A program is checked on designed inputs: the verdict, its words, the simplest failing inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from derive.errors import InputError
from derive.options import Options
from derive.rounding_claim import RoundingClaim, RoundingVerdict, lines
from derive.scaled_dot_product import scaled_dot_product_attention as formula
from numeric.rounding.assertion import BeyondBound, assert_within_bound
from numeric.rounding.checking import Checked, check_rounding
from numeric.rounding.designed import LAYOUTS, Shapes, designed, families, laid_out
from numeric.rounding.watching import inferred
from numeric.rounding_bound import bound_rounding

CAUSAL = Options(leading=2, causal="top-left")
SHAPES = Shapes((1, 2, 8, 4), (1, 2, 8, 4), (1, 2, 8, 4))


def masked(query: Any, key: Any, value: Any, *, diagonal: int = 1, fill: float = -torch.inf) -> Any:
    scores = query @ key.mT * query.shape[-1] ** -0.5
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(diagonal)
    return scores.masked_fill(hidden, fill).softmax(-1) @ value


def late(query: Any, key: Any, value: Any) -> Any:
    return masked(query, key, value, diagonal=2)


def leaking(query: Any, key: Any, value: Any) -> Any:
    return masked(query, key, value, fill=-10.0)


def fused(query: Any, key: Any, value: Any) -> Any:
    return scaled_dot_product_attention(query, key, value, is_causal=True)


def check(program: Any, dtype: Any = torch.float32, **options: Any) -> RoundingClaim:
    backward = options.pop("backward", False)
    return check_rounding(Checked(program, CAUSAL, dtype, backward), SHAPES, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("program", [masked, fused])
def test_right_programs_are_within_their_bound(program: Any, dtype: Any) -> None:
    claim = check(program, dtype, backward=True)
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND
    assert [figures.name for figures in claim.outputs] == [
        "output",
        "gradient of query",
        "gradient of key",
        "gradient of value",
    ]
    assert all(figures.within == figures.elements > 1000 for figures in claim.outputs)
    assert claim.ratio is not None
    assert 0.01 < claim.ratio < 1
    assert len(claim.resolution) == 3


def test_a_mask_that_is_off_by_one_is_refuted_at_the_fewest_tokens() -> None:
    claim = check(late)
    assert claim.verdict is RoundingVerdict.REFUTED
    assert claim.witness is not None
    shown = dict(claim.witness.inputs)
    assert shown["query"] == shown["key"] == (((("0",), ("0",)),),)
    assert shown["value"] == (((("1",), ("0",)),),)
    assert claim.witness.actual == "0.5"
    assert claim.diagnosis == (
        "it looks like this: a query sees one key too many: the mask is off by one",
    )


def test_a_leak_is_refuted_and_named() -> None:
    claim = check(leaking, shrink=False)
    assert claim.verdict is RoundingVerdict.REFUTED
    assert claim.diagnosis == ("it looks like this: hidden scores are -10, not minus infinity",)


def test_a_leak_below_the_resolution_is_not_seen() -> None:
    # exp(-30) is 1e-13: what is left of it is less than a rounding of float32.
    claim = check(lambda *given: masked(*given, fill=-40.0), families=("normal",))
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND
    seen = next(line for line in claim.resolution if "hidden key" in line)
    assert 1e-9 < float(seen.split()[8]) < 1e-5


def test_the_resolution_is_what_is_caught() -> None:
    """A scale that is wrong by what the run says it resolves is refuted; far below, it is not."""
    claim = check(masked, families=("normal",), other_shapes=False)
    said = next(line for line in claim.resolution if "scale" in line)
    smallest = float(said.split("wrong by ")[1].split()[0])

    def wrong(factor: float) -> Any:
        return lambda query, key, value: masked(query * (1 + factor), key, value)

    for factor, verdict in (
        (1.5 * smallest, RoundingVerdict.REFUTED),
        (smallest / 100, RoundingVerdict.WITHIN_BOUND),
    ):
        found = check(wrong(factor), families=("normal",), other_shapes=False, shrink=False)
        assert found.verdict is verdict


def test_a_softmax_in_fewer_bits_is_said_in_words() -> None:
    def low(query: Any, key: Any, value: Any) -> Any:
        scores = (query @ key.mT * query.shape[-1] ** -0.5).bfloat16()
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -torch.inf)
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        return (weights / weights.sum(-1, keepdim=True)).float() @ value

    watched = check(low)
    assert watched.verdict is RoundingVerdict.WITHIN_BOUND
    assert any(
        remark.startswith("your softmax ran in bfloat16 (test_checking.py:")
        for remark in watched.remarks
    )
    declared = check(low, contract="float32", shrink=False)
    assert declared.verdict is RoundingVerdict.REFUTED
    assert "bfloat16" in declared.diagnosis[0]


def test_a_wrong_gradient_is_refuted_though_the_output_is_right() -> None:
    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
            ctx.save_for_backward(query, key, value)
            return masked(query, key, value)

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            with torch.enable_grad():
                query, key, value = (x.detach().requires_grad_() for x in ctx.saved_tensors)
                output = masked(query, key, value)
                right = torch.autograd.grad(output, (query, key, value), upstream)
            return right[0], right[1] * 1.01, right[2]

    claim = check(Attention.apply, backward=True)
    assert claim.verdict is RoundingVerdict.REFUTED
    assert claim.witness is not None
    assert claim.witness.output == "gradient of key"
    assert claim.diagnosis == ("the output is right; the gradient of key is not",)


def test_an_unseen_nan_that_leaks_is_refuted_only_where_it_is_asked_for() -> None:
    assert check(fused).verdict is RoundingVerdict.WITHIN_BOUND
    claim = check(masked, hidden_anything=True, families=("hidden keys hold NaN",))
    assert claim.verdict is RoundingVerdict.REFUTED
    assert claim.witness is not None
    assert claim.witness.actual == "nan"


def test_rows_that_see_no_key_need_a_contract() -> None:
    options = {"leading": 2, "mask": True}
    shapes = Shapes((1, 1, 4, 2), (1, 1, 4, 2), (1, 1, 4, 2), mask=(4, 4))

    def attention(query: Any, key: Any, value: Any, mask: Any) -> Any:
        return scaled_dot_product_attention(query, key, value, attn_mask=mask)

    zero = Checked(attention, Options(empty_rows="zero", **options), torch.float32)
    mean = Checked(attention, Options(empty_rows="uniform", **options), torch.float32)
    assert check_rounding(zero, shapes).verdict is RoundingVerdict.WITHIN_BOUND
    assert check_rounding(mean, shapes, shrink=False).verdict is RoundingVerdict.REFUTED


def test_a_number_without_bound_is_never_a_pass() -> None:
    """Scores that may overflow float16 leave no certificate, and the claim says why."""

    def large(query: Any, key: Any, value: Any) -> Any:
        return masked(query, key, value)

    claim = check_rounding(
        Checked(large, CAUSAL, torch.float16),
        Shapes((1, 1, 4, 4), (1, 1, 4, 4), (1, 1, 4, 4)),
        families=("scores far below",),
        contract="float16 fused",
        other_shapes=False,
    )
    assert claim.verdict in (RoundingVerdict.NO_CERTIFICATE, RoundingVerdict.REFUTED)
    if claim.verdict is RoundingVerdict.NO_CERTIFICATE:
        assert claim.causes


def split(query: Any, key: Any, value: Any) -> Any:
    """Two halves of the keys, merged by their log-sum-exp."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    half = max(1, key.shape[-2] // 2)
    parts = [(scores[..., :half], value[..., :half, :]), (scores[..., half:], value[..., half:, :])]
    parts = [part for part in parts if part[0].shape[-1]]
    outputs = torch.stack([part.softmax(-1) @ values for part, values in parts])
    weights = torch.stack([part.logsumexp(-1, keepdim=True) for part, _ in parts]).softmax(0)
    return (outputs * weights).sum(0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_block_that_hardly_counts_may_round_in_its_gradient(dtype: Any) -> None:
    """Its own row sum is far larger than that of all keys: autograd takes the difference."""
    query = torch.ones(1, 1, 1, 1, dtype=dtype)
    key = torch.tensor([-20.3, -19.9, 0.0, 0.1], dtype=dtype).reshape(1, 1, 4, 1)
    value = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=dtype).reshape(1, 1, 4, 1)
    given = [tensor.requires_grad_() for tensor in (query, key, value)]
    output = split(*given)
    upstream = torch.ones_like(output)
    gradients = torch.autograd.grad(output, given, upstream)
    watched = inferred(lambda: split(*(x.detach() for x in given)), given).contract
    for contract in (watched, None):
        assert_within_bound(
            output, *given, grad_output=upstream, gradients=gradients, contract=contract
        )
    strict = "float32 fused" if dtype == torch.float32 else f"{str(dtype)[6:]} fused"
    wrong = (gradients[0], gradients[1], 1.5 * gradients[2])
    with pytest.raises(BeyondBound, match="gradient of value"):
        assert_within_bound(output, *given, grad_output=upstream, gradients=wrong, contract=strict)


def test_a_contract_is_watched_at_each_number_of_tokens() -> None:
    """In blocks of one key, each token more is a copy more of the output."""

    def online(query: Any, key: Any, value: Any) -> Any:
        scale = query.shape[-1] ** -0.5
        largest = query.new_full((*query.shape[:-1], 1), -torch.inf)
        total, output = torch.zeros_like(largest), torch.zeros_like(query)
        for place in range(key.shape[-2]):
            scores = query @ key[..., place : place + 1, :].mT * scale
            larger = torch.maximum(largest, scores)
            weights, before = (scores - larger).exp(), (largest - larger).exp()
            total = total * before + weights
            output = output * before + weights * value[..., place : place + 1, :]
            largest = larger
        return output / total

    shapes = Shapes((1, 2, 1, 4), (1, 2, 1, 4), (1, 2, 1, 4))
    checked = Checked(online, Options(leading=2), torch.bfloat16)
    claim = check_rounding(checked, shapes, families=("normal",))
    assert "65 tokens" in claim.tried
    assert not any(figures.beyond for figures in claim.outputs)


def test_a_program_without_softmax_is_refuted_only_far_beyond_a_guess() -> None:
    def by_powers(query: Any, key: Any, value: Any) -> Any:
        scores = query @ key.mT * query.shape[-1] ** -0.5
        weights = torch.pow(2.718281828459045, scores).tril()
        return weights / weights.sum(-1, keepdim=True) @ value

    options = {"families": ("normal",), "shrink": False}
    near = check(lambda *given: 1.00005 * by_powers(*given), **options)
    assert "softmax was not recognised" in near.remarks[0]
    assert near.verdict is RoundingVerdict.NO_CERTIFICATE
    assert "softmax was not recognised" in near.causes[-1]
    far = check(lambda *given: 1.1 * by_powers(*given), **options)
    assert far.verdict is RoundingVerdict.REFUTED


def test_what_no_designed_input_shows_is_searched() -> None:
    """Wrong only where a number of a query is exactly 3, with few tokens."""

    def rarely(query: Any, key: Any, value: Any) -> Any:
        output = masked(query, key, value)
        return output + 0.25 * (query[..., :1] == 3) * (key.shape[-2] < 6)

    assert check(rarely, search=False).verdict is RoundingVerdict.WITHIN_BOUND
    claim = check(rarely)
    assert claim.verdict is RoundingVerdict.REFUTED
    assert "whole numbers, shrunk" in claim.tried
    assert any("small ones of whole numbers" in said for said in check(masked).tried)


def test_a_program_that_fails_is_one_line() -> None:
    def failing(*_: Any) -> Any:
        raise ValueError("no such\nkernel")

    with pytest.raises(InputError, match=r"float32: normal: the program fails: .*no such kernel"):
        check(failing)
    with pytest.raises(InputError, match="there is none of this name; write one of 'float64'"):
        check(masked, contract="float31")


def test_a_wrong_shape_is_no_comparison() -> None:
    with pytest.raises(InputError, match=r"output has the shape .*, not"):
        check(lambda query, key, value: masked(query, key, value)[..., :1])


def test_the_text_of_a_claim_fits_a_terminal() -> None:
    text = lines(check(late))
    assert text[0].startswith("refuted in float32")
    assert max(map(len, text)) < 130
    assert any("would have been caught" in line for line in text)


def test_every_layout_holds_the_same_numbers() -> None:
    tensor = torch.arange(24.0).reshape(1, 2, 3, 4)
    tensor[:, 1] = tensor[:, 0]
    for layout in LAYOUTS:
        other = laid_out(tensor, layout)
        assert torch.equal(other, tensor)
        assert other.is_contiguous() == (layout == "contiguous")


def test_every_family_is_drawn_and_is_what_the_type_holds() -> None:
    found = list(designed(SHAPES, CAUSAL, torch.bfloat16, hidden_anything=True))
    assert tuple(drawn.family for drawn in found) == families(hidden_anything=True)
    for drawn in found:
        for array in drawn.arrays.values():
            held = torch.from_numpy(array).bfloat16().double()
            assert torch.equal(held.nan_to_num(7), torch.from_numpy(array).nan_to_num(7))


def test_modules_keywords_and_formulas() -> None:
    given = [torch.zeros(1, 2, 4, 2) for _ in range(3)]
    attention = formula(CAUSAL)
    by_name = bound_rounding(
        lambda *, value, query, key: masked(query, key, value),
        attention,
        dict(zip(("query", "key", "value"), given, strict=True)),
        "bfloat16",
    )
    assert by_name.verdict is RoundingVerdict.WITHIN_BOUND
    with pytest.raises(InputError, match="without projections"):
        bound_rounding(
            masked, formula(Options(leading=1, projections="self", heads=2)), given, "float32"
        )
    with pytest.raises(InputError, match="float8: it is not known; write one of float64"):
        bound_rounding(masked, attention, given, "float8")
    with pytest.raises(InputError, match="the formula is given 3"):
        bound_rounding(masked, attention, given[:2], "float32")


def identity_module(heads: int, dimensions: int) -> Any:
    """Torch's module with projections that change nothing: 1 x + 0 is exact."""
    module = nn.MultiheadAttention(heads * dimensions, heads, bias=False, batch_first=True)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.eye(heads * dimensions).repeat(3, 1))
        module.out_proj.weight.copy_(torch.eye(heads * dimensions))
    return module


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
@pytest.mark.parametrize("need_weights", [False, True])
def test_multihead_attention_is_within_its_bound(dtype: str, need_weights: bool) -> None:
    module = identity_module(2, 4).to(getattr(torch, dtype))

    def attention(query: Any, key: Any, value: Any) -> Any:
        joined = [x.transpose(1, 2).flatten(2) for x in (query, key, value)]
        output, _ = module(*joined, need_weights=need_weights)
        return output.unflatten(2, (2, 4)).transpose(1, 2)

    given = [torch.zeros(1, 2, 8, 4) for _ in range(3)]
    claim = bound_rounding(attention, formula(Options(leading=2)), given, dtype, backward=True)
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND, "\n".join(lines(claim))


def test_the_largest_shape_stays_affordable() -> None:
    """(1, 8, 512, 64) in float32, unfused: see the benchmarks for time and memory."""
    shape = (1, 8, 512, 64)

    def unfused(query: Any, key: Any, value: Any) -> Any:
        with sdpa_kernel(SDPBackend.MATH):
            return fused(query, key, value)

    claim = check_rounding(
        Checked(unfused, CAUSAL, torch.float32, backward=True),
        Shapes(shape, shape, shape),
        families=("normal",),
        other_shapes=False,
    )
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND
    assert claim.seconds < 60
