"""What each tensor operation means, once, for every algebra.

``derive.aten.table`` holds the operations by name; the modules beside it define them, grouped by
what they do, and enter them when they are imported. ``derive.interpreter`` runs a graph with them.
"""

from derive.aten import arithmetic, convolution, functions, order, shapes

__all__ = ["arithmetic", "convolution", "functions", "order", "shapes"]
