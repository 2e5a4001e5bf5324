"""Publishing: formulas as LaTeX, HTML, JavaScript and Markdown, and the MkDocs plugin."""
