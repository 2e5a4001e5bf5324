"""Every implementation that is compared, package by package."""

from __future__ import annotations

from numeric.implementations.implementation import Implementation
from numeric.implementations.of_torch import TORCH
from numeric.implementations.of_transformers import TRANSFORMERS
from numeric.implementations.of_x_transformers import X_TRANSFORMERS

IMPLEMENTATIONS: tuple[Implementation, ...] = (*TORCH, *TRANSFORMERS, *X_TRANSFORMERS)
