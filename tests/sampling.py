"""Long lists of cases: ``make test`` takes some of them, ``make third-party`` the others too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def one_in(number: int, cases: Iterable[Any]) -> list[Any]:
    """Return the cases for ``parametrize``; all but one in ``number`` are marked as slow."""
    return [
        case if place % number == 0 else pytest.param(case, marks=pytest.mark.slow)
        for place, case in enumerate(cases)
    ]
