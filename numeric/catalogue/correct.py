"""Right ways to compute attention, as libraries and kernels do it."""

from __future__ import annotations

from typing import Any

import torch
from sympy import Integer, Rational
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from derive.options import Options
from numeric.catalogue import pieces
from numeric.catalogue.case import Case, Sizes
from numeric.catalogue.flash import Setting, flash

PLAIN = Options(leading=2)
CAUSAL = Options(leading=2, causal="top-left")
GROUPED = Options(leading=2, grouped="consecutive")
SIZES = Sizes(2, 2, 2, 9, 9, 8, 8)
SHARED = Sizes(2, 4, 2, 9, 9, 8, 8)
CAP = Integer(3)


def eager(query: Any, key: Any, value: Any) -> Any:
    """Multiply, scale, take the softmax, multiply: each result in the type of the inputs."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return scores.softmax(-1) @ value


def eager_causal(query: Any, key: Any, value: Any) -> Any:
    """The same with later keys at minus infinity."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return pieces.hidden(scores, pieces.causal(scores)).softmax(-1) @ value


def scaled_query(query: Any, key: Any, value: Any) -> Any:
    """Scale the queries first, as many modules do."""
    return (query * query.shape[-1] ** -0.5 @ key.mT).softmax(-1) @ value


def by_hand(query: Any, key: Any, value: Any) -> Any:
    """Subtract the row's maximum, exponentiate, divide by the sum at the end."""
    scores = pieces.scores(query, key)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return (weights @ pieces.wide(value) / weights.sum(-1, keepdim=True)).to(value.dtype)


def by_log_sum_exp(query: Any, key: Any, value: Any) -> Any:
    """Weigh by exp(S - LSE)."""
    scores = pieces.scores(query, key)
    weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
    return (weights @ pieces.wide(value)).to(value.dtype)


def float32_softmax(query: Any, key: Any, value: Any) -> Any:
    """Take the softmax in float32 and round the weights back, as transformers' eager code does."""
    scores = torch.matmul(query, key.transpose(2, 3)) * query.shape[-1] ** -0.5
    wider = torch.float64 if query.dtype == torch.float64 else torch.float32
    return torch.matmul(functional.softmax(scores, dim=-1, dtype=wider).to(query.dtype), value)


def fused(query: Any, key: Any, value: Any) -> Any:
    """Torch's own attention; on a CPU its fused kernel."""
    return functional.scaled_dot_product_attention(query, key, value)


def fused_causal(query: Any, key: Any, value: Any) -> Any:
    """Torch's own causal attention."""
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def fused_masked(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Torch's own attention with a mask; a row without keys gives zero."""
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def fused_bottom_right(query: Any, key: Any, value: Any) -> Any:
    """Torch's own attention with a mask whose last row sees every key."""
    queries, tokens = query.shape[-2], key.shape[-2]
    mask = torch.ones(queries, tokens, dtype=torch.bool).tril(tokens - queries)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def fused_grouped(query: Any, key: Any, value: Any) -> Any:
    """Torch's own grouped heads."""
    return functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)


def fused_scaled(query: Any, key: Any, value: Any) -> Any:
    """Torch's own attention with a scale of its own."""
    return functional.scaled_dot_product_attention(query, key, value, scale=0.5)


def unfused(query: Any, key: Any, value: Any) -> Any:
    """Torch's own attention without a fused kernel."""
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(query, key, value)


