"""Positions, linear attention and compressed keys and values, against programs written apart.

The programs are vectorised as the papers or libraries state them; those of linear attention are
the recurrent form, a loop over tokens with a state.
"""

from collections.abc import Callable
from math import log, sqrt

import numpy
import pytest
import torch
from sympy import Rational, cos

from derive.algebras.decimal import Decimal
from derive.algebras.floats import FloatArrays
from derive.binding import Lengths, ShapeError
from derive.elements import Elements
from derive.examples import BUILT_IN, load
from derive.formula import Q, Stage, array, d, i, n, n_p, p
from derive.gradients import vector_jacobian_product
from derive.index_arrays import evaluate, evaluate_mechanism
from derive.sizes import sizes
from derive.tensors import Tensors
from derive.variants import ATLAS
from derive.verdict import Verdict
from numeric import verify
from tests.sampling import one_in

Program = Callable[..., torch.Tensor]
FLOATS = Tensors(FloatArrays())


# Positions


def distances(tokens: int) -> torch.Tensor:
    places = torch.arange(tokens)
    return places[None, :] - places[:, None]


def causal(scores: torch.Tensor) -> torch.Tensor:
    later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(later, -torch.inf), -1)


def relative_bias(q, k, v, b):
    n = k.shape[-2]
    return torch.softmax(q @ k.mT + b[:, distances(n) + n - 1], -1) @ v


def relative_bias_backwards(q, k, v, b):
    n = k.shape[-2]
    return torch.softmax(q @ k.mT + b[:, n - 1 - distances(n)], -1) @ v


def relative_keys(q, k, v, r):
    n, d = k.shape
    shifted = torch.einsum("ik,ijk->ij", q, r[distances(n) + n - 1])
    return torch.softmax((q @ k.T + shifted) / sqrt(d), -1) @ v


def relative_keys_of_the_key(q, k, v, r):
    n, d = k.shape
    shifted = torch.einsum("jk,ijk->ij", k, r[distances(n) + n - 1])
    return torch.softmax((q @ k.T + shifted) / sqrt(d), -1) @ v


def turned_as_complex(x, theta, sign=1):
    """RoFormer: neighbouring numbers are one complex number, turned by a factor."""
    angles = torch.outer(torch.arange(1, len(x) + 1), theta)
    cosine, sine = angles.cos(), sign * angles.sin()
    real, imaginary = x.unflatten(-1, (-1, 2)).unbind(-1)
    pairs = (real * cosine - imaginary * sine, real * sine + imaginary * cosine)
    return torch.stack(pairs, -1).flatten(-2)


def turned_as_llama(x, theta):
    """Llama: x cos + rotate_half(x) sin, with the angles repeated."""
    angles = torch.outer(torch.arange(1, len(x) + 1), theta)
    angles = torch.cat((angles, angles), -1)
    first, second = x.chunk(2, -1)
    return x * angles.cos() + torch.cat((-second, first), -1) * angles.sin()


def rotary(turned) -> Program:
    def program(q, k, v, theta):
        q, k = turned(q, theta), turned(k, theta)
        return torch.softmax(q @ k.T / sqrt(q.shape[-1]), -1) @ v

    return program


def keys_turned_back(q, k, v, theta):
    q, k = turned_as_complex(q, theta), turned_as_complex(k, theta, -1)
    return torch.softmax(q @ k.T / sqrt(q.shape[-1]), -1) @ v


def forgetting(q, k, v, f):
    sums = f.cumsum(-1)
    scores = q @ k.mT / sqrt(q.shape[-1])
    return causal(scores + sums[:, :, None] - sums[:, None, :]) @ v


def forgetting_with_the_key(q, k, v, f):
    sums = f.cumsum(-1)
    scores = q @ k.mT / sqrt(q.shape[-1])
    return causal(scores + sums[:, :, None] - (sums - f)[:, None, :]) @ v


# Linear attention


def linear(q, k, v):
    f, g = q.exp(), k.exp()
    return f @ (g.T @ v) / (f @ g.sum(0))[:, None]


def linear_of_mean_features(q, k, v):
    f, g = q.exp(), k.exp()
    return f @ (g.T @ v) / (f @ g.mean(0))[:, None]


