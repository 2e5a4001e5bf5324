"""What a rounding bound costs, beside one call of torch's attention, in one run."""

import resource

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn.functional import scaled_dot_product_attention

from derive.options import Options
from derive.rounding_claim import RoundingClaim, RoundingVerdict
from numeric import assert_within_bound
from numeric.rounding.checking import Checked, check_rounding
from numeric.rounding.designed import Shapes

SHAPE = (1, 8, 512, 64)
OPTIONS = Options(leading=2, causal="top-left")
GIGABYTE = 1e6
"""In the unit of ``ru_maxrss`` on Linux."""


def fused(query, key, value):
    return scaled_dot_product_attention(query, key, value, is_causal=True)


def checked(backward: bool) -> RoundingClaim:
    claim = check_rounding(
        Checked(fused, OPTIONS, torch.float32, backward), Shapes(SHAPE, SHAPE, SHAPE)
    )
    assert claim.verdict is RoundingVerdict.WITHIN_BOUND
    return claim


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward and backward"])
@pytest.mark.benchmark(group="the whole check in float32, every designed input, 1x8x512x64")
def test_the_whole_check(benchmark: BenchmarkFixture, backward: bool) -> None:
    claim = benchmark.pedantic(checked, (backward,), rounds=1)
    benchmark.extra_info["inputs"] = len(claim.tried)
    benchmark.extra_info["largest share of a bound"] = claim.ratio
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIGABYTE
    benchmark.extra_info["memory of the process, GB"] = largest
    assert largest < 4


@pytest.mark.benchmark(group="one output judged, float32, 1x8x512x64")
def test_one_call_of_attention(benchmark: BenchmarkFixture) -> None:
    given = [torch.randn(SHAPE) for _ in range(3)]
    benchmark.pedantic(fused, given, rounds=20, warmup_rounds=2)


@pytest.mark.benchmark(group="one output judged, float32, 1x8x512x64")
def test_one_assertion(benchmark: BenchmarkFixture) -> None:
    given = [torch.randn(SHAPE) for _ in range(3)]
    output = fused(*given)
    benchmark.pedantic(
        assert_within_bound, (output, *given), {"causal": True}, rounds=3, warmup_rounds=1
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.benchmark(group="every designed input, forward and backward, 1x2x64x64")
def test_a_check_in(benchmark: BenchmarkFixture, dtype: str) -> None:
    shape = (1, 2, 64, 64)
    program = Checked(fused, OPTIONS, getattr(torch, dtype), backward=True)
    claim = benchmark.pedantic(
        check_rounding, (program, Shapes(shape, shape, shape)), {"other_shapes": False}, rounds=1
    )
    benchmark.extra_info["reference"] = claim.reference
