"""A long run of what strangers may write: ``python -m tests.hostile.fuzz --seconds 600``.

Counts the inputs and how many gave a page. A failure ends it, with the smallest input that does so.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.hostile.properties import check_fence, fence_of
from tests.hostile.strategies import ANY, BROKEN, RIGHT

BATCH = 400


def main() -> None:
    """Fuzz for as long as is asked, a batch with a seed of its own after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    counted: Counter[bool] = Counter()
    end, number = time.monotonic() + asked.seconds, asked.seed
    while time.monotonic() < end:
        print(f"seed {number}: {sum(counted.values())} inputs, {counted[True]} pages", flush=True)
        _batch(number, counted)
        number += 1
    print(f"{sum(counted.values())} inputs, {counted[True]} pages, {counted[False]} refused")


def _batch(number: int, counted: Counter[bool]) -> None:
    @seed(number)
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(RIGHT.map(fence_of), ANY.map(fence_of), BROKEN))
    def every_input(source: str) -> None:
        counted[check_fence(source)] += 1

    every_input()


if __name__ == "__main__":
    main()
