"""The command: what it prints, its exit status, and that mistakes end in one line."""

import json
import math
import os
import re
import subprocess
import sys
import time
from operator import mul
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from derive.attention import MECHANISMS, SOFTMAX
from derive.cli import ANSWERED_IN_PART, main
from derive.examples import load
from derive.formula import a, s, z
from derive.worked import work_out
from derive.written_out import fully_substituted, self_attention_shapes, with_named_pieces

JOURNEY_WEIGHTS = ["0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581"]


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner().invoke(main, arguments, env={"COLUMNS": str(columns)})


def printed(*arguments: str, columns: int = 80) -> str:
    result = run(*arguments, columns=columns)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "derive.cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "COLUMNS": "80", **environment},
    )


def long_sentence(folder: Path, tokens: int) -> str:
    path = folder / "long.yaml"
    words = ", ".join(f"w{place}" for place in range(tokens))
    path.write_text(f"tokens: [{words}]\nvectors: [{', '.join(['[0.5, 1]'] * tokens)}]\n")
    return str(path)


# list


def test_list_names_sentences_and_mechanisms():
    text = printed("list")
    for word in ("jim-john", "journey", *MECHANISMS):
        assert re.search(rf"^{word} ", text, re.MULTILINE)
    assert re.search(r"softmax +s_ij = Σ_k x_ik·x_jk\n +D_i = Σ_j exp\(s_ij\)\n", text)


# show


def test_show_tells_the_sentence_step_by_step():
    text = printed("show", "journey")
    assert text.startswith(
        "Your journey\n6 tokens, 3 dimensions; query: journey (token 2); softmax"
    )
    headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert headings[2:5] == ["score: dot product", "normalise: softmax", "weighted sum"]
    assert "    s_25 = 0.55·0.77 + 0.87·0.25 + 0.66·0.10 = 0.7070\n" in text
    assert [line.split()[-2] for line in text.splitlines() if "█" in line] == JOURNEY_WEIGHTS
    assert text.endswith("context vector of journey: [0.4419, 0.6515, 0.5683]\n")


@pytest.mark.parametrize("query", ["starts", "3", "#3"])
def test_the_query_is_a_token_or_a_position(query):
    assert "query: starts (token 3)" in printed("show", "journey", "--query", query)


@pytest.mark.parametrize(
    ("stage", "there", "not_there"),
    [
        ("score", "s_21 =", "a_21 ≈"),
        ("normalise", "a_21 ≈", "s_21 ="),
        ("weighted-sum", "z_21 ≈", "a_21 ≈"),
    ],
)
def test_one_stage_alone(stage, there, not_there):
    text = printed("show", "journey", "--stage", stage)
    assert there in text
    assert not_there not in text


@pytest.mark.parametrize(
    ("mechanism", "words"),
    [
        ("sum", "a_21 = 0.9544 / 6.5617 ≈ 0.1455"),
        ("raw", "a_21 = 0.9544"),
        ("shifted", "m_2 = max(0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865) = 1.4950"),
        ("scaled", "= (0.55·0.43 + 0.87·0.15 + 0.66·0.89) / √3 ≈ 0.5510"),
    ],
)
def test_other_mechanisms(mechanism, words):
    assert words in printed("show", "journey", "--mechanism", mechanism)


def test_digits():
    assert "0.237891" in printed("show", "journey", "--digits", "6")
    assert run("show", "journey", "--digits", "31").exit_code == 2


def test_general_leaves_the_lines_out():
    text = printed("show", "journey", "--general")
    assert "  a_ij = exp(s_ij) / D_i\n" in text
    assert "s_21" not in text
    assert "0.2379" in text


def test_substituted_reads_the_inputs_alone():
    text = " ".join(printed("show", "journey", "--substituted").split())
    assert text.startswith("z_21 = (exp(x_21·x_11 + x_22·x_12 + x_23·x_13) / (exp(")
    assert not re.search(r"[sDa]_", text)
    latex = printed("show", "journey", "--substituted", "--format", "latex")
    assert latex.startswith("\\begin{align*}\n  z_{21} &= \\frac{e^{x_{21} \\, x_{11}")
    assert printed("show", "journey", "--substituted", "--format", "markdown").count("$$") == 6
    data = json.loads(printed("show", "journey", "--substituted", "--format", "json"))
    assert len(data["substituted"]) == 3


