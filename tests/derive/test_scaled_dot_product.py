"""Scaled dot-product attention with its options against torch, which computes it differently."""

from dataclasses import replace

import numpy
import pytest
import torch
from sympy import Integer, Rational, Symbol

from derive.algebras.decimal import Decimal
from derive.algebras.floats import FloatArrays
from derive.algebras.interval import Interval
from derive.algebras.symbolic import Symbolic
from derive.attention import MECHANISMS
from derive.binding import ShapeError
from derive.brackets import AtMost, Below, Equals
from derive.elements import Elements
from derive.expansion import expanded_by_sympy
from derive.formula import (
    Choice,
    D,
    FormulaError,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    d,
    d_v,
    i,
    j,
    n,
    n_h,
    n_q,
    s,
    total,
    z,
)
from derive.index_arrays import evaluate_mechanism
from derive.options import Options
from derive.publish.notation import Latex, Speech, Text
from derive.publish.writing import equation
from derive.scaled_dot_product import FORMULAS, B, M, r, scaled_dot_product_attention
from derive.sizes import sizes
from derive.tensors import NOT_A_NUMBER, Tensors
from derive.written_out import named_entries

FLOATS = Tensors(FloatArrays())


def output(case, options):
    mechanism = scaled_dot_product_attention(options)
    given = case.given(mechanism, case.inputs(), FLOATS)
    return evaluate_mechanism(mechanism, given, FLOATS)[mechanism.stages[-1].array].data


def test_every_option_is_what_torch_computes(case):
    theirs = case.output(case.inputs()).detach().numpy()
    assert output(case, case.options).shape == theirs.shape
    assert abs(output(case, case.options) - theirs).max() < 1e-12


def test_an_option_that_is_a_little_different_is_told_apart(case):
    theirs = case.output(case.inputs()).detach().numpy()
    assert abs(output(case, replace(case.options, **case.near)) - theirs).max() > 1e-3


def test_the_soft_cap_is_what_flex_attention_computes():
    from torch.nn.attention.flex_attention import flex_attention

    torch.manual_seed(3)
    q, k, v = (torch.randn(2, 3, 6, 4, dtype=torch.float64) for _ in range(3))

    def score_mod(score, _batch, _head, query, key):
        capped = 2 * torch.tanh(score / 2)
        return torch.where((key <= query) & (query - key < 3), capped, -torch.inf)

    with pytest.warns(UserWarning, match="flex_attention called without torch.compile"):
        theirs = flex_attention(q, k, v, score_mod=score_mod)
    mechanism = scaled_dot_product_attention(
        Options(leading=2, soft_cap=Integer(2), causal="top-left", window=3)
    )
    given = {
        b: FLOATS.finite(t.numpy(), t.shape) for b, t in zip((Q, K, V), (q, k, v), strict=True)
    }
    assert abs(evaluate_mechanism(mechanism, given, FLOATS)[z].data - theirs.numpy()).max() < 1e-12


def test_torchs_module_is_the_formula_with_its_weights():
    torch.manual_seed(5)
    module = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    torch.nn.init.normal_(module.in_proj_bias)
    torch.nn.init.normal_(module.out_proj.bias)
    tokens = torch.randn(2, 4, 12, dtype=torch.float64)
    pairs = zip(module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3), strict=True)
    weights = [part for pair in pairs for part in pair]
    weights += [module.out_proj.weight, module.out_proj.bias]
    mechanism = scaled_dot_product_attention(Options(leading=2, projections="self", heads=3))
    arrays = [FLOATS.finite(t.detach().numpy(), t.shape) for t in (tokens, *weights)]
    ours = evaluate_mechanism(mechanism, dict(zip(mechanism.inputs, arrays, strict=True)), FLOATS)
    theirs = module(tokens, tokens, tokens, need_weights=False)[0].detach().numpy()
    assert abs(ours[array("o")].data - theirs).max() < 1e-12


def test_an_empty_row_is_undefined_unless_a_contract_says_otherwise():
    allowed = numpy.array([[1, 0], [0, 0]])
    given = {base: FLOATS.lift(numpy.ones((2, 2))) for base in (Q, K, V)} | {M: allowed}
    options = Options(mask="ij")
    kinds = evaluate_mechanism(scaled_dot_product_attention(options), given, FLOATS)[z].kinds
    assert (kinds[1] == NOT_A_NUMBER).all()
    assert not kinds[0].any()
    zero = scaled_dot_product_attention(replace(options, empty_rows="zero"))
    assert not evaluate_mechanism(zero, given, FLOATS)[z].data[1].any()


# Written out

TINY = {n_q: 2, n: 3, d: 2, d_v: 1}
WRITTEN = [
    Options(causal="top-left"),
    Options(causal="bottom-right", window=2, soft_cap=Rational(3)),
    Options(causal="top-left", bias=True, empty_rows="zero", scale=Rational(1, 5)),
    Options(causal="bottom-right", window=1, empty_rows="uniform"),
]