def linear_causal(q, k, v):
    state, norm, rows = 0, 0, []
    for query, key, value in zip(q.exp(), k.exp(), v, strict=True):
        state = state + torch.outer(key, value)
        norm = norm + key
        rows.append(query @ state / (query @ norm))
    return torch.stack(rows)


def linear_causal_a_token_late(q, k, v):
    state, norm, rows = torch.outer(k[0].exp(), v[0]), k[0].exp(), []
    for query, key, value in zip(q.exp(), k.exp(), v, strict=True):
        rows.append(query @ state / (query @ norm))
        state = state + torch.outer(key, value)
        norm = norm + key
    return torch.stack(rows)


def recurrent(q, k, v, gates, before=True):
    """S <- diag(gates) S + k v^T;  z = q S, for one head."""
    state, rows = torch.zeros(k.shape[-1], v.shape[-1], dtype=v.dtype), []
    for query, key, value, gate in zip(q, k, v, gates, strict=True):
        if before:
            state = gate[:, None] * state + torch.outer(key, value)
        else:
            state = gate[:, None] * (state + torch.outer(key, value))
        rows.append(query @ state)
    return torch.stack(rows)


def retention(q, k, v, g, before=True):
    gates = g.exp()[:, None, None].expand(k.shape)
    heads = zip(q, k, v, gates, strict=True)
    return torch.stack([recurrent(*head, before) for head in heads])


def retention_decayed_once_more(q, k, v, g):
    return retention(q, k, v, g, before=False)


def gated_linear(q, k, v, f):
    return recurrent(q, k, v, f.exp())


def gated_linear_by_the_gate_itself(q, k, v, f):
    return recurrent(q, k, v, f)


def state_space(q, k, v, f):
    return recurrent(q, k, v, f.exp()[:, None].expand(k.shape))


def state_space_decayed_once_more(q, k, v, f):
    return recurrent(q, k, v, f.exp()[:, None].expand(k.shape), before=False)


def performer(q, k, v, w):
    def features(x):
        return (x @ w.T - x.square().sum(-1, keepdim=True) / 2).exp() / sqrt(len(w))

    f, g = features(q), features(k)
    return f @ (g.T @ v) / (f @ g.sum(0))[:, None]


def performer_without_the_norm(q, k, v, w):
    f, g = (q @ w.T).exp(), (k @ w.T).exp()
    return f @ (g.T @ v) / (f @ g.sum(0))[:, None]


# Normalisers, compressed keys and values


def differential(q_1, k_1, q_2, k_2, v, m):
    first = torch.softmax(q_1 @ k_1.mT / sqrt(q_1.shape[-1]), -1)
    second = torch.softmax(q_2 @ k_2.mT / sqrt(q_2.shape[-1]), -1)
    return first @ v - m[:, None, None] * (second @ v)


def differential_of_scores(q_1, k_1, q_2, k_2, v, m):
    scores = q_1 @ k_1.mT - m[:, None, None] * (q_2 @ k_2.mT)
    return torch.softmax(scores / sqrt(q_1.shape[-1]), -1) @ v


def linformer(q, k, v, e, f):
    return torch.softmax(q @ (e @ k).T / sqrt(q.shape[-1]), -1) @ (f @ v)


def linformer_one_matrix(q, k, v, e, f):
    return torch.softmax(q @ (e @ k).T / sqrt(q.shape[-1]), -1) @ (e @ v) + 0 * f.sum()


def latent(q, c, w_uk, w_uv, r_q, r_k):
    """As DeepSeek's modelling code: parts joined along the dimension, then plain attention."""
    heads = len(q)
    query = torch.cat((q, r_q), -1)
    key = torch.cat((c @ w_uk.mT, r_k.expand(heads, -1, -1)), -1)
    return causal(query @ key.mT / sqrt(query.shape[-1])) @ (c @ w_uv.mT)


def latent_scaled_by_the_content(q, c, w_uk, w_uv, r_q, r_k):
    scores = q @ (c @ w_uk.mT).mT + r_q @ r_k.T
    return causal(scores / sqrt(q.shape[-1])) @ (c @ w_uv.mT)


