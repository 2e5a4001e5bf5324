"""The commands that read the atlas: what they print, and that mistakes end in one line."""

import json
import re
from dataclasses import replace
from unicodedata import normalize

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from derive.cli import main
from derive.evidence import PropertyResult
from derive.examples import load
from derive.publish.atlas_data import atlas_as_json
from derive.variants import ATLAS, by_family
from derive.worked import work_out_variant


def run(*arguments: str, columns: int = 100) -> Result:
    return CliRunner().invoke(main, arguments, env={"COLUMNS": str(columns)})


def printed(*arguments: str, columns: int = 100) -> str:
    result = run(*arguments, columns=columns)
    assert result.exit_code == 0, result.output
    return result.stdout


# list


def test_list_names_every_mechanism_with_its_family_and_source():
    text = printed("list", columns=160)
    for family, variants in by_family():
        for variant in variants:
            line = next(line for line in text.splitlines() if line.startswith(f"{variant.key} "))
            assert family in line
            assert str(variant.sources[0].year) in line


def test_the_whole_atlas_is_json():
    def decided(variant):
        return [PropertyResult(variant.key, "causal", "is causal", "proved", "proved", (), "how")]

    data = json.loads(atlas_as_json(decided))
    assert list(data["mechanisms"]) == list(ATLAS)
    causal = data["mechanisms"]["causal"]
    assert causal["properties"] == [
        {
            "name": "causal",
            "statement": "is causal",
            "verdict": "proved",
            "where": [],
            "how": "how",
        }
    ]
    assert causal["formula"][0]["latex"].startswith(r"s_{ij} = \frac{")
    assert causal["shapes"]["K"] == ["n", "d"]
    assert "def attention(Q, K, V):" in causal["torch"]
    assert [row["array"] for row in causal["gradient"]][-3:] == ["Qbar", "Kbar", "Vbar"]
    weights = causal["numbers"]["journey"]["a"]
    assert [len([w for w in row if w]) for row in weights] == [1, 2, 3, 4, 5, 6]
    assert all(entry["sources"] and entry["summary"] for entry in data["mechanisms"].values())


# show


def test_a_mechanism_is_shown_and_written_out():
    text = printed("show", "causal", "--tokens", "3")
    assert "D_i = Σ_j [j ≤ i]·exp(s_ij)" in text
    assert "      D_2 = exp(s_21) + exp(s_22)\n" in text
    assert "      a_13 = 0\n" in text
    assert "https://arxiv.org/abs/1706.03762" in text
    assert text.splitlines()[-1] == "written out for d = 2, d_v = 1, n = 3, n_q = 3"


def test_the_latex_of_the_issue():
    text = printed("show", "causal", "--tokens", "3", "--dim", "2", "--format", "latex")
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 4
    assert r"D_{3} &= e^{s_{31}} + e^{s_{32}} + e^{s_{33}}" in text


def test_markdown_and_json_say_the_same():
    markdown = printed("show", "sink", "--format", "markdown")
    data = json.loads(printed("show", "sink", "--format", "json"))
    assert markdown.startswith("# ")
    for row in data["formula"]:
        assert row["latex"] in markdown
    assert data["written_out"]["sizes"]["n"] == 2
    assert set(data["written_out"]["entries"]) == {row["array"] for row in data["formula"]}


