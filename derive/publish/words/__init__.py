"""The fixed words of a page, in several languages: a YAML file for each, and what looks them up."""

from derive.publish.words.language import (
    BUILT_IN,
    Language,
    chosen,
    language_of,
    of_site,
    written_in,
)
from derive.publish.words.saying import in_english, language, pieces, said, say, title, title_said

__all__ = [
    "BUILT_IN",
    "Language",
    "chosen",
    "in_english",
    "language",
    "language_of",
    "of_site",
    "pieces",
    "said",
    "say",
    "title",
    "title_said",
    "written_in",
]
