"""All steps, in the order of the proof."""

from __future__ import annotations

from derive.rounding import (
    accumulation,
    cap,
    enclosure,
    gradients,
    quotient,
    softmax,
    storage,
)
from derive.rounding.step import Step

CHAPTERS: dict[str, tuple[Step, ...]] = {
    "Rounding, in any order": (
        accumulation.rounding(),
        accumulation.one_more(),
        accumulation.two_counts(),
        accumulation.inner_product(),
        accumulation.scaled_product(),
    ),
    "Copies": (storage.copies(), storage.scaled_copies(), storage.parts()),
    "The soft cap": (cap.slope(), cap.slope_error(), cap.through_slope()),
    "Softmax": (
        softmax.shift_cancels(),
        softmax.shifted(),
        softmax.exponentials(),
        softmax.running(),
        softmax.common_factors(),
        softmax.lost(),
    ),
    "The output": (
        quotient.centred(),
        quotient.perturbed(),
        quotient.denominator(),
        quotient.spread(),
        quotient.convex(),
        quotient.quotient(),
        quotient.output(),
    ),
    "The gradients": (
        gradients.jensen(),
        gradients.both_ways(),
        gradients.weight_error(),
        gradients.log_sum_exp(),
        gradients.row_sum(),
        gradients.row_sum_error(),
        gradients.row_sum_bound(),
        gradients.score_gradient(),
        gradients.apart(),
        gradients.score_bound(),
        gradients.zero_sum(),
        gradients.gradient_of_shift(),
    ),
    "The bound, in float64": (enclosure.slack(), enclosure.near_one()),
}
"""The steps by theme."""

STEPS: tuple[Step, ...] = tuple(step for steps in CHAPTERS.values() for step in steps)
"""The steps, in order."""
