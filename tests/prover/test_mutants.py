"""Each wrong program is refuted, by numbers that torch confirms."""

from __future__ import annotations

import math

import pytest
import torch
from tests.prover.mutants import MUTANTS, Mutant

from derive.verdict import Verdict
from numeric.verify import verify
