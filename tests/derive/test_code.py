"""Generated array code: what it says, and that it computes what the index form says."""

import ast
from dataclasses import replace

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Mod, Rational, Sum, Symbol, cos, exp, floor, log, sin, sqrt, tanh

from derive.algebras.decimal import Decimal
from derive.algebras.floats import FloatArrays
from derive.attention import CROSS, MECHANISMS, SCALED, SHIFTED, SOFTMAX
from derive.binding import ShapeError
from derive.brackets import AtMost, Below, Equals
from derive.code import function, line, result_function, source
from derive.composition import composed
from derive.elements import Elements, UnknownNode
from derive.formula import (
    Choice,
    D,
    FormulaError,
    K,
    Largest,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_e,
    d_v,
    e,
    h,
    i,
    j,
    k,
    l,
    largest,
    m,
    n,
    n_g,
    n_h,
    n_p,
    n_q,
    p,
    s,
    total,
    x,
    z,
)
from derive.index_arrays import evaluate_mechanism
from derive.options import Options
from derive.scaled_dot_product import r, scaled_dot_product_attention
from derive.sizes import sizes
from derive.tensors import Tensors
from derive.variants import ATLAS
from derive.verdict import Verdict
from numeric import verify
from tests.derive.conftest import CASES
from tests.derive.mechanism_sizes import USUAL, some_shapes

g, h_, t, u, M, W = (array(name) for name in ("g", "h", "t", "u", "M", "W"))
i_, word = array("i"), array("lambda")
j_1 = Symbol("j_1", integer=True, positive=True)


def made_up(*stages: Stage, **declared) -> Mechanism:
    return Mechanism("made up", (Choice("score", "made up", stages),), **declared)


PAIR = ((Q, (n_q, d)), (K, (n, d)))
SAME = {"relations": ((n_q, n),)}
PLAIN = Stage(s[i, j], total(Q[i, k] * K[j, k], k))

