"""How long things take, each beside something known, so that figures compare on any machine."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sympy import Indexed, Integer, Sum

from derive.attention import SOFTMAX
from derive.derivation import recheck
from derive.examples import load
from derive.formula import Stage, d, s, x, z
from derive.properties import STATED, decide
from derive.publish.fence import Fences
from derive.publish.notation import Text
from derive.publish.telling import tell
from derive.worked import work_out
from derive.written_out import fully_substituted, with_named_pieces

PROJECT = Path(__file__).resolve().parents[2]
EIGHT_BY_THREE = {x: (8, 3)}


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.benchmark(group="start-up")
def test_start_of_python_with_sympy(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(_python, ("-c", "import sympy"), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="start-up")
def test_derive_show(benchmark: BenchmarkFixture) -> None:
    command = "from derive.cli import main; main()"
    benchmark.pedantic(_python, ("-c", command, "show", "jim-john"), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="every entry of 8 x 3, written out")
def test_written_out_with_named_pieces(benchmark: BenchmarkFixture) -> None:
    written = benchmark(with_named_pieces, SOFTMAX, EIGHT_BY_THREE)
    assert written[z].shape == (8, 3)


@pytest.mark.benchmark(group="every entry of 8 x 3, written out")
def test_fully_substituted(benchmark: BenchmarkFixture) -> None:
    written = benchmark(fully_substituted, SOFTMAX, EIGHT_BY_THREE)
    assert written[z].shape == (8, 3)


@pytest.mark.benchmark(group="every entry of 8 x 3, written out")
def test_the_scores_alone_by_sympy_doit(benchmark: BenchmarkFixture) -> None:
    def expand(stage: Stage) -> list[Indexed]:
        rows, columns = stage.target.indices
        body: Sum = stage.value
        return [
            body.subs({rows: Integer(p), columns: Integer(q), d: Integer(3)}).doit()
            for p, q in product(range(1, 9), repeat=2)
        ]

    assert len(benchmark(expand, SOFTMAX.stage(s))) == 64


@pytest.mark.benchmark(group="the 8 x 3 sentence")
def test_worked_in_numbers(benchmark: BenchmarkFixture) -> None:
    example = load("jim-john")
    worked = benchmark(work_out.__wrapped__, example, SOFTMAX)
    assert worked[z].shape == (8, 3)


@pytest.mark.benchmark(group="the 8 x 3 sentence")
def test_told_for_one_query(benchmark: BenchmarkFixture) -> None:
    telling = benchmark(tell, load("jim-john"), SOFTMAX, notation=Text())
    assert len(telling.choices) == 3


@pytest.mark.benchmark(group="the 8 x 3 sentence")
def test_put_on_a_page(benchmark: BenchmarkFixture) -> None:
    body = "example: jim-john\nshow: [vectors, score, normalise, weighted-sum, heatmap, lengths]"
    html = benchmark(Fences().render, body)
    assert "attn-heat" in html


@pytest.mark.benchmark(group="properties")
def test_every_property_decided(benchmark: BenchmarkFixture) -> None:
    def decide_all() -> list[str]:
        return [decide(claim, key).verdict for claim, keys in STATED.items() for key in keys]

    verdicts = benchmark.pedantic(decide_all, rounds=3)
    assert verdicts == [verdict for keys in STATED.values() for verdict in keys.values()]


@pytest.mark.benchmark(group="properties")
def test_one_chain_checked_again(benchmark: BenchmarkFixture) -> None:
    claim = next(claim for claim in STATED if claim.name == "rows-sum-to-one")
    (chain,) = decide(claim, "softmax").evidence
    assert benchmark(recheck, chain) > 0


@pytest.mark.benchmark(group="the site")
def test_site_build(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    evidence = PROJECT / "build" / "evidence.json"
    if not evidence.exists():
        pytest.skip("run 'make site' first: the site shows what the checks wrote")
    build = ("-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path))
    benchmark.pedantic(_python, build, rounds=3)
    assert (tmp_path / "index.html").exists()