def memory(q, k, v, k_m, v_m):
    keys, values = torch.cat((k, k_m)), torch.cat((v, v_m))
    return torch.softmax(q @ keys.T / sqrt(q.shape[-1]), -1) @ values


def memory_beside(q, k, v, k_m, v_m):
    scale = sqrt(q.shape[-1])
    return torch.softmax(q @ k.T / scale, -1) @ v + torch.softmax(q @ k_m.T / scale, -1) @ v_m


PROGRAMS: dict[str, Program] = {
    "relative-bias": relative_bias,
    "relative-keys": relative_keys,
    "rotary-interleaved": rotary(turned_as_complex),
    "rotary-halves": rotary(turned_as_llama),
    "forgetting": forgetting,
    "linear": linear,
    "linear-causal": linear_causal,
    "retention": retention,
    "state-space": state_space,
    "gated-linear": gated_linear,
    "performer": performer,
    "differential": differential,
    "linformer": linformer,
    "latent": latent,
    "latent-absorbed": latent,
    "memory": memory,
}

MUTANTS: dict[str, tuple[str, Program]] = {
    "the distance has the wrong sign": ("relative-bias", relative_bias_backwards),
    "the key asks for the place": ("relative-keys", relative_keys_of_the_key),
    "halves for neighbours": ("rotary-interleaved", rotary(turned_as_llama)),
    "neighbours for halves": ("rotary-halves", rotary(turned_as_complex)),
    "keys are turned back": ("rotary-interleaved", keys_turned_back),
    "the key's own gate counts": ("forgetting", forgetting_with_the_key),
    "the norm is a mean": ("linear", linear_of_mean_features),
    "the state is a token late": ("linear-causal", linear_causal_a_token_late),
    "a token of decay too many": ("retention", retention_decayed_once_more),
    "the token decays itself": ("state-space", state_space_decayed_once_more),
    "the gate for its logarithm": ("gated-linear", gated_linear_by_the_gate_itself),
    "features without the norm": ("performer", performer_without_the_norm),
    "a softmax of the difference": ("differential", differential_of_scores),
    "values mixed as the keys are": ("linformer", linformer_one_matrix),
    "the scale leaves out the rotary part": ("latent", latent_scaled_by_the_content),
    "a softmax for the memory alone": ("memory", memory_beside),
}

SMALL = {"n_h": 2, "n_q": 3, "n": 3, "d": 2, "d_v": 2, "d_e": 2, "n_p": 2}
SMALL_ROTARY = {**SMALL, "d": 4, "n_p": 2}


def sentence_inputs(key: str, sentence: str) -> dict:
    vectors = load(sentence).array()
    return {base: given.make(vectors) for base, given in ATLAS[key].inputs.items()}


def as_tensors(inputs: dict) -> list[torch.Tensor]:
    return [torch.tensor(array.astype(float), dtype=torch.float64) for array in inputs.values()]


def small_tensors(key: str) -> list[torch.Tensor]:
    mechanism = ATLAS[key].mechanism
    numbers = SMALL_ROTARY if key.startswith("rotary") else SMALL
    symbols = {t: numbers[str(t)] for shape in mechanism.shapes.values() for t in _letters(shape)}
    torch.manual_seed(3)
    return [
        torch.randn([int(size.xreplace(symbols)) for size in mechanism.shapes[base]]).double()
        for base in mechanism.inputs
    ]


def _letters(shape):
    return {t for size in shape for t in size.free_symbols}


@pytest.mark.parametrize("sentence", BUILT_IN)
@pytest.mark.parametrize("key", PROGRAMS)
def test_a_sentence_read_entry_by_entry_gives_the_programs_numbers(key, sentence):
    variant, inputs = ATLAS[key], sentence_inputs(key, sentence)
    algebra = Decimal()
    convert = numpy.vectorize(lambda value: algebra.number(Rational(value)), otypes=[object])
    shapes = {base: array.shape for base, array in inputs.items()}
    given = {base: convert(array) for base, array in inputs.items()}
    arrays = Elements(algebra, given, sizes(variant.mechanism, shapes)).run(
        variant.mechanism.stages
    )
    ours = arrays[variant.mechanism.stages[-1].array].astype(float)
    theirs = PROGRAMS[key](*as_tensors(inputs)).numpy()
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max() < 1e-12


