"""Explanations of captured programs: short, right, and honest about what is not the formula."""

import dataclasses

import numpy
import pytest
import sympy

torch = pytest.importorskip("torch")

from derive.algebras.floats import FloatArrays  # noqa: E402
from derive.arrays import Unsupported  # noqa: E402
from derive.constants import recognised  # noqa: E402
from derive.explaining import (  # noqa: E402
    TooLarge,
    claims,
    entries,
    explain,
    masks,
    to_latex,
    to_text,
)
from derive.explaining.numbers import product  # noqa: E402
from derive.graph import Graph, Input, Node, Reference, TensorType  # noqa: E402
from derive.interpreter import UnknownOperation, run  # noqa: E402
from derive.publish.katex import KatexMissing, render  # noqa: E402
from derive.tensors import AS_FLOATS, Tensors  # noqa: E402
from numeric.capturing import capture, fresh_inputs  # noqa: E402

attention = torch.nn.functional.scaled_dot_product_attention


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def heads(queries=3, keys=3, number=2, width=2):
    return (
        random(1, number, queries, width),
        random(1, number, keys, width),
        random(1, number, keys, width),
    )


def plain(q, k, v):
    return attention(q, k, v)


def causal(q, k, v):
    return attention(q, k, v, is_causal=True)


def with_mask(q, k, v, mask):
    return attention(q, k, v, attn_mask=mask)


def chosen_pairs(q, k, v):
    kept = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 1]]).bool()
    return attention(q, k, v, attn_mask=kept)


def padded(q, k, v):
    return attention(q, k, v, attn_mask=torch.tensor([True, True, False]))


def naive(q, k, v):
    s = q @ k.mT / 2**0.5
    e = (s - s.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True) @ v


def in_blocks(q, k, v):
    largest = torch.full((*q.shape[:-1], 1), -float("inf"), dtype=q.dtype)
    total, result = torch.zeros_like(largest), torch.zeros_like(q)
    for first in range(0, k.shape[-2], 2):
        s = q @ k[..., first : first + 2, :].mT / 2**0.5
        larger = torch.maximum(largest, s.amax(-1, keepdim=True))
        p, shrunk = (s - larger).exp(), (largest - larger).exp()
        total = total * shrunk + p.sum(-1, keepdim=True)
        result = result * shrunk + p @ v[..., first : first + 2, :]
        largest = larger
    return result / total


def capped(q, k, v):
    s = q @ k.mT / 2**0.5
    return (5 * torch.tanh(s / 5)).softmax(-1) @ v


def grouped(q, k, v):
    return attention(q, k, v, enable_gqa=True)


def window(q, k, v):
    row, column = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])
    kept = (column <= row) & (column > row - 2)
    return (q @ k.mT / 2**0.5).masked_fill(~kept, -float("inf")).softmax(-1) @ v


def wrong_scale(q, k, v):
    return (q @ k.mT / 2).softmax(-1) @ v


def wrong_axis(q, k, v):
    return (q @ k.mT / 2**0.5).softmax(-2) @ v


def turned_weights(q, k, v):
    return (k @ q.mT / 2**0.5).softmax(-2).mT @ v


def wrong_mask(q, k, v):
    kept = torch.ones(3, 3).tril(1).bool()
    return (q @ k.mT / 2**0.5).masked_fill(~kept, -float("inf")).softmax(-1) @ v


def no_softmax(q, k, v):
    e = (q @ k.mT).exp()
    return e / (e.sum(-1, keepdim=True) + 0.5) @ v


def log_total(q, k):
    return torch.logsumexp(q @ k.mT, -1)


def running(q, k):
    return (q @ k.mT).cumsum(-1)


def only_first(q, unused):
    return q.softmax(-1) + 0 * unused.shape[0]


def outer(q, k):
    return q[..., :, None, 0] * k[..., None, :, 0]


