"""Explain a captured program: named tensors, each with the formula that it equals."""

from derive.explaining.checking import claims
from derive.explaining.entrywise import Entries, TooLarge, entries
from derive.explaining.explaining import explain
from derive.explaining.explanation import Explanation, Given, Line
from derive.explaining.page import to_latex, to_text

__all__ = [
    "Entries",
    "Explanation",
    "Given",
    "Line",
    "TooLarge",
    "claims",
    "entries",
    "explain",
    "to_latex",
    "to_text",
]
