"""Attention written in other ways that are the same function, forward and backward.

Optimised code looks like this. To call one of these different would be a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from tests.prover.mutants import (
    GROUPED,
    HEADS,
    PROJECTED,
    ROTARY,
    Program,
    Shape,
    after_layer_norm,
    angles,
    attention,
    capped,
    causal,
    grouped,
    in_blocks,
    in_halves,
    lower,
    multi_head,
    normalised_queries,
    rotary,
    scaled_scores,
    sigmoid_attention,
    softmax,
    softmax_plus_one,
    with_backward,
    with_bias,
)


@dataclass(frozen=True)
class Rewrite:
    """A program that is its reference, written in another way."""

    other: Program
    plain: Program
    shapes: tuple[Shape, ...]

    @property
    def name(self) -> str:
        return self.other.__name__


REWRITES: list[Rewrite] = []


def same_as(plain: Program, shapes: tuple[Shape, ...] = HEADS) -> Callable[[Program], Program]:
    """Enter a rewrite beside the plain program."""

    def enter(other: Program) -> Program:
        REWRITES.append(Rewrite(other, plain, shapes))
        return other

    return enter


# The softmax


@same_as(attention)
def shifted_by_the_largest(query, key, value):
    scores = scaled_scores(query, key)
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    return weights / weights.sum(-1, keepdim=True) @ value


@same_as(attention)
def shifted_by_values_of_max(query, key, value):
    scores = scaled_scores(query, key)
    weights = torch.exp(scores - scores.max(-1, keepdim=True).values)
    return weights / weights.sum(-1, keepdim=True) @ value


@same_as(attention)
def shifted_by_the_largest_detached(query, key, value):
    scores = scaled_scores(query, key)
    weights = torch.exp(scores - scores.amax(-1, keepdim=True).detach())
    return weights / weights.sum(-1, keepdim=True) @ value


@same_as(attention)
def divided_last(query, key, value):
    weights = torch.exp(scaled_scores(query, key))
    return weights @ value / weights.sum(-1, keepdim=True)


@same_as(attention)
def by_the_logarithm_of_the_sum(query, key, value):
    scores = scaled_scores(query, key)
    return torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True)) @ value


@same_as(attention)
def by_log_softmax(query, key, value):
    return torch.log_softmax(scaled_scores(query, key), -1).exp() @ value


@same_as(attention)
def by_powers_of_two(query, key, value):
    scores = scaled_scores(query, key) / math.log(2)
    weights = torch.exp2(scores - scores.amax(-1, keepdim=True))
    return weights / weights.sum(-1, keepdim=True) @ value


@same_as(attention)
def scale_shared_by_query_and_key(query, key, value):
    root = math.sqrt(1 / math.sqrt(query.shape[-1]))
    return softmax((query * root) @ (key * root).mT) @ value


@same_as(attention)
def in_place(query, key, value):
    scores = query @ key.mT
    scores /= math.sqrt(query.shape[-1])
    scores -= scores.detach().amax(-1, keepdim=True)
    scores.exp_()
    weights = scores / scores.sum(-1, keepdim=True)
    return weights @ value


@same_as(attention)
def by_einsum(query, key, value):
    scores = torch.einsum("hid,hjd->hij", query, key) * query.shape[-1] ** -0.5
    return torch.einsum("hij,hjd->hid", softmax(scores), value)


@same_as(attention)
def one_head_after_the_other(query, key, value):
    heads = zip(query.unbind(), key.unbind(), value.unbind(), strict=True)
    return torch.stack([attention(*head) for head in heads])


@same_as(attention)
def query_by_query(query, key, value):
    return torch.cat([attention(rows, key, value) for rows in query.split(1, -2)], -2)


@same_as(attention)
def queries_in_chunks(query, key, value):
    return torch.cat([attention(rows, key, value) for rows in query.split(2, -2)], -2)


@same_as(attention)
def by_torch(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value)


# Blocks of keys


@same_as(attention, ((1, 3, 2),) * 3)
def in_blocks_of_one(query, key, value):
    return in_blocks(query, key, value, 1)


@same_as(attention, ((1, 3, 2),) * 3)
def in_blocks_of_two(query, key, value):
    return in_blocks(query, key, value, 2)


@same_as(attention, ((1, 3, 2),) * 3)
def in_one_block(query, key, value):
    return in_blocks(query, key, value, 3)


@same_as(attention, ((4, 2),) * 3)
def blocks_joined_by_their_logarithms(query, key, value):
    """Each block is normalised by itself; its share is told by the logarithm of its sum."""
    parts, logarithms = [], []
    for keys, values in zip(key.split(2, -2), value.split(2, -2), strict=True):
        parts.append(attention(query, keys, values))
        logarithms.append(torch.logsumexp(scaled_scores(query, keys), -1, keepdim=True))
    shares = torch.cat(logarithms, -1).softmax(-1)
    return sum(part * shares[..., n : n + 1] for n, part in enumerate(parts))


# Backwards by hand


@same_as(attention)
def backward_by_hand(query, key, value):
    def backward(query, key, value, weights, upstream):
        of_weights = upstream @ value.mT
        row = (weights * of_weights).sum(-1, keepdim=True)
        scores = weights * (of_weights - row) / math.sqrt(query.shape[-1])
        return scores @ key, scores.mT @ query, weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@same_as(causal)
def causal_backward_by_hand(query, key, value):
    """The sum over a row comes from the output, as in flash attention."""

    def backward(query, key, value, weights, upstream):
        row = (upstream * (weights @ value)).sum(-1, keepdim=True)
        scores = weights * (upstream @ value.mT - row) / math.sqrt(query.shape[-1])
        return scores @ key, scores.mT @ query, weights.mT @ upstream

    return with_backward(backward, is_causal=True)(query, key, value)


class Flash(torch.autograd.Function):
    """Blocks of two keys forward and backward; what is kept is one logarithm for each row."""

    @staticmethod
    def forward(query, key, value):
        logarithm = torch.logsumexp(scaled_scores(query, key), -1, keepdim=True)
        return in_blocks(query, key, value, 2), logarithm

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, upstream, _):
        query, key, value, output, logarithm = ctx.saved_tensors
        row = (upstream * output).sum(-1, keepdim=True)
        of_query, of_key, of_value = torch.zeros_like(query), [], []
        for keys, values in zip(key.split(2, -2), value.split(2, -2), strict=True):
            weights = torch.exp(scaled_scores(query, keys) - logarithm)
            of_value.append(weights.mT @ upstream)
            scores = weights * (upstream @ values.mT - row) / math.sqrt(query.shape[-1])
            of_key.append(scores.mT @ query)
            of_query = of_query + scores @ keys
        return of_query, torch.cat(of_key, -2), torch.cat(of_value, -2)


@same_as(attention, ((1, 3, 2),) * 3)
def flash_with_both_ways_by_hand(query, key, value):
    return Flash.apply(query, key, value)[0]


# Masks


@same_as(causal)
def minus_infinity_added(query, key, value):
    scores = scaled_scores(query, key)
    mask = torch.full(scores.shape[-2:], -math.inf).triu(1)
    return softmax(scores + mask) @ value


@same_as(causal)
def minus_infinity_by_where(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(torch.where(lower(scores), scores, -math.inf)) @ value


@same_as(causal)
def smallest_float_for_minus_infinity(query, key, value):
    scores = scaled_scores(query, key)
    smallest = torch.finfo(scores.dtype).min
    return softmax(scores.masked_fill(~lower(scores), smallest)) @ value


@same_as(causal)
def masked_after_exp(query, key, value):
    weights = torch.exp(scaled_scores(query, key))
    weights = weights * lower(weights)
    return weights / weights.sum(-1, keepdim=True) @ value


@same_as(causal)
def masked_after_the_softmax_and_normalised_again(query, key, value):
    weights = softmax(scaled_scores(query, key))
    weights = weights * lower(weights)
    return weights / weights.sum(-1, keepdim=True) @ value


@same_as(causal)
def future_never_computed(query, key, value):
    rows = [
        attention(query[..., n : n + 1, :], key[..., : n + 1, :], value[..., : n + 1, :])
        for n in range(query.shape[-2])
    ]
    return torch.cat(rows, -2)


@same_as(causal)
def decoded_with_a_cache(query, key, value):
    shape = (*key.shape[:-2], 0, key.shape[-1])
    keys, values = torch.empty(shape), torch.empty(shape)
    rows = []
    for n in range(query.shape[-2]):
        keys = torch.cat([keys, key[..., n : n + 1, :]], -2)
        values = torch.cat([values, value[..., n : n + 1, :]], -2)
        rows.append(attention(query[..., n : n + 1, :], keys, values))
    return torch.cat(rows, -2)


@same_as(causal)
def decoded_into_a_cache_of_full_length(query, key, value):
    keys, values = torch.zeros_like(key), torch.zeros_like(value)
    rows = []
    for n in range(query.shape[-2]):
        keys[..., n, :] = key[..., n, :]
        values[..., n, :] = value[..., n, :]
        seen = torch.arange(key.shape[-2]) <= n
        scores = scaled_scores(query[..., n : n + 1, :], keys.clone())
        rows.append(softmax(scores.masked_fill(~seen, -math.inf)) @ values.clone())
    return torch.cat(rows, -2)


@same_as(causal)
def causal_by_torch(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


@same_as(causal)
def boolean_mask_by_torch(query, key, value):
    mask = lower(query @ key.mT)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


@same_as(with_bias, (*HEADS, (2, 3, 3)))
def bias_by_torch(query, key, value, bias):
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


# Heads and projections


@same_as(grouped, GROUPED)
def groups_by_an_axis_of_their_own(query, key, value):
    queries = query.unflatten(0, (2, 2))
    return attention(queries, key[:, None], value[:, None]).flatten(0, 1)


@same_as(grouped, GROUPED)
def groups_expanded(query, key, value):
    shape = (2, 2, *key.shape[1:])
    keys, values = (x[:, None].expand(shape).flatten(0, 1) for x in (key, value))
    return attention(query, keys, values)


@same_as(grouped, GROUPED)
def groups_by_torch(query, key, value):
    return functional.scaled_dot_product_attention(
        query[None], key[None], value[None], enable_gqa=True
    )[0]


@same_as(multi_head, PROJECTED)
def heads_summed_instead_of_joined(x, of_query, of_key, of_value, of_output, bias):
    """Each head has its own rows of the output's weights."""
    result = bias
    for n in range(2):
        part = slice(2 * n, 2 * n + 2)
        head = attention(x @ of_query[:, part], x @ of_key[:, part], x @ of_value[:, part])
        result = result + head @ of_output[part]
    return result