class Projected(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = torch.nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.attend(x, x, x, need_weights=False)[0]


class Llama(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name, width in (("q", 8), ("k", 4), ("v", 4), ("o", 8)):
            self.add_module(f"{name}_proj", torch.nn.Linear(8, width, bias=False))
        self.norm = torch.nn.RMSNorm(8, eps=1e-6)

    def forward(self, x, cos, sin):
        x = self.norm(x)
        rows = x.shape[1]

        def apart(t):
            return t.view(1, rows, -1, 4).transpose(1, 2)

        def turned(t):
            return t * cos + torch.cat([-t[..., 2:], t[..., :2]], -1) * sin

        q, k, v = apart(self.q_proj(x)), apart(self.k_proj(x)), apart(self.v_proj(x))
        q, k = turned(q), turned(k)
        k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
        mask = torch.full((rows, rows), torch.finfo(x.dtype).min, dtype=x.dtype).triu(1)
        a = torch.softmax(q @ k.mT * 0.5 + mask, -1, dtype=torch.float32).to(x.dtype)
        return self.o_proj((a @ v).transpose(1, 2).reshape(1, rows, 8))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.LayerNorm(4)
        self.attend = torch.nn.MultiheadAttention(4, 2, batch_first=True)
        self.wide = torch.nn.Linear(4, 4)

    def forward(self, x):
        h = self.norm(x)
        x = x + self.attend(h, h, h)[0]
        return x + torch.nn.functional.gelu(self.wide(x))


def module(kind):
    return kind().double().eval()


def llama_inputs():
    return (random(1, 3, 8), random(3, 4), random(3, 4))


PROGRAMS = {
    "plain": (plain, heads),
    "rectangular": (plain, lambda: heads(2, 4)),
    "causal": (causal, heads),
    "causal rectangle": (causal, lambda: heads(2, 4)),
    "float mask": (with_mask, lambda: (*heads(), random(3, 3))),
    "chosen pairs": (chosen_pairs, heads),
    "padded": (padded, heads),
    "naive": (naive, heads),
    "in blocks": (in_blocks, lambda: heads(3, 4)),
    "capped": (capped, heads),
    "grouped": (grouped, lambda: (random(1, 4, 3, 2), *heads()[1:])),
    "window": (window, lambda: heads(5, 5)),
    "wrong scale": (wrong_scale, heads),
    "wrong axis": (wrong_axis, heads),
    "turned weights": (turned_weights, heads),
    "wrong mask": (wrong_mask, heads),
    "no softmax": (no_softmax, heads),
    "log total": (log_total, lambda: heads()[:2]),
    "running": (running, lambda: heads()[:2]),
    "outer": (outer, lambda: heads()[:2]),
    "projected": (lambda: module(Projected), lambda: (random(2, 3, 4),)),
    "llama": (lambda: module(Llama), llama_inputs),
    "block": (lambda: module(Block), lambda: (random(2, 3, 4),)),
}


def captured(name, backward=False):
    function, inputs = PROGRAMS[name]
    if not function.__code__.co_argcount:
        function = function()
    return capture(function, inputs(), backward=backward)


def explained(name, backward=False):
    return explain(captured(name, backward).graph, name)


def formulas(name, backward=False):
    return [f"{line.name} = {line.text}" for line in explained(name, backward).lines]


def notes(name):
    return {line.name: line.notes for line in explained(name).lines}


WITH_GRADIENTS = ["plain", "causal", "naive", "capped", "grouped", "projected", "llama", "block"]


@pytest.mark.parametrize(
    ("name", "backward"),
    [(name, False) for name in PROGRAMS] + [(name, True) for name in WITH_GRADIENTS],
)
def test_every_line_holds_over_floats(name, backward):
    program = captured(name, backward)
    explanation = explain(program.graph)
    tensors = Tensors(FloatArrays())
    given = {
        item.name: tensors.finite(value.numpy(), item.type.shape)
        for item, value in zip(program.graph.inputs, fresh_inputs(program, seed=1), strict=True)
    }
    values = run(program.graph, given, tensors)
    checked = 0
    for label, claimed, held in claims(explanation, values, tensors):
        assert claimed.shape == held.shape, label
        numpy.testing.assert_allclose(
            as_floats(claimed), as_floats(held), rtol=1e-9, atol=1e-9, err_msg=label
        )
        checked += 1
    assert checked == len(explanation.lines) > 0


def as_floats(tensor):
    kinds = numpy.where(tensor.kinds == 1, 0, tensor.kinds)
    return numpy.where(kinds == 0, tensor.data, AS_FLOATS[kinds])


@pytest.mark.parametrize("name", ["plain", "rectangular", "naive", "padded", "grouped"])
def test_plain_attention_is_told_in_three_lines(name):
    told = formulas(name)
    assert told[0] == "s = q kᵀ / sqrt(2)"
    assert told[-1] == "z = a v"
    assert [line.role for line in explained(name).lines if line.role != "masked"] == [
        "scores",
        "weights",
        "output",
    ]


def test_roles_shapes_and_origins():
    lines = explained("causal").lines
    assert [line.role for line in lines] == ["scores", "masked", "weights", "output"]
    assert [line.shape for line in lines] == [(1, 2, 3, 3)] * 3 + [(1, 2, 3, 2)]
    assert all(line.origin.startswith("test_explaining.py:") for line in lines)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("causal", "keys after the query are left out (causal)"),
        ("window", "keys after the query are left out (causal), and keys more than 1 back"),
        ("wrong mask", "keys more than 1 after the query are left out"),
        ("padded", "key 3 is left out"),
        (
            "chosen pairs",
            "only the pairs marked x are kept (a row for each query): x.x / xx. / .xx",
        ),
    ],
)
def test_masks_in_words(name, said):
    assert notes(name)["s′"][0] == said