def test_latex():
    text = printed("show", "journey", "--format", "latex")
    assert r"s_{ij} &= \sum_{k=1}^{d} x_{ik} \, x_{jk}" in text
    assert r"a_{22} &= \frac{e^{s_{22}}}{D_{2}} = \frac{e^{1.4950}}{18.7534" not in text
    assert r"\frac{e^{1.4950}}" in text
    assert r"  2 & journey & $1.4950$ & $0.2379$ \\" in text


def test_markdown():
    text = printed("show", "journey", "--format", "markdown")
    assert text.startswith("# Your journey\n\nSoftmax attention; the query is journey.\n")
    assert "| 2 | journey | $1.4950$ | $0.2379$ |" in text


def test_json_has_the_numbers_at_full_precision():
    data = json.loads(printed("show", "journey", "--format", "json"))
    worked = work_out(load("journey"), SOFTMAX)
    assert data["tokens"] == ["Your", "journey", "starts", "with", "one", "step"]
    assert data["query"] == {"token": "journey", "position": 2}
    assert data["mechanism"] == "softmax"
    for key, base in (("scores", s), ("weights", a), ("context", z)):
        assert data[key] == [[float(value) for value in row] for row in worked[base]]
    assert data["vectors"][4] == [0.77, 0.25, 0.1]
    journey = data["vectors"][1]
    scores = [sum(map(mul, journey, vector)) for vector in data["vectors"]]
    by_hand = math.exp(scores[1]) / math.fsum(map(math.exp, scores))
    assert data["weights"][1][1] == pytest.approx(by_hand, rel=1e-15)


def test_json_has_the_formulas_as_latex():
    data = json.loads(printed("show", "journey", "--format", "json", "--stage", "normalise"))
    assert list(data["formulas"]) == ["D", "a"]
    weight = data["formulas"]["a"]
    assert weight["general"] == r"a_{ij} = \frac{e^{s_{ij}}}{D_{i}}"
    first = weight["written_out"][0]
    assert first["entry"] == "a_{21}"
    assert first["names"] == r"\frac{e^{s_{21}}}{D_{2}}"
    assert first["value"] == "0.1385"


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "my sentence.yaml"
    path.write_text("tokens: [up, down]\nvectors: {up: [1], down: [-1]}\nquery: down\n")
    text = printed("show", str(path))
    assert "    s_21 = (-1)·1 = -1.0000\n" in text
    assert "query: down (token 2)" in text


# What is too long


def test_a_long_sentence_is_shown_in_part(tmp_path):
    path = long_sentence(tmp_path, 17)
    result = run("show", path)
    assert result.exit_code == ANSWERED_IN_PART == 3
    assert result.stderr == (
        f"derive: {path}: tokens: 17 tokens of 2 dimensions are too many to write out (at most 16 "
        "of each); the general formulas and the numbers are shown instead; add --general to ask "
        "for just these\n"
    )
    assert "  s_ij = Σ_k x_ik·x_jk\n" in result.stdout
    assert "s_11" not in result.stdout
    assert "17  w16     0.5 1  1.2500  0.0588" in result.stdout


def test_what_was_asked_for_is_a_whole_answer(tmp_path):
    assert "s_ij" in printed("show", long_sentence(tmp_path, 17), "--general")
    assert "s_1,16" not in printed("show", long_sentence(tmp_path, 17), "--general")
    assert "s_1,16" in printed("show", long_sentence(tmp_path, 16))


def test_json_of_a_long_sentence_has_no_lines(tmp_path):
    result = run("show", long_sentence(tmp_path, 20), "--format", "json")
    assert result.exit_code == ANSWERED_IN_PART
    assert json.loads(result.stdout)["formulas"]["a"]["written_out"] is None


def test_a_long_sentence_is_not_substituted(tmp_path):
    path = long_sentence(tmp_path, 17)
    result = run("show", path, "--substituted")
    assert result.exit_code == 2
    assert result.stderr == (
        f"derive: {path}: tokens: 17 tokens of 2 dimensions are too many to substitute; "
        "show it without --substituted\n"
    )


# Mistakes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tokens: [a, b]\nvectors: [[1]]", "tokens[2]: 'b' has no vector; "),
        ("tokens: [a]\nvectors: [[x]]", "vectors[1][1]: 'x' is not a number; "),
        ("tokens: [a", "line 1: not YAML: "),
        ("tokens: [!!python/object:os.system x]", "line 1: not YAML: "),
    ],
)
def test_a_bad_file_gets_one_line_and_status_2(tmp_path, content, message):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    result = run("show", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"derive: {path}: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("nowhere.yaml",),
            "nowhere.yaml: there is no built-in sentence and no file of that name; ",
        ),
        (("journey", "--query", "end"), "journey: --query: 'end' is not a token; "),
        (("journey", "--query", "7"), "journey: --query: '7' is not a token; "),
        (("journey", "--query", "\ud800"), r"journey: --query: '\ud800' is not a token; "),
    ],
)
def test_a_bad_argument_gets_one_line_and_status_2(arguments, message):
    result = run("show", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"derive: {message}")
    assert result.stderr.count("\n") == 1