@same_as(multi_head, PROJECTED)
def one_product_for_all_projections(x, of_query, of_key, of_value, of_output, bias):
    together = x @ torch.cat([of_query, of_key, of_value], 1)
    query, key, value = together.view(x.shape[0], 3, 2, 2).permute(1, 2, 0, 3)
    joined = attention(query, key, value).transpose(0, 1).flatten(1)
    return torch.addmm(bias, joined, of_output)


@same_as(multi_head, PROJECTED)
def by_torch_with_weights_returned(x, of_query, of_key, of_value, of_output, bias):
    return _by_torch(x, of_query, of_key, of_value, of_output, bias, need_weights=True)


@same_as(multi_head, PROJECTED)
def by_torch_without_weights(x, of_query, of_key, of_value, of_output, bias):
    return _by_torch(x, of_query, of_key, of_value, of_output, bias, need_weights=False)


def _by_torch(x, of_query, of_key, of_value, of_output, bias, need_weights) -> Any:
    rows = x[:, None]
    weight = torch.cat([of_query.T, of_key.T, of_value.T])
    result, _ = functional.multi_head_attention_forward(
        rows,
        rows,
        rows,
        embed_dim_to_check=4,
        num_heads=2,
        in_proj_weight=weight,
        in_proj_bias=None,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=of_output.T,
        out_proj_bias=bias,
        need_weights=need_weights,
    )
    return result[:, 0]