MADE_UP = {
    "bilinear": made_up(
        Stage(s[i, j], total(total(x[i, k] * V[k, c] * x[j, c], c), k)),
        relations=((n, d), (d_v, d)),
    ),
    "three factors": made_up(Stage(s[i, j], total(Q[i, k] * K[j, k] * x[j, k], k))),
    "squares": made_up(Stage(s[i, j], total((Q[i, k] - K[j, k]) ** 2, k))),
    "three axes": made_up(
        Stage(h_[i, j, k], Q[i, k] * K[j, k]), Stage(s[i, j], total(h_[i, j, k], k))
    ),
    "axes in another order": made_up(
        Stage(h_[i, j, k], Q[i, k] + 2 * K[j, k]),
        Stage(g[k, i, j], h_[i, j, k] * Q[i, k]),
        Stage(u[j, k, i], g[k, i, j] / (1 + h_[i, j, k] ** 2)),
        Stage(s[i, j], total(u[j, k, i], k)),
    ),
    "transposed": made_up(PLAIN, Stage(a[j, i], exp(s[i, j])), Stage(z[i, j], a[j, i] + s[i, j])),
    "a transposed product": made_up(PLAIN, Stage(t[j, k], total(s[i, j] * Q[i, k], i))),
    "a product after a factor": made_up(
        PLAIN, Stage(a[i, j], s[i, j] * total(K[j, k] * Q[i, k], k))
    ),
    "a product after a factor, transposed": made_up(
        PLAIN, Stage(a[j, i], s[i, j] * total(K[j, k] * Q[i, k], k))
    ),
    "below the fraction line": made_up(
        PLAIN, Stage(a[i, j], s[i, j] / (1 + total(Q[i, k] ** 2, k) * total(K[j, k] ** 2, k)))
    ),
    "one axis is lacking": made_up(
        Stage(t[i], total(Q[i, k], k)),
        Stage(u[j], largest(-K[j, k], k)),
        Stage(s[i, j], t[i] - u[j]),
    ),
    "minus": made_up(PLAIN, Stage(a[i, j], -s[i, j] - Rational(3, 4) * s[i, j] ** 3)),
    "a size as a number": made_up(PLAIN, Stage(a[i, j], s[i, j] / sqrt(d) + d * s[i, j])),
    "a sum of a sum": made_up(
        Stage(u[j], total(K[j, k], k)), Stage(t[i], total(Q[i, k] * total(u[j], j), k))
    ),
    "the largest of a transposed array": made_up(PLAIN, Stage(u[j], Largest(s[i, j], (i, 1, n_q)))),
    "a column sum": made_up(PLAIN, Stage(u[j], total(exp(-s[i, j]), i))),
    "a product along columns": made_up(Stage(h_[k, c], total(K[j, k] * V[j, c], j))),
    "an outer product": made_up(
        PLAIN,
        Stage(t[i], total(s[i, j], j)),
        Stage(u[j], total(s[i, j], i)),
        Stage(a[i, j], t[i] * u[j]),
    ),
    "a weighted sum of one axis": made_up(
        PLAIN, Stage(u[j], total(s[i, j], i)), Stage(t[i], total(s[i, j] * u[j], j))
    ),
    "an inner product of rows": made_up(
        Stage(t[i], total(Q[i, k] * Q[i, k] * x[i, k], k)), relations=((n_q, n),)
    ),
    "a vector before a matrix": made_up(
        PLAIN, Stage(t[i], total(Q[i, k], k)), Stage(u[j], total(t[i] * s[i, j], i))
    ),
    "factors that the sum does not reach": made_up(
        PLAIN,
        Stage(t[i], total(Q[i, k], k)),
        Stage(u[i], total(3 * s[i, j] * t[i] / (1 + t[i] ** 2), j)),
    ),
    "below the line inside of a sum": made_up(
        PLAIN,
        Stage(u[j], 1 + total(K[j, k] ** 2, k)),
        Stage(t[i], total(s[i, j] / u[j], j)),
        Stage(g[i], t[i] * total(1 / u[j], j)),
    ),
    "a sum that does not reach its index": made_up(
        PLAIN, Stage(D[i], total(Q[i, k], k) * total(n, j))
    ),
    "a sum of two products": made_up(
        PLAIN, Stage(t[i, k], total(s[i, j] * K[j, k] - 2 * s[i, j] * Q[i, k], j))
    ),
    "functions": made_up(
        PLAIN, Stage(a[i, j], tanh(s[i, j]) + cos(s[i, j]) * sin(-s[i, j]) * sqrt(s[i, j] ** 2 + 1))
    ),
}

