"""Claims about scores."""

from __future__ import annotations

from sympy import Expr, Indexed, IndexedBase

from derive.binding import rename, same
from derive.claims.chains import chain, defining, folded, unfolded
from derive.claims.claim import Claim, Proof, difference, never, of_nothing, product_of
from derive.claims.subject import Subject
from derive.claims.weights import has_scores, has_weights
from derive.derivation import DerivationError
from derive.formula import K, Q, Stage, a, s
from derive.rewriting import Rule, distribute, pull_out
from derive.witness import Difference, Reading, entry_name, first_difference, surely_different
