"""Pages that answer: SymPy writes JavaScript from the formulas; it is run before it is shown."""
