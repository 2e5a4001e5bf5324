"""Each how-to page, followed from start to end in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.how_to.following import PROJECT, Command, Written, agrees, follow, steps

PAGES = sorted((PROJECT / "docs" / "how-to").glob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    assert follow(page.read_text(encoding="utf-8"), tmp_path)


def test_a_page_that_says_something_else_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the page says"):
        follow("```console\n$ echo two\nthree\n```\n", tmp_path)


def test_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert agrees("a\n...\nb ... d\n", "a\nx\ny\nb c d\n")
    assert not agrees("a\nb\n", "a\nx\nb\n")
    assert not agrees("a\n", "")


READ_IN_ORDER = """
``` {.python title="a.py"}
x = 1
```

```console
$ one \\
    two
out
$ three
```
"""


def test_a_page_is_read_in_order() -> None:
    file, first, second = steps(READ_IN_ORDER)
    assert file == Written("a.py", "x = 1\n")
    assert first == Command("one two", "out\n")
    assert second == Command("three", "")
