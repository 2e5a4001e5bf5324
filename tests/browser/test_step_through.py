"""The part that answers, in a real browser: every number follows, and is what Python computes."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from derive.composition import Composition, Projections
from derive.decimals import Number
from derive.examples import Example, load
from derive.formula import D, a, s, z
from derive.publish.lines import rounded
from derive.settings import ROOT
from derive.worked import Worked, work_out_composed

OpenPage = Callable[..., Page]
LEAST = 1e-308
AT_ONCE = 50
"""Milliseconds, on a machine that has other work to do."""
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
HOSTILE = """
```attention
tokens: ["<b>&'\\"x", "</script><script>alert(1)</script>", "\u05d0\u05d1"]
vectors: [[1, 2], [-0.5, 0.10], [3, -4]]
show: [step-through]
key: hostile
```
"""
PAGE = """
# Steps

```attention
example: journey
show: [step-through]
key: journey
```
"""
CONFIGURATION = """
site_name: Elsewhere
plugins: [search, attention]
theme:
  name: {theme}
"""
OFFLINE = """
  highlightjs: false
"""
PALETTE = """
  font: false
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
    - media: "(prefers-color-scheme: dark)"
      scheme: slate
"""


@pytest.fixture(scope="module", params=["material", "mkdocs", "readthedocs"])
def elsewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a small site that is not ours, in each theme."""
    folder = _built(tmp_path_factory.mktemp("site"), request.param)
    return request.getfixturevalue("serve")(folder)