def test_numbers_that_cannot_be_worked_get_one_line(tmp_path):
    path = tmp_path / "huge.yaml"
    path.write_text("tokens: [a]\nvectors: [[1e120]]")
    for arguments in ((), ("--mechanism", "raw"), ("--mechanism", "raw", "--format", "json")):
        result = run("show", str(path), *arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"derive: {path}: vectors: ")
        assert result.stderr.count("\n") == 1
    path.write_text("tokens: [a]\nvectors: [[1e100]]")
    assert "1.0000e+300" in printed("show", str(path), "--mechanism", "raw")


def test_check_without_a_sentence_says_what_to_name():
    result = run("check")
    assert result.exit_code == 2
    assert "name a sentence, or say --all for both built-in ones" in result.stderr


# Layout


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("show", "jim-john"),
        ("show", "journey", "--mechanism", "shifted"),
        ("show", "jim-john", "--digits", "12"),
        ("show", "jim-john", "--general"),
        ("show", "journey", "--substituted"),
    ],
)
@pytest.mark.parametrize("columns", [80, 50, 200])
def test_no_line_is_wider_than_the_terminal(arguments, columns):
    lines = printed(*arguments, columns=columns).splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []


def test_long_sums_go_on_under_their_first_term():
    lines = printed("show", "jim-john", "--stage", "weighted-sum").splitlines()
    first = next(p for p, line in enumerate(lines) if line.startswith("    z_11 ≈ "))
    assert lines[first].endswith(" +")
    assert re.match(r" {9}\S", lines[first + 1])


# Help


@pytest.mark.parametrize("name", ["list", "show", "check"])
def test_the_help_of_each_command_has_an_example(name):
    text = printed(name, "--help")
    assert re.search(rf"Examples?: derive {name}\b", text)
    assert "derive show" in printed("--help")


def test_every_example_of_the_help_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my-sentence.yaml").write_text("tokens: [a, b]\nvectors: [[1], [2]]\n")
    text = "".join(printed(*arguments, "--help") for arguments in ((), ("show",), ("list",)))
    # What is sent to a file takes minutes; the atlas's own tests read it.
    examples = re.findall(r"^ +(?:Examples?:)? *derive ([^>\n]+)$", text, re.MULTILINE)
    assert len(examples) == 5
    for example in examples:
        assert printed(*example.split())


def test_version():
    assert re.fullmatch(r"derive, version \d+\.\d+\.\d+\n", printed("--version"))


# Real processes


def test_a_real_command():
    done = command("show", "journey", "--query", "step")
    assert (done.returncode, done.stderr) == (0, "")
    assert "query: step (token 6)" in done.stdout


def test_a_real_mistake():
    done = command("show", "nowhere.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("derive: nowhere.yaml: ")
    assert "Traceback" not in done.stderr


def test_a_terminal_without_greek_gets_codes_and_no_traceback():
    done = command("show", "journey", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert r"s_ij = \u03a3_k x_ik\xb7x_jk" in done.stdout


def test_show_starts_fast_and_without_torch():
    program = (
        "import sys; from derive.cli import main\n"
        "try: main(['show', 'jim-john'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules and 'numeric' not in sys.modules"
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        times.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
    # About 0.8 s on a machine with nothing else to do; a torch import alone takes longer.
    assert min(times) < 3


def test_help_imports_neither_sympy_nor_numpy():
    program = (
        "import sys; from derive.cli import main\n"
        "try: main(['show', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'sympy', 'numpy', 'torch'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_whole_derivation_of_the_longer_sentence_is_fast():
    start = time.perf_counter()
    for mechanism in MECHANISMS.values():
        shapes = self_attention_shapes(mechanism, 8, 3)
        with_named_pieces(mechanism, shapes)
        fully_substituted(mechanism, shapes)
    printed("show", "jim-john", "--substituted")
    # About 2 s for the six mechanisms together on a machine with nothing else to do.
    assert time.perf_counter() - start < 12
