"""Exact proofs that two scalar programs compute the same real numbers."""
