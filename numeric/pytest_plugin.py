"""A pytest fixture: one line in a test says what a kernel must compute.

    def test_attention(assert_computes):
        assert_computes(attention, reference, (query, key, value), backward=True)

The report is the failure's message. pytest loads this in every session, so that torch is imported
only when the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from derive.verdict import Report

SEEN = pytest.StashKey[list[str]]()


@pytest.fixture
def assert_computes(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Return a function that fails the test unless a program computes its reference.

    It takes what ``numeric.verify`` takes, and ``at_least``, "identity-tested" or "proved"; it
    returns the report.
    """

    def check(
        function: Any,
        reference: Any,
        inputs: Any,
        *,
        at_least: str = "identity-tested",
        **options: Any,
    ) -> Report:
        __tracebackhide__ = True
        from derive.verdict import Verdict
        from numeric.verifying import verify

        wanted = Verdict.wanted(at_least)
        report = verify(function, reference, inputs, **options)
        request.config.stash.setdefault(SEEN, []).append(str(report.verdict))
        if report.verdict.strength < wanted.strength:
            pytest.fail(str(report), pytrace=False)
        return report

    return check


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many claims were made, and how strong each kind of evidence is."""
    verdicts = config.stash.get(SEEN, [])
    if not verdicts:
        return
    counted = ", ".join(
        f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)
    )
    terminalreporter.write_line(f"attention-derived: {counted}")
