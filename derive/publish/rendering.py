"""Jinja templates of this package, with everything escaped unless it is markup already."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from derive.publish.words import in_english, language, say, title_said

WORDS = {"say": say, "title_said": title_said, "in_english": in_english, "language": language}
"""What a template says its fixed words by: ``{{ say("table.token") }}``."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("derive.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= WORDS
    return environment


def render(template: str, **values: Any) -> Markup:
    """Render one of the templates; every plain string in ``values`` is escaped."""
    html = _environment().get_template(f"{template}.html.jinja").render(**values)
    return Markup(html)  # noqa: S704 - the environment escapes what it is given


def code(source: str, language: str = "python") -> Markup:
    """Return highlighted source, in the classes that the theme's own code blocks have."""
    lines = highlight(source.rstrip("\n"), get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    marked = Markup(lines)  # noqa: S704 - Pygments escapes the source
    return Markup('<div class="highlight"><pre><code>{}</code></pre></div>').format(marked)


def json_in_html(data: Any) -> Markup:
    """Return data as JSON for an element: nothing in it can end the element or a line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - what could be markup was replaced
