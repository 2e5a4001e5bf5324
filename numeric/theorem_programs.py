"""The loop bodies and rearrangements that the theorems are about, as one writes them in torch.

Each function is what a program does in one round, or a whole program made of such rounds. Pages
show them beside the theorem; ``numeric.theorems`` proves that they compute its equations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def merge_block(
    s: Tensor, V: Tensor, m: Tensor, m_1: Tensor, D_1: Tensor, o_1: Tensor
) -> tuple[Tensor, Tensor]:
    """Take a block of keys into the state m_1, D_1, o_1; the new state has the shift m."""
    shrink = torch.exp(m_1 - m)
    weights = torch.exp(s - m[:, None])
    return D_1 * shrink + weights.sum(dim=1), o_1 * shrink[:, None] + weights @ V


def attention_by_blocks(Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Attention with one state for each query and two keys at a time."""
    scores = Q @ K[:2].T / math.sqrt(Q.shape[1])
    shift = scores.amax(dim=1)
    weights = torch.exp(scores - shift[:, None])
    D, o = weights.sum(dim=1), weights @ V[:2]
    for start in range(2, len(K), 2):
        scores = Q @ K[start : start + 2].T / math.sqrt(Q.shape[1])
        earlier, shift = shift, torch.maximum(shift, scores.amax(dim=1))
        D, o = merge_block(scores, V[start : start + 2], shift, earlier, D, o)
    return o / D[:, None]


def merged_halves(Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Attention to each half of the keys by itself; outputs merged by their log-sum-exp."""
    half = len(K) // 2
    scores = [Q @ part.T / math.sqrt(Q.shape[1]) for part in (K[:half], K[half:])]
    outputs = [
        torch.softmax(part, dim=1) @ values
        for part, values in zip(scores, (V[:half], V[half:]), strict=True)
    ]
    L = torch.stack([torch.logsumexp(part, dim=1) for part in scores])
    shares = torch.softmax(L, dim=0)
    return shares[0][:, None] * outputs[0] + shares[1][:, None] * outputs[1]


def mended(Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Softmax over all keys, later ones set to zero, rows divided by what is left."""
    weights = torch.softmax(Q @ K.T / math.sqrt(Q.shape[1]), dim=1)
    weights = torch.tril(weights)
    return weights / weights.sum(dim=1, keepdim=True) @ V


def decode_step(Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Let one query attend, without a mask, to the keys in the cache."""
    return torch.softmax(Q @ K.T / math.sqrt(Q.shape[1]), dim=1) @ V


def decode(Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Put each key and value into a cache, then let its query attend to what is there."""
    keys, values, rows = K[:0], V[:0], []
    for place in range(len(Q)):
        keys = torch.cat([keys, K[place : place + 1]])
        values = torch.cat([values, V[place : place + 1]])
        rows.append(decode_step(Q[place : place + 1], keys, values))
    return torch.cat(rows)


def linear_step(S: Tensor, u: Tensor, G: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
    """Take one key's features and one value into the state."""
    return S + torch.outer(G, V), u + G


def linear_recurrence(Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Causal linear attention token by token, with a state of fixed size."""
    F, G = torch.exp(Q), torch.exp(K)
    S, u = torch.outer(G[0], V[0]), G[0]
    rows = [F[0] @ S / (F[0] @ u)]
    for place in range(1, len(Q)):
        S, u = linear_step(S, u, G[place], V[place])
        rows.append(F[place] @ S / (F[place] @ u))
    return torch.stack(rows)


def retention_step(S: Tensor, g: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Let each head's state decay, and take one key and value into it."""
    return torch.exp(g)[:, None, None] * S + K[:, :, None] * V[:, None, :]


def retention_recurrence(Q: Tensor, K: Tensor, V: Tensor, g: Tensor) -> Tensor:
    """Retention token by token."""
    S = K[:, 0, :, None] * V[:, 0, None, :]
    rows = [(Q[:, 0, :, None] * S).sum(dim=1)]
    for place in range(1, Q.shape[1]):
        S = retention_step(S, g, K[:, place], V[:, place])
        rows.append((Q[:, place, :, None] * S).sum(dim=1))
    return torch.stack(rows, dim=1)


def gated_step(S: Tensor, f: Tensor, K: Tensor, V: Tensor) -> Tensor:
    """Let each dimension of the state forget as its gate says, and take one key and value in."""
    return torch.exp(f)[:, None] * S + torch.outer(K, V)


def gated_recurrence(Q: Tensor, K: Tensor, V: Tensor, f: Tensor) -> Tensor:
    """Gated linear attention token by token."""
    S = torch.outer(K[0], V[0])
    rows = [Q[0] @ S]
    for place in range(1, len(Q)):
        S = gated_step(S, f[place], K[place], V[place])
        rows.append(Q[place] @ S)
    return torch.stack(rows)


def softmax_gradient(a: Tensor, abar: Tensor) -> Tensor:
    """Return the gradient by the scores, from the weights and the gradient by them."""
    return a * (abar - (a * abar).sum(dim=1, keepdim=True))


def backward_block(
    Q: Tensor, K: Tensor, V: Tensor, zbar: Tensor, m: Tensor, D_m: Tensor, R: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a block of keys adds to Qbar, and its own Kbar and Vbar."""
    scale = 1 / math.sqrt(Q.shape[1])
    a = torch.exp(Q @ K.T * scale - m[:, None]) / D_m[:, None]
    sbar = a * (zbar @ V.T - R[:, None])
    return sbar @ K * scale, sbar.T @ Q * scale, a.T @ zbar


def backward_by_blocks(
    Q: Tensor, K: Tensor, V: Tensor, zbar: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return Qbar, Kbar and Vbar of attention, two keys at a time, without autograd."""
    scores = Q @ K.T / math.sqrt(Q.shape[1])
    m = scores.amax(dim=1)
    D = torch.exp(scores - m[:, None]).sum(dim=1)
    z = torch.softmax(scores, dim=1) @ V
    R = (zbar * z).sum(dim=1)
    parts = [
        backward_block(Q, K[start : start + 2], V[start : start + 2], zbar, m, D, R)
        for start in range(0, len(K), 2)
    ]
    Qbar = sum((part[0] for part in parts[1:]), parts[0][0])
    return Qbar, torch.cat([part[1] for part in parts]), torch.cat([part[2] for part in parts])


def dropped_out(a: Tensor, B: Tensor, V: Tensor) -> Tensor:
    """Drop the weights whose B is 0, not 1, where each is kept with probability 3/4."""
    return a * B / 0.75 @ V


def multi_head(x: Tensor, W_q: Tensor, W_k: Tensor, W_v: Tensor, W_o: Tensor) -> Tensor:
    """Attention in two heads: one projection each, cut by a view, merged by another."""
    heads, tokens = 2, len(x)
    Q, K, V = (
        (x @ weights.T).view(tokens, heads, -1).transpose(0, 1) for weights in (W_q, W_k, W_v)
    )
    a = torch.softmax(Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2]), dim=2)
    return (a @ V).transpose(0, 1).reshape(tokens, -1) @ W_o.T


def grouped_query(x: Tensor, W_q: Tensor, W_k: Tensor, W_v: Tensor, W_o: Tensor) -> Tensor:
    """Attention in four heads of queries and two of keys, which are repeated."""
    tokens = len(x)
    Q = (x @ W_q.T).view(tokens, 4, -1).transpose(0, 1)
    K, V = ((x @ weights.T).view(tokens, 2, -1).transpose(0, 1) for weights in (W_k, W_v))
    K, V = K.repeat_interleave(2, dim=0), V.repeat_interleave(2, dim=0)
    a = torch.softmax(Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2]), dim=2)
    return (a @ V).transpose(0, 1).reshape(tokens, -1) @ W_o.T


def one_key_more(Q: Tensor, K: Tensor, V: Tensor, b: Tensor) -> Tensor:
    """Attention with a sink: one more score for each query, one more value of zeros."""
    scores = Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2])
    sink = b[:, None, None].expand(-1, Q.shape[1], 1)
    values = torch.cat([V, torch.zeros_like(V[:, :1])], dim=1)
    return torch.softmax(torch.cat([scores, sink], dim=2), dim=2) @ values


