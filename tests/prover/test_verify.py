"""The whole way: capture, compare, prove or refute, report."""

import json
import math

import pytest
import torch
from pydantic import ValidationError
from sympy import Sum, exp
from torch import nn
from torch.nn import functional

from derive.aten.table import TABLE
from derive.errors import InputError
from derive.formula import Choice, Mechanism, Stage, array, c, d, d_v, i, j, k, l, n, n_q
from derive.options import Options
from derive.rechecking import Refused, recheck
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.verdict import NotEstablished, Report, Verdict
from numeric import verify
from numeric.capture_error import CaptureError
from numeric.setting import Disagreement
from tests.prover import programs
from tests.prover.programs import inputs

CAUSAL = scaled_dot_product_attention(Options(leading=2, causal="top-left"))


@pytest.fixture(scope="module")
def proved() -> Report:
    return verify(programs.causal, CAUSAL, inputs(), backward=True)


@pytest.fixture(scope="module")
def refuted() -> Report:
    return verify(programs.looks_ahead, programs.causal, inputs())


def test_torch_computes_the_formula_and_its_gradients(proved):
    assert proved.verdict is Verdict.PROVED
    assert [claim.shapes[0][1][2] for claim in proved.claims] == [1, 2, 3, 5]
    recheck(proved.certificate)
    proved.raise_unless("proved")


def test_a_large_shape_is_identity_tested_and_says_what_it_rests_on():
    report = verify(programs.shifted, CAUSAL, inputs(1, 2, 40, 8), backward=True, exact=False)
    assert report.verdict is Verdict.IDENTITY_TESTED
    assert all(claim.error <= -60 for claim in report.claims)
    assert all(claim.trials >= 2 for claim in report.claims)
    assert "Li and Wu" in " ".join(report.assumptions)
    assert "max only this is used" in " ".join(report.assumptions)
    report.raise_unless("identity-tested")
    with pytest.raises(NotEstablished, match="identity-tested"):
        report.raise_unless("proved")


def test_a_smaller_chance_of_a_false_pass_takes_more_points():
    few, many = (
        verify(
            programs.by_hand,
            programs.causal,
            inputs(),
            exact=False,
            other_shapes=False,
            allowed_error=allowed,
        ).claims[0]
        for allowed in (-20, -200)
    )
    assert few.trials < many.trials
    assert many.error <= -200 < few.error <= -20


def test_a_refutation_comes_with_numbers_at_the_smallest_shape(refuted):
    assert refuted.verdict is Verdict.REFUTED
    witness = refuted.witness
    assert witness.output == "output"
    assert dict(refuted.claims[0].shapes)["value"] == (1, 1, 2, 1)
    given = {
        name: torch.tensor([[[[float(x) for x in row] for row in m] for m in h] for h in values])
        for name, values in witness.inputs
    }
    mine, theirs = (
        program(**{name: given[name] for name in ("query", "key", "value")})[witness.place]
        for program in (programs.looks_ahead, programs.causal)
    )
    assert float(mine) == pytest.approx(0.5)
    assert float(theirs) == 0
    assert witness.left == "0.50000000"
    assert witness.right == "0"


def test_after_a_refutation_larger_shapes_are_listed_as_not_tried(refuted):
    assert refuted.not_tried == ("3 tokens, after the refutation", "5 tokens, after the refutation")


@pytest.mark.parametrize(
    ("program", "size"), [("leaks", "e-434294482"), ("leaks_a_little", "e-22")]
)
def test_a_leak_that_no_float_shows_is_found_with_its_size(program, size):
    report = verify(getattr(programs, program), programs.causal, inputs())
    assert report.verdict is Verdict.REFUTED
    assert size in report.witness.difference
    x = inputs(1, 2, 16, 8)
    assert torch.equal(getattr(programs, program)(*x), programs.by_hand(*x))


def test_a_difference_below_double_precision_says_so():
    report = verify(programs.leaks, programs.causal, inputs())
    assert not report.witness.visible
    assert "no float test can see it" in str(report)


def test_a_constant_that_the_primes_divide_is_told_from_zero():
    """The points depend on both programs: none can be made to fit primes that it knows."""
    import random

    from derive.algebras.residues import ResidueArrays

    known = random.Random(0)
    product = math.prod(ResidueArrays(known).chain.top for _ in range(4))
    (x,) = inputs(3, count=1)
    report = verify(lambda x: x, lambda x: x + float(product), (x,), exact=False)
    assert report.verdict is Verdict.REFUTED


