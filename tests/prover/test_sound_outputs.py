"""A result that is not compared is not passed over in silence."""

import pytest
import torch

from numeric import verify
from numeric.capture_error import CaptureError


@pytest.mark.parametrize("second", [lambda x: x < 0, lambda x: x.argmin(-1)])
def test_results_that_are_not_floating_are_refused(second):
    with pytest.raises(CaptureError, match="comes out"):
        verify(lambda x: (2 * x, x > 0), lambda x: (x + x, second(x)), (torch.randn(3),))