def one_of_two(Q: Tensor, K: Tensor, V: Tensor, b: Tensor) -> Tensor:
    """Sigmoid attention by a softmax over each score and zero."""
    scores = Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2]) + b[:, None, None]
    pair = torch.stack([scores, torch.zeros_like(scores)])
    return torch.softmax(pair, dim=0)[0] @ V


def key_bias(Q: Tensor, K: Tensor, V: Tensor, m: Tensor) -> Tensor:
    """ALiBi with a bias that grows with the key's place, whatever the query's is."""
    tokens = Q.shape[1]
    scores = Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2])
    scores = scores + m[:, None, None] * torch.arange(tokens)
    later = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(later, -math.inf), dim=2) @ V


def absorbed(Q: Tensor, C: Tensor, W_uk: Tensor, W_uv: Tensor, R_q: Tensor, R_k: Tensor) -> Tensor:
    """Latent attention that makes neither keys nor values."""
    tokens = Q.shape[1]
    scores = (Q @ W_uk) @ C.T + R_q @ R_k.T
    scores = scores / math.sqrt(Q.shape[2] + R_q.shape[2])
    later = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.masked_fill(later, -math.inf), dim=2)
    return (weights @ C) @ W_uv.transpose(1, 2)


def halves_sorted(Q: Tensor, K: Tensor, V: Tensor, theta: Tensor) -> Tensor:
    """Rotary attention of neighbouring pairs by the layout in halves, on sorted dimensions."""
    places = torch.arange(1, len(Q) + 1, dtype=theta.dtype)
    angles = places[:, None] * theta

    def turned(rows: Tensor) -> Tensor:
        first, second = rows[:, 0::2], rows[:, 1::2]
        return torch.cat(
            [
                first * torch.cos(angles) - second * torch.sin(angles),
                first * torch.sin(angles) + second * torch.cos(angles),
            ],
            dim=1,
        )

    scores = turned(Q) @ turned(K).T / math.sqrt(Q.shape[1])
    return torch.softmax(scores, dim=1) @ V
