"""Scores, masks, heads and normalisers in torch, as papers and libraries write them.

Each is written without the formulas: by torch's own functions where there are any. Beside each
stands a mutant, the same but for one mistake.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Shape = tuple[int, ...]
QKV: tuple[Shape, ...] = ((2, 2), (3, 2), (3, 2))
SELF: tuple[Shape, ...] = ((3, 2), (3, 2), (3, 2))
HEADS: tuple[Shape, ...] = ((2, 2, 2), (2, 3, 2), (2, 3, 2))


@dataclass(frozen=True)
class Program:
    """A mechanism in torch, the shapes of its inputs, and a mistaken version of it.

    ``masks`` are inputs of truth values after the others.
    """

    right: Callable[..., Any]
    wrong: Callable[..., Any]
    shapes: tuple[Shape, ...]
    masks: tuple[tuple[bool, ...], ...] = ()

    def inputs(self) -> list[Tensor]:
        torch.manual_seed(1)
        floats = [torch.randn(shape) for shape in self.shapes]
        return floats + [torch.tensor(mask) for mask in self.masks]


def scaled(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.mT / math.sqrt(q.shape[-1])


def sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def distance(tokens: int) -> Tensor:
    """Return i - j for every query i and key j."""
    place = torch.arange(tokens)
    return place[:, None] - place[None, :]


def no_later(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril()


# Scores


def raw(q, k, v):
    return q @ k.mT @ v


def raw_scaled(q, k, v):
    return scaled(q, k) @ v


def sum_normalised(q, k, v):
    scores = q @ k.mT
    return scores / scores.sum(-1, keepdim=True) @ v


def sum_of_columns(q, k, v):
    scores = q @ k.mT
    return scores / scores.sum(-2, keepdim=True) @ v


def general(q, k, v, w):
    scores = torch.einsum("ik,kp,jp->ij", q, w, k)
    return scores.softmax(-1) @ v


def general_transposed(q, k, v, w):
    return (q @ w.mT @ k.mT).softmax(-1) @ v


def temperature(q, k, v, t):
    return (scaled(q, k) / t[:, None, None]).softmax(-1) @ v


def inverse_temperature(q, k, v, t):
    return (scaled(q, k) * t[:, None, None]).softmax(-1) @ v


def query_key_normalised(q, k, v, g):
    q, k = (x * torch.rsqrt(x.pow(2).sum(-1, keepdim=True)) for x in (q, k))
    return (g[:, None, None] * (q @ k.mT)).softmax(-1) @ v


def normalised_over_tokens(q, k, v, g):
    q, k = (x * torch.rsqrt(x.pow(2).sum(-2, keepdim=True)) for x in (q, k))
    return (g[:, None, None] * (q @ k.mT)).softmax(-1) @ v


def root_mean_square(x, gain, epsilon):
    return gain * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon))


def rms_normalised(q, k, v, g_q, g_k, epsilon):
    return sdpa(root_mean_square(q, g_q, epsilon), root_mean_square(k, g_k, epsilon), v)


def epsilon_outside_the_root(q, k, v, g_q, g_k, epsilon):
    q, k = (x / (x.pow(2).mean(-1, keepdim=True).sqrt() + epsilon) for x in (q, k))
    return sdpa(q * g_q, k * g_k, v)


# Masks


def causal(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def strictly_causal_but_for_the_first(q, k, v):
    mask = distance(len(q)) > 0
    mask[0, 0] = True
    return sdpa(q, k, v, mask)


def padding(q, k, v, real):
    return sdpa(q, k, v, real[None, :].expand(len(q), -1))


def padded_queries(q, k, v, real):
    return padding(q, k, v, real) * real[:, None]


def prefix(q, k, v, given):
    return sdpa(q, k, v, no_later(len(q)) | given[None, :])


def prefix_of_queries(q, k, v, given):
    return sdpa(q, k, v, no_later(len(q)) | given[:, None])


def sliding_window(q, k, v):
    back = distance(len(q))
    return sdpa(q, k, v, (back >= 0) & (back < 3))


def window_of_four(q, k, v):
    back = distance(len(q))
    return sdpa(q, k, v, (back >= 0) & (back <= 3))


def bidirectional_window(q, k, v):
    return sdpa(q, k, v, distance(len(q)).abs() < 2)


def lopsided_window(q, k, v):
    away = distance(len(q))
    return sdpa(q, k, v, (away < 2) & (away >= -2))


def dilated(q, k, v):
    back = distance(len(q))
    return sdpa(q, k, v, (back >= 0) & (back % 2 == 0))


def every_second_place(q, k, v):
    place = torch.arange(len(q))
    return sdpa(q, k, v, no_later(len(q)) & ((place % 2 == 0) | (distance(len(q)) == 0)))


# Heads


def split(x: Tensor, weight: Tensor, heads: int) -> Tensor:
    """From tokens to heads, tokens, numbers of a head."""
    return functional.linear(x, weight).unflatten(-1, (heads, -1)).transpose(0, 1)


def merged(z: Tensor, weight: Tensor) -> Tensor:
    return functional.linear(z.transpose(0, 1).flatten(1), weight)


def multi_head(x, w_q, w_k, w_v, w_o):
    return merged(sdpa(split(x, w_q, 2), split(x, w_k, 2), split(x, w_v, 2)), w_o)


def heads_interleaved(x, w_q, w_k, w_v, w_o):
    q, k, v = (
        functional.linear(x, w).unflatten(-1, (-1, 2)).permute(2, 0, 1) for w in (w_q, w_k, w_v)
    )
    return merged(sdpa(q, k, v), w_o)


def multi_query(x, w_q, w_k, w_v, w_o):
    q, k, v = split(x, w_q, 2), functional.linear(x, w_k), functional.linear(x, w_v)
    weights = torch.einsum("hnk,mk->hnm", q / math.sqrt(q.shape[-1]), k).softmax(-1)
    return merged(torch.einsum("hnm,mv->hnv", weights, v), w_o)


def weights_averaged_over_heads(x, w_q, w_k, w_v, w_o):
    q, k, v = split(x, w_q, 2), functional.linear(x, w_k), functional.linear(x, w_v)
    weights = scaled(q, k).softmax(-1).mean(0, keepdim=True).expand(2, -1, -1)
    return merged(weights @ v, w_o)


def grouped_query(x, w_q, w_k, w_v, w_o):
    k, v = (split(x, w, 2).repeat_interleave(2, 0) for w in (w_k, w_v))
    return merged(sdpa(split(x, w_q, 4), k, v), w_o)


def every_second_head(x, w_q, w_k, w_v, w_o):
    k, v = (split(x, w, 2).repeat(2, 1, 1) for w in (w_k, w_v))
    return merged(sdpa(split(x, w_q, 4), k, v), w_o)


def cross(x, y, w_q, w_k, w_v, w_o):
    return merged(sdpa(split(x, w_q, 2), split(y, w_k, 2), split(y, w_v, 2)), w_o)


def values_of_the_asking_text(x, y, w_q, w_k, w_v, w_o):
    return merged(sdpa(split(x, w_q, 2), split(y, w_k, 2), split(x, w_v, 2)), w_o)


def talking_heads(q, k, v, w_s, w_a):
    logits = torch.einsum("hg,gnm->hnm", w_s, scaled(q, k))
    weights = torch.einsum("ph,hnm->pnm", w_a, logits.softmax(-1))
    return torch.einsum("pnm,pmv->pnv", weights, v)


def mixed_before_alone(q, k, v, w_s, w_a):
    logits = torch.einsum("ph,hg,gnm->pnm", w_a, w_s, scaled(q, k))
    return logits.softmax(-1) @ v


def pooling(x, w, b, u):
    return (u @ functional.linear(x, w, b).tanh().mT).softmax(-1) @ x


def pooled_hidden_units(x, w, b, u):
    hidden = functional.linear(x, w, b).tanh()
    return (u @ hidden.mT).softmax(-1) @ hidden


# Score modifications and normalisers


def soft_cap(q, k, v):
    return (2 * torch.tanh(scaled(q, k) / 2)).softmax(-1) @ v


def hyperbolic_tangent_alone(q, k, v):
    return torch.tanh(scaled(q, k) / 2).softmax(-1) @ v


def shifted_softmax(q, k, v):
    scores = scaled(q, k)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return weights / weights.sum(-1, keepdim=True) @ v


def shifted_by_columns(q, k, v):
    scores = scaled(q, k)
    weights = (scores - scores.amax(-2, keepdim=True)).exp()
    return weights / weights.sum(-1, keepdim=True) @ v


def softmax_plus_one(q, k, v):
    """One more key, of score 0 and value 0."""
    return functional.pad(scaled(q, k), (1, 0)).softmax(-1)[..., 1:] @ v


def one_is_not_shifted(q, k, v):
    """The largest score is taken away from the scores but not from the one."""
    scores = scaled(q, k)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return weights / (1 + weights.sum(-1, keepdim=True)) @ v


def sink(q, k, v, b):
    """gpt-oss: the sinks stand beside the scores, and are dropped after softmax."""
    scores = scaled(q, k)
    sinks = b[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.cat([scores, sinks], -1).softmax(-1)[..., :-1] @ v


def sink_of_a_query(q, k, v, b):
    scores = scaled(q, k)
    sinks = b[None, :, None].expand(*scores.shape[:-1], 1)
    return torch.cat([scores, sinks], -1).softmax(-1)[..., :-1] @ v


def sigmoid(q, k, v, b):
    return torch.sigmoid(scaled(q, k) + b[:, None, None]) @ v


def sigmoid_biased_outside(q, k, v, b):
    return (torch.sigmoid(scaled(q, k)) + b[:, None, None]) @ v


def power(q, k, v):
    weights = (q @ k.mT) ** 2
    return weights @ v / (1 + weights.sum(-1, keepdim=True))


def power_without_one(q, k, v):
    weights = (q @ k.mT) ** 2
    return weights @ v / weights.sum(-1, keepdim=True)


def gated_output(q, k, v, x, w_g):
    return sdpa(q, k, v) * torch.sigmoid(functional.linear(x, w_g))


def swish_gate(q, k, v, x, w_g):
    return sdpa(q, k, v) * functional.silu(functional.linear(x, w_g))


PROJECTED: tuple[Shape, ...] = ((3, 2), (4, 2), (4, 2), (4, 2), (2, 4))

PROGRAMS = {
    "raw-scores": Program(raw, raw_scaled, QKV),
    "sum-normalised": Program(sum_normalised, sum_of_columns, QKV),
    "general": Program(general, general_transposed, (*QKV, (2, 2))),
    "temperature": Program(temperature, inverse_temperature, (*HEADS, (2,))),
    "query-key-normalised": Program(query_key_normalised, normalised_over_tokens, (*HEADS, (2,))),
    "rms-normalised": Program(
        rms_normalised,
        epsilon_outside_the_root,
        ((1, 2, 2), (1, 2, 2), (1, 2, 2), (2,), (2,), (1,)),
    ),
    "causal": Program(causal, strictly_causal_but_for_the_first, SELF),
    "padding": Program(padding, padded_queries, SELF, ((True, True, False),)),
    "prefix": Program(prefix, prefix_of_queries, SELF, ((True, True, False),)),
    "sliding-window": Program(sliding_window, window_of_four, ((4, 1), (4, 1), (4, 1))),
    "bidirectional-window": Program(bidirectional_window, lopsided_window, SELF),
    "dilated": Program(dilated, every_second_place, SELF),
    "multi-head": Program(multi_head, heads_interleaved, PROJECTED),
    "multi-query": Program(
        multi_query, weights_averaged_over_heads, ((3, 2), (4, 2), (2, 2), (2, 2), (2, 4))
    ),
    "grouped-query": Program(
        grouped_query, every_second_head, ((3, 2), (4, 2), (2, 2), (2, 2), (2, 4))
    ),
    "cross-attention": Program(
        cross, values_of_the_asking_text, ((3, 2), (3, 2), (4, 2), (4, 2), (4, 2), (2, 4))
    ),
    "talking-heads": Program(talking_heads, mixed_before_alone, (*HEADS, (2, 2), (2, 2))),
    "pooling": Program(pooling, pooled_hidden_units, ((3, 2), (2, 2), (2,), (1, 2))),
    "soft-cap": Program(soft_cap, hyperbolic_tangent_alone, QKV),
    "shifted-softmax": Program(shifted_softmax, shifted_by_columns, QKV),
    "softmax-plus-one": Program(softmax_plus_one, one_is_not_shifted, QKV),
    "sink": Program(sink, sink_of_a_query, (*HEADS, (2,))),
    "sigmoid": Program(sigmoid, sigmoid_biased_outside, (*HEADS, (2,))),
    "power": Program(power, power_without_one, QKV),
    "gated-output": Program(gated_output, swish_gate, (*QKV, (2, 2), (2, 2))),
}
"""Every mechanism of these families by its key."""