HEADS = ((Q, (n_h, n_q, d)), (K, (n_h, n, d)))
PLACES = {
    "a mask": made_up(PLAIN, Stage(a[i, j], AtMost(j, i) * Below(i - 2, j) * s[i, j])),
    "masks in a sum": made_up(
        PLAIN, Stage(a[i, j], (1 - AtMost(j, i) + Equals(j, i) * 2 - 3 * Below(j, 2)) * s[i, j])
    ),
    "minus a mask": made_up(PLAIN, Stage(a[i, j], s[i, j] - AtMost(j, i) - Equals(i, j))),
    "a mask alone": made_up(PLAIN, Stage(a[i, j], AtMost(j, i), (n_q, n))),
    "a mask times a root": made_up(
        PLAIN, Stage(a[i, j], AtMost(j, i) * sqrt(d), (n_q, n)), Stage(t[i], total(a[i, j], j))
    ),
    "a count of places": made_up(
        PLAIN,
        Stage(u[i], Equals(total(AtMost(j, i - 1), j), 0), (n_q,)),
        Stage(t[i], total(AtMost(j, i) * Below(1, j), j), (n_q,)),
        Stage(a[i, j], s[i, j] * t[i] - u[i]),
    ),
    "places in values": made_up(
        Stage(s[h, i, j], total(Q[h, i, k] * K[h, j, k], k) - m[h] * (i - j) / n),
        Stage(a[h, i, j], exp(-((i - j) ** 2)) * s[h, i, j] * h),
        given=(*HEADS, (m, (n_h,))),
    ),
    "numbers made of places": made_up(
        PLAIN, Stage(a[i, j], exp((j - i) / n) * cos(i) + j / sqrt(d), (n_q, n))
    ),
    "remainders and whole parts": made_up(
        PLAIN, Stage(a[i, j], s[i, j] * Equals(Mod(i + j, 2), 0) + floor((i + j) / 3))
    ),
    "a sum up to an index": made_up(
        PLAIN,
        Stage(D[i], Sum(exp(s[i, l]), (l, 1, i))),
        Stage(t[i], Sum(s[i, l] * s[i, l] / 2, (l, 1, i))),
        relations=((n_q, n),),
    ),
    "a running sum": made_up(
        Stage(t[i, k], Sum(exp(K[l, k]), (l, 1, i)), (n, d)),
        Stage(u[i, k, c], total(AtMost(j, i) * K[j, k] * V[j, c], j), (n, d, d_v)),
    ),
    "a sum up to an index that counts less far": made_up(
        PLAIN,
        Stage(t[i, k], Sum(K[l, k], (l, 1, i)) * Q[i, k]),
        given=((Q, (Integer(2), d)), (K, (n, d))),
    ),
    "the diagonal": made_up(
        PLAIN, Stage(t[i], s[i, i]), Stage(u[i, j], s[i, j] - s[j, j]), relations=((n_q, n),)
    ),
    "one place": made_up(PLAIN, Stage(u[i, j], s[i, 1] * s[1, j] * s[1, n])),
    "a distance": made_up(
        PLAIN, Stage(a[i, j], s[i, j] + g[j - i + n]), given=(*PAIR, (g, (2 * n - 1,))), **SAME
    ),
    "a distance after another axis": made_up(
        PLAIN,
        Stage(a[i, j, c], s[i, j] * g[c, j - i + n]),
        given=(*PAIR, (g, (d_v, 2 * n - 1))),
        **SAME,
    ),
    "places that are apart": made_up(
        PLAIN,
        Stage(a[i, j, c], s[i, j] * g[j - i + n, c, i - j + n]),
        given=(*PAIR, (g, (2 * n - 1, d_v, 2 * n - 1))),
        **SAME,
    ),
    "half of an axis": made_up(
        Stage(t[i, p], Q[i, p] * Q[i, p + n_p], (n_q, n_p)),
        Stage(u[i, p], Q[i, 2 * p] - Q[i, 2 * p - 1], (n_q, n_p)),
        Stage(s[i, p], t[i, p] / u[i, p]),
        given=((Q, (n_q, d)),),
        relations=((d, 2 * n_p),),
    ),
    "rows in blocks": made_up(
        Stage(Q[h, i, k], total(x[i, e] * W[(h - 1) * d + k, e], e), (n_h, n, d)),
        Stage(K[h, i, k], total(x[i, e] * W[n_h * d + (h - 1) * d + k, e], e), (n_h, n, d)),
        Stage(s[h, i, j], total(Q[h, i, k] * K[h, j, k], k)),
        given=((x, (n, d_e)), (W, (2 * n_h * d, d_e))),
        relations=((n_h, Integer(2)),),
    ),
    "blocks along two axes": made_up(
        Stage(
            t[h, i, k, c], W[(h - 1) * d + k, (i - 1) * d_v + c], (Integer(2), Integer(3), d, d_v)
        ),
        given=((W, (2 * d, 3 * d_v)),),
    ),
    "shared heads": made_up(
        Stage(s[h, i, j], total(Q[h, i, k] * K[floor((h - 1) / r) + 1, j, k], k)),
        Stage(t[h, i, j], total(Q[h, i, k] * K[h - n_g * floor((h - 1) / n_g), j, k], k)),
        given=((Q, (n_h, n_q, d)), (K, (n_g, n, d))),
        relations=((n_h, r * n_g),),
    ),
    "a given mask": made_up(
        PLAIN,
        Stage(u[i], Equals(total(M[j] * AtMost(j, i), j), 0), (n_q,)),
        Stage(D[i], total(M[j] * s[i, j], j) + u[i]),
        Stage(a[i, j], (M[j] + AtMost(j, i) - M[j] * AtMost(j, i)) * s[i, j] / D[i]),
        given=(*PAIR, (M, (n,))),
        indicators=frozenset({M}),
    ),
    "a mask in a stage of its own": made_up(
        Stage(h_[i, j], M[j] * AtMost(j, i), (n_q, n)),
        Stage(s[i, j], h_[i, j] * Below(i, j + 2) * total(Q[i, k] * K[j, k], k)),
        Stage(a[i, j], h_[i, j] * Below(i, j + 2) * s[i, j]),
        given=(*PAIR, (M, (n,))),
        indicators=frozenset({M}),
    ),
    "names that are taken": made_up(
        Stage(h_[i, j], total(Q[i, k] * K[j, k], k) * AtMost(j, i)),
        Stage(i_[i, j], h_[i, j] * (i - j) * word[i]),
        given=(*PAIR, (word, (n_q,))),
    ),
}