@pytest.fixture(scope="module")
def steps_url(serve: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a small site with Material."""
    return serve(_built(tmp_path_factory.mktemp("site"), "material"))


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Path], str]]:
    """Return a function that serves a folder and returns its address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(folder: Path) -> str:
        handler = partial(_Silent, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output free of requests."""


def _built(folder: Path, theme: str, more: str = "", address: str = "") -> Path:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "index.md").write_text(PAGE + HOSTILE, encoding="utf-8")
    configuration = folder / "mkdocs.yml"
    configuration.write_text(
        CONFIGURATION.format(theme=theme)
        + (PALETTE if theme == "material" else OFFLINE)
        + more
        + (f"site_url: {address}/\n" if address else "")
    )
    config = load_config(str(configuration), strict=True, site_dir=str(folder / "site"))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    config.plugins.on_shutdown()
    return folder / "site"


@pytest.fixture
def steps(open_page: OpenPage, steps_url: str) -> Locator:
    page = open_page(base_url=steps_url)
    page.goto("/")
    return _steps(page)


def _steps(page: Page, key: str = "journey") -> Locator:
    return page.locator(f"#steps-{key}")


def _weights(steps: Locator) -> list[list[str]]:
    rows = steps.locator(".attn-walk-heat tbody tr").all()
    return [row.locator("td").all_inner_texts() for row in rows]


def _column(steps: Locator, at: int) -> list[str]:
    rows = steps.locator(".attn-walk-live .attn-walk-table tbody tr:not(.attn-walk-total)").all()
    return [row.locator("td").nth(at).inner_text() for row in rows]


def _check(steps: Locator, example: Example, composition: Composition) -> None:
    """Compare what is on the screen with what Python computes, digit by digit."""
    steps.locator(".attn-walk-bar ol button").last.click()
    worked = work_out_composed(example, composition)
    query = example.query
    assert _weights(steps) == _expected(worked)
    wide = example.shape[1]
    assert _column(steps, wide) == [rounded(score, 4) for score in worked[s][query]]
    assert _column(steps, wide + 2) == _expected(worked)[query]
    context = ", ".join(rounded(value, 4) for value in worked[z][query])
    assert steps.locator(".attn-walk-live .attn-walk-context").inner_text() == f"[{context}]"
    total = steps.locator(".attn-walk-live .attn-walk-total td").all_inner_texts()
    assert rounded(worked[D][query], 4) in total


def _expected(worked: Worked) -> list[list[str]]:
    """Return the weights as they are shown: those below what float64 can hold as zero."""
    return [
        [rounded(weight if abs(weight) > LEAST else 0 * weight, 4) for weight in row]
        for row in worked[a]
    ]


def _edited(example: Example, row: int, column: int, text: str) -> Example:
    vectors = [list(vector) for vector in example.vectors]
    vectors[row][column] = Number(Fraction(text), text)
    return replace(example, vectors=tuple(map(tuple, vectors)))


def test_at_first_the_numbers_are_those_of_the_page(steps: Locator) -> None:
    assert steps.locator(".attn-walk-static").is_hidden()
    _check(steps, load("journey"), Composition())


@pytest.mark.parametrize("text", ["-2.5", "0", "1e2", ".125", "0.0000001"])
def test_an_edited_number_is_followed_by_every_other(steps: Locator, text: str) -> None:
    steps.get_by_label("one, dimension 2").fill(text)
    number = text if text[0] != "." else f"0{text}"
    _check(steps, _edited(load("journey"), 4, 1, number), Composition())


@pytest.mark.parametrize("normaliser", ["softmax", "sum"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("projected", [False, True])
def test_every_switch_changes_the_formula(
    steps: Locator, normaliser: str, scaled: bool, causal: bool, projected: bool
) -> None:
    steps.get_by_label(normaliser, exact=True).check()
    for label, wanted in (
        ("Scale by 1/√d", scaled),
        ("Causal mask", causal),
        ("Projections", projected),
    ):
        steps.get_by_label(label).set_checked(wanted)
    composition = Composition(
        normaliser,
        ROOT if scaled else None,
        causal,
        Projections.small(3) if projected else None,
    )
    _check(steps, load("journey"), composition)


def test_each_step_shows_its_lines(steps: Locator) -> None:
    said = {
        "Score": "0.55·0.43 + 0.87·0.15 + 0.66·0.89 = 0.9544",
        "Exponential": "exp(0.9544) ≈ 2.5971",
        "Sum": "exp(0.9544) + exp(1.4950) + exp(1.4754) + exp(0.8434) + exp(0.7070) + exp(1.0865)",
        "Weight": "exp(0.9544) / 18.7453 ≈ 0.1385",
        "Context": "0.1385·0.43 + 0.2379·0.55 + 0.2333·0.57 + 0.1240·0.22",
    }
    for step, line in said.items():
        button = steps.get_by_role("button", name=step)
        button.click()
        assert button.get_attribute("aria-current") == "step"
        assert line in steps.locator(".attn-walk-stage .attn-lines").inner_text()
        assert steps.locator(".attn-walk-stage .katex").first.is_visible()


def test_an_equals_sign_stands_where_every_number_shown_is_exact(steps: Locator) -> None:
    lines = steps.locator(".attn-walk-stage .attn-lines")
    assert "0.55·0.43 + 0.87·0.15 + 0.66·0.89 = 0.9544" in lines.inner_text()
    steps.get_by_label("Causal mask").check()
    steps.get_by_role("combobox").select_option(index=0)
    steps.get_by_label("Projections").check()
    steps.get_by_role("button", name="Weight").click()
    # The weight is exactly one; the numbers that it comes from are rounded.
    assert re.search(r"exp\(-?[0-9.]+\) / [0-9.]+ ≈ 1\.0000", lines.inner_text())


def test_tokens_can_be_renamed_added_and_removed(steps: Locator) -> None:
    steps.get_by_label("Token 3").fill("begins")
    assert "begins" in steps.locator(".attn-walk-heat thead").inner_text()
    steps.get_by_role("button", name="Add a token").click()
    assert len(_weights(steps)) == 7
    steps.get_by_label("new, dimension 1").fill("0.5")
    steps.get_by_role("button", name="Remove new").click()
    steps.get_by_role("button", name="Remove Your").click()
    example = load("journey")
    fewer = replace(example, tokens=example.tokens[1:], vectors=example.vectors[1:], query=0)
    _check(steps, fewer, Composition())


def test_another_query_is_chosen_in_the_list_or_in_the_table(steps: Locator) -> None:
    steps.get_by_role("combobox").select_option(index=4)
    _check(steps, replace(load("journey"), query=4), Composition())
    steps.get_by_role("button", name="Show how with attends").click()
    _check(steps, replace(load("journey"), query=3), Composition())


@pytest.mark.parametrize("text", ["", "nothing", "1e400", "--1", "NaN", "1,5", "<b>"])
def test_what_is_no_number_is_said_and_shows_no_wrong_one(steps: Locator, text: str) -> None:
    steps.get_by_label("one, dimension 2").fill(text)
    assert "one, dimension 2: this is not a number" in steps.get_by_role("status").inner_text()
    assert {text for row in _weights(steps) for text in row} == {""}
    steps.get_by_label("one, dimension 2").fill("0.25")
    assert steps.get_by_role("status").inner_text() == ""
    _check(steps, load("journey"), Composition())


def test_scores_that_sum_to_zero_are_said(steps: Locator) -> None:
    for column in (1, 2, 3):
        steps.get_by_label(f"journey, dimension {column}").fill("0")
    steps.get_by_label("sum", exact=True).check()
    assert "sum to zero" in steps.get_by_role("status").inner_text()
    assert "NaN" not in steps.inner_text()


def test_exponentials_beyond_a_computers_numbers_are_shifted(steps: Locator) -> None:
    steps.get_by_label("journey, dimension 1").fill("60")
    assert "shifted by its largest score" in steps.inner_text()
    steps.locator(".attn-walk-bar ol button").last.click()
    worked = work_out_composed(_edited(load("journey"), 1, 0, "60"), Composition())
    assert _weights(steps) == _expected(worked)


def test_a_link_carries_the_state(open_page: OpenPage, steps: Locator) -> None:
    steps.get_by_label("step, dimension 3").fill("-1.5")
    steps.get_by_label("Token 1").fill("a & b; c,d")
    steps.get_by_label("Projections").check()
    steps.get_by_label("W_q, row 2, column 1").fill("0.25")
    steps.get_by_label("Causal mask").check()
    steps.get_by_role("combobox").select_option(index=5)
    steps.get_by_role("button", name="Weight").click()
    steps.get_by_role("button", name="Copy link").click()
    address, weights = steps.page.url, _weights(steps)
    other = open_page(base_url=address)
    other.goto(address)
    again = _steps(other)
    assert _weights(again) == weights
    assert again.get_by_label("Token 1").input_value() == "a & b; c,d"
    assert again.get_by_role("button", name="Weight").get_attribute("aria-current") == "step"
    again.get_by_role("button", name="Reset").click()
    assert "#" not in other.url
    _check(again, load("journey"), Composition())


@pytest.mark.parametrize(
    "said",
    [
        "tokens=" + ",".join(["t"] * 1000),
        "x=1,2",
        "x=" + ";".join(["1e999,0,0"] * 6),
        "query=99",
        "query=-1",
        "normaliser=__proto__",
        "step=constructor",
        "W_q=%3Cimg%20src=x%20onerror=alert(1)%3E",
        "tokens=%3Cimg%20src=x%20onerror=alert(1)%3E,a,b,c,d,%E0%A4%A",
        "unknown=1",
        "tokens=%00,a,b,c,d,e",
    ],
)
def test_a_hostile_link_changes_nothing(open_page: OpenPage, steps_url: str, said: str) -> None:
    page = open_page(base_url=steps_url)
    page.goto(f"/#steps-journey?{said}")
    steps = _steps(page)
    if not said.startswith("step="):
        assert "cannot be read" in steps.get_by_role("status").inner_text()
    assert page.locator("img[src=x]").count() == 0
    _check(steps, load("journey"), Composition())


def test_markup_in_a_token_stays_text(open_page: OpenPage, steps_url: str) -> None:
    page = open_page(base_url=steps_url)
    page.on("dialog", lambda dialog: pytest.fail(f"a token ran: {dialog.message}"))
    page.goto("/")
    steps = _steps(page, "hostile")
    assert "</script><script>alert(1)</script>" in steps.locator(".attn-walk-heat").inner_text()
    link = f"/#steps-hostile?tokens={quote(quote('<img src=x onerror=alert(2)>'))},b,c"
    page.goto(link)
    assert "<img src=x" in steps.locator(".attn-walk-heat").inner_text()
    assert page.locator("img[src=x]").count() == 0


def test_everything_can_be_done_by_key(steps: Locator) -> None:
    page = steps.page
    steps.get_by_role("button", name="1 Score").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "4 Weight"
    assert "exp(0.9544) / 18.7453" in steps.locator(".attn-walk-stage").inner_text()
    steps.get_by_label("Causal mask").focus()
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.name") == "causal"
    steps.get_by_label("softmax", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert steps.get_by_label("sum", exact=True).is_checked()
    steps.get_by_role("button", name="Remove step").focus()
    page.keyboard.press("Enter")
    assert len(_weights(steps)) == 5
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Token 5"
    worked = work_out_composed(load("journey"), Composition("sum", causal=True))
    assert _weights(steps)[0][0] == rounded(worked[a][0][0], 4)


def test_it_answers_to_touch(open_page: OpenPage, steps_url: str) -> None:
    page = open_page(base_url=steps_url, viewport=PHONE, has_touch=True, is_mobile=True)
    page.goto("/")
    steps = _steps(page)
    steps.get_by_label("Causal mask").tap()
    steps.get_by_role("button", name="Context").tap()
    steps.get_by_role("button", name="Show how starts attends").tap()
    _check(steps, replace(load("journey"), query=2), Composition(causal=True))
    small = steps.evaluate(
        """section => [...section.querySelectorAll(".attn-walk-live :is(button, select, label)")]
            .filter(one => one.getBoundingClientRect().height < 24).length"""
    )
    assert small == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_fits_and_axe_finds_no_violation_in_any_theme(
    open_page: OpenPage, elsewhere: str, scheme: str, viewport: dict[str, int]
) -> None:
    page = open_page(base_url=elsewhere, viewport=viewport, color_scheme=scheme)
    page.goto("/")
    steps = _steps(page)
    steps.get_by_label("Projections").check()
    steps.get_by_role("button", name="Context").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page, context={"include": [["#steps-journey"], ["#steps-hostile"]]})
    assert not found.response["violations"], found.generate_report()


def test_without_javascript_the_page_is_whole(open_page: OpenPage, steps_url: str) -> None:
    page = open_page(base_url=steps_url, java_script_enabled=False)
    page.goto("/")
    text = _steps(page).inner_text()
    for number in ("0.9544", "2.5971", "18.7453", "0.2379", "[0.4419, 0.6515, 0.5683]"):
        assert number in text


def test_print_shows_the_current_numbers_and_no_controls(steps: Locator) -> None:
    steps.get_by_label("Causal mask").check()
    steps.page.emulate_media(media="print")
    assert steps.get_by_label("Causal mask").is_hidden()
    assert steps.locator(".attn-walk-live .attn-walk-context").is_visible()
    assert _column(steps, 5) == ["0.3680", "0.6320", "0.0000", "0.0000", "0.0000", "0.0000"]


def test_nothing_moves_for_who_wants_less_motion(open_page: OpenPage, steps_url: str) -> None:
    page = open_page(base_url=steps_url, reduced_motion="reduce")
    page.goto("/")
    steps = _steps(page)
    moving: Any = steps.evaluate(
        """section => [...section.querySelectorAll("*")].filter((one) => {
            const style = getComputedStyle(one);
            return style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0)
                || style.animationName !== "none";
        }).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert moving == []
    _check(steps, load("journey"), Composition())


def test_an_edit_is_followed_at_once(steps: Locator) -> None:
    spent = steps.evaluate(
        """section => {
            const input = section.querySelector(".attn-walk-number");
            const start = performance.now();
            for (let turn = 0; turn < 20; turn += 1) {
                input.value = String(turn / 7);
                input.dispatchEvent(new Event("input"));
            }
            return (performance.now() - start) / 20;
        }"""
    )
    assert spent < AT_ONCE, f"{spent:.1f} ms"


def test_it_answers_where_a_theme_changes_pages_without_loading_them(
    open_page: OpenPage, serve: Callable[[Path], str], tmp_path: Path
) -> None:
    address = serve(tmp_path / "site")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "plain.md").write_text("# Plain\n")
    other = PAGE.replace("journey", "jim-john").replace("# Steps", "# Other")
    (tmp_path / "docs" / "other.md").write_text(other)
    _built(tmp_path, "material", "  features: [navigation.instant]\n", address)
    page = open_page(base_url=address)
    # The theme takes links over once it has read which pages there are.
    with page.expect_response("**/sitemap.xml"):
        page.goto("/plain/")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.theSamePage = true")
    for title, key in (("Steps", "journey"), ("Other", "jim-john"), ("Steps", "journey")):
        page.locator("nav.md-nav--primary").get_by_role("link", name=title).click()
        steps = _steps(page, key)
        steps.locator("table input[inputmode]").nth(1).fill("3")
        _check(steps, _edited(load(key), 0, 1, "3"), Composition())
    assert page.evaluate("window.theSamePage")
