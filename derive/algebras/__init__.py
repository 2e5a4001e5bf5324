"""What a scalar is: one module for each algebra that a formula can be read over."""