def check(mechanism: Mechanism, usual: dict, seed: int) -> None:
    """Compare the generated NumPy and torch code with the index form, read in 50 digits."""
    random = numpy.random.default_rng(seed)
    shapes = some_shapes(mechanism, USUAL | usual)
    given = {base: random.normal(size=shape) for base, shape in shapes.items()}
    given |= {base: random.integers(2, size=shapes[base]) for base in mechanism.indicators}
    decimal = Decimal()
    exact = numpy.vectorize(decimal.context.mpf, otypes=[object])
    scalars = {base: exact(entries) for base, entries in given.items()}
    expected = Elements(decimal, scalars, sizes(mechanism, shapes)).run(mechanism.stages)
    for library, convert in ((numpy, numpy.asarray), (torch, torch.tensor)):
        arrays = {str(base): convert(rows) for base, rows in given.items()}
        computed = function(mechanism, library)(**arrays)
        assert list(computed) == [str(stage.array) for stage in mechanism.stages]
        for stage in mechanism.stages:
            found, right = computed[str(stage.array)], expected[stage.array].astype(float)
            assert tuple(found.shape) == right.shape, source(mechanism, library.__name__)
            numpy.testing.assert_allclose(
                found, right, rtol=1e-9, atol=1e-11, err_msg=source(mechanism, library.__name__)
            )


@pytest.mark.parametrize("key", MECHANISMS)
def test_the_code_of_every_mechanism_computes_its_formula(key):
    check(MECHANISMS[key], {n_q: 3, n: 3, d: 2, d_v: 2}, seed=1)


def test_queries_and_values_may_differ_in_size_from_keys():
    check(CROSS, {n_q: 2, n: 5, d: 3, d_v: 4}, seed=2)


@pytest.mark.parametrize("name", [*MADE_UP, *PLACES])
def test_the_code_of_made_up_mechanisms_computes_their_formula(name):
    check(MADE_UP.get(name) or PLACES[name], {n_q: 2, n: 3, d: 4, d_v: 5}, seed=3)


@settings(max_examples=40)
@given(
    st.sampled_from([*MECHANISMS, *MADE_UP, *PLACES]),
    *[st.integers(1, 4)] * 4,
    st.integers(0, 2**32 - 1),
)
def test_code_and_formula_agree_at_any_shape(name, queries, keys, dimensions, columns, seed):
    mechanism = MECHANISMS.get(name) or MADE_UP.get(name) or PLACES[name]
    check(mechanism, {n_q: queries, n: keys, d: dimensions, d_v: columns}, seed)


def test_the_code_of_softmax_as_it_is_printed():
    assert source(SOFTMAX, "numpy") == (
        "def attention(x):\n"
        "    s = x @ x.T\n"
        "    D = numpy.exp(s).sum(axis=1)\n"
        "    a = numpy.exp(s) / D[:, None]\n"
        "    z = a @ x\n"
        "    return s, D, a, z\n"
    )


