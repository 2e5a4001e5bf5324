"""The fixture, as a kernel author's own test suite uses it."""

import subprocess
import sys

import pytest

pytest_plugins = ("pytester",)

TEST = """
import torch
from torch.nn import functional

def attention(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value)

def test_right(assert_computes):
    x = tuple(torch.randn(2, 2) for _ in range(3))
    report = assert_computes(
        attention, lambda query, key, value: (query @ key.mT / 2**0.5).softmax(-1) @ value, x,
        at_least="proved",
    )
    assert report.certificate

def test_wrong(assert_computes):
    x = tuple(torch.randn(2, 2) for _ in range(3))
    assert_computes(attention, lambda query, key, value: (query @ key.mT).softmax(-1) @ value, x)
"""


@pytest.mark.slow
def test_the_report_is_the_failure(pytester):
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    output = result.stdout.str()
    assert "refuted: they are different functions" in output
    assert "witness" in output
    assert "attention-derived: 1 proved, 1 refuted" in output
    assert "pytest_plugin.py" not in output


def test_loading_the_plugin_imports_no_torch():
    source = "import sys, numeric.pytest_plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
