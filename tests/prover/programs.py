"""Small attention programs that the tests of the prover share."""

import torch
from torch.nn import functional


def inputs(*shape: int, count: int = 3) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(shape or (1, 2, 3, 2)) for _ in range(count))


def causal(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def masked(query, key, fill=-torch.inf, diagonal=0, divisor=None):
    scores = query @ key.transpose(-1, -2) / (divisor or query.shape[-1] ** 0.5)
    seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(diagonal)
    return scores.masked_fill(~seen, fill)


def by_hand(query, key, value):
    return masked(query, key).softmax(-1) @ value


def shifted(query, key, value):
    scores = masked(query, key)
    exponentials = (scores - scores.max(-1, keepdim=True).values).exp()
    return exponentials / exponentials.sum(-1, keepdim=True) @ value


def looks_ahead(query, key, value):
    return masked(query, key, diagonal=1).softmax(-1) @ value


def leaks(query, key, value):
    return masked(query, key, fill=-1e9).softmax(-1) @ value


def leaks_a_little(query, key, value):
    return masked(query, key, fill=-50.0).softmax(-1) @ value


def keeps_the_largest(query, key, value):
    scores = masked(query, key, fill=-1e4)
    top = scores.topk(1, dim=-1).values
    return scores.masked_fill(scores < top, -torch.inf).softmax(-1) @ value


def forgets_from_five_tokens(query, key, value):
    block = 4
    first = by_hand(query, key, value)
    if query.shape[-2] <= block:
        return first
    late = query[..., block:, :] @ key.transpose(-1, -2)
    return torch.cat([first[..., :block, :], late.softmax(-1) @ value], dim=-2)


class RightForwardWrongBackward(torch.autograd.Function):
    """The row sum of the softmax's gradient is left out."""

    @staticmethod
    def forward(ctx, query, key, value):
        weights = masked(query, key).softmax(-1)
        ctx.save_for_backward(query, key, value, weights)
        return weights @ value

    @staticmethod
    def backward(ctx, upstream):
        query, key, value, weights = ctx.saved_tensors
        scores = weights * (upstream @ value.transpose(-1, -2)) / query.shape[-1] ** 0.5
        return (
            scores @ key,
            scores.transpose(-1, -2) @ query,
            weights.transpose(-1, -2) @ upstream,
        )


def wrong_backward(query, key, value):
    return RightForwardWrongBackward.apply(query, key, value)