def test_the_code_in_torch_as_it_is_printed():
    assert source(SHIFTED, "torch", name="shifted") == (
        "def shifted(x):\n"
        "    s = x @ x.T\n"
        "    m = s.amax(dim=1)\n"
        "    D = torch.exp(s - m[:, None]).sum(dim=1)\n"
        "    a = torch.exp(s - m[:, None]) / D[:, None]\n"
        "    z = a @ x\n"
        "    return s, m, D, a, z\n"
    )
    assert "    d = x.shape[1]\n    s = x @ x.T / (d ** 0.5)\n" in source(SCALED, "torch")
    order = source(MADE_UP["axes in another order"], "torch")
    assert "h.permute(2, 0, 1)" in order


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("mechanism", [*MECHANISMS.values(), *MADE_UP.values(), *PLACES.values()])
def test_all_code_is_python_and_reads_only_its_inputs(mechanism, library):
    tree = ast.parse(source(mechanism, library))
    (attention,) = tree.body
    names = [node for node in ast.walk(attention) if isinstance(node, ast.Name)]
    stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    arguments = {argument.arg for argument in attention.args.args}
    assert {name.id for name in names} <= stored | arguments | {library}
    assert len(arguments) == len(mechanism.inputs)


# The atlas, and torch's own functions


def inputs_of(mechanism: Mechanism, lowest: float = -1) -> dict:
    """Return random inputs; what has one axis, such as temperatures, is positive."""
    random = numpy.random.default_rng(4)
    shapes = some_shapes(mechanism, USUAL | {n_q: 3, n: 5})
    given = {
        base: random.uniform(0.3 if len(shape) == 1 else lowest, 1, shape)
        for base, shape in shapes.items()
    }
    for base in mechanism.indicators:
        given[base] = random.integers(2, size=shapes[base])
        given[base][..., 0] = 1
    return given


@pytest.mark.parametrize("library", [numpy, torch], ids=lambda library: library.__name__)
@pytest.mark.parametrize("key", ATLAS)
def test_the_code_of_the_atlas_computes_the_index_form(key, library):
    mechanism = ATLAS[key].mechanism
    given = inputs_of(mechanism)
    expected = evaluate_mechanism(mechanism, given, Tensors(FloatArrays()))
    convert = torch.tensor if library is torch else numpy.asarray
    computed = function(mechanism, library)(**{str(b): convert(v) for b, v in given.items()})
    for stage in mechanism.stages:
        found, right = numpy.asarray(computed[str(stage.array)]), expected[stage.array].data
        assert found.shape == right.shape
        numpy.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("key", ATLAS)
def test_the_code_keeps_the_precision_of_its_inputs_and_takes_masks_of_booleans(key):
    mechanism = ATLAS[key].mechanism
    arrays = {
        str(base): torch.tensor(rows, dtype=torch.bool if base in mechanism.indicators else None)
        for base, rows in inputs_of(mechanism, lowest=0.3).items()
    }
    single = {
        name: rows.float() if rows.dtype.is_floating_point else rows
        for name, rows in arrays.items()
    }
    result = mechanism.stages[-1].array
    found, right = (function(mechanism, torch)(**given)[str(result)] for given in (single, arrays))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), right, rtol=1e-4, atol=1e-5)


def torch_and_generated(case, mechanism):
    """Return torch's own result and gradients, and those of the generated code."""
    masks = [] if case.mask is None else [torch.tensor(case.mask)]
    found = []
    for program in (case.output, lambda inputs: result_function(mechanism, torch)(*inputs, *masks)):
        inputs = case.inputs()
        output = program(inputs)
        upstream = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view(output.shape)
        found.append((output, *torch.autograd.grad(output, inputs, upstream)))
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_code_of_every_option_computes_what_torch_computes_and_its_gradients(name):
    case = CASES[name]
    own, generated = torch_and_generated(case, case.mechanism)
    torch.testing.assert_close(generated, own, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.near])
def test_the_code_of_another_option_is_told_from_it(name):
    case = CASES[name]
    near = scaled_dot_product_attention(replace(case.options, **case.near))
    own, generated = torch_and_generated(case, near)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(generated[0], own[0], rtol=1e-8, atol=1e-9)


PROVED = ("scaled-dot-product", "causal", "alibi", "prefix", "linear-causal", "grouped-query")


@pytest.mark.parametrize("key", PROVED)
def test_the_code_is_proved_to_compute_its_formula_and_gradients(key):
    mechanism = ATLAS[key].mechanism
    given = inputs_of(mechanism)
    inputs = {
        str(base): torch.tensor(rows, dtype=torch.bool if base in mechanism.indicators else None)
        for base, rows in given.items()
    }
    report = verify(
        result_function(mechanism, torch),
        mechanism,
        inputs,
        backward=True,
        other_shapes=False,
        exact=False,
    )
    assert report.verdict is Verdict.IDENTITY_TESTED, str(report)