@pytest.mark.parametrize("options", WRITTEN)
def test_entries_are_those_that_sympy_writes_out(options):
    mechanism = scaled_dot_product_attention(options)
    given = {
        base: named_entries(base, [size.xreplace(TINY) for size in mechanism.shapes[base]])
        for base in mechanism.inputs
    }
    written = Elements(Symbolic(), given, TINY).run(mechanism.stages)
    given |= {stage.array: None for stage in mechanism.stages}
    for stage in mechanism.stages:
        named = {b: named_entries(b, e.shape) for b, e in written.items()}
        entries = Elements(Symbolic(), named, TINY).stage(stage)
        for place in numpy.ndindex(*entries.shape):
            expected = expanded_by_sympy(stage, tuple(p + 1 for p in place), TINY)
            assert entries[place] == expected, stage


def test_entries_written_out_in_digits_are_those_of_the_arrays():
    options = Options(
        leading=2, causal="top-left", mask="b11j", bias="hij", soft_cap=Rational(2), window=2,
        grouped="consecutive", empty_rows="uniform",
    )  # fmt: skip
    mechanism = scaled_dot_product_attention(options)
    shapes = {Q: (2, 2, 3, 2), K: (2, 1, 3, 2), V: (2, 1, 3, 1), B: (2, 3, 3), M: (2, 1, 1, 3)}
    random = numpy.random.default_rng(2)
    values = {base: random.integers(-4, 5, shape) / 4 for base, shape in shapes.items()}
    values[M] = numpy.array([[1, 1, 0], [0, 1, 1]])[:, None, None]
    given = {
        base: numbers if base == M else FLOATS.lift(numbers) for base, numbers in values.items()
    }
    ours = evaluate_mechanism(mechanism, given, FLOATS)
    for algebra in (Decimal(), Interval()):
        convert = numpy.vectorize(lambda v, a=algebra: a.number(Rational(v)), otypes=[object])
        written = Elements(
            algebra, {base: convert(v) for base, v in values.items()}, sizes(mechanism, shapes)
        ).run(mechanism.stages)
        for place in numpy.ndindex(*written[z].shape):
            entry = written[z][place]
            digits = entry if isinstance(algebra, Decimal) else entry.mid
            assert abs(float(digits) - ours[z].data[place]) < 1e-12


def test_formulas_are_written_in_every_notation():
    mechanism = scaled_dot_product_attention(
        Options(leading=2, causal="top-left", soft_cap=Rational(5), grouped="consecutive")
    )
    assert equation(mechanism.stage(a)) == (
        r"a_{bhij} = \frac{\left[j \le i\right] \, e^{u_{bhij}}}{D_{bhi}}"
    )
    assert equation(mechanism.stage(s), Text()) == (
        "s_bhij = (Σ_k Q_bhik·K[b, ⌊(h - 1) / r⌋ + 1, j, k]) / √d"
    )
    assert equation(mechanism.stage(array("t")), Latex()) == (
        r"t_{bhij} = \tanh\left(\frac{s_{bhij}}{5}\right)"
    )
    assert equation(mechanism.stage(D), Speech()) == (
        "capital D b h i equals the sum over j from 1 to n of 1 where j is at most i, else 0, "
        "times e to the power u b h i j"
    )
    projected = scaled_dot_product_attention(Options(leading=1, projections="self", heads=2))
    assert equation(projected.stage(Q)) == (
        r"Q_{hik} = b^{(q)}_{k + d \, \left(h - 1\right)} + \sum_{e=1}^{d_{e}} "
        r"W^{(q)}_{k + d \, \left(h - 1\right),e} \, x_{ie}"
    )


# Brackets


@pytest.mark.parametrize(
    ("bracket", "values"),
    [(AtMost, (1, 1, 0)), (Below, (1, 0, 0)), (Equals, (0, 1, 0))],
)
def test_a_bracket_is_one_or_zero_once_both_sides_are_numbers(bracket, values):
    assert tuple(bracket(p, 2) for p in (1, 2, 3)) == values
    assert bracket(i, j).xreplace({i: Integer(2), j: Integer(2)}) == values[1]
    assert bracket(i, i).free_symbols == {i}
    assert bracket(i, j) ** 2 == bracket(i, j)
    assert bracket(i, j) != bracket(j, i)


def test_a_bracket_prints_its_sides_as_they_were_written():
    assert str(AtMost(j, i + n - n_q)) == "[j <= i + n - n_q]"


def test_a_bracket_compares_whole_numbers():
    given = {s: numpy.array([[Rational(1, 2)]], dtype=object)}
    with pytest.raises(FormulaError, match="a bracket compares whole numbers"):
        Elements(Symbolic(), given).stage(Stage(a[i, j], s[i, j] * AtMost(s[i, j], 1)))


# Options and what is given

