"""Attention as torch computes it, one case for each option of the formula."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
import pytest
import torch
from sympy import Rational
from torch.nn import functional

from derive.formula import Mechanism
from derive.index_arrays import evaluate_mechanism
from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.tensors import Tensor, Tensors


@dataclass(frozen=True)
class Case:
    """Options, the inputs' shapes in the order of the formula, and torch's own program."""

    options: Options
    shapes: tuple[tuple[int, ...], ...]
    program: Callable[..., torch.Tensor]
    mask: Any = None
    near: dict[str, Any] = field(default_factory=dict)
    """An option that makes it another formula."""

    @property
    def mechanism(self) -> Mechanism:
        return scaled_dot_product_attention(self.options)

    def inputs(self) -> list[torch.Tensor]:
        torch.manual_seed(7)
        return [torch.randn(s, dtype=torch.float64).requires_grad_() for s in self.shapes]

    def output(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return self.program(*inputs, *([] if self.mask is None else [torch.tensor(self.mask)]))

    def given(self, mechanism: Mechanism, inputs: list[torch.Tensor], tensors: Tensors) -> dict:
        arrays = [wrapped(tensors, t) for t in inputs]
        if self.mask is not None:
            arrays.append(self.mask)
        return dict(zip(mechanism.inputs, arrays, strict=True))


def wrapped(tensors: Tensors, values: torch.Tensor) -> Tensor:
    return tensors.finite(values.detach().numpy(), tuple(values.shape))


def formula_output(case: Case, options: Options, tensors: Tensors) -> numpy.ndarray:
    mechanism = scaled_dot_product_attention(options)
    arrays = evaluate_mechanism(mechanism, case.given(mechanism, case.inputs(), tensors), tensors)
    return arrays[mechanism.stages[-1].array].data


def sdpa(**settings: Any) -> Callable[..., torch.Tensor]:
    return lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, **settings)


def masked(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=m)


def keep(rows: int, columns: int, rule: Callable[[int, int], bool]) -> numpy.ndarray:
    return numpy.array([[rule(i, j) for j in range(columns)] for i in range(rows)])


def by_hand(q, k, v, change=lambda s: s, weights=lambda s: torch.softmax(s, -1)) -> torch.Tensor:
    return weights(change(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5)) @ v


def multi_head(heads: int, *, cross: bool = False) -> Callable[..., torch.Tensor]:
    """Return ``functional.multi_head_attention_forward`` with the formula's inputs."""

    def program(x, *rest):
        y, w_q, b_q, w_k, b_k, w_v, b_v, w_o, b_o, *mask = rest if cross else (x, *rest)
        extra = {"attn_mask": ~mask[0]} if mask else {}
        out, _ = functional.multi_head_attention_forward(
            *(t.transpose(0, 1) for t in (x, y, y)),
            x.shape[-1],
            heads,
            torch.cat([w_q, w_k, w_v]),
            torch.cat([b_q, b_k, b_v]),
            None,
            None,
            False,
            0.0,
            w_o,
            b_o,
            need_weights=False,
            **extra,
        )
        return out.transpose(0, 1)

    return program


def grouped_module(heads: int, kv_heads: int) -> Callable[..., torch.Tensor]:
    """Return a layer as transformers' Llama writes it, without biases."""

    def program(x, w_q, w_k, w_v, w_o):
        def split(weights, count):
            return functional.linear(x, weights).view(*x.shape[:2], count, -1).transpose(1, 2)

        q, k, v = split(w_q, heads), split(w_k, kv_heads), split(w_v, kv_heads)
        z = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return functional.linear(z.transpose(1, 2).flatten(2), w_o)

    return program


