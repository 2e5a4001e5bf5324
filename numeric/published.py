"""What Raschka's book prints for "Your journey starts with one step", made again.

Build a Large Language Model (From Scratch), Manning 2024, chapter 3; the texts are the outputs that
stand in the chapter's notebook, https://github.com/rasbt/LLMs-from-scratch. The parameters are
random numbers from a seed. They are drawn again as the book does, in torch, and read as the exact
fractions that their float32 numbers are; the derived formula at these parameters, worked out to 50
digits and rounded, must give the printed digits too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy
import torch
from sympy import IndexedBase, Integer, Rational
from torch import Tensor, nn

from derive.algebras.decimal import Decimal
from derive.attention import SUM_NORMALISED
from derive.elements import Elements
from derive.examples import Example
from derive.formula import Q, a, s, x, z
from derive.options import Options
from derive.scaled_dot_product import (
    W_k,
    W_o,
    W_q,
    W_v,
    b_o,
    o,
    scaled_dot_product_attention,
)
from derive.sizes import sizes
from numeric import book, reference
from numeric.reproduction import Arrays, Printed

JOURNEY, DIMENSIONS = "journey", 3
"""The sentence, and the dimensions of its tokens."""

BY_READERS = "printed by readers of the book"


@dataclass(frozen=True)
class Layer:
    """One attention layer of the book: which seed, and how its weights are drawn from it.

    ``linear`` draws them as ``nn.Linear`` does, otherwise they are uniform between 0 and 1. Heads
    have queries of ``width`` dimensions; ``separate`` ones draw three matrices each, one head after
    the other, the others are rows of the same three. ``merged`` maps the heads' results once more.
    """

    seed: int
    linear: bool = True
    heads: int = 1
    width: int = 2
    separate: bool = False
    merged: bool = False

    def weights(self) -> dict[IndexedBase, Tensor]:
        """Return W_q, W_k and W_v, one neuron in each row, and W_o and b_o where it is merged.

        torch's own generator is left as it was.
        """
        outputs = self.heads * self.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            heads = self.heads if self.separate else 1
            drawn = [[self._matrix(outputs // heads) for _ in range(3)] for _ in range(heads)]
            rows = [torch.cat(matrices) for matrices in zip(*drawn, strict=True)]
            found = dict(zip((W_q, W_k, W_v), rows, strict=True))
            if self.merged:
                merging = nn.Linear(outputs, outputs)
                found |= {W_o: merging.weight.detach(), b_o: merging.bias.detach()}
        return found

    def projections(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries, keys and values of all heads, side by side: (n, h d) each."""
        drawn = self.weights()
        queries, keys, values = (book.projected(inputs, drawn[w]) for w in (W_q, W_k, W_v))
        return queries, keys, values

    def _matrix(self, rows: int) -> Tensor:
        if self.linear:
            return nn.Linear(DIMENSIONS, rows, bias=False).weight.detach()
        return torch.rand(DIMENSIONS, rows).T


UNIFORM = Layer(123, linear=False)
"""Section 3.4.1, and SelfAttention_v1 of section 3.4.2."""

LINEAR = Layer(789)
"""SelfAttention_v2 of section 3.4.2, whose weights section 3.5 masks."""

CAUSAL = Layer(123)
"""CausalAttention of section 3.5.3."""

WRAPPED = Layer(123, heads=2, separate=True)
"""MultiHeadAttentionWrapper of section 3.6.1."""

MULTI_HEAD = Layer(123, heads=2, width=1, merged=True)
"""MultiHeadAttention of section 3.6.2."""


