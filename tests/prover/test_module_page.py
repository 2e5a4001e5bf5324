"""The page of a torch program: its stages and numbers against torch, and the prover's verdict."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy
import pytest
import torch
from click.testing import CliRunner, Result

from derive.cli import main
from derive.module_account import ModuleAccount
from derive.publish.document.to_html import to_html
from derive.publish.document.to_latex import to_latex
from derive.publish.document.to_markdown import to_markdown
from derive.publish.module_page import module_document
from numeric.module_account import account
from numeric.tasks import Task

PROGRAMS = Path(__file__).parents[2] / "docs" / "programs"
SIZES = (("batch", 1), ("heads", 2), ("tokens", 3), ("dim", 2))


def _account(name: str, **options: object) -> ModuleAccount:
    task = Task(f"{PROGRAMS / name}:attention", sizes=SIZES, **options)
    return account(task, lambda _: None)


def _derive(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize("name", ["fused.py", "online.py", "handwritten.py"])
def test_the_results_are_torchs_own(name: str) -> None:
    found = _account(name)
    assert found.difference <= 1e-12
    query, key, value = (torch.from_numpy(found.inputs[n]) for n in ("query", "key", "value"))
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=name != "handwritten.py"
    )
    numpy.testing.assert_allclose(found.stages[-1].numbers, expected.numpy(), atol=1e-12)


def test_the_named_stages_are_what_they_are_called() -> None:
    found = _account("fused.py")
    stages = {stage.line.role: stage.numbers for stage in found.stages}
    query, key = (found.inputs[name] for name in ("query", "key"))
    scores = query @ numpy.swapaxes(key, -1, -2) / math.sqrt(2)
    numpy.testing.assert_allclose(stages["scores"], scores, atol=1e-12)
    hidden = numpy.where(numpy.tri(3, dtype=bool), scores, -numpy.inf)
    raised = numpy.exp(hidden - hidden.max(-1, keepdims=True))
    weights = raised / raised.sum(-1, keepdims=True)
    numpy.testing.assert_allclose(stages["weights"], weights, atol=1e-12)
    assert numpy.isneginf(stages["masked"][0, 0, 0, 1])


def test_the_page_says_what_the_prover_says() -> None:
    options = {"formula": "scaled-dot-product", "options": (("causal", "top-left"),)}
    proved = to_markdown(module_document(_account("fused.py", **options)))
    assert "proved: the two are equal" in proved
    assert "constants are read as exact numbers" in proved
    refuted = to_markdown(module_document(_account("leaking.py", **options)))
    assert "refuted: they are different functions" in refuted
    assert "witness, at" in refuted
    assert "compared with none" in to_markdown(module_document(_account("fused.py")))


def test_stages_stand_on_the_page_with_formula_shape_and_place() -> None:
    page = to_markdown(module_document(_account("fused.py")))
    assert r"\operatorname{softmax}" in page
    assert "| weights; over keys | 1x2x3x3 | `fused.py:" in page
    assert "def attention" in page


MODULE = '''
import torch
from torch import nn

class Odd(nn.Module):
    """<b>bold</b> \\\\input{{x}}"""
    def __init__(self):
        super().__init__()
        self.add_module("a$b<i>", nn.Linear(2, 2, bias=False))

    def forward(self, x_1):
        q = getattr(self, "a$b<i>")(x_1)
        return torch.softmax(q @ q.mT, -1) @ x_1

def odd():
    return Odd(), (torch.randn(3, 2),)

def heads():
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    return (lambda x: module(x, x, x, need_weights=False)[0]), (torch.randn(1, 3, 4),)

def stops(x):
    return x.nonzero()
'''


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MODULE)
    return path


def test_what_a_module_calls_its_parts_stays_text(mine: Path) -> None:
    document = module_document(account(Task(f"{mine}:odd"), lambda _: None))
    html = to_html(document)
    assert "<i>" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    assert "<b>bold" not in html
    latex = to_latex(document)
    assert r"\input{x}" not in latex
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")


def test_a_module_of_torch_has_a_page(mine: Path) -> None:
    found = account(Task(f"{mine}:heads"), lambda _: None)
    roles = {stage.line.role for stage in found.stages}
    assert {"weights", "output"} <= roles
    assert found.difference < 1e-12


def test_the_command_writes_it(tmp_path: Path) -> None:
    target = f"{PROGRAMS / 'fused.py'}:attention"
    for ending in ("md", "tex", "html", "ipynb"):
        path = tmp_path / f"page.{ending}"
        result = _derive("page", target, "--shape", "tokens=2,dim=1", "-o", path)
        assert result.exit_code == 0, result.output
        assert "softmax" in path.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "page.ipynb").read_text())["nbformat"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([f"{PROGRAMS / 'fused.py'}:nothing"], ["nothing", "no such name"]),
        (["nowhere.py:attention", "--shape", "tokens=2,dim=1"], ["no such file"]),
        ([f"{PROGRAMS / 'fused.py'}:attention"], ["--shape"]),
        ([f"{PROGRAMS / 'fused.py'}:attention", "--mask", "causal"], ["--mask", "a sentence"]),
        (["journey", "--backward"], ["--backward", "a program"]),
        (
            [f"{PROGRAMS / 'fused.py'}:attention", "--shape", "tokens=2,dim=1", "--format", "svg"],
            ["svg", "markdown, latex"],
        ),
        (["MINE:stops", "--input", "x=2x2"], ["stops", "no floating point tensor"]),
    ],
)
def test_a_mistake_is_one_line(mine: Path, arguments: list[str], words: list[str]) -> None:
    result = _derive("page", *(argument.replace("MINE", str(mine)) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr
