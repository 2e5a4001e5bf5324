"""A page as data, and what writes it down: Markdown, LaTeX, HTML, a notebook."""