PLAIN = ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 6))
WIDE = ((2, 3, 4, 5), (2, 3, 7, 5), (2, 3, 7, 2))
GROUPED = ((2, 6, 5, 4), (2, 2, 5, 4), (2, 2, 5, 3))
PROJECTED = ((2, 5, 8), *((8, 8), (8,)) * 4)
SQUARE = keep(5, 5, lambda i, j: (i * 3 + j * 2) % 4 != 0)
HOLED = keep(5, 5, lambda i, j: i != 2 and j <= i)
LENGTHS = numpy.arange(5)[None, None, None] < numpy.array([3, 5])[:, None, None, None]

CASES: dict[str, Case] = {
    "plain": Case(Options(leading=2), PLAIN, sdpa(), near={"scale": Rational(1, 3)}),
    "one head": Case(
        Options(leading=0), tuple(s[2:] for s in WIDE), sdpa(), near={"scale": Rational(1, 2)}
    ),
    "heads": Case(
        Options(leading=1), tuple(s[1:] for s in WIDE), sdpa(), near={"soft_cap": Rational(9)}
    ),
    "scale": Case(
        Options(leading=2, scale=Rational(1, 3)), WIDE, sdpa(scale=1 / 3), near={"scale": None}
    ),
    "causal": Case(
        Options(leading=2, causal="top-left"),
        PLAIN,
        sdpa(is_causal=True),
        near={"window": 4},
    ),
    "causal, more keys": Case(
        Options(leading=2, causal="top-left"),
        WIDE,
        sdpa(is_causal=True),
        near={"causal": "bottom-right"},
    ),
    "causal to the last key": Case(
        Options(leading=2, causal="bottom-right"),
        WIDE,
        lambda q, k, v: masked(q, k, v, torch.ones(4, 7, dtype=torch.bool).tril(3)),
        near={"causal": "top-left"},
    ),
    "window": Case(
        Options(leading=2, causal="top-left", window=2),
        PLAIN,
        lambda q, k, v: masked(q, k, v, torch.tensor(keep(5, 5, lambda i, j: i - 2 < j <= i))),
        near={"window": 3},
    ),
    "window to the last key": Case(
        Options(leading=2, causal="bottom-right", window=3),
        WIDE,
        lambda q, k, v: masked(
            q, k, v, torch.tensor(keep(4, 7, lambda i, j: i + 3 - 3 < j <= i + 3))
        ),
        near={"window": 2},
    ),
    "mask": Case(Options(leading=2, mask="ij"), PLAIN, masked, SQUARE, {"causal": "top-left"}),
    "key lengths": Case(
        Options(leading=2, mask="b11j"), PLAIN, masked, LENGTHS, {"causal": "top-left"}
    ),
    "a mask for each head": Case(
        Options(leading=2, mask=True),
        PLAIN,
        masked,
        numpy.broadcast_to(SQUARE, (2, 3, 5, 5)) | (numpy.arange(3) == 1)[:, None, None],
        {"causal": "bottom-right"},
    ),
    "empty rows are zero": Case(
        Options(leading=2, mask="ij", empty_rows="zero"),
        PLAIN,
        masked,
        HOLED,
        {"empty_rows": "uniform"},
    ),
    "empty rows are means": Case(
        Options(leading=2, mask="ij", empty_rows="uniform"),
        PLAIN,
        lambda q, k, v, m: by_hand(q, k, v, lambda s: s.masked_fill(~m, -1e9)),
        HOLED,
        {"empty_rows": "zero"},
    ),
    "bias": Case(
        Options(leading=2, bias=True),
        (*PLAIN, (2, 3, 5, 5)),
        lambda q, k, v, b: functional.scaled_dot_product_attention(q, k, v, attn_mask=b),
        near={"soft_cap": Rational(30)},
    ),
    "bias, broadcast": Case(
        Options(leading=2, bias="1hij"),
        (*WIDE, (1, 3, 4, 7)),
        lambda q, k, v, b: functional.scaled_dot_product_attention(q, k, v, attn_mask=b),
        near={"causal": "bottom-right"},
    ),
    "bias and mask": Case(
        Options(leading=2, bias="b1ij", mask="ij", causal="top-left"),
        (*PLAIN, (2, 1, 5, 5)),
        lambda q, k, v, b, m: masked(q, k, v, b.masked_fill(~m.tril(), -torch.inf)),
        SQUARE | numpy.eye(5, dtype=bool),
        {"causal": None},
    ),
    "soft cap": Case(
        Options(leading=2, soft_cap=Rational(3, 2)),
        WIDE,
        lambda q, k, v: by_hand(q, k, v, lambda s: 1.5 * torch.tanh(s / 1.5)),
        near={"soft_cap": Rational(8, 5)},
    ),
    "soft cap, bias, causal": Case(
        Options(leading=2, soft_cap=Rational(2), bias="ij", causal="top-left"),
        (*PLAIN, (5, 5)),
        lambda q, k, v, b: by_hand(
            q,
            k,
            v,
            lambda s: (2 * torch.tanh(s / 2) + b).masked_fill(
                ~torch.ones(5, 5, dtype=torch.bool).tril(), -torch.inf
            ),
        ),
        near={"soft_cap": None},
    ),
    "grouped": Case(
        Options(leading=2, grouped="consecutive", causal="top-left"),
        GROUPED,
        sdpa(is_causal=True, enable_gqa=True),
        near={"grouped": "interleaved"},
    ),
    "grouped, interleaved": Case(
        Options(leading=2, grouped="interleaved"),
        GROUPED,
        lambda q, k, v: sdpa()(q, k.repeat(1, 3, 1, 1), v.repeat(1, 3, 1, 1)),
        near={"grouped": "consecutive"},
    ),
    "projections": Case(
        Options(leading=2, projections="self", heads=4),
        PROJECTED,
        multi_head(4),
        near={"heads": 2},
    ),
    "projections of two texts": Case(
        Options(leading=2, projections="cross", heads=2),
        ((2, 3, 8), *PROJECTED),
        multi_head(2, cross=True),
        near={"heads": 4},
    ),
    "packed projections": Case(
        Options(leading=2, projections="self", heads=4, packed=True),
        ((2, 5, 8), (24, 8), (24,), (8, 8), (8,)),
        lambda x, w, b, *out: multi_head(4)(
            x, *(p for pair in zip(w.chunk(3), b.chunk(3), strict=True) for p in pair), *out
        ),
        near={"heads": 2},
    ),
    "packed projections of two texts": Case(
        Options(leading=2, projections="cross", heads=2, packed=True, projection_bias=False),
        ((2, 3, 8), (2, 5, 8), (24, 8), (8, 8)),
        lambda x, y, w, out: functional.linear(
            functional.scaled_dot_product_attention(
                *(
                    functional.linear(t, part).unflatten(-1, (2, 4)).transpose(1, 2)
                    for t, part in zip((x, y, y), w.chunk(3), strict=True)
                )
            )
            .transpose(1, 2)
            .flatten(2),
            out,
        ),
        near={"heads": 4},
    ),
    "packed grouped projections": Case(
        Options(
            leading=2,
            projections="self",
            heads=6,
            kv_heads=2,
            grouped="consecutive",
            causal="top-left",
            packed=True,
            projection_bias=False,
        ),
        ((2, 4, 7), (30, 7), (7, 18)),
        lambda x, w, out: grouped_module(6, 2)(x, *w.split([18, 6, 6]), out),
        near={"causal": None},
    ),
    "projections with a mask": Case(
        Options(leading=2, projections="self", heads=2, mask="ij"),
        PROJECTED,
        multi_head(2),
        SQUARE,
        {"causal": "top-left"},
    ),
    "grouped projections": Case(
        Options(
            leading=2,
            projections="self",
            heads=6,
            kv_heads=2,
            grouped="consecutive",
            causal="top-left",
            projection_bias=False,
        ),
        ((2, 4, 7), (18, 7), (6, 7), (6, 7), (7, 18)),
        grouped_module(6, 2),
        near={"grouped": "interleaved"},
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]