def test_a_mistake_that_needs_five_tokens_is_found_where_three_are_given():
    report = verify(programs.forgets_from_five_tokens, programs.causal, inputs())
    assert report.verdict is Verdict.REFUTED
    alone = verify(programs.forgets_from_five_tokens, programs.causal, inputs(), other_shapes=False)
    assert alone.verdict.passed
    assert "1x2x3x2" in alone.claims[0].shape


def test_boundaries_are_tried_around():
    report = verify(programs.by_hand, programs.causal, inputs(), boundaries=(8,), exact=False)
    assert {claim.shapes[0][1][2] for claim in report.claims} == {1, 2, 3, 5, 7, 8, 9}


def test_a_wrong_backward_is_refuted_and_its_forward_passes():
    forward = verify(programs.wrong_backward, CAUSAL, inputs(), other_shapes=False)
    assert forward.verdict is Verdict.PROVED
    backward = verify(programs.wrong_backward, CAUSAL, inputs(), backward=True)
    assert backward.verdict is Verdict.REFUTED
    assert backward.witness.output.startswith("gradient of")


def test_what_is_not_supported_never_passes():
    report = verify(
        programs.keeps_the_largest, programs.keeps_the_largest, inputs(), other_shapes=False
    )
    assert report.verdict is Verdict.UNDECIDED
    assert "order of the elements" in report.claims[0].reason
    with pytest.raises(NotEstablished, match="order of the elements"):
        report.raise_unless("identity-tested")


def test_nothing_is_shown_where_nothing_is_a_number():
    def undefined(query, key, value):
        return programs.by_hand(query, key, value) * torch.nan

    report = verify(undefined, undefined, inputs(), other_shapes=False)
    assert report.verdict is Verdict.UNDECIDED
    assert "nothing is compared" in report.claims[0].reason


def test_an_operation_that_is_misread_is_noticed_before_any_claim(monkeypatch):
    right = TABLE["aten.bmm.default"]
    monkeypatch.setitem(TABLE, "aten.bmm.default", lambda m, x, y: m.negate(right(m, x, y)))
    with pytest.raises(Disagreement, match="differs from torch"):
        verify(programs.by_hand, programs.by_hand, inputs())


def test_a_proof_that_the_checker_refuses_is_none(monkeypatch):
    def refuse(_: str) -> None:
        raise Refused("for the test")

    monkeypatch.setattr("derive.proving.recheck", refuse)
    report = verify(programs.by_hand, programs.causal, inputs(), other_shapes=False)
    assert report.verdict is Verdict.IDENTITY_TESTED
    assert "the checker refuses" in report.claims[0].reason
    assert not report.certificate


def test_a_module_against_another_backend_of_itself():
    torch.manual_seed(1)
    module = nn.MultiheadAttention(4, 2, batch_first=True)

    def slow(x):
        return module(x, x, x, need_weights=True)[0]

    def fast(x):
        return module(x, x, x, need_weights=False)[0]

    (x,) = inputs(1, 2, 4, count=1)
    report = verify(fast, slow, (x,), backward=True, other_shapes=False)
    assert report.verdict is Verdict.PROVED
    assert "in_proj_weight" in str(report.claims[0].shapes)


def test_projections_and_heads_against_the_formula():
    formula = scaled_dot_product_attention(
        Options(leading=2, projections="self", heads=2, causal="top-left")
    )

    def attention(x, w_q, b_q, w_k, b_k, w_v, b_v, w_o, b_o):
        split = [
            functional.linear(x, w, b).unflatten(-1, (2, 2)).transpose(1, 2)
            for w, b in ((w_q, b_q), (w_k, b_k), (w_v, b_v))
        ]
        return functional.linear(programs.causal(*split).transpose(1, 2).flatten(2), w_o, b_o)

    torch.manual_seed(0)
    weights = [torch.randn(shape) for shape in ((4, 4), (4,)) * 4]
    x = torch.randn(1, 3, 4)
    report = verify(attention, formula, (x, *weights), backward=True, other_shapes=False)
    assert report.verdict.passed
    swapped = (x, *weights[2:4], *weights[:2], *weights[4:])
    del swapped

    def keys_and_queries_swapped(x, w_q, b_q, w_k, b_k, w_v, b_v, w_o, b_o):
        return attention(x, w_k, b_k, w_q, b_q, w_v, b_v, w_o, b_o)

    other = verify(keys_and_queries_swapped, formula, (x, *weights), other_shapes=False)
    assert other.verdict is Verdict.REFUTED