def test_shapes_of_other_masks():
    def grid(rule, rows=4, columns=4):
        return masks.described(numpy.fromfunction(rule, (rows, columns)).astype(bool))

    assert grid(lambda i, j: j < i).startswith("the query's own key and keys after it")
    assert grid(lambda i, j: j >= i) == "keys before the query are left out"
    assert grid(lambda i, j: abs(i - j) <= 1) == (
        "keys more than 1 away from the query are left out"
    )
    assert grid(lambda i, j: j <= i + 2, 2, 4) == (
        "keys after the query are left out (causal), the last query aligned with the last key"
    )
    assert grid(lambda i, j: 0 * i * j) == "every key is left out"
    assert grid(lambda i, j: 0 * i * j == 0) == "no key is left out"


def test_a_wrong_scale_is_written_as_it_is():
    assert formulas("wrong scale")[0] == "s = q kᵀ / 2"


def test_a_softmax_over_queries_is_called_so():
    assert notes("wrong axis")["a"] == ("over queries",)
    assert notes("plain")["a"] == ("over keys",)
    assert notes("turned weights")["a"] == ("over keys",)


def test_what_is_no_softmax_is_not_called_one():
    told = " ".join(formulas("no softmax"))
    assert "softmax" not in told
    assert "rowsum" in told
    assert "+ 1/2" in told


def test_blocks_are_told_as_the_attention_that_they_compute():
    explanation = explained("in blocks")
    (line,) = explanation.lines
    assert line.text == "softmax(q kᵀ / sqrt(2)) v"
    assert line.operations > 20
    assert f"{line.operations} operations together" in to_text(explanation)


def test_a_naive_softmax_stands_for_its_operations():
    weights = next(line for line in explained("naive").lines if line.role == "weights")
    assert weights.text == "softmax(s)"
    assert weights.operations == 5


def test_soft_cap_bias_and_repeated_heads():
    assert formulas("capped")[0] == "s = 5 tanh(q kᵀ / (5 sqrt(2)))"
    assert notes("capped")["s"] == ("soft cap",)
    assert formulas("float mask")[0] == "s = q kᵀ / sqrt(2) + mask"
    assert notes("grouped")["s"] == ("each head of k 2 times in a row",)


def test_projections_are_cut_into_their_parts():
    told = formulas("projected")
    assert told[0] == ("q = x attend.in_proj_weight[1..4]ᵀ + attend.in_proj_bias[1..4]")
    assert told[-2:] == ["z = a v", "y = z attend.out_proj.weightᵀ + attend.out_proj.bias"]
    assert notes("projected")["q"] == ("in 2 heads",)
    assert notes("projected")["z"] == ("2 heads side by side",)


def test_rotary_positions_and_norms():
    told = formulas("llama")
    assert told[0] == "t1 = RMS norm(x) ∘ norm.weight"
    assert "q′ = q ∘ cos + turn(q) ∘ sin" in told
    assert "s = q′ k′ᵀ / 2" in told
    assert "smallest float" in notes("llama")["s′"][1]
    assert formulas("block")[0] == "t1 = layer norm(x) ∘ norm.weight + norm.bias"


def test_gradients_are_told_too():
    told = formulas("plain", backward=True)
    assert told[2:] == [
        "z = a v",
        "dv = aᵀ grad_output",
        "da = grad_output vᵀ",
        "ds = a ∘ (da - rowsum(da ∘ a))",
        "dk = dsᵀ q / sqrt(2)",
        "dq = ds k / sqrt(2)",
    ]
    gradient = next(line for line in explained("plain", True).lines if line.name == "ds")
    assert gradient.notes == ("the softmax's vector-Jacobian product",)


