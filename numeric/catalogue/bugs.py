"""The published bugs, by theme: scores, masks, softmax, layouts, backward passes."""

from __future__ import annotations

from numeric.catalogue.backward_bugs import BACKWARD_BUGS
from numeric.catalogue.layout_bugs import LAYOUT_BUGS
from numeric.catalogue.mask_bugs import MASK_BUGS
from numeric.catalogue.score_bugs import SCORE_BUGS
from numeric.catalogue.softmax_bugs import SOFTMAX_BUGS

BUGS = (*SCORE_BUGS, *MASK_BUGS, *SOFTMAX_BUGS, *LAYOUT_BUGS, *BACKWARD_BUGS)
"""Each a program with one bug that was really made."""
