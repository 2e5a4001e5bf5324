"""The third-party modules that are tried, at tiny shapes, with their own parameters free."""

from __future__ import annotations

from tests.third_party.case import Case
from tests.third_party.other_cases import OTHERS
from tests.third_party.torch_cases import TORCH
from tests.third_party.transformers_cases import TRANSFORMERS

CASES: tuple[Case, ...] = (*TORCH, *TRANSFORMERS, *OTHERS)