def test_a_formula_of_the_users_own():
    query, key, value = array("A"), array("B"), array("C")
    weight, norm, result = array("w"), array("N"), array("y")
    scores = Sum(query[i, k] * key[j, k], (k, 1, d))
    exponential = exp(3 * scores)
    stages = (
        Stage(weight[i, j], exponential),
        Stage(norm[i], 1 + Sum(weight[i, j], (j, 1, n))),
        Stage(result[i, c], Sum(weight[i, l] * value[l, c], (l, 1, n)) / norm[i]),
    )
    mine = Mechanism(
        "softmax plus one, at three times the score",
        (Choice("all", "all", stages),),
        given=((query, (n_q, d)), (key, (n, d)), (value, (n, d_v))),
    )

    def program(a, b, c):
        scores = 3 * a @ b.T
        padded = torch.cat([scores, torch.zeros(scores.shape[0], 1)], dim=-1)
        return padded.softmax(-1)[:, :-1] @ c

    x = inputs(3, 2)
    assert verify(program, mine, x, backward=True).verdict is Verdict.PROVED
    wrong = verify(lambda a, b, c: (3 * a @ b.T).softmax(-1) @ c, mine, x)
    assert wrong.verdict is Verdict.REFUTED


@pytest.mark.parametrize("contract", ["undefined", "zero", "uniform"])
def test_fully_masked_rows_are_a_contract_of_their_own(contract):
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    formula = scaled_dot_product_attention(Options(leading=2, mask="ij", empty_rows=contract))

    def zero(query, key, value, mask):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    def undefined(query, key, value, mask):
        scores = query @ key.transpose(-1, -2) / 2**0.5
        return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value

    def uniform(query, key, value, mask):
        scores = query @ key.transpose(-1, -2) / 2**0.5
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) @ value

    makers = {"undefined": undefined, "zero": zero, "uniform": uniform}
    for name, program in makers.items():
        report = verify(program, formula, (*inputs(), mask), other_shapes=False)
        assert report.verdict.passed == (name == contract), (name, contract, str(report))
    if contract == "uniform":
        report = verify(uniform, formula, (*inputs(), mask), other_shapes=False)
        assert any("finfo.min" in sentence for sentence in report.assumptions)
    if contract == "undefined":
        report = verify(undefined, formula, (*inputs(), mask), other_shapes=False)
        assert "nan on both sides" in str(report)


def test_a_report_survives_json(proved, refuted):
    for report in (proved, refuted):
        assert Report.from_json(report.to_json()) == report
        changed = json.loads(report.to_json())
        changed["verdict_of_mine"] = "proved"
        with pytest.raises(ValidationError):
            Report.from_json(json.dumps(changed))


def test_a_notebook_shows_the_report_with_its_text_escaped(refuted):
    page = refuted._repr_html_()
    assert "<strong>refuted</strong>" in page
    renamed = Report(**{**vars(refuted), "program": "<script>"})
    assert "<script>" not in renamed._repr_html_()
    assert "&lt;script&gt;" in renamed._repr_html_()


def test_words_that_are_no_evidence_are_refused(proved):
    with pytest.raises(ValueError, match="'sure' is no evidence"):
        proved.raise_unless("sure")


def test_different_inputs_are_told():
    with pytest.raises(InputError, match="does not take the same inputs"):
        verify(nn.Linear(2, 2), lambda x: x, inputs(3, 2, count=1))
    with pytest.raises(InputError, match="the formula is given Q, K, V, the program query, key"):
        verify(lambda query, key: query @ key.mT, CAUSAL, inputs(1, 2, 3, 2, count=2))


def test_a_program_that_cannot_be_captured_is_an_error_not_a_verdict():
    with pytest.raises(CaptureError):
        verify(lambda q, k, v: functional.dropout(q) + k * v, programs.causal, inputs())