@cache
def worked(layer: Layer, example: Example, *, causal: bool = False, scaled: bool = True) -> Arrays:
    """Work out the formula at the layer's weights, taken as exact fractions, to 50 digits.

    Without a map of the merged heads W_o is the identity; all biases but b_o are zero.
    """
    options = Options(
        projections="self",
        leading=1,
        heads=layer.heads,
        causal="top-left" if causal else None,
        scale=None if scaled else Integer(1),
    )
    mechanism = scaled_dot_product_attention(options)
    drawn = {base: _fractions(weights) for base, weights in layer.weights().items()}
    outputs = layer.heads * layer.width
    drawn.setdefault(W_o, numpy.eye(outputs, dtype=int).astype(object))
    given = {x: example.array(), **drawn}
    for base in mechanism.inputs:
        if base not in given:
            given[base] = numpy.zeros(outputs, dtype=int).astype(object)
    algebra = Decimal()
    numbers = {base: _numbers(entries, algebra) for base, entries in given.items()}
    known = sizes(mechanism, {base: entries.shape for base, entries in numbers.items()})
    arrays: Arrays = Elements(algebra, numbers, known).run(mechanism.stages)
    return arrays


def shown_weights(weights: IndexedBase = W_q, seed: int = UNIFORM.seed) -> str:
    """Return W_query of section 3.4.1, or another, as torch prints it: a neuron in each column."""
    return str(Layer(seed, linear=False).weights()[weights].T)


def _fractions(weights: Tensor) -> Any:
    entries = numpy.empty(tuple(weights.shape), dtype=object)
    for place in numpy.ndindex(*entries.shape):
        entries[place] = Fraction(float(weights[place]))
    return entries


def _numbers(entries: Any, algebra: Decimal) -> Any:
    found = numpy.empty(entries.shape, dtype=object)
    for place in numpy.ndindex(*entries.shape):
        found[place] = algebra.number(Rational(entries[place]))
    return found


# The book's steps


def _query_of_journey(inputs: Tensor) -> Tensor:
    return UNIFORM.projections(inputs)[0][1]


def _scores_of_journey(inputs: Tensor) -> Tensor:
    return _query_of_journey(inputs) @ UNIFORM.projections(inputs)[1].T


def _weights_of_journey(inputs: Tensor) -> Tensor:
    keys = UNIFORM.projections(inputs)[1]
    return book.scaled_weights(_query_of_journey(inputs), keys)


def _weights(inputs: Tensor, layer: Layer = LINEAR) -> Tensor:
    queries, keys, _ = layer.projections(inputs)
    return book.scaled_weights(queries, keys)


def _contexts(inputs: Tensor, layer: Layer) -> Tensor:
    return _weights(inputs, layer) @ layer.projections(inputs)[2]


def _masked_scores(inputs: Tensor) -> Tensor:
    queries, keys, _ = LINEAR.projections(inputs)
    return book.masked_scores(queries, keys)


def _causal_weights(inputs: Tensor) -> Tensor:
    queries, keys, _ = LINEAR.projections(inputs)
    return book.causal_weights(queries, keys)


def _causal_contexts(inputs: Tensor, layer: Layer) -> Tensor:
    """Attend in each head, and put the heads' results side by side: (n, e) -> (n, h d)."""
    heads = zip(
        *(matrix.split(layer.width, dim=-1) for matrix in layer.projections(inputs)), strict=True
    )
    side_by_side = torch.cat([book.causal_weights(q, k) @ v for q, k, v in heads], dim=-1)
    if not layer.merged:
        return side_by_side
    drawn = layer.weights()
    return book.projected(side_by_side, drawn[W_o]) + drawn[b_o]


def _dropped(weights: Tensor, seed: int = 123) -> Tensor:
    """Set each weight to 0 with probability 1/2, and double the others.

    Which ones a seed chooses is torch's own affair, and may differ on another kind of machine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.functional.dropout(weights, 0.5)


def _twice(contexts: Tensor) -> str:
    """Print a batch of the sentence and the sentence again, as sections 3.5.3 and 3.6 do."""
    return str(torch.stack((contexts, contexts)))


# The same numbers in the derived formula


def _earlier(entries: Any) -> Any:
    """Keep the entries of keys that are no later than the query, and zero for the others."""
    return [entries[i][j] if j <= i else Fraction(0) for i in range(6) for j in range(6)]


def _kept(entries: Any) -> Any:
    """Double the entries that torch's generator keeps, and zero for the others."""
    chosen = _dropped(torch.ones(6, 6))
    return [entries[i][j] * int(chosen[i, j]) for i in range(6) for j in range(6)]


