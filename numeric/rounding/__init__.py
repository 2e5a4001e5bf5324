"""Certified rounding bounds for attention and its gradients, in place of tolerances.

``problem`` lays inputs out, ``reference`` (or ``ball_reference``) encloses the exact values,
``contract`` states the precisions, ``forward`` and ``backward`` bound the error, ``judging``
compares, ``watching`` infers the contract, ``designed`` makes inputs, ``checking`` does it all.
"""