# What the code looks like


def test_one_line_of_code():
    assert line(SOFTMAX.stage(z), "torch") == "z = a @ x"
    assert line(MADE_UP["bilinear"].stages[0], "numpy") == "s = x @ V @ x.T"
    three = Stage(t[i, e], total(M[i, j] * K[j, e] * W[j], j))
    assert line(three, "torch") == "t = M * W @ K"
    heads = Stage(s[h, i, j], total(Q[h, i, k] * K[h, j, k], k))
    assert line(heads, "torch") == "s = Q @ K.mT"
    assert line(heads, "numpy") == "s = Q @ K.swapaxes(-1, -2)"
    merged = Stage(s[i, j], total(total(Q[h, i, k] * K[h, j, k], k), h))
    assert line(merged, "torch") == 's = torch.einsum("hik,hjk->ij", Q, K)'


def test_the_code_of_a_causal_mask_as_it_is_printed():
    assert source(ATLAS["causal"].mechanism, "torch") == (
        "def attention(Q, K, V):\n"
        "    n_q = Q.shape[0]\n"
        "    d = Q.shape[1]\n"
        "    n = K.shape[0]\n"
        "    i = torch.arange(1, n_q + 1, device=Q.device)\n"
        "    j = torch.arange(1, n + 1, device=Q.device)\n"
        "    mask = j <= i[:, None]\n"
        "    s = Q @ K.T / (d ** 0.5)\n"
        "    D = torch.exp(torch.where(mask, s, -torch.inf)).sum(dim=1)\n"
        "    a = torch.exp(torch.where(mask, s, -torch.inf)) / D[:, None]\n"
        "    z = a @ V\n"
        "    return s, D, a, z\n"
    )


@pytest.mark.parametrize("normaliser", ["softmax", "shifted"])
def test_a_hidden_score_that_overflows_harms_neither_weights_nor_gradients(normaliser):
    mechanism = composed(normaliser, None, True, False)
    vectors = [[1.0], [-1.0], [800.0], [0.5]]
    with numpy.errstate(all="ignore"):
        seen = function(mechanism, numpy)(x=numpy.array(vectors))["a"][:2]
    assert seen == pytest.approx(numpy.array([[1, 0, 0, 0], [0.1192029, 0.8807971, 0, 0]]))
    if normaliser == "shifted":
        inputs = torch.tensor(vectors, dtype=torch.float64, requires_grad=True)
        function(mechanism, torch)(x=inputs)["z"].sum().backward()
        assert inputs.grad.isfinite().all()


LINES = {
    ("alibi", "torch"): "w = s - m[:, None, None] * (i[:, None] - j)",
    ("alibi", "numpy"): "i = j = numpy.arange(1, n + 1)",
    ("sliding-window", "torch"): "mask = (j <= i[:, None]) & (i[:, None] - 3 < j)",
    ("multi-head", "torch"): "Q = x @ W_q.reshape(n_h, d, -1).mT",
    ("multi-head", "numpy"): "d = W_q.shape[0] // n_h",
    ("grouped-query", "torch"): "s = Q @ K.repeat_interleave(r, dim=0).mT / (d ** 0.5)",
    ("grouped-query", "numpy"): "z = a @ V.repeat(r, axis=0)",
    ("relative-bias", "torch"): "w = B[:, j + n - 1 - i[:, None]] + s",
    ("rotary-halves", "torch"): "X_q = C * Q[:, :n_p] - Q[:, n_p:] * S",
    ("rotary-interleaved", "torch"): "X_q = C * Q[:, ::2] - Q[:, 1::2] * S",
    ("forgetting", "torch"): "G = f.cumsum(dim=1)",
    ("padding", "torch"): "D = (M * torch.exp(s)).sum(dim=1)",
}


@pytest.mark.parametrize(("key", "library"), LINES)
def test_lines_of_the_atlas_as_a_torch_user_writes_them(key, library):
    lines = source(ATLAS[key].mechanism, library).splitlines()
    assert f"    {LINES[key, library]}" in lines


