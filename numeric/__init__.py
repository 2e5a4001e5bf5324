"""The torch side: attention as the notes write it, and the checks of derived formulas against it."""
