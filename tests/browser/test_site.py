"""What a reader meets: every page, narrow and wide, light and dark, by mouse, key and touch."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from derive.attention import SOFTMAX
from derive.examples import load
from derive.formula import a, s, x, z
from derive.publish.lines import rounded
from derive.worked import work_out

# The whole site is built for these, which takes minutes.
pytestmark = pytest.mark.slow

OpenPage = Callable[..., Page]

PAGES = (
    "/",
    "/notation/",
    "/verify-yours/",
    "/guarantees/",
    "/measured/",
    "/in-the-wild/",
    "/jim-john/",
    "/journey/",
    "/formulas/",
    "/evidence/",
    "/learn/why-a-dot-product/",
    "/learn/trainable/",
    "/learn/scaling/",
    "/learn/causal-mask/",
    "/learn/dropout/",
    "/learn/heads/",
    "/learn/backward/",
    "/learn/online-softmax/",
    "/atlas/",
    "/atlas/compare/",
    "/atlas/theorems/",
    "/atlas/contribute/",
    "/atlas/rotary-halves/",
    "/atlas/prefix/",
    "/make-your-own/",
    "/how-to/kernel-tests/",
    "/how-to/lesson/",
    "/how-to/appendix/",
    "/rounding/",
    "/api/",
    "/architecture/",
)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
JOURNEY_WEIGHTS = ("0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581")


@pytest.mark.parametrize("address", PAGES)
def test_nothing_runs_off_sideways(page: Page, address: str) -> None:
    page.goto(address)
    for scheme, viewport in (("light", DESKTOP), ("light", PHONE), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(viewport)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, (scheme, viewport)
        assert page.locator("h1").first.is_visible()


@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_no_violation(page: Page, address: str) -> None:
    page.goto(address)
    # The proofs of all theorems at once take long; those of other pages are made in the same way.
    if address != "/atlas/theorems/":
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    _check_by_axe(page)


@pytest.mark.parametrize(
    "address",
    ["/", "/jim-john/", "/formulas/", "/evidence/", "/measured/", "/atlas/", "/atlas/causal/"],
)
def test_colours_are_readable_in_the_dark(open_page: OpenPage, address: str) -> None:
    page = open_page(color_scheme="dark")
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    _check_by_axe(page, runOnly=["color-contrast"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_typeset_maths_is_readable_too(open_page: OpenPage, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    page.goto("/notation/")
    _check_by_axe(page, but_for=())


def _check_by_axe(page: Page, but_for: tuple[str, ...] = (".katex",), **options: Any) -> None:
    """Have axe look at a page; of its maths, which is many small boxes, at none but the words.

    The theme's own frame is left to the theme: its search dialog, for one, has no name. So are the
    unnamed landmarks that it puts around each of its copy buttons.
    """
    context = {"include": [[".md-content"]], "exclude": [[part] for part in but_for]}
    rules = {"rules": {"landmark-unique": {"enabled": False}}, "resultTypes": ["violations"]}
    found = Axe().run(page, context, rules | options)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", ["jim-john", "journey"])
def test_every_cell_shows_the_derived_weight(page: Page, name: str) -> None:
    page.goto(f"/{name}/")
    worked = work_out(load(name), SOFTMAX)
    for (i, j), weight in zip(
        ((i, j) for i in range(len(worked[a])) for j in range(len(worked[a]))),
        worked[a].flat,
        strict=True,
    ):
        shown = page.locator(_cell(i + 1, j + 1)).inner_text()
        assert f"0{shown}" == rounded(weight, 4)


def test_the_published_numbers_stand_on_the_page(page: Page) -> None:
    page.goto("/journey/")
    cells = [page.locator(_cell(2, j)).inner_text() for j in range(1, 7)]
    assert cells == [weight.removeprefix("0") for weight in JOURNEY_WEIGHTS]
    assert "[0.4419, 0.6515, 0.5683]" in page.inner_text("article")


@pytest.mark.parametrize("name", ["jim-john", "journey"])
@pytest.mark.parametrize(("i", "j"), [(1, 1), (2, 6), (5, 3)])
def test_a_cell_lights_up_where_it_comes_from(page: Page, name: str, i: int, j: int) -> None:
    page.goto(f"/{name}/")
    page.locator(_cell(i, j)).click()
    _expect_lit(page, name, i, j)


def test_the_arrow_keys_walk_and_enter_chooses(page: Page) -> None:
    page.goto("/journey/")
    page.locator(_cell(1, 1)).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    _expect_lit(page, "journey", 2, 2)
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    _expect_lit(page, "journey", 1, 1)


def test_a_row_can_be_opened_by_its_heading_instead(page: Page) -> None:
    page.goto("/journey/")
    page.locator(_cell(1, 2)).click()
    page.locator('.attn-panel[data-i="1"] summary').click()
    assert page.locator(".attn-panel[open]").count() == 0
    page.locator('.attn-panel[data-i="5"] summary').click()
    assert page.locator('.attn-panel[data-i="5"] li').first.is_visible()
    assert not page.locator('.attn-panel[data-i="1"] summary').is_visible()
    page.wait_for_function("!document.querySelector('.attn-heat [aria-pressed=true]')")
    assert page.locator(".attn-explorer .attn-lit").count() == 0


def test_a_finger_chooses(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    page.goto("/jim-john/")
    page.locator(_cell(3, 8)).tap()
    _expect_lit(page, "jim-john", 3, 8)
    assert page.locator(_cell(3, 8)).bounding_box()["height"] >= 24


def test_all_can_be_read_without_javascript(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/jim-john/")
    panel = page.locator('.attn-panel[data-i="1"]')
    assert panel.locator("li").count() == 8
    assert "0.4814" in panel.inner_text()
    assert page.locator(".attn-panel").count() == 8
    page.locator('.attn-panel[data-i="4"] summary').click()
    assert "0.5269" in page.locator('.attn-panel[data-i="4"]').inner_text()
    assert page.locator(".katex").count() > 20
    page.goto("/formulas/")
    assert not page.locator(".attn-copy").first.is_visible()
    page.locator(".attn-drawer summary").first.click()
    assert r"\sum_{j=1}^{n} e^{s_{ij}}" in page.locator(".attn-drawer pre").first.inner_text()


def test_signs_of_roots_are_visible(page: Page) -> None:
    page.goto("/formulas/")
    signs = page.locator("#scaled-scores ~ section div.attn-math .sqrt svg")
    assert signs.count() >= 1
    for sign in signs.all()[:3]:
        box = sign.bounding_box()
        assert box is not None
        assert box["height"] > 8


def test_latex_is_copied(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/formulas/")
    page.locator(".attn-copy").nth(1).click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == r"D_{i} = \sum_{j=1}^{n} e^{s_{ij}}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_weights_are_readable_on_their_colour(open_page: OpenPage, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    page.goto("/jim-john/")
    page.locator(_cell(1, 1)).wait_for()
    worst = page.evaluate(_CONTRAST)
    assert worst >= 4.5


def test_a_printed_page_cuts_nothing_off(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 700, "height": 1000})
    page.goto("/jim-john/")
    page.emulate_media(media="print")
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".attn-line, .attn-sum, table.attn-heat")]
            .filter((part) => part.getClientRects().length)
            .map((part) => part.getBoundingClientRect().right)
            .filter((right) => right > document.documentElement.clientWidth + 1).length"""
    )
    assert cut == 0
    assert page.locator('.attn-panel[data-i="8"] li').first.is_visible()