BAD = {
    "window": ({"window": 3}, r"add causal='top-left'"),
    "no window": ({"causal": "top-left", "window": 0}, "a whole number from 1 on"),
    "causal": ({"causal": "upper"}, "write one of None, "),
    "contract": ({"empty_rows": "nan"}, "write one of 'undefined', 'zero', 'uniform'"),
    "leading": ({"leading": True}, "leading=True: write one of 0, 1, 2"),
    "scale": ({"scale": 0.125}, r"an exact number, such as Rational\(1, 8\)"),
    "cap": ({"soft_cap": Integer(-1)}, "write a positive number"),
    "bias": ({"bias": "jk"}, "the last of 'ij', each its letter or 1"),
    "long mask": ({"mask": "hij"}, "the last of 'ij'"),
    "grouped": ({"grouped": "consecutive"}, "heads need an axis"),
    "heads": ({"projections": "self", "leading": 2}, "add heads"),
    "needless heads": ({"heads": 2, "leading": 2}, "counted from the arrays' shapes"),
    "kv_heads": ({"kv_heads": 2, "leading": 2, "projections": "self", "heads": 4}, "needs grouped"),
    "no kv_heads": (
        {"grouped": "consecutive", "leading": 2, "projections": "self", "heads": 4},
        "need kv_heads",
    ),
    "uneven": (
        {"grouped": "consecutive", "leading": 2, "projections": "self", "heads": 4, "kv_heads": 3},
        "do not divide into 3 groups",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_option_that_makes_no_sense_is_refused_with_what_to_write(name):
    settings, message = BAD[name]
    with pytest.raises(FormulaError, match=message) as caught:
        Options(**settings)
    assert "\n" not in str(caught.value)


def test_sizes_are_solved_from_shapes():
    mechanism = scaled_dot_product_attention(Options(leading=2, grouped="consecutive"))
    found = sizes(mechanism, {Q: (2, 8, 5, 4), K: (2, 2, 7, 4), V: (2, 2, 7, 3)})
    assert (found[r], found[n_h], found[n_q], found[n], found[d_v]) == (4, 8, 5, 7, 3)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({Q: (2, 8, 5, 4), K: (2, 3, 7, 4), V: (2, 3, 7, 3)}, "no whole r gives"),
        ({Q: (2, 8, 5, 4), K: (2, 2, 7, 5), V: (2, 2, 7, 3)}, "so d = 5 does not hold"),
        ({Q: (2, 8, 5, 4), K: (2, 2, 7, 4)}, "no array was given for V"),
        ({Q: (8, 5, 4), K: (2, 2, 7, 4), V: (2, 2, 7, 3)}, "Q has 3 axes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, message):
    mechanism = scaled_dot_product_attention(Options(leading=2, grouped="consecutive"))
    with pytest.raises(FormulaError, match=message):
        sizes(mechanism, shapes)


def test_a_projection_whose_rows_do_not_divide_into_heads_is_refused():
    mechanism = scaled_dot_product_attention(Options(leading=2, projections="self", heads=3))
    shapes = dict(zip(mechanism.inputs, [(2, 5, 8), *((8, 8), (8,)) * 4], strict=True))
    with pytest.raises(FormulaError, match="no whole d gives"):
        sizes(mechanism, shapes)


def test_a_mechanism_takes_arrays_of_its_own():
    W = array("W")
    bilinear = Choice("score", "bilinear", (Stage(s[i, j], total(Q[i, j] * W[j], j)),))
    mechanism = Mechanism("mine", (bilinear,), given=((W, (n,)), (Q, (n_q, n))))
    assert mechanism.inputs == (W, Q)
    with pytest.raises(FormulaError, match="V is given, but no equation reads it"):
        Mechanism("mine", (bilinear,), given=((W, (n,)), (Q, (n_q, n)), (V, (n,))))
    with pytest.raises(FormulaError, match="reads W before it is made"):
        Mechanism("mine", (bilinear,), given=((Q, (n_q, n)),))


def test_a_shape_that_is_declared_is_compared_with_what_the_value_says():
    stage = Stage(a[i, j], s[i, j], (n_q, Integer(4)))
    with pytest.raises(ShapeError, match="j counts to 3 in one place, 4 in another"):
        Elements(Symbolic(), {s: named_entries(s, (2, 3))}).stage(stage)
    with pytest.raises(FormulaError, match="has 2 indices"):
        Stage(a[i, j], s[i, j], (n,))


def test_a_size_that_nothing_says_is_missed():
    with pytest.raises(ShapeError, match="nothing says how much n_q is"):
        Elements(Symbolic(), {}).stage(Stage(D[i], Equals(i, 1), (n_q,)))


def test_formulas_have_names():
    assert FORMULAS["scaled-dot-product"](Options()).inputs == (Q, K, V)
    assert {name: FORMULAS[name]() for name in MECHANISMS} == MECHANISMS
    assert Symbol("q") not in FORMULAS["scaled"]().stages[0].value.free_symbols
