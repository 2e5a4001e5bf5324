"""Each rewrite is accepted, with all its gradients."""

from __future__ import annotations

import pytest
import torch

from numeric import verify
from tests.prover.rewrites import REWRITES, Rewrite
from tests.sampling import one_in


@pytest.mark.parametrize("rewrite", one_in(3, REWRITES), ids=lambda rewrite: rewrite.name)
def test_a_rewrite_is_accepted_forward_and_backward(rewrite: Rewrite) -> None:
    report = verify(
        rewrite.other,
        rewrite.plain,
        [torch.zeros(shape) for shape in rewrite.shapes],
        backward=True,
        other_shapes=False,
        exact=False,
    )
    assert report.verdict.passed, str(report)


def test_there_are_as_many_rewrites_as_names() -> None:
    assert len({rewrite.name for rewrite in REWRITES}) == len(REWRITES)