def test_each_formula_is_spoken_once(page: Page) -> None:
    page.goto("/journey/")
    spoken = page.locator("section .attn-math > .attn-said").first.text_content()
    assert spoken == "s i j equals the sum over k from 1 to d of x i k times x j k"
    loud = page.evaluate(
        """[...document.querySelectorAll('.katex')]
            .filter((formula) => !formula.closest('[aria-hidden=true]')).length"""
    )
    assert loud == 0


def test_the_search_index_holds_words_not_maths(built_site: Path) -> None:
    index = json.loads((built_site / "search" / "search_index.json").read_text(encoding="utf-8"))
    stories = [doc["text"] for doc in index["docs"] if doc["location"].startswith("jim-john")]
    assert any("longer vectors win" in text for text in stories)
    assert not any(re.search(r"s_?\{?11|⋅|\\sum|the sum over", text) for text in stories)


def test_the_eight_word_page_is_light(page: Page) -> None:
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: _weight(answer)}))
    page.goto("/jim-john/")
    page.wait_for_load_state("networkidle")
    own = sum(size for url, size in sizes.items() if "search" not in url)
    # Of this the part that answers takes some 17 000: its script, its style and its formulas.
    assert own < 170_000, sizes


def _weight(answer: Any) -> int:
    body = answer.body()
    return min(len(body), len(gzip.compress(body)))


def _cell(i: int, j: int) -> str:
    return f'.attn-heat button[data-i="{i}"][data-j="{j}"]'


def _expect_lit(page: Page, name: str, i: int, j: int) -> None:
    """Check that row i's panel is open and that exactly the parts that belong to key j are lit."""
    example = load(name)
    worked = work_out(example, SOFTMAX)
    assert page.locator('.attn-heat [aria-pressed="true"]').count() == 1
    assert page.locator(_cell(i, j)).get_attribute("aria-pressed") == "true"
    opened = page.locator(".attn-panel[open]")
    assert opened.count() == 1
    assert opened.get_attribute("data-i") == str(i)
    score = rounded(worked[s][i - 1, j - 1], 4)
    weight = rounded(worked[a][i - 1, j - 1], 4)
    row = _text(opened.locator("li.attn-lit"))
    query, key = example.vectors[i - 1], example.vectors[j - 1]
    products = " + ".join(f"{p.text} · {q.text}" for p, q in zip(query, key, strict=True))
    assert f"s{i}{j} = {products} = {score}" in row
    assert f"e{score}" in row
    assert row.endswith(f"≈ {weight}")
    page.wait_for_function(_IN_VIEW, timeout=3000)
    terms = [_text(term) for term in opened.locator("p .attn-lit").all()]
    contexts = [f"{weight} · {number.text}" for number in key]
    assert terms == [f"e{score}", *contexts]
    headings = [_text(heading) for heading in page.locator(".attn-heat th.attn-lit").all()]
    assert headings == [example.tokens[j - 1], example.tokens[i - 1]]
    said = page.locator(".attn-explorer [role=status]").text_content()
    assert said == f"{example.tokens[i - 1]} to {example.tokens[j - 1]}: {weight}"
    assert len(worked[x]) == len(worked[z])


def _text(locator: Any) -> str:
    return re.sub(r"\s+", " ", locator.text_content()).strip()


_IN_VIEW = """() => {
  const line = document.querySelector(".attn-panel[open] li.attn-lit");
  const { top, bottom } = line.getBoundingClientRect();
  return top >= 0 && bottom <= window.innerHeight;
}"""

# The contrast of each weight with the colour under it, by WCAG's formula; the smallest is returned.
_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (...colours) => {
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) =>
      v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = getComputedStyle(document.body).backgroundColor;
  return Math.min(...[...document.querySelectorAll(".attn-heat button")].map((button) => {
    const under = getComputedStyle(button.parentElement).backgroundColor;
    const back = light(over(page, under));
    const front = light(over(page, under, getComputedStyle(button).color));
    return (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
  }));
}"""
