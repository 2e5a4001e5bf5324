"""Every implementation that is compared, package by package."""

from __future__ import annotations

from numeric.implementations.implementation import Implementation
from numeric.implementations.of_diffusers import DIFFUSERS
from numeric.implementations.of_fla import FLA
from numeric.implementations.of_llms_from_scratch import LLMS_FROM_SCRATCH
from numeric.implementations.of_small_packages import SMALL_PACKAGES
from numeric.implementations.of_timm import TIMM
from numeric.implementations.of_torch import TORCH
from numeric.implementations.of_transformers import TRANSFORMERS
from numeric.implementations.of_vit_pytorch import VIT_PYTORCH
from numeric.implementations.of_x_transformers import X_TRANSFORMERS

IMPLEMENTATIONS: tuple[Implementation, ...] = (
    *TORCH,
    *TRANSFORMERS,
    *TIMM,
    *DIFFUSERS,
    *FLA,
    *LLMS_FROM_SCRATCH,
    *VIT_PYTORCH,
    *X_TRANSFORMERS,
    *SMALL_PACKAGES,
)