def test_the_rest_is_shown_as_the_operation_that_it_is():
    assert formulas("running") == ["t1 = q kᵀ", "y = aten.cumsum.default(t1, -1)"]
    assert formulas("log total")[-1] == "ℓ = log-sum-exp(t1)"
    assert "⊗" in formulas("outer")[0]


def graph_of(operation, *arguments):
    node = Node("made", operation, (Reference("x"), *arguments), (), TensorType((2,), "float64"))
    given = Input("x", TensorType((2,), "float64"))
    return Graph((given,), (), (node,), (Reference("made"),), ("output",))


@pytest.mark.parametrize("ask", [explain, entries])
def test_an_unknown_operation_is_named(ask):
    with pytest.raises(UnknownOperation, match=r"aten\.secret\.default"):
        ask(graph_of("aten.secret.default"))


def test_an_operation_without_a_meaning_here_is_named():
    with pytest.raises((Unsupported, UnknownOperation), match="aten"):
        explain(graph_of("aten.topk.default", 1))


def test_factors_are_multiplied_exactly():
    root = recognised(2**-0.25)
    assert str(product(root, root)) == "sqrt(1/2)"
    assert str(product(recognised(2**0.5), recognised(2**0.5))) == "2"


@pytest.mark.parametrize("width", [60, 100, 140])
def test_text_keeps_to_its_width(width):
    text = to_text(explained("plain"), width)
    assert max(map(len, text.splitlines())) <= width
    assert "over keys" in text


@pytest.mark.parametrize(
    ("name", "backward"), [(name, False) for name in PROGRAMS] + [("projected", True)]
)
def test_latex_is_understood_by_katex(name, backward):
    latex = to_latex(explained(name, backward))
    assert latex.count("&=") == len(explained(name, backward).lines)
    try:
        render(latex, display=True)
    except KatexMissing:
        pytest.skip("KaTeX is not installed")


def test_names_are_escaped_in_latex():
    latex = to_latex(explained("projected"))
    assert r"\text{attend.in\_proj\_weight}" in latex


def test_entries_of_a_tiny_program():
    program = capture(plain, heads(2, 2, number=1))
    found = entries(program.graph)
    assert [str(entry.name) for entry in found.entries][:2] == [
        "output_{1,1,1,1}",
        "output_{1,1,1,2}",
    ]
    values = {
        sympy.Symbol(f"{item.name}_{{{','.join(str(i + 1) for i in place)}}}"): float(tensor[place])
        for item, tensor in zip(program.graph.inputs, program.inputs, strict=True)
        for place in numpy.ndindex(*item.type.shape)
    }
    exponentials = {name: value.subs(values) for name, value in found.exponentials}
    numbers = [entry.value.subs(exponentials).subs(values) for entry in found.entries]
    expected = attention(*program.inputs).flatten().tolist()
    numpy.testing.assert_allclose([float(number) for number in numbers], expected, rtol=1e-12)


def test_entries_name_each_exponential_once():
    found = entries(capture(naive, heads(2, 2, number=1)).graph)
    assert len(found.exponentials) == len({value for _, value in found.exponentials})
    assert all(entry.value.free_symbols for entry in found.entries)


def test_large_programs_are_refused_politely():
    with pytest.raises(TooLarge, match="more than 8: capture it at smaller shapes"):
        entries(captured("plain").graph, limit=8)


def test_an_input_without_influence_is_said_to_have_none():
    program = capture(lambda q, k: (q @ k.mT).softmax(-1) + 0 * q.sum(), heads()[:2])
    text = to_text(explain(program.graph, "two inputs"))
    assert "without influence" not in text
    program = capture(only_first, heads()[:2], backward=True)
    explanation = explain(program.graph)
    assert "without influence: unused" in to_text(explanation)
    assert [line.text for line in explanation.lines if line.name == "dunused"] == ["0"]


def test_a_defect_of_recognition_is_caught(monkeypatch):
    from derive.explaining import explaining

    right = explaining._lines

    def wrong(structure, made, names):
        first, *rest = right(structure, made, names)
        return (dataclasses.replace(first, formula=first.formula.tensor), *rest)

    monkeypatch.setattr(explaining, "_lines", wrong)
    with pytest.raises(explaining.WrongLine, match="the line of s does not hold"):
        explained("plain")
