"""The commands that read torch programs, one module each."""
