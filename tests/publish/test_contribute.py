"""The page for contributors, followed from start to end with the file that stands on it."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from derive.examples import load
from derive.publish import atlas_pages
from derive.publish.block import Request, read_block
from derive.publish.variant_parts import changes, gradient, heatmaps
from derive.settings import Settings
from derive.variant_properties import variant_properties
from numeric.atlas import check_code, check_numbers

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "atlas" / "contribute.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def counted():
    path = PROJECT / "docs" / "programs" / "counted.py"
    spec = spec_from_file_location("counted", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.VARIANT


@pytest.fixture
def request_of(monkeypatch, counted):
    """Return a fence's request about the new mechanism, as if it were in the atlas."""
    request = Request(read_block("mechanism: causal"), None, 0, Settings())
    monkeypatch.setattr(Request, "variant", counted)
    monkeypatch.setattr(Request, "mechanism", counted.mechanism)
    return request


def test_the_page_shows_the_file_that_is_tried():
    assert '--8<-- "counted.py"' in PAGE
    assert re.search(r"one file in `derive/variants/`", PAGE)


def test_its_properties_are_decided(counted):
    verdicts = {found.claim.name: found.verdict for found in variant_properties(counted)}
    assert verdicts["rows-sum-to-one"] == "proved"
    assert verdicts["permutation-equivariant"] == "proved"
    assert verdicts["causal"] == "refuted"


def test_its_code_is_proved_and_its_numbers_are_bounded(counted):
    assert check_code(counted).verdict == "proved"
    assert check_numbers(counted, load("journey")).verdict == "within bound"


def test_its_page_follows(counted, request_of):
    page = atlas_pages.page(counted, "atlas", {})
    assert page.startswith("# Counted attention\n")
    assert "attn-changed" in changes(request_of)
    assert "K" in gradient(request_of)
    assert heatmaps(counted, load("journey")).count("<td") >= 36