@pytest.mark.parametrize("key", ATLAS)
@pytest.mark.parametrize("command", ["show", "gradient"])
def test_every_mechanism_prints_within_the_terminal(command, key):
    lines = printed(command, key, columns=80).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert ATLAS[key].title in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "causal", "--query", "one"), "causal: --query is about a sentence"),
        (("show", "causal", "--substituted"), "causal: --substituted is about a sentence"),
        (("show", "causal", "--mechanism", "sum"), "causal: --mechanism is about a sentence"),
        (("show", "journey", "--tokens", "2"), "journey: --tokens is about a mechanism"),
        (("show", "caussal"), "no built-in sentence and no file"),
        (("gradient", "caussal"), "did you mean causal"),
        (("properties", "nothing-like-it"), "is no mechanism of the atlas"),
        (("compare", "causal", "x\x1b[31m"), "is no mechanism of the atlas"),
        (("compare", "causal", "alibi", "--sentence", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_ends_in_one_line(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr
    assert result.stdout == ""


def test_a_query_without_a_sentence_is_refused():
    result = run("compare", "causal", "alibi", "--query", "one")
    assert result.exit_code == 2
    assert "--sentence" in result.stderr


# gradient


def test_the_gradient_of_softmax_attention_is_the_textbooks():
    text = normalize("NFC", printed("gradient", "scaled-dot-product"))
    for line in (
        "ā_ij = Σ_c z̄_ic·V_jc",
        "s̄_ij = a_ij·(ā_ij - Σ_l a_il·ā_il)",
        "Q̄_ik = (Σ_j s̄_ij·K_jk) / √d",
        "V̄_jc = Σ_i a_ij·z̄_ic",
    ):
        assert f"  {normalize('NFC', line)}\n" in text


def test_the_gradient_in_every_format():
    data = json.loads(printed("gradient", "causal", "--format", "json"))
    assert data["upstream"] == "zbar"
    latex = printed("gradient", "causal", "--format", "latex")
    markdown = printed("gradient", "causal", "--format", "markdown")
    for row in data["gradient"]:
        assert row["latex"] in markdown
        assert row["latex"].replace(" = ", " &= ", 1) in latex


# compare


def test_two_mechanisms_side_by_side():
    text = printed("compare", "causal", "alibi", "--sentence", "journey", "--query", "one")
    assert "⟦w_hij = s_hij - m_h·(i - j)⟧" in text
    assert re.search(r"D_i = Σ_j \[j ≤ i\]·exp\(⟦s_ij⟧\) +D_hi", text)
    assert "weights of one" in text
    first = re.search(r"^Your +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    assert first is not None
    example = load("journey")
    left = work_out_variant(example, ATLAS["causal"])
    right = work_out_variant(example, ATLAS["alibi"])
    assert [float(value) for value in first.groups()] == pytest.approx(
        [
            float(left[ATLAS["causal"].weights][4, 0]),
            *map(float, right[ATLAS["alibi"].weights][:, 4, 0]),
        ],
        abs=6e-5,
    )


def test_the_comparison_as_json_marks_what_differs():
    data = json.loads(printed("compare", "dot-product", "scaled-dot-product", "--json"))
    score = data["equations"][0]
    assert not score["same"]
    assert score["right"]["marked"].count(r"\boxed") == 1
    assert r"\boxed" not in score["left"]["marked"]
    assert all(row["same"] for row in data["equations"][1:])


def test_weights_of_fewer_keys_are_numbered():
    text = printed("compare", "causal", "linformer", "--sentence", "journey")
    assert re.search(r"^1 +\d", text, re.MULTILINE)


# properties


def test_properties_are_told_with_their_counterexamples():
    text = printed("properties", "causal")
    assert "  proved     The weights of one query sum to 1\n" in text
    assert re.search(r"refuted +Permuting the tokens.*\n +counterexample: Q = ", text)
    assert "(the definition of a)" not in text


def test_proofs_are_told_step_by_step():
    text = printed("properties", "causal", "--proofs")
    assert "Σ_j a_ij\n" in text
    assert "(the definition of a)" in text
    assert re.search(r"s_ij: ", text)


def test_what_a_proof_needs_is_said():
    text = " ".join(printed("properties", "rms-normalised").split())
    assert "r_k_hj is not 0 and r_q_hi is not 0)" in text
    assert "(where 0 ≤ ε_1 + (Σ_k Q_hik²) / d and" in text
    assert "0 ≤ ε_1" in text


def test_properties_as_json_are_checked_a_second_way():
    data = json.loads(printed("properties", "softmax-plus-one", "--json"))
    rows = {row["name"]: row for row in data["properties"]}
    assert rows["rows-sum-to-one"]["verdict"] == "refuted"
    assert rows["rows-sum-to-one"]["how"].startswith("counterexample: ")
    assert "entries compared" in rows["gradient-rows-sum-to-zero"]["how"] or rows[
        "gradient-rows-sum-to-zero"
    ]["how"].startswith("counterexample: ")
    assert {row["verdict"] for row in rows.values()} == {"proved", "refuted"}


def test_what_a_file_does_not_state_yet_is_printed_for_it(monkeypatch):
    assert "Its file does not state this" not in printed("properties", "raw-scores")
    unstated = replace(ATLAS["raw-scores"], key="new", holds=(), fails=())
    monkeypatch.setattr("derive.variants.ATLAS", {"new": unstated})
    text = printed("properties", "new", columns=400)
    stated = dict(re.findall(r"^    (holds|fails)=\((.*),\),$", text, re.MULTILINE))
    assert {
        name: {part.strip(' "') for part in row.split(",")} for name, row in stated.items()
    } == {
        "holds": set(ATLAS["raw-scores"].holds),
        "fails": set(ATLAS["raw-scores"].fails),
    }