# Positions, norms, and other mechanisms


@same_as(rotary, ROTARY)
def rotary_as_products_of_complex_numbers(query, key, value):
    """Real and imaginary parts, written out."""
    by = angles(*query.shape[-2:])
    cosine, sine = torch.cos(by), torch.sin(by)

    def turned(vectors):
        pairs = vectors.unflatten(-1, (2, -1)).transpose(-1, -2)
        real, imaginary = pairs[..., 0], pairs[..., 1]
        both = [real * cosine - imaginary * sine, real * sine + imaginary * cosine]
        return torch.stack(both, -1).transpose(-1, -2).flatten(-2)

    return attention(turned(query), turned(key), value)


@same_as(rotary, ROTARY)
def rotary_by_rotate_half(query, key, value):
    by = angles(*query.shape[-2:]).repeat(1, 2)

    def rotate_half(vectors):
        left, right = vectors.chunk(2, -1)
        return torch.cat([-right, left], -1)

    query, key = (x * torch.cos(by) + rotate_half(x) * torch.sin(by) for x in (query, key))
    return attention(query, key, value)


@same_as(rotary, ROTARY)
def rotary_interleaved_with_dimensions_exchanged(query, key, value):
    """Interleaved turning of vectors whose halves were interleaved."""
    by = angles(*query.shape[-2:])
    order = [0, 2, 1, 3]

    def turned(vectors):
        left, right = vectors[..., order][..., ::2], vectors[..., order][..., 1::2]
        cosine, sine = torch.cos(by), torch.sin(by)
        both = [left * cosine - right * sine, right * cosine + left * sine]
        return torch.stack(both, -1).flatten(-2)

    return attention(turned(query), turned(key), value)


