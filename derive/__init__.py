"""Attention formulas, derived: one index form, read as LaTeX, numbers, arrays, code and proofs.

    from derive import SOFTMAX, load, work_out
    work_out(load("journey"), SOFTMAX).floats(a)[1]

Importing this package never imports torch.
"""
