"""What every test needs: the same random numbers each time, and no deadline on a busy machine.

Tests run in several processes: those of one file in one of them, so that what a file works out once
is worked out once.
"""

import random
import sys
from pathlib import Path

import hypothesis
import numpy
import pytest

SEED = 20240611

hypothesis.settings.register_profile("attention", deadline=None, print_blob=True)
hypothesis.settings.load_profile("attention")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Seed every source of random numbers; torch only where something has imported it."""
    random.seed(SEED)
    numpy.random.seed(SEED)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(SEED)


FIRST = (
    "browser/test_atlas.py",
    "browser/test_step_through.py",
    "variants/test_claims.py",
    "third_party",
    "browser",
    "prover",
    "packaging",
    "how_to",
    "variants",
    "theorems",
    "numeric",
)
"""What takes longest: begun last, it would keep one process busy alone.

While one process builds the site for the first of these, the other has work that needs none.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    here = Path(__file__).parent
    items.sort(key=lambda item: _turn(item.path.relative_to(here).as_posix()))


def _turn(path: str) -> int:
    return next((turn for turn, first in enumerate(FIRST) if path.startswith(first)), len(FIRST))