@same_as(normalised_queries, ((3, 2), (3, 2), (3, 2), (2,)))
def root_mean_square_by_rsqrt_and_pow(query, key, value, weight):
    normal = query * torch.rsqrt(query.pow(2).mean(-1, keepdim=True) + 1e-6)
    return softmax(weight * normal @ key.mT) @ value


@same_as(normalised_queries, ((3, 2), (3, 2), (3, 2), (2,)))
def root_mean_square_by_torch(query, key, value, weight):
    normal = functional.rms_norm(query, query.shape[-1:], weight, 1e-6)
    return softmax(normal @ key.mT) @ value


@same_as(after_layer_norm, ((2, 3), (3,), (3,)))
def layer_norm_by_hand(x, weight, bias):
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.pow(2).mean(-1, keepdim=True)
    normal = centred / torch.sqrt(variance + 1e-5) * weight + bias
    return attention(normal, normal, normal)


def cosine_attention(query, key, value):
    queries, keys = (x / torch.linalg.vector_norm(x, dim=-1, keepdim=True) for x in (query, key))
    return softmax(10 * queries @ keys.mT) @ value


@same_as(cosine_attention, ((3, 2),) * 3)
def norms_divided_out_of_the_scores(query, key, value):
    of_query, of_key = (x.norm(dim=-1, keepdim=True) for x in (query, key))
    return softmax(10 * (query @ key.mT) / of_query / of_key.mT) @ value


@same_as(softmax_plus_one)
def plus_one_as_a_key_and_value_of_zero(query, key, value):
    keys, values = (functional.pad(x, (0, 0, 1, 0)) for x in (key, value))
    return attention(query, keys, values)


@same_as(softmax_plus_one)
def plus_one_shifted(query, key, value):
    scores = scaled_scores(query, key)
    largest = scores.amax(-1, keepdim=True)
    weights = torch.exp(scores - largest)
    return weights / (torch.exp(-largest) + weights.sum(-1, keepdim=True)) @ value


@same_as(sigmoid_attention)
def sigmoid_by_exp(query, key, value):
    return 1 / (1 + torch.exp(math.log(2) - scaled_scores(query, key))) @ value


@same_as(capped)
def cap_by_exp(query, key, value):
    doubled = torch.exp(scaled_scores(query, key))
    scores = 2 * (doubled - 1) / (doubled + 1)
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


def gated(query, key, value):
    return functional.silu(attention(query, key, value))


@same_as(gated)
def gate_by_sigmoid(query, key, value):
    result = attention(query, key, value)
    return result * torch.sigmoid(result)


def linear(query, key, value):
    return (query @ key.mT).tril() @ value


@same_as(linear, ((3, 2),) * 3)
def linear_as_a_recurrence(query, key, value):
    state = torch.zeros(key.shape[-1], value.shape[-1])
    rows = []
    for one_query, one_key, one_value in zip(query, key, value, strict=True):
        state = state + torch.outer(one_key, one_value)
        rows.append(one_query @ state)
    return torch.stack(rows)


@same_as(rotary, ROTARY)
def rotary_with_a_backward_by_hand(query, key, value):
    class Turn(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, vectors):
            return in_halves(vectors, angles(*vectors.shape[-2:]))

        @staticmethod
        def backward(_ctx, upstream):
            return in_halves(upstream, -angles(*upstream.shape[-2:]))

    return attention(Turn.apply(query), Turn.apply(key), value)