def test_a_long_sum_has_a_line_for_each_term():
    options = Options(leading=1, projections="cross", heads=8, packed=True)
    text = source(scaled_dot_product_attention(options), "torch")
    assert (
        "    K = (\n"
        "        b_in[n_h * d:2 * n_h * d].reshape(n_h, d)[:, None, :]\n"
        "        + y @ W_in[n_h * d:2 * n_h * d].reshape(n_h, d, -1).mT\n"
        "    )\n"
    ) in text
    assert "    d = (W_in.shape[0] - n_h * d_v) // (2 * n_h)\n" in text
    assert max(map(len, text.splitlines())) <= 99


def test_the_result_alone():
    text = source(SOFTMAX, "torch", result_only=True)
    assert text.endswith("    return z\n")
    tokens = torch.rand(3, 2, dtype=torch.float64)
    result = result_function(SOFTMAX, torch)(tokens)
    torch.testing.assert_close(result, function(SOFTMAX, torch)(x=tokens)["z"])


def test_names_that_python_or_another_array_has_are_not_taken():
    text = source(PLACES["names that are taken"], "torch")
    assert text.startswith("def attention(Q, K, lambda_):\n")
    assert "    i_n_q = torch.arange(1, n_q + 1, device=Q.device)\n" in text


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage(a[i, j], t[i]), "nothing bounds the index j"),
        (Stage(D[i], Sum(s[i, j], (j, 2, n))), "code sums over whole axes, not j = 2 to n"),
        (
            Stage(D[i], Sum(s[i, j], (j, 1, i + 1))),
            r"code sums over whole axes, not j = 1 to i \+ 1",
        ),
        (
            Stage(D[i], Largest(s[i, j], (j, 1, i + 1))),
            r"code sums over whole axes, not j = 1 to i \+ 1",
        ),
        (Stage(a[i, j], exp(n) * s[i, j]), "functions of arrays, not of one number"),
    ],
)
def test_what_code_cannot_say_is_refused(stage, message):
    with pytest.raises(FormulaError, match=message):
        line(stage, "numpy")


@pytest.mark.parametrize("value", [log(s[i, j]), s[i, j] ** Rational(1, 3)])
def test_an_unknown_operation_is_refused(value):
    with pytest.raises(UnknownNode):
        line(Stage(a[i, j], value), "numpy")


def test_a_size_that_no_input_has_is_refused():
    mechanism = made_up(Stage(s[i, j], total(x[i, k] * x[j, k], k) / sqrt(d_v)))
    with pytest.raises(FormulaError, match="no input says how much d_v is"):
        source(mechanism, "numpy")


def test_sizes_that_only_a_relation_could_make_equal_are_refused():
    mechanism = made_up(Stage(t[i], total(Q[i, k] * x[i, k], k)))
    with pytest.raises(ShapeError, match="i counts to n_q in one place, n in another"):
        source(mechanism, "numpy")


def test_an_array_that_is_called_as_a_size_is_refused():
    mechanism = made_up(Stage(array("d")[i, j], total(Q[i, k] * K[j, k], k)))
    with pytest.raises(FormulaError, match="d is an array and a size; rename one"):
        source(mechanism, "numpy")


def test_a_missing_input_is_named():
    with pytest.raises(TypeError, match="takes x"):
        function(SOFTMAX, numpy)(y=numpy.ones((2, 2)))


def test_bound_letters_other_than_the_usual_ones_work():
    stage = Stage(D[i], Sum(s[i, l] * t[l], (l, 1, n)) / m[i])
    assert line(stage, "numpy") == "D = s @ t / m"
    stage = Stage(D[i], Sum(s[i, j_1] * t[i, j_1] * K[j_1, i], (j_1, 1, n)))
    assert line(stage, "numpy") == "D = (K.T * s * t).sum(axis=1)"
    stage = Stage(t[i, k], Sum(Q[j_1, i, j] * K[j_1, k, j], (j, 1, n), (j_1, 1, n)))
    assert line(stage, "numpy") == 't = numpy.einsum("aij,akj->ik", Q, K)'
