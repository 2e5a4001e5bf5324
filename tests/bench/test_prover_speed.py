"""How fast programs are decided, each beside what else could decide them, in one run."""

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from torch.autograd import gradcheck

from derive.options import Options
from derive.rechecking import recheck
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.verdict import Report, Verdict
from numeric import verify
from tests.prover.programs import causal, inputs, shifted

FORMULA = scaled_dot_product_attention(Options(leading=2, causal="top-left"))
SMALL, LARGE = (1, 2, 16, 16), (1, 8, 64, 64)


def decided(*shape: int, exact: bool = False) -> Report:
    report = verify(causal, FORMULA, inputs(*shape), backward=True, other_shapes=False, exact=exact)
    assert report.verdict.passed
    return report


def checked(*shape: int, fast: bool) -> None:
    given = [tensor.double().requires_grad_() for tensor in inputs(*shape)]
    assert gradcheck(causal, given, fast_mode=fast)


@pytest.mark.benchmark(group="causal attention and its gradients, 1x2x16x16")
def test_identity_test_of_a_small_shape(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(decided, SMALL, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="causal attention and its gradients, 1x2x16x16")
def test_gradcheck_slow(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(checked, SMALL, {"fast": False}, rounds=1)


@pytest.mark.benchmark(group="causal attention and its gradients, 1x8x64x64")
def test_identity_test_of_a_real_shape(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(decided, LARGE, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="causal attention and its gradients, 1x8x64x64")
def test_gradcheck_fast(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(checked, LARGE, {"fast": True}, rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("tokens", [16, 32, 64, 128, 256, 512])
@pytest.mark.benchmark(group="growth with the number of tokens, 1x8xnx64")
def test_identity_test_grows_with(benchmark: BenchmarkFixture, tokens: int) -> None:
    benchmark.pedantic(decided, (1, 8, tokens, 64), rounds=2, warmup_rounds=1)


@pytest.mark.parametrize("tokens", [16, 32, 64, 128, 256, 512])
@pytest.mark.benchmark(group="growth of torch's own forward and backward, 1x8xnx64")
def test_torch_grows_with(benchmark: BenchmarkFixture, tokens: int) -> None:
    given = [tensor.double().requires_grad_() for tensor in inputs(1, 8, tokens, 64)]

    def forward_and_backward() -> None:
        causal(*given).sum().backward()

    benchmark.pedantic(forward_and_backward, rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("tokens", [4, 8])
@pytest.mark.parametrize("program", [causal, shifted])
@pytest.mark.benchmark(group="exact proof, forward and backward")
def test_exact_proof(benchmark: BenchmarkFixture, program, tokens: int) -> None:
    def proof() -> Report:
        return verify(program, FORMULA, inputs(1, 1, tokens, 4), backward=True, other_shapes=False)

    report = benchmark.pedantic(proof, rounds=2, warmup_rounds=1)
    assert report.verdict is Verdict.PROVED
    benchmark.extra_info["certificate, bytes"] = len(report.certificate)


@pytest.mark.parametrize("tokens", [4, 8])
@pytest.mark.benchmark(group="replaying a certificate")
def test_recheck(benchmark: BenchmarkFixture, tokens: int) -> None:
    certificate = decided(1, 1, tokens, 4, exact=True).certificate
    benchmark.pedantic(recheck, (certificate,), rounds=3)


PATIENCE = 60.0
"""Seconds after which SymPy is stopped: what it would have taken is more than that."""

SIMPLIFY = """
import sympy
from sympy import Matrix, Symbol, exp
n, d = 3, 2
query, key, value, upstream = (
    Matrix(n, d, lambda i, j: Symbol(f"{name}{i}{j}", real=True)) for name in "qkvg"
)
scores, back = query * key.T, upstream * value.T
def naive(i, j):
    return exp(scores[i, j]) / sum(exp(scores[i, l]) for l in range(n))
def shifted(i, j):
    below = sum(exp(scores[i, l] - scores[i, 0]) for l in range(n))
    return exp(scores[i, j] - scores[i, 0]) / below
textbook = sum(
    naive(i, 0) * (back[i, 0] - sum(naive(i, l) * back[i, l] for l in range(n))) * query[i, 0]
    for i in range(n)
)
output = [[sum(shifted(i, j) * value[j, c] for j in range(n)) for c in range(d)] for i in range(n)]
flash = sum(
    shifted(i, 0)
    * (back[i, 0] - sum(upstream[i, c] * output[i][c] for c in range(d)))
    * query[i, 0]
    for i in range(n)
)
assert sympy.simplify(textbook - flash) == 0
"""


@pytest.mark.benchmark(group="one gradient element at 3 tokens, textbook and flash style")
def test_sympy_simplify(benchmark: BenchmarkFixture) -> None:
    def simplify() -> None:
        try:
            subprocess.run([sys.executable, "-c", SIMPLIFY], check=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            benchmark.extra_info["stopped after"] = PATIENCE

    benchmark.pedantic(simplify, rounds=1)


def textbook(query, key, value, upstream):
    weights = (query @ key.mT).softmax(-1)
    back = upstream @ value.mT
    scores = weights * (back - (weights * back).sum(-1, keepdim=True))
    return (scores.mT @ query)[0, 0]


def flash(query, key, value, upstream):
    scores = query @ key.mT
    weights = (scores - scores[:, :1]).softmax(-1)
    output = weights @ value
    scores = weights * (upstream @ value.mT - (upstream * output).sum(-1, keepdim=True))
    return (scores.mT @ query)[0, 0]


@pytest.mark.parametrize("exact", [False, True], ids=["identity test", "exact proof"])
@pytest.mark.benchmark(group="one gradient element at 3 tokens, textbook and flash style")
def test_decided_by_us(benchmark: BenchmarkFixture, exact: bool) -> None:
    from numeric.decision import Effort, decide
    from numeric.setting import Subjects, prepare

    names = ("query", "key", "value", "upstream")
    setting = prepare(Subjects(textbook, flash, False, (), names), inputs(3, 2, count=len(names)))
    claim = benchmark(decide, setting, Effort(exact=exact))
    assert claim.verdict is (Verdict.PROVED if exact else Verdict.IDENTITY_TESTED)
