"""What every test needs: the same random numbers each time, and no deadline on a busy machine."""

import random
import sys

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
