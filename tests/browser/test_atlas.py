"""What a reader of the atlas meets: every page, the comparison by key, and all links."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from playwright.sync_api import Page

from derive.examples import load
from derive.publish.lines import rounded
from derive.theorems import THEOREMS
from derive.variants import ATLAS
from derive.worked import work_out_variant

# The whole site is built for these, which takes minutes.
pytestmark = pytest.mark.slow

OpenPage = Callable[..., Page]
PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize("key", ATLAS)
def test_every_mechanism_has_its_page(open_page: OpenPage, key: str) -> None:
    page = open_page(viewport=PHONE)
    page.goto(f"/atlas/{key}/")
    assert page.locator("h1").first.inner_text().startswith(ATLAS[key].title)
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    for heading in ("Properties", "In numbers", "Gradient", "Code", "Who computes it"):
        assert page.get_by_role("heading", name=heading, exact=False).count() >= 1
    cells = page.locator(".attn-weights").first.locator("td[style]").all_inner_texts()
    variant = ATLAS[key]
    weights = work_out_variant(load("journey"), variant)[variant.weights]
    assert [float(cell) for cell in cells] == pytest.approx(
        [float(rounded(weight, 3)) for weight in weights.flat]
    )


def test_the_table_leads_to_every_mechanism(page: Page) -> None:
    page.goto("/atlas/")
    for key, variant in ATLAS.items():
        link = page.locator(".attn-atlas tbody th a", has_text=variant.title).first
        assert link.get_attribute("href") == f"{key}/"


def test_every_theorem_stands_once_with_its_proof(page: Page) -> None:
    page.goto("/atlas/theorems/")
    links = page.locator("article table a")
    addresses = [link.get_attribute("href") for link in links.all()]
    assert len(addresses) == len(THEOREMS)
    for name, address in zip(THEOREMS, addresses, strict=True):
        page.goto(urljoin("/atlas/theorems/", address))
        theorem = page.locator(f"[data-theorem='{name}']")
        assert theorem.count() == 1
        assert THEOREMS[name].title in theorem.inner_text()
        theorem.locator("summary").first.click()
        assert theorem.locator("ol.attn-steps, ul.attn-entries").first.is_visible()


def marked(page: Page, key: str) -> int:
    return page.locator(f".attn-side[data-key='{key}'] .attn-differs").count()


def test_two_mechanisms_are_chosen_by_key(page: Page) -> None:
    page.goto("/atlas/compare/")
    assert page.locator(".attn-side:visible").count() == 2
    assert marked(page, "scaled-dot-product") == 0
    assert marked(page, "causal") == 2
    page.get_by_label("Left").select_option("causal")
    page.get_by_label("Right").select_option("alibi")
    assert page.locator(".attn-side:visible h2").all_inner_texts() == [
        ATLAS["causal"].title,
        ATLAS["alibi"].title,
    ]
    assert page.locator(".attn-side[data-key='alibi'] li.attn-differs").count() == 1
    assert marked(page, "causal") >= 2
    cells = page.locator(".attn-side[data-key='alibi'] td[style]").all_inner_texts()
    weights = work_out_variant(load("journey"), ATLAS["alibi"])[ATLAS["alibi"].weights]
    assert [float(cell) for cell in cells] == pytest.approx(
        [float(rounded(weight, 3)) for weight in weights.flat]
    )


def test_the_comparison_is_kept_in_the_address(page: Page) -> None:
    page.goto("/atlas/compare/#left=sink&right=sigmoid&sentence=jim-john")
    assert page.get_by_label("Left").input_value() == "sink"
    assert page.get_by_label("Right").input_value() == "sigmoid"
    assert "football" in page.locator(".attn-side[data-key='sink'] table").first.inner_text()
    page.get_by_label("Right").select_option("sink")
    assert page.locator(".attn-side:visible").count() == 1
    assert marked(page, "sink") == 0
    assert "right=sink" in page.url


def test_nonsense_in_the_address_is_left_aside(page: Page) -> None:
    page.goto("/atlas/compare/#left=%3Cimg+src%3Dx%3E&right=nothing")
    assert page.get_by_label("Left").input_value() == "scaled-dot-product"
    assert page.get_by_label("Right").input_value() == "causal"


def test_without_javascript_the_comparison_says_where_to_look(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/atlas/compare/")
    assert page.locator(".attn-noscript").is_visible()
    assert page.locator(".attn-choose").is_hidden()


def test_the_whole_atlas_is_there_as_json(built_site: Path) -> None:
    data = json.loads((built_site / "atlas" / "atlas.json").read_text(encoding="utf-8"))
    assert list(data["mechanisms"]) == list(ATLAS)
    assert all(entry["properties"] for entry in data["mechanisms"].values())


def test_every_link_inside_the_site_leads_somewhere(built_site: Path) -> None:
    broken = []
    pages = {path: path.read_text(encoding="utf-8") for path in built_site.rglob("*.html")}
    for path, html in pages.items():
        here = "/" + path.relative_to(built_site).as_posix().removesuffix("index.html")
        for found in set(re.findall(r'href="([^"]+)"', html)):
            address = urlsplit(urljoin(here, unescape(found)))
            if address.scheme or address.netloc or here == "/404.html":
                continue
            target = built_site / unquote(address.path).lstrip("/")
            target = target / "index.html" if address.path.endswith("/") else target
            if not target.is_file():
                broken.append(f"{here}: {found}")
            elif address.fragment and target.suffix == ".html" and "=" not in address.fragment:
                name = unquote(address.fragment)
                if f'id="{name}"' not in pages[target] and not name.startswith("__"):
                    broken.append(f"{here}: {found}")
    assert broken == []