def _heads_twice(heads: Any) -> Any:
    """Put the heads of each token side by side, twice: (h, n, d) -> 2 n h d numbers."""
    return [*numpy.moveaxis(heads, 0, 1).ravel()] * 2


def _simple(
    section: str, title: str, text: str, run: Callable[[Tensor], Tensor], derived: Any, **rest: Any
) -> Printed:
    return Printed(
        JOURNEY,
        title,
        f"Raschka 2024, section {section}",
        text,
        lambda inputs: str(run(inputs)),
        derived,
        steps="the book's steps",
        **rest,
    )


def _of_layer(
    section: str,
    title: str,
    text: str,
    run: Callable[[Tensor], Any],
    derived: Callable[[Arrays], Any] | None,
    layer: Layer,
    seeds: str = "",
    **which: bool,
) -> Printed:
    """Return a printed result of a layer; ``which`` says which formula is worked out."""
    return Printed(
        JOURNEY,
        title,
        f"Raschka 2024, section {section}",
        text,
        lambda inputs: str(run(inputs)),
        derived,
        work=lambda example: worked(layer, example, **which),
        steps=f"the book's steps, {seeds or f'seed {layer.seed}'}",
    )


def _drawn(name: str, text: str, weights: IndexedBase) -> Printed:
    """Return a matrix of section 3.4.1, which the book draws but does not print."""
    return Printed(
        JOURNEY,
        name,
        BY_READERS,
        text,
        lambda _: shown_weights(weights),
        None,
        steps=f"the book's steps, seed {UNIFORM.seed}",
    )


