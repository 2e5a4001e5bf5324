"""A real browser over the built site, served from 127.0.0.1.

Any console error, page error or request that leaves 127.0.0.1 fails the test that caused it.
Without a browser these tests are skipped with one loud line, and fail where ``CI`` is set.
"""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Route, sync_playwright

PROJECT = Path(__file__).resolve().parents[2]
EVIDENCE = PROJECT / "build" / "evidence.json"
ROUNDING = PROJECT / "build" / "rounding.json"
ATLAS = PROJECT / "build" / "atlas.json"
HOST = "127.0.0.1"
BROWSER_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
LAUNCH_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_BROWSER = (
    "NO BROWSER: the browser tests need chromium or google-chrome on PATH "
    "(on Debian: apt-get install chromium), or Playwright's own: "
    f"{sys.executable} -m playwright install chromium"
)

OpenPage = Callable[..., Page]

_browser_missing = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that ``-m "not browser"`` leaves them out."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that the browser tests did not run, and what to install."""
    if _browser_missing:
        terminalreporter.write_line(NO_BROWSER, red=True, bold=True)


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built as ``make site`` builds it, but elsewhere.

    Several processes that run tests at a time share one.
    """
    folder = tmp_path_factory.getbasetemp()
    # The folder above that of one of several processes belongs to all of them.
    site = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "site"
    with FileLock(site.with_suffix(".lock")):
        return site if site.is_dir() else _built(site)


def _built(site: Path) -> Path:
    command = ("-c", "from derive.cli import main; main()")
    if not _is_current(EVIDENCE):
        EVIDENCE.parent.mkdir(exist_ok=True)
        _run(*command, "check", "--all", "--evidence", EVIDENCE)
    if not _is_current(ROUNDING):
        _run(*command, "measure", "--output", ROUNDING)
    # It checks again only what has changed.
    _run(*command, "atlas", "--output", ATLAS)
    # Renamed when it is whole: what another process finds is never half a site.
    building = site.with_name("building")
    _run("-m", "mkdocs", "build", "--strict", "--site-dir", building)
    return building.rename(site)


@pytest.fixture(scope="session")
def site_url(built_site: Path) -> Iterator[str]:
    """Serve the built site; return its address without a slash at the end."""
    handler = partial(_SilentHandler, directory=str(built_site))
    with _SilentServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start a headless browser with a fresh profile; every test opens contexts of its own."""
    with sync_playwright() as playwright:
        program = _find_browser(playwright)
        if program is None:
            _give_up()
        browser = playwright.chromium.launch(
            executable_path=program, headless=True, args=LAUNCH_ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Return a function that opens a watched page in a context of its own.

    Its keyword arguments are those of Playwright's ``Browser.new_context``: ``viewport``,
    ``java_script_enabled``, ``color_scheme``, ``has_touch``, ``reduced_motion`` ... Pages are
    addressed from the root of the site: ``open_page(...).goto("/journey/")``, of the project's own
    site, which takes minutes to build, unless ``base_url`` names another.
    """
    contexts = []
    faults: list[str] = []

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            faults.append(f"console error: {message.text} ({where.get('url', '')})")

    def keep_inside(route: Route) -> None:
        if _is_inside(route.request.url):
            route.continue_()
        else:
            faults.append(f"request that leaves {HOST}: {route.request.url}")
            route.abort()

    def open_(**options: Any) -> Page:
        if "base_url" not in options:
            options["base_url"] = request.getfixturevalue("site_url")
        options = {"viewport": {"width": 1280, "height": 800}, **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.route("**/*", keep_inside)
        context.on("console", note_console)
        context.on("weberror", lambda fault: faults.append(f"page error: {fault.error}"))
        return context.new_page()

    yield open_
    for context in contexts:
        context.close()
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Return a watched page of 1280 by 800 CSS pixels."""
    return open_page()


class _SilentServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_args: object) -> None:
        """Say nothing of a page that was left before all of it had come."""


class _SilentHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Keep the test's output free of requests."""


def _is_current(evidence: Path) -> bool:
    """Whether evidence was written after the last change to the code it speaks about."""
    if not evidence.is_file():
        return False
    written = evidence.stat().st_mtime
    sources = (path for part in ("derive", "numeric") for path in (PROJECT / part).rglob("*.*"))
    return all(
        path.stat().st_mtime <= written for path in sources if path.suffix in {".py", ".yaml"}
    )


def _run(*arguments: str | Path) -> None:
    """Run this Python with ``arguments`` in the project; fail with the output if it fails."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        command = " ".join(map(str, arguments))
        pytest.fail(f"{command} ended with {result.returncode}:\n{result.stdout}", pytrace=False)


def _find_browser(playwright: Playwright) -> str | None:
    """Return a browser on PATH, else the one that Playwright installed, else None."""
    for name in BROWSER_NAMES:
        if program := shutil.which(name):
            return program
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def _give_up() -> None:
    """Skip the test for want of a browser; under CI fail it."""
    global _browser_missing
    _browser_missing = True
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(NO_BROWSER, pytrace=False)
    pytest.skip(NO_BROWSER)


def _is_inside(url: str) -> bool:
    """Whether ``url`` is served by this machine or carried by the page itself."""
    address = urlsplit(url)
    return address.hostname == HOST or address.scheme in {"data", "blob", "about"}
