"""What may be claimed of a mechanism: one module for each part that the claims are about."""
