"""Programs named by text: loading them, the command, several at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from derive.cli import main
from derive.errors import InputError
from derive.verdict import Report
from numeric.tasks import Task, load, prove, reports

pytestmark = pytest.mark.usefixtures("directory")

SHAPE = "batch=1,heads=1,tokens=2,dim=2"
SIZES = (("batch", 1), ("heads", 1), ("tokens", 2), ("dim", 2))
PROGRAMS = """
import torch
from torch import nn
from torch.nn import functional

def attention(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)

def slow(query, key, value):
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    return scores.masked_fill(~seen, -torch.inf).softmax(-1) @ value

def wrong(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value)

def capped(query, key, value):
    scores = query @ key.transpose(-1, -2) / 4
    return (3 * torch.tanh(scores / 3)).softmax(-1) @ value

def random(query, key, value):
    return functional.dropout(attention(query, key, value))

def top(query, key, value):
    return (query @ key.transpose(-1, -2)).topk(1).values @ value[..., :1, :]

def factory():
    torch.manual_seed(0)
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    return (lambda x: module(x, x, x)[0]), (torch.randn(1, 2, 4),)

def leaving(query, key, value):
    raise SystemExit(0)

def nothing():
    return 3

number = 3
"""


@pytest.fixture
def directory(tmp_path, monkeypatch) -> Path:
    (tmp_path / "mine.py").write_text(PROGRAMS, encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def derive(*arguments: str):
    return CliRunner().invoke(main, ["prove", *arguments], env={"COLUMNS": "100"})


FORMULA = ("--formula", "scaled-dot-product", "--shape", SHAPE)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("mine.py:attention", *FORMULA, "--causal", "--backward"), 0, "proved"),
        (("mine:attention", *FORMULA, "--causal"), 0, "proved"),
        (("mine.py:wrong", *FORMULA, "--causal"), 1, "refuted"),
        (("mine.py:top", *FORMULA), 3, "order of the elements"),
        (("mine.py:slow", "--against", "mine.py:attention", "--shape", SHAPE), 0, "proved"),
        (
            (
                "mine.py:wrong",
                "--against",
                "mine:slow",
                "--input",
                "query=2x2",
                "--input",
                "key=2x2",
                "--input",
                "value=2x2",
            ),
            1,
            "refuted",
        ),
        (("mine.py:factory", "--against", "mine.py:factory"), 0, "in_proj_weight"),
        (("mine.py:capped", *FORMULA, "--soft-cap", "3", "--scale", "1/4"), 0, "proved"),
        (("mine.py:capped", *FORMULA, "--soft-cap", "3"), 1, "refuted"),
    ],
)
def test_exit_status_is_0_for_what_passes_alone(arguments, status, words):
    result = derive(*arguments)
    assert result.exit_code == status, result.output
    assert words in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine.py:attention",), "say what to compare with"),
        (("mine.py:attention", "--formula", "scaled-dot-product"), "add --shape"),
        (("mine.py:attention", "--formula", "flash", "--shape", SHAPE), "no such formula"),
        (("mine.py:attention", "--formula", "softmax", "--causal", "--shape", SHAPE), "no option"),
        (
            ("mine.py:attention", "--against", "mine.py:slow", "--causal", "--shape", SHAPE),
            "belongs to --formula",
        ),
        (("mine.py:attention", *FORMULA, "--window", "2"), "causal"),
        (("mine.py:attention", *FORMULA, "--scale", "a half"), "no exact number"),
        (
            ("mine.py:attention", "--formula", "scaled-dot-product", "--shape", "tokens=two"),
            "no length",
        ),
        (
            ("mine.py:attention", "--formula", "scaled-dot-product", "--shape", "token=2"),
            "not a size",
        ),
        (
            ("mine.py:attention", "--formula", "scaled-dot-product", "--shape", "tokens=2"),
            "add dim=4",
        ),
        (("mine.py:attention", "--against", "mine.py:slow", "--input", "query"), "query=1x2x4x4"),
        (("mine.py:absent", *FORMULA), "no such name"),
        (("absent.py:attention", *FORMULA), "no such file"),
        (("absent:attention", *FORMULA), "no module"),
        (("broken.py:attention", *FORMULA), "ZeroDivisionError"),
        (("mine.py", *FORMULA), "MODULE:CALLABLE"),
        (("mine.py:number", *FORMULA), "not callable"),
        (("mine.py:nothing", *FORMULA), "(module, (tensor, ...))"),
        (
            ("mine.py:factory", "--against", "mine.py:factory", "--shape", SHAPE),
            "brings its own inputs",
        ),
        (("mine.py:random", *FORMULA), "random"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, words):
    result = derive(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_certificate_is_written_rechecked_and_not_overwritten(directory):
    arguments = ("mine.py:attention", *FORMULA, "--causal", "--certificate", "proof.json")
    assert derive(*arguments).exit_code == 0
    text = Path("proof.json").read_text(encoding="utf-8")
    accepted = CliRunner().invoke(main, ["recheck", "proof.json"])
    assert accepted.exit_code == 0, accepted.output
    again = derive(*arguments)
    assert again.exit_code == 2
    assert "it exists" in again.output
    assert derive(*arguments, "--force").exit_code == 0
    assert list(directory.glob(".proof*")) == []
    Path("proof.json").write_text(text.replace("1", "2", 1), encoding="utf-8")
    refused = CliRunner().invoke(main, ["recheck", "proof.json"])
    assert refused.exit_code == 1
    assert "refused" in refused.output
    Path("proof.json").write_bytes(b"\xff\xfe")
    assert CliRunner().invoke(main, ["recheck", "proof.json"]).exit_code == 2


def test_nothing_is_written_where_nothing_was_proved():
    result = derive("mine.py:wrong", *FORMULA, "--causal", "--certificate", "proof.json")
    assert result.exit_code == 1
    assert not Path("proof.json").exists()


def test_json_is_a_report_on_a_line():
    result = CliRunner().invoke(
        main, ["prove", "mine.py:attention", "mine.py:slow", *FORMULA, "--causal", "--json"]
    )
    lines = result.stdout.splitlines()
    assert [Report.from_json(line).verdict for line in lines] == ["proved", "proved"]
    assert json.loads(lines[0])["claims"]


def tasks() -> list[Task]:
    targets = ("mine.py:attention", "mine.py:wrong", "mine.py:absent")
    return [
        Task(target, formula="scaled-dot-product", options=(("causal", "top-left"),), sizes=SIZES)
        for target in targets
    ]


def outcomes(found) -> dict[str, str]:
    return {target: str(report.verdict) if report else problem for target, report, problem in found}


@pytest.mark.slow
def test_several_processes_give_what_one_gives():
    alone = outcomes(reports(tasks()))
    assert outcomes(reports(tasks(), jobs=2)) == alone
    assert alone["mine.py:attention"] == "proved"
    assert alone["mine.py:wrong"] == "refuted"
    assert "no such name" in alone["mine.py:absent"]


def test_any_executor_will_do():
    lines: list[str] = []
    with ThreadPoolExecutor(1) as executor:
        found = outcomes(reports(tasks(), executor=executor, progress=lines.append))
    assert found == outcomes(reports(tasks()))
    assert "0 of 3 done" in lines[0]
    assert "3 of 3 done" in lines[-1]


@pytest.mark.slow
def test_a_dask_cluster_takes_the_work():
    distributed = pytest.importorskip("distributed", reason="dask's distributed is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = outcomes(reports(tasks(), executor=client.get_executor()))
    assert found == outcomes(reports(tasks()))


def test_a_program_that_ends_the_process_is_no_pass():
    ((_, report, problem),) = reports([Task("mine.py:leaving", "scaled-dot-product", sizes=SIZES)])
    assert report is None
    assert problem == "mine.py:leaving: it ends the process; leave out sys.exit"


def test_a_soft_cap_of_zero_is_refused():
    found = CliRunner().invoke(
        main,
        [
            "prove",
            "mine.py:attention",
            "--formula",
            "scaled-dot-product",
            "--shape",
            SHAPE,
            "--soft-cap",
            "0",
        ],
    )
    assert found.exit_code == 2
    assert "write a positive number" in found.output


def test_a_task_is_loaded_and_proved():
    assert load("mine:attention").inputs is None
    assert prove(tasks()[0]).verdict == "proved"
    with pytest.raises(InputError, match="no such name"):
        prove(tasks()[2])


def explain(*arguments: str):
    return CliRunner().invoke(main, ["explain", *arguments], env={"COLUMNS": "100"})


def test_a_program_is_explained_as_text_and_as_latex():
    text = explain("mine.py:slow", "--shape", SHAPE)
    assert text.exit_code == 0, text.output
    assert "softmax(" in text.stdout
    assert "causal" in text.stdout
    assert "mine.py:" in text.stdout
    backward = explain("mine.py:slow", "--shape", SHAPE, "--backward")
    assert "the softmax's vector-Jacobian product" in backward.stdout
    latex = explain("mine.py:slow", "--shape", SHAPE, "--format", "latex")
    assert "\\begin{align*}" in latex.stdout


def test_every_entry_is_written_out_at_a_tiny_shape():
    text = explain("mine.py:wrong", "--shape", "tokens=2,dim=1", "--entries")
    assert "= exp(key_{2,1}*query_{2,1})" in text.stdout
    assert "output_{2,1} = " in text.stdout
    latex = explain("mine.py:wrong", "--shape", "tokens=2,dim=1", "--entries", "--format", "latex")
    assert "output_{2,1} &= " in latex.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine.py:slow",), "add --shape"),
        (("mine.py:slow", "--shape", "tokens=9,dim=9", "--entries"), "give a smaller --shape"),
        (("mine.py:top", "--shape", SHAPE), "order of the elements"),
        (("mine.py:random", "--shape", SHAPE), "random"),
    ],
)
def test_what_cannot_be_explained_is_one_line(arguments, words):
    result = explain(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.output


def test_files_of_one_name_and_a_module_of_that_name_stay_apart(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        text = f'def found(query):\n    return "{folder}"\n'
        (tmp_path / folder / "mine.py").write_text(text, encoding="utf-8")
    for folder in ("here", "there", "here"):
        assert load(f"{tmp_path}/{folder}/mine.py:found").function(None) == folder
    assert load("mine:attention").function.__module__ == "mine"
