"""z = softmax(Q K^T / sqrt(d)) V, with masks, bias, soft cap, heads, groups and projections.

Vaswani et al. 2017, section 3.2; the options as torch's ``scaled_dot_product_attention``,
``nn.MultiheadAttention`` and transformers' attention functions have them. Grouped heads: Ainslie
et al. 2023; the soft cap: Gemma 2, 2024; the window: Beltagy et al. 2020.

Shapes, after the leading axes: Q (n_q, d), K (n, d), V (n, d_v), z (n_q, d_v).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sympy import Expr, IndexedBase, Integer, Mul, Symbol, exp, floor, sqrt, sympify, tanh

from derive.attention import MECHANISMS
from derive.brackets import AtMost, Below, Equals
from derive.formula import (
    UPPER_LIMIT,
    Choice,
    D,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    b,
    c,
    d,
    d_e,
    d_f,
    d_v,
    e,
    f,
    g,
    h,
    i,
    j,
    k,
    n,
    n_g,
    n_h,
    n_q,
    s,
    total,
    x,
    z,
)
from derive.options import Options

B, M, U = array("B"), array("M"), array("U")
t, u, w, o, y = array("t"), array("u"), array("w"), array("o"), array("y")
W_q, W_k, W_v, W_o = (array(f"W_{letter}") for letter in "qkvo")
W_in, b_in = array("W_in"), array("b_in")
b_q, b_k, b_v, b_o = (array(f"b_{letter}") for letter in "qkvo")
r = Symbol("r", integer=True, positive=True)
"""How many query heads share one head of keys and values: n_h / n_g."""

Given = tuple[tuple[IndexedBase, tuple[Expr, ...]], ...]
Rows = tuple[tuple[IndexedBase, IndexedBase, Expr], ...]
PLAIN = Options()


@dataclass(frozen=True)
class ScaledDotProduct(Mechanism):
    """The mechanism of some options, which keeps them: a rounding bound is derived from these."""

    options: Options = PLAIN


def scaled_dot_product_attention(options: Options = PLAIN) -> ScaledDotProduct:
    """z[i, c] = sum_j a[i, j] V[j, c], a = softmax of sum_k Q[i, k] K[j, k] / sqrt(d).

    Inputs in the order of torch's arguments: Q, K, V, then B and M where there are any; with
    projections x, y where there is one, W_q, b_q, W_k, b_k, W_v, b_v, W_o, b_o, then B and M.
    """
    build = _Builder(options)
    choices = [*build.projections(), build.score(), *build.modified(), build.normalised()]
    choices += [build.weighted_sum(), *build.merged()]
    return ScaledDotProduct(
        ", ".join(["scaled dot-product attention", *options.described()]),
        tuple(choices),
        given=build.given(),
        relations=build.relations(),
        indicators=frozenset({M} if options.mask else ()),
        options=options,
    )


@dataclass(frozen=True)
class _Builder:
    options: Options

    @property
    def lead(self) -> tuple[Symbol, ...]:
        """The indices before the token's."""
        return (b, h)[2 - self.options.leading :]

    @property
    def batch(self) -> tuple[Symbol, ...]:
        return self.lead[:-1]

    @property
    def shared(self) -> tuple[Expr, ...]:
        """The indices before the token's in K and V, in terms of the query's."""
        if self.options.grouped == "consecutive":
            return (*self.batch, floor((h - 1) / r) + 1)
        if self.options.grouped == "interleaved":
            return (*self.batch, h - n_g * floor((h - 1) / n_g))
        return self.lead

    @property
    def final(self) -> IndexedBase:
        """The scores that the normaliser takes."""
        return w if self.options.bias else u if self.options.soft_cap is not None else s

    # The parts

    def projections(self) -> list[Choice]:
        """Q[h, i, k] = sum_e x[i, e] W_q[(h-1) d + k, e] + b_q[(h-1) d + k]; K, V likewise."""
        if not self.options.projections:
            return []
        source = y if self.options.projections == "cross" else x
        head = g if self.options.grouped else h
        heads = UPPER_LIMIT[head]
        parts = (
            (Q, x, W_q, b_q, (h, i, k), (n_h, n_q, d)),
            (K, source, W_k, b_k, (head, j, k), (heads, n, d)),
            (V, source, W_v, b_v, (head, j, c), (heads, n, d_v)),
        )
        stages, before = [], Integer(0)
        for target, tokens, weights, bias, indices, shape in parts:
            count, token, dimension = indices
            row = before + (count - 1) * shape[-1] + dimension
            if self.options.packed:
                weights, bias, before = W_in, b_in, before + shape[0] * shape[-1]
            value = total(tokens[(*self.batch, token, e)] * weights[row, e], e)
            if self.options.projection_bias:
                value = value + bias[row]
            batch = tuple(UPPER_LIMIT[index] for index in self.batch)
            stages.append(Stage(target[(*self.batch, *indices)], value, (*batch, *shape)))
        return [Choice("projection", "linear maps of each token, in heads", tuple(stages))]

    def score(self) -> Choice:
        """s[i, j] = scale sum_k Q[i, k] K[j, k]."""
        scale = self.options.scale
        product = total(Q[(*self.lead, i, k)] * K[(*self.shared, j, k)], k)
        scaled = product / sqrt(d) if scale is None else sympify(scale, strict=True) * product
        return Choice("score", "scaled dot product", (Stage(s[(*self.lead, i, j)], scaled),))

    def modified(self) -> list[Choice]:
        """t[i, j] = tanh(s[i, j] / c), u[i, j] = c t[i, j];  w[i, j] = u[i, j] + B[i, j]."""
        choices, place = [], (*self.lead, i, j)
        cap = self.options.soft_cap
        if cap is not None:
            stages = (Stage(t[place], tanh(s[place] / cap)), Stage(u[place], cap * t[place]))
            choices.append(Choice("soft cap", "scores bounded by the hyperbolic tangent", stages))
        if self.options.bias:
            before = s if cap is None else u
            bias = Stage(w[place], before[place] + B[self._places("bias")])
            choices.append(Choice("bias", "a given number added to each score", (bias,)))
        return choices

    def normalised(self) -> Choice:
        """a[i, j] = [j allowed] exp(s[i, j]) / sum_l [l allowed] exp(s[i, l])."""
        place, allowed = (*self.lead, i, j), self._allowed()
        weight = Mul(*allowed, exp(self.final[place]))
        below, above = D[place[:-1]], weight
        stages = [Stage(below, total(weight, j))]
        if allowed and self.options.empty_rows != "undefined":
            empty = self._empty_row(allowed)
            stages.insert(0, empty)
            # An empty row has zero above the line and below it; there one of the two is mended.
            below = below + (n if self.options.empty_rows == "uniform" else 1) * empty.target
            if self.options.empty_rows == "uniform":
                above = weight + empty.target
        stages.append(Stage(a[place], above / below))
        title = "softmax over the keys that a query may see" if allowed else "softmax"
        return Choice("normalise", title, tuple(stages))

    def weighted_sum(self) -> Choice:
        """z[i, c] = sum_j a[i, j] V[j, c]."""
        value = total(a[(*self.lead, i, j)] * V[(*self.shared, j, c)], j)
        equation = Stage(z[(*self.lead, i, c)], value)
        return Choice("weighted sum", "weighted sum", (equation,))

    def merged(self) -> list[Choice]:
        """o[i, f] = sum_h sum_c z[h, i, c] W_o[f, (h-1) d_v + c] + b_o[f]."""
        if not self.options.projections:
            return []
        value = total(total(z[(*self.lead, i, c)] * W_o[f, (h - 1) * d_v + c], c), h)
        if self.options.projection_bias:
            value = value + b_o[f]
        equation = Stage(o[(*self.batch, i, f)], value)
        return [Choice("output projection", "a linear map of the merged heads", (equation,))]

    # What is given

    def given(self) -> Given:
        """Return the arrays that are given, in order, with their shapes in letters."""
        options = self.options
        sizes = tuple(UPPER_LIMIT[index] for index in self.lead)
        batch, heads = sizes[:-1], n_g if options.grouped else n_h
        declared: Given
        if options.projections:
            source = ((y, (*batch, n, d_e)),) if options.projections == "cross" else ()
            rows: Rows = ((W_q, b_q, n_h * d), (W_k, b_k, heads * d), (W_v, b_v, heads * d_v))
            if options.packed:
                rows = ((W_in, b_in, n_h * d + heads * d + heads * d_v),)
            declared = ((x, (*batch, n_q, d_e)), *source)
            for weights, bias, length in rows:
                declared += ((weights, (length, d_e)), (bias, (length,)))
            declared += ((W_o, (d_f, n_h * d_v)), (b_o, (d_f,)))
            if not options.projection_bias:
                declared = tuple(pair for pair in declared if len(pair[1]) > 1)
        else:
            others = (*batch, heads) if sizes else ()
            declared = ((Q, (*sizes, n_q, d)), (K, (*others, n, d)), (V, (*others, n, d_v)))
        if options.bias:
            declared += ((B, self._shape("bias")),)
        if options.mask:
            declared += ((M, self._shape("mask")),)
        return declared

    def relations(self) -> tuple[tuple[Symbol, Expr], ...]:
        """Return the equations between sizes that no shape tells."""
        found: list[tuple[Symbol, Expr]] = []
        options = self.options
        if options.grouped:
            found.append((n_h, r * n_g))
        if options.projections == "self":
            found.append((n_q, n))
        if options.heads is not None:
            found.append((n_h, Integer(options.heads)))
        if options.kv_heads is not None:
            found.append((n_g, Integer(options.kv_heads)))
        return tuple(found)

    # Inside

    def _allowed(self) -> tuple[Expr, ...]:
        """Return factors that are 1 where query i may see key j, and 0 elsewhere."""
        factors: list[Expr] = []
        last = i + n - n_q if self.options.causal == "bottom-right" else i
        if self.options.causal:
            factors.append(AtMost(j, last))
        if self.options.window:
            factors.append(Below(last - self.options.window, j))
        if self.options.mask:
            factors.append(M[self._places("mask")])
        return tuple(factors)

    def _empty_row(self, allowed: tuple[Expr, ...]) -> Stage:
        """U[i] = [sum_j allowed[i, j] = 0]."""
        count = total(Mul(*allowed), j)
        axes = (*(index for index in self.lead if index in count.free_symbols), i)
        return Stage(U[axes], Equals(count, 0), tuple(UPPER_LIMIT[index] for index in axes))

    def _places(self, name: str) -> tuple[Expr, ...]:
        letters = {str(index): index for index in (b, h, i, j)}
        axes = self.options.axes("bias" if name == "bias" else "mask")
        return tuple(letters.get(axis, Integer(1)) for axis in axes)

    def _shape(self, name: str) -> tuple[Expr, ...]:
        return tuple(UPPER_LIMIT.get(place, Integer(1)) for place in self._places(name))


def _always(mechanism: Mechanism) -> Callable[..., Mechanism]:
    return lambda: mechanism


FORMULAS: dict[str, Callable[..., Mechanism]] = {
    "scaled-dot-product": scaled_dot_product_attention,
    **{name: _always(mechanism) for name, mechanism in MECHANISMS.items()},
}
"""Formulas by the name that a command uses; the first takes ``Options``, the others nothing."""
