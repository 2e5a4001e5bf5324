import re

import pytest

from derive.errors import InputError
from derive.examples import load
from derive.publish import atlas_pages
from derive.publish.fence import Fences
from derive.publish.variant_parts import heatmaps
from derive.theorems import THEOREMS
from derive.variants import ATLAS, by_family
from derive.worked import work_out_variant

CHECKED_ELSEWHERE = {"properties", "checked", "implementations"}
"""Parts that need long decisions or evidence."""


def fences(markdown):
    return re.findall(r"```attention\n(.*?)```", markdown, re.DOTALL)


def shown(source):
    return re.search(r"show: \[(.*)\]", source).group(1).split(", ")


def test_the_navigation_lists_every_mechanism_by_family():
    nav, folder = atlas_pages.expanded(
        ["index.md", {"Atlas": ["atlas/index.md", {"Mechanisms": "atlas/*"}]}]
    )
    assert folder == "atlas"
    inner = nav[1]["Atlas"]
    assert inner[0] == "atlas/index.md"
    families = {title: pages for entry in inner[1:] for title, pages in entry.items()}
    assert list(families) == [family for family, _ in by_family()]
    listed = [path for pages in families.values() for page in pages for path in page.values()]
    assert listed == [f"atlas/{key}.md" for key in ATLAS]


def test_a_navigation_without_them_stays_as_it_is():
    nav = [{"Home": "index.md"}, {"More": [{"A": "a.md"}]}]
    assert atlas_pages.expanded(nav) == (nav, None)


def test_every_theorem_has_one_home():
    sources = {"learn/backward.md": "```attention\ntheorem: softmax-backward\nshow: [theorem]\n```"}
    pages = atlas_pages.pages("atlas", sources)
    page = pages["atlas/theorems.md"]
    assert "(../learn/backward.md#theorem-softmax-backward)" in page
    own = {line for source in fences(page) for line in source.splitlines() if "theorem:" in line}
    assert own == {f"theorem: {name}" for name in THEOREMS if name != "softmax-backward"}
    for name in THEOREMS:
        assert page.count(f"#theorem-{name})") == 1


@pytest.mark.parametrize("key", ATLAS)
def test_a_page_has_every_part_that_a_reader_expects(key):
    page = atlas_pages.page(ATLAS[key], "atlas", {})
    parts = {part for source in fences(page) for part in shown(source)}
    assert parts == CHECKED_ELSEWHERE | {
        "sources", "changes", "inputs", "weights", "gradient", "written-out", "torch-code",
        "shapes", "cost",
    }  # fmt: skip
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("key", ["additive", "prefix", "grouped-query", "rotary-halves", "latent"])
def test_every_part_of_a_page_is_made(key):
    # The browser tests build the pages of all.
    made = Fences()
    for source in fences(atlas_pages.page(ATLAS[key], "atlas", {})):
        parts = [part for part in shown(source) if part not in CHECKED_ELSEWHERE]
        if parts:
            html = made.render(re.sub(r"show: \[.*\]", f"show: [{', '.join(parts)}]", source))
            assert html.count("<section") == html.count("</section>") == len(parts)


@pytest.mark.parametrize("key", ["causal", "alibi", "linformer", "pooling", "cross-attention"])
def test_the_heatmap_shows_the_weights(key):
    variant, example = ATLAS[key], load("jim-john")
    weights = work_out_variant(example, variant)[variant.weights]
    html = heatmaps(variant, example)
    cells = re.findall(r'<td style="--w:([\d.]+)"[^>]*>([^<]+)</td>', html)
    assert [float(text) for _, text in cells] == pytest.approx(
        [float(weight) for weight in weights.flat], abs=6e-4
    )
    assert max(float(strength) for strength, _ in cells) == 1


def test_what_is_changed_is_marked():
    html = Fences().render("mechanism: causal\nshow: [changes]")
    # The bracket, above the fraction line and under the sum.
    assert html.count("attn-changed") == 2
    assert "attn-new" not in html
    assert "attn-new" in Fences().render("mechanism: alibi\nshow: [changes]")


def test_three_tokens_show_the_last_query():
    html = Fences().render("mechanism: causal\nshow: [written-out]\nn: 3")
    assert "a_{31}" in html
    assert "a_{21}" not in html


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("mechanism: nonsense\nshow: [formula]", "'nonsense' is unknown"),
        ("mechanism: softmax\nshow: [changes]", "softmax is not in the atlas"),
        ("theorem: nonsense\nshow: [theorem]", "needs evidence"),
        ("mechanism: causal\nshow: [checked]", "needs evidence"),
    ],
)
def test_a_mistake_is_told(source, said):
    with pytest.raises(Exception, match=said):
        Fences().render(source)


def test_vectors_that_do_not_fit_the_matrices_are_told():
    with pytest.raises(InputError, match="vectors of three numbers"):
        Fences().render(
            "mechanism: causal\ntokens: [a, b]\nvectors: [[1, 2], [3, 4]]\nshow: [weights]"
        )