@pytest.mark.parametrize("key", PROGRAMS)
def test_the_derived_gradients_are_those_of_autograd(key):
    inputs = [tensor.requires_grad_() for tensor in as_tensors(sentence_inputs(key, "journey"))]
    output = PROGRAMS[key](*inputs)
    torch.manual_seed(4)
    upstream = torch.randn_like(output)
    theirs = torch.autograd.grad(output, inputs, upstream)
    backward = vector_jacobian_product(ATLAS[key].mechanism)
    bases = [*backward.forward.inputs, backward.upstream]
    given = {
        base: FLOATS.finite(tensor.detach().numpy(), tuple(tensor.shape))
        for base, tensor in zip(bases, [*inputs, upstream], strict=True)
    }
    arrays = evaluate_mechanism(backward.mechanism, given, FLOATS)
    for (base, name), expected in zip(backward.gradients.items(), theirs, strict=True):
        assert arrays[name].data.shape == expected.shape
        assert abs(arrays[name].data - expected.numpy()).max() < 1e-12, base


@pytest.mark.parametrize("key", one_in(2, PROGRAMS))
def test_the_program_computes_the_formula_and_its_gradients_for_all_inputs(key):
    report = verify(
        PROGRAMS[key],
        ATLAS[key].mechanism,
        small_tensors(key),
        backward=True,
        other_shapes=False,
    )
    assert report.verdict in (Verdict.PROVED, Verdict.IDENTITY_TESTED), report


@pytest.mark.parametrize("name", one_in(2, MUTANTS))
def test_a_program_that_is_slightly_wrong_is_refuted(name):
    key, program = MUTANTS[name]
    report = verify(program, ATLAS[key].mechanism, small_tensors(key), other_shapes=False)
    assert report.verdict is Verdict.REFUTED, report


def t5_bucket(distance: int, buckets: int = 32, furthest: int = 128) -> int:
    """T5's bucket of a distance from query to key, where both directions are seen."""
    half = buckets // 2
    exact, size = half // 2, abs(distance)
    start = half if distance > 0 else 0
    if size < exact:
        return start + size
    far = int(exact + log(size / exact) / log(furthest / exact) * (half - exact))
    return start + min(far, half - 1)


def test_t5_gives_each_distance_up_to_7_a_number_of_its_own_and_no_further():
    near = [t5_bucket(distance) for distance in range(-7, 8)]
    assert len(set(near)) == len(near)
    assert t5_bucket(8) == t5_bucket(9)


# An index that reads the first part of an axis, as the first half of a query

x, half = array("x"), Stage(array("X")[i, p], Q[i, p] + Q[i, p + n_p], (n, n_p))


@pytest.fixture
def query() -> numpy.ndarray:
    return numpy.arange(1.0, 13.0).reshape(3, 4)


def test_a_declared_index_reads_the_first_part_of_an_axis(query):
    counts = {n: 3, n_p: 2}
    expected = query[:, :2] + query[:, 2:]
    arrays = evaluate((half,), {Q: FLOATS.lift(query)}, FLOATS, counts)
    assert (arrays[half.array].data == expected).all()
    entries = Elements(Decimal(), {Q: query}, counts).run((half,))
    assert (entries[half.array].astype(float) == expected).all()
    assert Lengths({Q: (n, d)}).learn((half,)).shapes[half.array] == (n, n_p)


def test_an_index_that_is_not_declared_reads_all_of_an_axis(query):
    undeclared = Stage(half.target, Q[i, p] * cos(x[p]))
    given = {Q: query, x: numpy.ones(2)}
    with pytest.raises(ShapeError, match="p counts to"):
        Elements(Decimal(), given, {n: 3, n_p: 2}).run((undeclared,))


def test_a_declared_index_reads_no_further_than_the_axis(query):
    with pytest.raises(ShapeError, match="p counts to 4 in one place, 5 in another"):
        Elements(Decimal(), {Q: query}, {n: 3, n_p: 5}).run((half,))