def unfused_causal(query: Any, key: Any, value: Any) -> Any:
    """The same, causal."""
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def unfused_masked(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """The same with a mask."""
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def repeated_heads(query: Any, key: Any, value: Any) -> Any:
    """Repeat each head of keys and values for the query heads that share it."""
    times = query.shape[1] // key.shape[1]
    return fused(query, key.repeat_interleave(times, 1), value.repeat_interleave(times, 1))


def online(query: Any, key: Any, value: Any, block: int = 4, is_causal: bool = False) -> Any:
    """See the keys in blocks with a running maximum and sum, as fused kernels do."""
    scores = pieces.scores(query, key)
    scores = pieces.hidden(scores, pieces.causal(scores)) if is_causal else scores
    largest = scores.new_full((*scores.shape[:-1], 1), -torch.inf)
    total = torch.zeros_like(largest)
    result = scores.new_zeros(*scores.shape[:-1], value.shape[-1])
    for keys in pieces.blocks(key.shape[-2], block):
        part = scores[..., keys]
        larger = torch.maximum(largest, part.amax(-1, keepdim=True))
        weights, rescale = (part - larger).exp(), (largest - larger).exp()
        total = total * rescale + weights.sum(-1, keepdim=True)
        result = result * rescale + weights @ pieces.wide(value[..., keys, :])
        largest = larger
    return (result / total).to(value.dtype)


def online_16(query: Any, key: Any, value: Any) -> Any:
    """Blocks of sixteen keys."""
    return online(query, key, value, block=16)


def online_causal(query: Any, key: Any, value: Any) -> Any:
    """Blocks of four keys, causal."""
    return online(query, key, value, is_causal=True)


def split_keys(query: Any, key: Any, value: Any) -> Any:
    """Attend to two parts of the keys and merge the results by their log-sum-exp."""
    scores, middle = pieces.scores(query, key), key.shape[-2] // 2
    halves = (slice(None, middle), slice(middle, None))
    outputs = [scores[..., h].softmax(-1) @ pieces.wide(value[..., h, :]) for h in halves]
    lse = torch.stack([scores[..., h].logsumexp(-1, keepdim=True) for h in halves])
    return (torch.stack(outputs) * lse.softmax(0)).sum(0).to(value.dtype)


def capped(query: Any, key: Any, value: Any) -> Any:
    """Bound the scores by the hyperbolic tangent."""
    cap = float(CAP)
    return pieces.mixed(cap * torch.tanh(pieces.scores(query, key) / cap), value)


def biased(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """Add the bias to the scores, in the fused kernel."""
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def windowed(query: Any, key: Any, value: Any) -> Any:
    """Let each query see the last three keys up to its own."""
    scores = pieces.scores(query, key)
    return pieces.mixed(pieces.hidden(scores, pieces.causal(scores, window=3)), value)


def smallest_number(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Hide keys by the smallest number of the type; a row without keys gets the mean."""
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) @ value


MASKED = Options(leading=2, mask=True)
EMPTY = Options(leading=2, mask=True, empty_rows="zero")
MEAN = Options(leading=2, mask=True, empty_rows="uniform")
WINDOW = Options(leading=2, causal="top-left", window=3)
CAPPED = Options(leading=2, soft_cap=CAP)
SHORT = Sizes(2, 2, 2, 4, 9, 8, 8)
WIDE_VALUES = Sizes(2, 2, 2, 9, 9, 8, 5)
LONG = Sizes(1, 2, 2, 33, 33, 16, 16)

CORRECT = (
    Case("eager", "", eager, PLAIN, SIZES),
    Case("eager, one token", "", eager, PLAIN, Sizes(1, 1, 1, 1, 1, 8, 8)),
    Case("eager, values of another dimension", "", eager, PLAIN, WIDE_VALUES),
    Case("eager, fewer queries than keys", "", eager, PLAIN, SHORT),
    Case("eager, transposed layout", "", eager, PLAIN, SIZES, layout="transposed"),
    Case("eager, causal", "", eager_causal, CAUSAL, SIZES),
    Case("eager, queries scaled first", "", scaled_query, PLAIN, SIZES),
    Case("softmax by hand", "", by_hand, PLAIN, SIZES),
    Case("log-sum-exp", "", by_log_sum_exp, PLAIN, SIZES),
    Case("softmax in float32", "", float32_softmax, PLAIN, SIZES),
    Case("fused kernel", "", fused, PLAIN, SIZES),
    Case("fused kernel, 33 tokens", "", fused, PLAIN, LONG),
    Case("fused kernel, values of another dimension", "", fused, PLAIN, WIDE_VALUES),
    Case("fused kernel, transposed layout", "", fused, PLAIN, SIZES, layout="transposed"),
    Case("fused kernel, shared keys and values", "", fused, PLAIN, SIZES, layout="expanded"),
    Case("fused kernel, causal", "", fused_causal, CAUSAL, SIZES),
    Case("fused kernel, causal, fewer queries than keys", "", fused_causal, CAUSAL, SHORT),
    Case(
        "fused kernel, causal to the bottom right",
        "",
        fused_bottom_right,
        Options(leading=2, causal="bottom-right"),
        SHORT,
    ),
    Case("fused kernel, mask", "", fused_masked, MASKED, SIZES),
    Case("fused kernel, rows without keys", "", fused_masked, EMPTY, SIZES),
    Case("fused kernel, grouped heads", "", fused_grouped, GROUPED, SHARED),
    Case(
        "fused kernel, another scale",
        "",
        fused_scaled,
        Options(leading=2, scale=Rational(1, 2)),
        SIZES,
    ),
    Case("unfused", "", unfused, PLAIN, SIZES),
    Case("unfused, causal", "", unfused_causal, CAUSAL, SIZES),
    Case("unfused, rows without keys", "", unfused_masked, EMPTY, SIZES),
    Case("repeated heads", "", repeated_heads, GROUPED, SHARED),
    Case("online softmax, blocks of 4", "", online, PLAIN, SIZES),
    Case("online softmax, blocks of 16", "", online_16, PLAIN, LONG),
    Case("online softmax, causal", "", online_causal, CAUSAL, SIZES),
    Case("split keys", "", split_keys, PLAIN, SIZES),
    Case("soft cap", "", capped, CAPPED, SIZES),
    Case("bias", "", biased, Options(leading=2, bias=True), SIZES),
    Case("bias for all sentences", "", biased, Options(leading=2, bias="1hij"), SIZES),
    Case("window", "", windowed, WINDOW, SIZES),
    Case("smallest number as mask", "", smallest_number, MEAN, SIZES),
    Case("flash with a backward pass", "", flash(), PLAIN, SIZES),
    Case("flash, causal", "", flash(setting=Setting(causal=True)), CAUSAL, SIZES),
    Case("flash, window", "", flash(setting=Setting(causal=True, window=3)), WINDOW, SIZES),
    Case("flash, soft cap", "", flash(setting=Setting(soft_cap=float(CAP))), CAPPED, SIZES),
    Case("flash, grouped heads", "", flash(), GROUPED, SHARED),
    Case(
        "flash, interleaved heads",
        "",
        flash(setting=Setting(interleaved=True)),
        Options(leading=2, grouped="interleaved"),
        Sizes(2, 6, 3, 9, 9, 8, 8),
    ),
    Case("flash, rows without keys", "", flash(), EMPTY, SIZES),
    Case("flash, values of another dimension", "", flash(), PLAIN, WIDE_VALUES),
)
"""Programs that are right in every type."""
