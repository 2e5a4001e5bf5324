"""The fence for generators that take pymdownx's fences but no plugins, such as Zensical.

    markdown_extensions:
      - pymdownx.superfences:
          custom_fences:
            - name: attention
              class: attention
              format: !!python/name:derive.publish.zensical.fence
      - pymdownx.inlinehilite:
          custom_inline:
            - name: attention
              class: attention
              format: !!python/name:derive.publish.zensical.number

``derive assets`` writes the styles and scripts that pages need. Files that a fence names are found
from the folder in which the site is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from derive.publish.fence import Fences


def _fences() -> Fences:
    # Pages may be made side by side: each fence has its own, and nothing is shared.
    return Fences(folder=Path.cwd())


def fence(source: str, language: str, css_class: str, options: Any, md: Any, **kwargs: Any) -> str:
    """Turn the YAML of one fence into HTML; a mistake ends the build with one line."""
    return _fences().format(source, language, css_class, options, md, **kwargs)


def number(source: str, language: str, css_class: str, md: Any) -> Element:
    """Turn one inline request into a number."""
    return _fences().format_number(source, language, css_class, md)
