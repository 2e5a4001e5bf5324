"""A long run of what strangers may write: ``python -m tests.hostile.fuzz --seconds 600``.

The kinds of input take turns, a batch with a seed of its own after another; of each is counted how
many were given, and how many of them gave a page. A failure ends the run, with the smallest input
that fails and its seed.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.hostile.kinds import KINDS, Kind

BATCH = 100


def main() -> None:
    """Fuzz for as long as is asked, and say what was tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this; may be repeated")
    asked = parser.parse_args()
    inputs, pages = Counter[str](), Counter[str]()
    end = time.monotonic() + asked.seconds
    for number in count(asked.seed):
        for name in asked.kind or KINDS:
            if time.monotonic() >= end:
                _tell(inputs, pages)
                return
            print(f"seed {number}, {name}: {inputs.total()} inputs so far", flush=True)
            found = _batch(number, KINDS[name])
            inputs[name] += found.total()
            pages[name] += found[True]


def _batch(number: int, kind: Kind) -> Counter[bool]:
    counted = Counter[bool]()

    @seed(number)
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(kind.inputs)
    def every_input(found: Any) -> None:
        counted[kind.check(found)] += 1

    every_input()
    return counted


def _tell(inputs: Counter[str], pages: Counter[str]) -> None:
    for name, number in inputs.items():
        print(f"{name}: {number} inputs, of which {pages[name]} gave a page")
    print(
        f"{inputs.total()} inputs, {pages.total()} pages, {inputs.total() - pages.total()} refused"
    )


if __name__ == "__main__":
    main()
