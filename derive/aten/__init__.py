"""What each tensor operation means, once, for every algebra.

``derive.aten.table`` holds the operations by name; the modules beside it define them, grouped by
what they do. ``derive.interpreter`` runs a graph with them.
"""
