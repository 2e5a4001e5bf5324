"""How a formula in index form becomes lines of array code; ``derive.code`` is what others use."""
