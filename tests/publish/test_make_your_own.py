"""The page for authors names every key, part, option and format that they may use."""

import re
from pathlib import Path

from derive.publish.block import SENTENCE_PARTS, Block
from derive.publish.fence import PARTS
from derive.publish.plugin import AttentionConfig
from derive.publish.sentence_page import ENDINGS

PAGE = (Path(__file__).parents[2] / "docs" / "make-your-own.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([\w-]+)`", PAGE))
OF_OUR_OWN_PAGES = {"theorem", "functions", "printed", "queries", "keys", "values"}
"""Keys that only this project's pages use."""

OUR_PARTS = {
    "printed", "two-shapes", "torch", "yaml", "compare",
    "rounding-output", "rounding-gradients", "rounding-proof", "rounding-constants",
}  # fmt: skip


def test_every_key_of_a_fence_is_there() -> None:
    assert set(Block.model_fields) - OF_OUR_OWN_PAGES <= NAMED


def test_every_part_is_there() -> None:
    assert (set(PARTS) | set(SENTENCE_PARTS)) - OUR_PARTS <= NAMED


def test_every_option_of_the_plugin_is_there() -> None:
    own = {"evidence", "rounding", "atlas"}
    assert {name for name, _ in AttentionConfig._schema} - own <= NAMED


def test_every_ending_that_says_a_format_is_there() -> None:
    usual = {ending for ending in ENDINGS if ending not in (".markdown", ".htm")}
    assert usual <= set(re.findall(r"\| `(\.\w+)` \|", PAGE))
