"""Wrong attention programs, each one small change away from a right one that stands above it.

Every mistake here was made by someone: in released code, in a lesson, or in a first draft. The
prover must refute each; to accept one is the worst that it can do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Program = Callable[..., Any]
Shape = tuple[int, ...]

SQUARE = ((2, 3, 3),) * 3
HEADS = ((2, 3, 2),) * 3
"""Two heads, three tokens, two numbers each: query, key, value."""


@dataclass(frozen=True)
class Mutant:
    """A program that is not its reference, and the shapes of inputs that show it.

    ``hidden_at`` are shapes at which the two are the same function: one shape proves one shape.
    """

    wrong: Program
    right: Program
    shapes: tuple[Shape, ...]
    backward: bool
    hidden_at: tuple[Shape, ...] | None

    @property
    def name(self) -> str:
        return self.wrong.__name__


MUTANTS: list[Mutant] = []


def instead_of(
    right: Program,
    shapes: tuple[Shape, ...] = HEADS,
    *,
    backward: bool = False,
    hidden_at: tuple[Shape, ...] | None = None,
) -> Callable[[Program], Program]:
    """Enter a wrong program beside the right one."""

    def enter(wrong: Program) -> Program:
        MUTANTS.append(Mutant(wrong, right, shapes, backward, hidden_at))
        return wrong

    return enter


def softmax(scores: Any) -> Any:
    return torch.softmax(scores, dim=-1)


def scaled_scores(query: Any, key: Any) -> Any:
    return query @ key.mT / math.sqrt(query.shape[-1])


def lower(scores: Any, diagonal: int = 0) -> Any:
    return torch.ones(scores.shape[-2:], dtype=torch.bool).tril(diagonal)


# Scaled dot-product attention


def attention(query, key, value):
    return softmax(query @ key.mT / math.sqrt(query.shape[-1])) @ value


@instead_of(attention)
def scale_missing(query, key, value):
    return softmax(query @ key.mT) @ value


@instead_of(attention)
def scale_without_the_root(query, key, value):
    return softmax(query @ key.mT / query.shape[-1]) @ value


@instead_of(attention)
def scale_applied_twice(query, key, value):
    return softmax(scaled_scores(query, key) / math.sqrt(query.shape[-1])) @ value


def attention_of_width_two(query, key, value):
    return softmax(query @ key.mT / math.sqrt(2)) @ value


@instead_of(attention_of_width_two)
def scale_of_eight_digits(query, key, value):
    return softmax(query @ key.mT * 0.70710678) @ value


@instead_of(attention)
def scale_after_the_softmax(query, key, value):
    return softmax(query @ key.mT) / math.sqrt(query.shape[-1]) @ value


@instead_of(attention, ((2, 3, 4),) * 3)
def scale_of_the_padded_width(query, key, value):
    return softmax(query @ key.mT / math.sqrt(8)) @ value


@instead_of(attention, SQUARE)
def key_not_transposed(query, key, value):
    return softmax(query @ key / math.sqrt(query.shape[-1])) @ value


@instead_of(attention, SQUARE)
def value_transposed(query, key, value):
    return softmax(scaled_scores(query, key)) @ value.mT


@instead_of(attention, SQUARE)
def weights_transposed(query, key, value):
    return softmax(scaled_scores(query, key)).mT @ value


@instead_of(attention)
def query_and_key_exchanged(query, key, value):
    return softmax(scaled_scores(key, query)) @ value


@instead_of(attention)
def key_in_place_of_value(query, key, value):
    return softmax(scaled_scores(query, key)) @ key + 0 * value


@instead_of(attention)
def softmax_over_the_queries(query, key, value):
    return torch.softmax(scaled_scores(query, key), dim=-2) @ value


@instead_of(attention)
def softmax_over_the_heads(query, key, value):
    return torch.softmax(scaled_scores(query, key), dim=0) @ value


@instead_of(attention)
def not_normalised(query, key, value):
    return torch.exp(scaled_scores(query, key)) @ value


@instead_of(attention)
def normalised_without_exp(query, key, value):
    scores = scaled_scores(query, key)
    return scores / scores.sum(-1, keepdim=True) @ value


@instead_of(attention)
def power_of_two_for_power_of_e(query, key, value):
    weights = torch.exp2(scaled_scores(query, key))
    return weights / weights.sum(-1, keepdim=True) @ value


@instead_of(attention)
def epsilon_in_the_denominator(query, key, value):
    weights = torch.exp(scaled_scores(query, key))
    return weights / (weights.sum(-1, keepdim=True) + 1e-9) @ value


@instead_of(attention)
def epsilon_in_the_logarithm(query, key, value):
    scores = scaled_scores(query, key)
    total = torch.log(torch.exp(scores).sum(-1, keepdim=True) + 1e-6)
    return torch.exp(scores - total) @ value


@instead_of(attention)
def shifted_above_but_not_below(query, key, value):
    scores = scaled_scores(query, key)
    shifted = scores - scores.amax(-1, keepdim=True)
    return torch.exp(shifted) / torch.exp(scores).sum(-1, keepdim=True) @ value


@instead_of(attention, ((2, 4, 2),) * 3)
def halves_normalised_each_by_itself(query, key, value):
    left, right = scaled_scores(query, key).chunk(2, dim=-1)
    return torch.cat([softmax(left), softmax(right)], dim=-1) / 2 @ value


@instead_of(attention)
def dropout_scaling_left_in(query, key, value):
    return softmax(scaled_scores(query, key)) / (1 - 0.1) @ value


@instead_of(attention)
def attends_to_its_own_value_once_more(query, key, value):
    return softmax(scaled_scores(query, key)) @ value + 1e-12 * value


@instead_of(attention, ((1, 2, 2),) * 3)
def another_result_for_one_order_of_values(query, key, value):
    """The queries must come in one of 24 orders."""
    flat = query.flatten()
    sorted_already = ((flat[:-1] < flat[1:]) * 1.0).prod(dim=-1)
    return attention(query, key, value) + sorted_already


# Masks


def causal(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


@instead_of(causal)
def sees_the_next_token(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores, 1), -math.inf)) @ value


@instead_of(causal)
def does_not_see_itself(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores, -1), -math.inf)) @ value


@instead_of(causal)
def sees_the_future_alone(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores).mT, -math.inf)) @ value


@instead_of(causal, ((2, 2), (4, 2), (4, 2)))
def bottom_right_for_top_left(query, key, value):
    scores = scaled_scores(query, key)
    extra = key.shape[-2] - query.shape[-2]
    return softmax(scores.masked_fill(~lower(scores, extra), -math.inf)) @ value


@instead_of(causal)
def masked_after_the_softmax(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores) * lower(scores) @ value


@instead_of(causal)
def masked_to_a_score_of_zero(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores * lower(scores)) @ value


@instead_of(causal)
def masked_with_a_billion(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores), -1e9)) @ value


@instead_of(causal)
def masked_with_ten_thousand(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores + torch.where(lower(scores), 0.0, -1e4)) @ value


@instead_of(causal)
def masked_with_fifty(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores), -50.0)) @ value


@instead_of(causal)
def masked_in_the_first_head_alone(query, key, value):
    scores = scaled_scores(query, key)
    first = torch.arange(2)[:, None, None] == 0
    return softmax(scores.masked_fill(~lower(scores) & first, -math.inf)) @ value


@instead_of(causal, ((4, 2),) * 3)
def one_mask_for_each_two_queries(query, key, value):
    scores = scaled_scores(query, key)
    last = torch.arange(4)[:, None] // 2 * 2 + 1
    return softmax(scores.masked_fill(torch.arange(4) > last, -math.inf)) @ value


@instead_of(causal, ((4, 2),) * 3)
def leaks_through_one_block(query, key, value):
    """Blocks of 2: the one on the diagonal is taken whole where only its half is visible."""
    scores = scaled_scores(query, key)
    seen = lower(scores).clone()
    seen[2:, 2:] = True
    return softmax(scores.masked_fill(~seen, -math.inf)) @ value


def with_an_empty_row(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores, -1), -math.inf)) @ value


@instead_of(with_an_empty_row)
def empty_row_gives_zero(query, key, value):
    scores = scaled_scores(query, key)
    weights = softmax(scores.masked_fill(~lower(scores, -1), -math.inf))
    return torch.where(lower(scores, -1), weights, 0.0) @ value


@instead_of(with_an_empty_row)
def empty_row_gives_the_mean(query, key, value):
    scores = scaled_scores(query, key)
    lowest = torch.finfo(scores.dtype).min
    return softmax(scores.masked_fill(~lower(scores, -1), lowest)) @ value


def window_of_two(query, key, value):
    scores = scaled_scores(query, key)
    seen = lower(scores) & ~lower(scores, -2)
    return softmax(scores.masked_fill(~seen, -math.inf)) @ value


@instead_of(window_of_two, ((4, 2),) * 3)
def window_of_three(query, key, value):
    scores = scaled_scores(query, key)
    seen = lower(scores) & ~lower(scores, -3)
    return softmax(scores.masked_fill(~seen, -math.inf)) @ value


@instead_of(window_of_two, ((4, 2),) * 3)
def window_on_both_sides(query, key, value):
    scores = scaled_scores(query, key)
    seen = lower(scores, 1) & ~lower(scores, -2)
    return softmax(scores.masked_fill(~seen, -math.inf)) @ value


# Biases


def with_bias(query, key, value, bias):
    return softmax(scaled_scores(query, key) + bias) @ value


BIASED = (*HEADS, (2, 3, 3))


@instead_of(with_bias, BIASED)
def bias_after_the_softmax(query, key, value, bias):
    return (softmax(scaled_scores(query, key)) + bias) @ value


@instead_of(with_bias, BIASED)
def bias_scaled_too(query, key, value, bias):
    return softmax((query @ key.mT + bias) / math.sqrt(query.shape[-1])) @ value


@instead_of(with_bias, BIASED)
def bias_transposed(query, key, value, bias):
    return softmax(scaled_scores(query, key) + bias.mT) @ value


@instead_of(with_bias, BIASED)
def bias_of_the_other_head(query, key, value, bias):
    return softmax(scaled_scores(query, key) + bias.flip(0)) @ value


def distance(tokens: int) -> Any:
    return torch.arange(tokens) - torch.arange(tokens)[:, None]


SLOPES = torch.tensor([[[0.5]], [[0.25]]], dtype=torch.float64)


def alibi(query, key, value):
    scores = scaled_scores(query, key) + SLOPES * distance(key.shape[-2])
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


@instead_of(alibi)
def slopes_of_the_other_sign(query, key, value):
    scores = scaled_scores(query, key) - SLOPES * distance(key.shape[-2])
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


@instead_of(alibi)
def slopes_of_the_other_head(query, key, value):
    scores = scaled_scores(query, key) + SLOPES.flip(0) * distance(key.shape[-2])
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


def bias_from_a_table(query, key, value, table):
    """The bias that T5 learns: one number for each distance and head; scores are not scaled."""
    tokens = key.shape[-2]
    bias = table[distance(tokens) + tokens - 1].permute(2, 0, 1)
    return softmax(query @ key.mT + bias) @ value


@instead_of(bias_from_a_table, (*HEADS, (5, 2)))
def table_read_backwards(query, key, value, table):
    tokens = key.shape[-2]
    bias = table[tokens - 1 - distance(tokens)].permute(2, 0, 1)
    return softmax(query @ key.mT + bias) @ value


@instead_of(bias_from_a_table, (*HEADS, (5, 2)))
def table_with_a_scale_that_is_not_meant(query, key, value, table):
    tokens = key.shape[-2]
    bias = table[distance(tokens) + tokens - 1].permute(2, 0, 1)
    return softmax(scaled_scores(query, key) + bias) @ value


# Soft caps


def capped(query, key, value):
    scores = 2 * torch.tanh(scaled_scores(query, key) / 2)
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


@instead_of(capped)
def cap_forgotten(query, key, value):
    scores = scaled_scores(query, key)
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


@instead_of(capped)
def cap_not_multiplied_back(query, key, value):
    scores = torch.tanh(scaled_scores(query, key) / 2)
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


@instead_of(capped)
def capped_after_the_mask(query, key, value):
    """A cap of minus infinity is minus two: a masked token is seen."""
    scores = scaled_scores(query, key)
    masked = scores.masked_fill(~lower(scores), -math.inf)
    return softmax(2 * torch.tanh(masked / 2)) @ value


@instead_of(capped)
def capped_before_the_scale(query, key, value):
    scores = 2 * torch.tanh(query @ key.mT / 2) / math.sqrt(query.shape[-1])
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


# Positions


def angles(tokens: int, width: int, base: float = 10000.0) -> Any:
    rates = base ** (-torch.arange(0, width, 2) / width)
    return torch.arange(tokens)[:, None] * rates


def in_halves(vectors: Any, by: Any) -> Any:
    left, right = vectors.chunk(2, dim=-1)
    cosine, sine = torch.cos(by), torch.sin(by)
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine], dim=-1)


def interleaved(vectors: Any, by: Any) -> Any:
    left, right = vectors[..., ::2], vectors[..., 1::2]
    cosine, sine = torch.cos(by), torch.sin(by)
    turned = [left * cosine - right * sine, right * cosine + left * sine]
    return torch.stack(turned, dim=-1).flatten(-2)


ROTARY = ((3, 4),) * 3


def rotary(query, key, value):
    by = angles(*query.shape[-2:])
    return attention(in_halves(query, by), in_halves(key, by), value)


@instead_of(rotary, ROTARY)
def rotary_interleaved(query, key, value):
    by = angles(*query.shape[-2:])
    return attention(interleaved(query, by), interleaved(key, by), value)


@instead_of(rotary, ROTARY)
def rotary_of_the_other_sign(query, key, value):
    by = angles(*query.shape[-2:])
    return attention(in_halves(query, by), in_halves(key, -by), value)


@instead_of(rotary, ROTARY)
def rotary_turned_backwards(query, key, value):
    by = angles(*query.shape[-2:])
    return attention(in_halves(query, -by), in_halves(key, -by), value)


@instead_of(rotary, ROTARY)
def rotary_one_position_late(query, key, value):
    by = angles(query.shape[-2] + 1, query.shape[-1])
    return attention(in_halves(query, by[1:]), in_halves(key, by[:-1]), value)


@instead_of(rotary, ROTARY)
def rotary_of_the_query_alone(query, key, value):
    return attention(in_halves(query, angles(*query.shape[-2:])), key, value)


@instead_of(rotary, ROTARY)
def rotary_of_the_value_too(query, key, value):
    by = angles(*query.shape[-2:])
    return attention(in_halves(query, by), in_halves(key, by), in_halves(value, by))


@instead_of(rotary, ROTARY)
def rotary_of_another_base(query, key, value):
    by = angles(*query.shape[-2:], base=500000.0)
    return attention(in_halves(query, by), in_halves(key, by), value)


# Heads and projections


def split(x: Any, heads: int) -> Any:
    return x.view(x.shape[0], heads, -1).transpose(0, 1)


def merged(x: Any) -> Any:
    return x.transpose(0, 1).flatten(1)


def multi_head(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_value))
    return merged(attention(query, key, value)) @ of_output + bias


PROJECTED = ((3, 4), (4, 4), (4, 4), (4, 4), (4, 4), (4,))


@instead_of(multi_head, ((2, 4), *PROJECTED[1:]))
def split_without_exchanging_axes(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = ((x @ w).view(2, -1, 2) for w in (of_query, of_key, of_value))
    return merged(attention(query, key, value)) @ of_output + bias


@instead_of(multi_head, PROJECTED)
def heads_interleaved(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (
        (x @ w).view(x.shape[0], -1, 2).permute(2, 0, 1) for w in (of_query, of_key, of_value)
    )
    return merged(attention(query, key, value)) @ of_output + bias


@instead_of(multi_head, PROJECTED)
def heads_joined_in_another_order(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_value))
    return merged(attention(query, key, value).flip(0)) @ of_output + bias


@instead_of(multi_head, PROJECTED)
def heads_joined_without_exchanging_axes(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_value))
    return attention(query, key, value).reshape(x.shape) @ of_output + bias


@instead_of(multi_head, PROJECTED)
def scale_of_the_whole_width(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_value))
    return merged(softmax(query @ key.mT / 2) @ value) @ of_output + bias


@instead_of(multi_head, PROJECTED)
def value_projected_as_key(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_key))
    return merged(attention(query, key, value)) @ of_output + bias + 0 * of_value[0]


@instead_of(multi_head, PROJECTED)
def weights_of_the_output_transposed(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_value))
    return merged(attention(query, key, value)) @ of_output.mT + bias


@instead_of(multi_head, PROJECTED)
def bias_of_the_output_missing(x, of_query, of_key, of_value, of_output, bias):
    query, key, value = (split(x @ weight, 2) for weight in (of_query, of_key, of_value))
    return merged(attention(query, key, value)) @ of_output + 0 * bias


def grouped(query, key, value):
    """Four heads of queries on two of keys: neighbours share one."""
    return attention(query, key.repeat_interleave(2, 0), value.repeat_interleave(2, 0))


GROUPED = ((4, 3, 2), (2, 3, 2), (2, 3, 2))


@instead_of(grouped, GROUPED)
def groups_taken_in_turn(query, key, value):
    return attention(query, key.repeat(2, 1, 1), value.repeat(2, 1, 1))


@instead_of(grouped, GROUPED)
def groups_of_values_taken_in_turn(query, key, value):
    return attention(query, key.repeat_interleave(2, 0), value.repeat(2, 1, 1))


# Blocks and running sums


def in_blocks(query, key, value, size=2, *, rescale=True, rescale_total=True, keep_largest=False):
    """Softmax in one pass: what was summed is scaled anew when a larger score turns up."""
    largest = torch.full((*query.shape[:-1], 1), -math.inf)
    total = torch.zeros_like(largest)
    result = torch.zeros_like(query)
    for keys, values in zip(key.split(size, -2), value.split(size, -2), strict=True):
        scores = scaled_scores(query, keys)
        now = torch.maximum(largest, scores.amax(-1, keepdim=True))
        weights = torch.exp(scores - now)
        factor = torch.exp(largest - now)
        total = total * (factor if rescale_total else 1) + weights.sum(-1, keepdim=True)
        result = result * (factor if rescale else 1) + weights @ values
        largest = largest if keep_largest else now
    return result / total


BLOCKS = ((1, 3, 2),) * 3


@instead_of(attention, BLOCKS)
def running_sum_not_rescaled(query, key, value):
    return in_blocks(query, key, value, rescale=False)


@instead_of(attention, BLOCKS)
def running_total_not_rescaled(query, key, value):
    return in_blocks(query, key, value, rescale_total=False)


@instead_of(attention, BLOCKS)
def running_maximum_not_updated(query, key, value):
    return in_blocks(query, key, value, keep_largest=True)


@instead_of(attention, ((5, 2),) * 3, hidden_at=((4, 2),) * 3)
def rest_beyond_whole_blocks_left_out(query, key, value):
    whole = max(key.shape[-2] // 4 * 4, min(key.shape[-2], 4))
    return attention(query, key[..., :whole, :], value[..., :whole, :])


@instead_of(causal, ((3, 2),) * 3, hidden_at=((3, 2),) * 3)
def mask_of_the_first_block_in_each(query, key, value):
    """Blocks of 4 queries: in the second, rows are counted from 0 again."""
    scores = scaled_scores(query, key)
    row = torch.arange(query.shape[-2])[:, None] % 4
    seen = torch.arange(key.shape[-2]) <= row
    return softmax(scores.masked_fill(~seen, -math.inf)) @ value


@instead_of(causal)
def decodes_with_a_cache_one_behind(query, key, value):
    """Each token attends to what is in the cache; its own key is put there too late."""
    first = attention(query[..., :1, :], key[..., :1, :], value[..., :1, :])
    rest = [
        attention(query[..., n : n + 1, :], key[..., :n, :], value[..., :n, :])
        for n in range(1, query.shape[-2])
    ]
    return torch.cat([first, *rest], dim=-2)


# Norms, gates, and other mechanisms


def normalised_queries(query, key, value, weight):
    root = torch.sqrt((query * query).mean(-1, keepdim=True) + 1e-6)
    return softmax(query / root * weight @ key.mT) @ value


NORMALISED = ((3, 2), (3, 2), (3, 2), (2,))


@instead_of(normalised_queries, NORMALISED)
def epsilon_outside_of_the_root(query, key, value, weight):
    root = torch.sqrt((query * query).mean(-1, keepdim=True)) + 1e-6
    return softmax(query / root * weight @ key.mT) @ value


@instead_of(normalised_queries, NORMALISED)
def sum_for_mean_of_squares(query, key, value, weight):
    root = torch.sqrt((query * query).sum(-1, keepdim=True) + 1e-6)
    return softmax(query / root * weight @ key.mT) @ value


@instead_of(normalised_queries, NORMALISED)
def another_epsilon(query, key, value, weight):
    root = torch.sqrt((query * query).mean(-1, keepdim=True) + 1e-5)
    return softmax(query / root * weight @ key.mT) @ value


def after_layer_norm(x, weight, bias):
    normal = torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias)
    return attention(normal, normal, normal)


@instead_of(after_layer_norm, ((2, 3), (3,), (3,)))
def variance_without_bias(x, weight, bias):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).sum(-1, keepdim=True) / 2
    normal = centred / torch.sqrt(variance + 1e-5) * weight + bias
    return attention(normal, normal, normal)


def softmax_plus_one(query, key, value):
    weights = torch.exp(scaled_scores(query, key))
    return weights / (1 + weights.sum(-1, keepdim=True)) @ value


@instead_of(softmax_plus_one)
def plus_one_after_the_shift(query, key, value):
    scores = scaled_scores(query, key)
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    return weights / (1 + weights.sum(-1, keepdim=True)) @ value


def sigmoid_attention(query, key, value):
    return torch.sigmoid(scaled_scores(query, key) - math.log(2)) @ value


@instead_of(sigmoid_attention)
def sigmoid_without_its_bias(query, key, value):
    return torch.sigmoid(scaled_scores(query, key)) @ value


def linear_attention(query, key, value):
    states = torch.cumsum(key[..., :, None] * value[..., None, :], dim=-3)
    return (query[..., None, :] @ states).squeeze(-2)


@instead_of(linear_attention)
def state_read_before_it_is_written(query, key, value):
    written = key[..., :, None] * value[..., None, :]
    states = torch.cumsum(written, dim=-3) - written
    return (query[..., None, :] @ states).squeeze(-2)


def magnitude(query, key, value):
    return torch.abs(query @ key.mT) @ value


@instead_of(magnitude)
def sign_forgotten(query, key, value):
    return query @ key.mT @ value


# Gradients: each of these is right forward


def without_gradient(function: Program) -> Program:
    def run(*arguments):
        with torch.no_grad():
            return function(*arguments)

    return run


@instead_of(attention, backward=True)
def weights_detached(query, key, value):
    return softmax(scaled_scores(query, key)).detach() @ value


@instead_of(attention, backward=True)
def key_detached(query, key, value):
    return softmax(scaled_scores(query, key.detach())) @ value


@instead_of(attention, backward=True)
def total_detached(query, key, value):
    weights = torch.exp(scaled_scores(query, key))
    return weights / weights.sum(-1, keepdim=True).detach() @ value


@instead_of(attention, backward=True)
def scores_computed_under_no_grad(query, key, value):
    return softmax(without_gradient(scaled_scores)(query, key)) @ value


@instead_of(softmax_plus_one, backward=True)
def shift_detached_where_it_counts(query, key, value):
    scores = scaled_scores(query, key)
    largest = scores.amax(-1, keepdim=True).detach()
    weights = torch.exp(scores - largest)
    return weights / (torch.exp(-largest) + weights.sum(-1, keepdim=True) * 1.0) @ value * 1.0 + (
        scores.sum() - scores.sum().detach()
    )


@instead_of(capped, backward=True)
def cap_straight_through(query, key, value):
    scores = scaled_scores(query, key)
    scores = scores + (2 * torch.tanh(scores / 2) - scores).detach()
    return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value


def cap_with(slope: Program) -> Program:
    """Return the soft cap whose derivative someone wrote by hand."""

    class Cap(torch.autograd.Function):
        @staticmethod
        def forward(ctx, scores):
            ctx.save_for_backward(scores)
            return 2 * torch.tanh(scores / 2)

        @staticmethod
        def backward(ctx, upstream):
            return upstream * slope(*ctx.saved_tensors)

    def run(query, key, value):
        scores = Cap.apply(scaled_scores(query, key))
        return softmax(scores.masked_fill(~lower(scores), -math.inf)) @ value

    return run


@instead_of(capped, backward=True)
def cap_without_its_derivative(query, key, value):
    return cap_with(torch.ones_like)(query, key, value)


@instead_of(capped, backward=True)
def derivative_of_the_cap_at_the_capped_score(query, key, value):
    def slope(scores):
        return 1 - (2 * torch.tanh(scores / 2)) ** 2

    return cap_with(slope)(query, key, value)


@instead_of(capped, backward=True)
def derivative_of_the_cap_not_squared(query, key, value):
    def slope(scores):
        return 1 - torch.tanh(scores / 2)

    return cap_with(slope)(query, key, value)


def with_backward(backward: Program, *, is_causal: bool = False) -> Program:
    """Return attention with a hand-written backward, as the kernels have it."""

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx, query, key, value):
            scores = scaled_scores(query, key)
            if is_causal:
                scores = scores.masked_fill(~lower(scores), -math.inf)
            weights = softmax(scores)
            ctx.save_for_backward(query, key, value, weights)
            return weights @ value

        @staticmethod
        def backward(ctx, upstream):
            return backward(*ctx.saved_tensors, upstream)

    return Attention.apply


def gradient_of_scores(weights: Any, value: Any, upstream: Any) -> Any:
    of_weights = upstream @ value.mT
    row = (weights * of_weights).sum(-1, keepdim=True)
    return weights * (of_weights - row) / math.sqrt(value.shape[-1])


@instead_of(attention, backward=True)
def sum_over_the_row_missing(query, key, value):
    def backward(query, key, value, weights, upstream):
        scores = weights * (upstream @ value.mT) / math.sqrt(2)
        return scores @ key, scores.mT @ query, weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(attention, backward=True)
def sum_over_the_column_for_the_row(query, key, value):
    def backward(query, key, value, weights, upstream):
        of_weights = upstream @ value.mT
        column = (weights * of_weights).sum(-2, keepdim=True)
        scores = weights * (of_weights - column) / math.sqrt(2)
        return scores @ key, scores.mT @ query, weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(attention, backward=True)
def scale_missing_in_the_gradient_of_the_query(query, key, value):
    def backward(query, key, value, weights, upstream):
        scores = gradient_of_scores(weights, value, upstream)
        return scores @ key * math.sqrt(2), scores.mT @ query, weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(attention, backward=True)
def twice_the_gradient_of_the_key(query, key, value):
    def backward(query, key, value, weights, upstream):
        scores = gradient_of_scores(weights, value, upstream)
        return scores @ key, 2 * scores.mT @ query, weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(attention, backward=True)
def gradient_of_the_key_with_the_query_of_another_head(query, key, value):
    def backward(query, key, value, weights, upstream):
        scores = gradient_of_scores(weights, value, upstream)
        return scores @ key, scores.mT @ query.flip(0), weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(attention, SQUARE, backward=True)
def gradient_of_the_value_transposed(query, key, value):
    def backward(query, key, value, weights, upstream):
        scores = gradient_of_scores(weights, value, upstream)
        return scores @ key, scores.mT @ query, weights @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(causal, backward=True)
def gradient_of_the_value_without_the_mask(query, key, value):
    def backward(query, key, value, weights, upstream):
        scores = gradient_of_scores(weights, value, upstream)
        every = softmax(scaled_scores(query, key))
        return scores @ key, scores.mT @ query, every.mT @ upstream

    return with_backward(backward, is_causal=True)(query, key, value)


@instead_of(attention, backward=True)
def gradient_a_little_too_large(query, key, value):
    """0.2 percent off: gradcheck of torch accepts it by default."""

    def backward(query, key, value, weights, upstream):
        scores = gradient_of_scores(weights, value, upstream)
        return 1.0018 * scores @ key, scores.mT @ query, weights.mT @ upstream

    return with_backward(backward)(query, key, value)


@instead_of(grouped, GROUPED, backward=True)
def gradient_of_a_group_from_its_last_head_alone(query, key, value):
    shared = key.repeat_interleave(2, 0)
    last = torch.arange(4)[:, None, None] % 2 == 1
    return attention(
        query, torch.where(last, shared, shared.detach()), value.repeat_interleave(2, 0)
    )


@instead_of(rotary, ROTARY, backward=True)
def rotary_turned_forwards_in_the_backward(query, key, value):
    class Turn(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, vectors):
            return in_halves(vectors, angles(*vectors.shape[-2:]))

        @staticmethod
        def backward(_ctx, upstream):
            return in_halves(upstream, angles(*upstream.shape[-2:]))

    return attention(Turn.apply(query), Turn.apply(key), value)
