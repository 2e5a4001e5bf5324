"""The proof of the rounding bound of attention, as data: each step can be checked, and can fail.

``proof`` lists the steps in order, ``constants`` what each number in ``numeric/rounding`` counts. A
step's formula is a SymPy relation; the page shows it, and the check works on that same relation:
identities by SymPy at lengths 2, 3 and 4, inequalities by exact rational arithmetic on seeded
random cases, extremes included, and rounding itself in formats of a few bits.
"""