PUBLISHED = (
    _simple(
        "3.3.1",
        "weights of journey, normalised by the sum",
        "tensor([0.1455, 0.2278, 0.2249, 0.1285, 0.1077, 0.1656])",
        lambda inputs: reference.normalised_by_sum(
            reference.scores_of_one_query(inputs[1], inputs)
        ),
        lambda arrays: arrays[a][1],
        mechanism=SUM_NORMALISED,
    ),
    _simple(
        "3.3.2",
        "scores of all pairs",
        """\
tensor([[0.9995, 0.9544, 0.9422, 0.4753, 0.4576, 0.6310],
        [0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865],
        [0.9422, 1.4754, 1.4570, 0.8296, 0.7154, 1.0605],
        [0.4753, 0.8434, 0.8296, 0.4937, 0.3474, 0.6565],
        [0.4576, 0.7070, 0.7154, 0.3474, 0.6654, 0.2935],
        [0.6310, 1.0865, 1.0605, 0.6565, 0.2935, 0.9450]])""",
        reference.scores_by_matrix,
        lambda arrays: arrays[s].ravel(),
    ),
    _simple(
        "3.3.2",
        "weights of all pairs",
        """\
tensor([[0.2098, 0.2006, 0.1981, 0.1242, 0.1220, 0.1452],
        [0.1385, 0.2379, 0.2333, 0.1240, 0.1082, 0.1581],
        [0.1390, 0.2369, 0.2326, 0.1242, 0.1108, 0.1565],
        [0.1435, 0.2074, 0.2046, 0.1462, 0.1263, 0.1720],
        [0.1526, 0.1958, 0.1975, 0.1367, 0.1879, 0.1295],
        [0.1385, 0.2184, 0.2128, 0.1420, 0.0988, 0.1896]])""",
        lambda inputs: reference.weights_by_matrix(reference.scores_by_matrix(inputs)),
        lambda arrays: arrays[a].ravel(),
    ),
    _simple(
        "3.3.2",
        "context vectors of all words",
        """\
tensor([[0.4421, 0.5931, 0.5790],
        [0.4419, 0.6515, 0.5683],
        [0.4431, 0.6496, 0.5671],
        [0.4304, 0.6298, 0.5510],
        [0.4671, 0.5910, 0.5266],
        [0.4177, 0.6503, 0.5645]])""",
        reference.self_attention,
        lambda arrays: arrays[z].ravel(),
    ),
    _drawn(
        "W_query",
        """\
tensor([[0.2961, 0.5166],
        [0.2517, 0.6886],
        [0.0740, 0.8665]])""",
        W_q,
    ),
    _drawn(
        "W_key",
        """\
tensor([[0.1366, 0.1025],
        [0.1841, 0.7264],
        [0.3153, 0.6871]])""",
        W_k,
    ),
    _drawn(
        "W_value",
        """\
tensor([[0.0756, 0.1966],
        [0.3164, 0.4017],
        [0.1186, 0.8274]])""",
        W_v,
    ),
    _of_layer(
        "3.4.1",
        "query of journey",
        "tensor([0.4306, 1.4551])",
        _query_of_journey,
        lambda arrays: arrays[Q][0, 1],
        UNIFORM,
    ),
    _of_layer(
        "3.4.1",
        "score of journey with itself",
        "tensor(1.8524)",
        lambda inputs: _scores_of_journey(inputs)[1],
        lambda arrays: [arrays[s][0, 1, 1]],
        UNIFORM,
        scaled=False,
    ),
    _of_layer(
        "3.4.1",
        "scores of journey, projected",
        "tensor([1.2705, 1.8524, 1.8111, 1.0795, 0.5577, 1.5440])",
        _scores_of_journey,
        lambda arrays: arrays[s][0, 1],
        UNIFORM,
        scaled=False,
    ),
    _of_layer(
        "3.4.1",
        "weights of journey, projected and scaled",
        "tensor([0.1500, 0.2264, 0.2199, 0.1311, 0.0906, 0.1820])",
        _weights_of_journey,
        lambda arrays: arrays[a][0, 1],
        UNIFORM,
    ),
    _of_layer(
        "3.4.1",
        "context vector of journey, projected",
        "tensor([0.3061, 0.8210])",
        lambda inputs: _weights_of_journey(inputs) @ UNIFORM.projections(inputs)[2],
        lambda arrays: arrays[z][0, 1],
        UNIFORM,
    ),
    _of_layer(
        "3.4.2",
        "context vectors of SelfAttention_v1",
        """\
tensor([[0.2996, 0.8053],
        [0.3061, 0.8210],
        [0.3058, 0.8203],
        [0.2948, 0.7939],
        [0.2927, 0.7891],
        [0.2990, 0.8040]], grad_fn=<MmBackward0>)""",
        lambda inputs: _contexts(inputs, UNIFORM),
        lambda arrays: arrays[z].ravel(),
        UNIFORM,
    ),
    _of_layer(
        "3.4.2",
        "context vectors of SelfAttention_v2",
        """\
tensor([[-0.0739,  0.0713],
        [-0.0748,  0.0703],
        [-0.0749,  0.0702],
        [-0.0760,  0.0685],
        [-0.0763,  0.0679],
        [-0.0754,  0.0693]], grad_fn=<MmBackward0>)""",
        lambda inputs: _contexts(inputs, LINEAR),
        lambda arrays: arrays[z].ravel(),
        LINEAR,
    ),
    _of_layer(
        "3.5.1",
        "weights of SelfAttention_v2",
        """\
tensor([[0.1921, 0.1646, 0.1652, 0.1550, 0.1721, 0.1510],
        [0.2041, 0.1659, 0.1662, 0.1496, 0.1665, 0.1477],
        [0.2036, 0.1659, 0.1662, 0.1498, 0.1664, 0.1480],
        [0.1869, 0.1667, 0.1668, 0.1571, 0.1661, 0.1564],
        [0.1830, 0.1669, 0.1670, 0.1588, 0.1658, 0.1585],
        [0.1935, 0.1663, 0.1666, 0.1542, 0.1666, 0.1529]],
       grad_fn=<SoftmaxBackward0>)""",
        _weights,
        lambda arrays: arrays[a].ravel(),
        LINEAR,
    ),
    _of_layer(
        "3.5.1",
        "weights with later keys set to zero",
        """\
tensor([[0.1921, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.2041, 0.1659, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.2036, 0.1659, 0.1662, 0.0000, 0.0000, 0.0000],
        [0.1869, 0.1667, 0.1668, 0.1571, 0.0000, 0.0000],
        [0.1830, 0.1669, 0.1670, 0.1588, 0.1658, 0.0000],
        [0.1935, 0.1663, 0.1666, 0.1542, 0.1666, 0.1529]],
       grad_fn=<MulBackward0>)""",
        lambda inputs: book.earlier_weights(_weights(inputs)),
        lambda arrays: _earlier(arrays[a][0]),
        LINEAR,
    ),
    _of_layer(
        "3.5.1",
        "causal weights by dividing each row again",
        """\
tensor([[1.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.5517, 0.4483, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.3800, 0.3097, 0.3103, 0.0000, 0.0000, 0.0000],
        [0.2758, 0.2460, 0.2462, 0.2319, 0.0000, 0.0000],
        [0.2175, 0.1983, 0.1984, 0.1888, 0.1971, 0.0000],
        [0.1935, 0.1663, 0.1666, 0.1542, 0.1666, 0.1529]],
       grad_fn=<DivBackward0>)""",
        lambda inputs: book.causal_by_renormalising(_weights(inputs)),
        lambda arrays: arrays[a].ravel(),
        LINEAR,
        causal=True,
    ),
    _of_layer(
        "3.5.1",
        "scores masked with minus infinity",
        """\
tensor([[0.2899,   -inf,   -inf,   -inf,   -inf,   -inf],
        [0.4656, 0.1723,   -inf,   -inf,   -inf,   -inf],
        [0.4594, 0.1703, 0.1731,   -inf,   -inf,   -inf],
        [0.2642, 0.1024, 0.1036, 0.0186,   -inf,   -inf],
        [0.2183, 0.0874, 0.0882, 0.0177, 0.0786,   -inf],
        [0.3408, 0.1270, 0.1290, 0.0198, 0.1290, 0.0078]],
       grad_fn=<MaskedFillBackward0>)""",
        _masked_scores,
        lambda arrays: [arrays[s][0, i, j] for i in range(6) for j in range(i + 1)],
        LINEAR,
        scaled=False,
    ),
    _of_layer(
        "3.5.1",
        "causal weights by minus infinity",
        """\
tensor([[1.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.5517, 0.4483, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.3800, 0.3097, 0.3103, 0.0000, 0.0000, 0.0000],
        [0.2758, 0.2460, 0.2462, 0.2319, 0.0000, 0.0000],
        [0.2175, 0.1983, 0.1984, 0.1888, 0.1971, 0.0000],
        [0.1935, 0.1663, 0.1666, 0.1542, 0.1666, 0.1529]],
       grad_fn=<SoftmaxBackward0>)""",
        _causal_weights,
        lambda arrays: arrays[a].ravel(),
        LINEAR,
        causal=True,
    ),
    _of_layer(
        "3.5.2",
        "dropout of ones",
        """\
tensor([[2., 2., 0., 2., 2., 0.],
        [0., 0., 0., 2., 0., 2.],
        [2., 2., 2., 2., 0., 2.],
        [0., 2., 2., 0., 0., 2.],
        [0., 2., 0., 2., 0., 2.],
        [0., 2., 2., 2., 2., 0.]])""",
        lambda _: _dropped(torch.ones(6, 6)),
        None,
        CAUSAL,
    ),
    _of_layer(
        "3.5.2",
        "causal weights after dropout",
        """\
tensor([[2.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000],
        [0.7599, 0.6194, 0.6206, 0.0000, 0.0000, 0.0000],
        [0.0000, 0.4921, 0.4925, 0.0000, 0.0000, 0.0000],
        [0.0000, 0.3966, 0.0000, 0.3775, 0.0000, 0.0000],
        [0.0000, 0.3327, 0.3331, 0.3084, 0.3331, 0.0000]],
       grad_fn=<MulBackward0>)""",
        lambda inputs: _dropped(_causal_weights(inputs)),
        lambda arrays: _kept(arrays[a][0]),
        LINEAR,
        "seeds 789 and 123",
        causal=True,
    ),
    _of_layer(
        "3.5.3",
        "context vectors of CausalAttention",
        """\
tensor([[[-0.4519,  0.2216],
         [-0.5874,  0.0058],
         [-0.6300, -0.0632],
         [-0.5675, -0.0843],
         [-0.5526, -0.0981],
         [-0.5299, -0.1081]],

        [[-0.4519,  0.2216],
         [-0.5874,  0.0058],
         [-0.6300, -0.0632],
         [-0.5675, -0.0843],
         [-0.5526, -0.0981],
         [-0.5299, -0.1081]]], grad_fn=<UnsafeViewBackward0>)""",
        lambda inputs: _twice(_causal_contexts(inputs, CAUSAL)),
        lambda arrays: _heads_twice(arrays[z]),
        CAUSAL,
        causal=True,
    ),
    _of_layer(
        "3.6.1",
        "context vectors of MultiHeadAttentionWrapper",
        """\
tensor([[[-0.4519,  0.2216,  0.4772,  0.1063],
         [-0.5874,  0.0058,  0.5891,  0.3257],
         [-0.6300, -0.0632,  0.6202,  0.3860],
         [-0.5675, -0.0843,  0.5478,  0.3589],
         [-0.5526, -0.0981,  0.5321,  0.3428],
         [-0.5299, -0.1081,  0.5077,  0.3493]],

        [[-0.4519,  0.2216,  0.4772,  0.1063],
         [-0.5874,  0.0058,  0.5891,  0.3257],
         [-0.6300, -0.0632,  0.6202,  0.3860],
         [-0.5675, -0.0843,  0.5478,  0.3589],
         [-0.5526, -0.0981,  0.5321,  0.3428],
         [-0.5299, -0.1081,  0.5077,  0.3493]]], grad_fn=<CatBackward0>)""",
        lambda inputs: _twice(_causal_contexts(inputs, WRAPPED)),
        lambda arrays: _heads_twice(arrays[z]),
        WRAPPED,
        causal=True,
    ),
    _of_layer(
        "3.6.2",
        "context vectors of MultiHeadAttention",
        """\
tensor([[[0.3190, 0.4858],
         [0.2943, 0.3897],
         [0.2856, 0.3593],
         [0.2693, 0.3873],
         [0.2639, 0.3928],
         [0.2575, 0.4028]],

        [[0.3190, 0.4858],
         [0.2943, 0.3897],
         [0.2856, 0.3593],
         [0.2693, 0.3873],
         [0.2639, 0.3928],
         [0.2575, 0.4028]]], grad_fn=<ViewBackward0>)""",
        lambda inputs: _twice(_causal_contexts(inputs, MULTI_HEAD)),
        lambda arrays: [*arrays[o].ravel()] * 2,
        MULTI_HEAD,
        causal=True,
    ),
)
"""The results as they stand in the book's notebook, chapter 3, in its order.

What it prints of one query without weights stands beside the notes' results in ``printed``.
"""
