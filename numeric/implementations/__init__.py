"""Functions and classes of other packages, as programs that take what a formula of the atlas takes.

One module for each package; ``listed`` has all of them, ``proving`` compares them with the
formulas. What stands around a function moves axes and passes options; it computes nothing of
attention.
"""
