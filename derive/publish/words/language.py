"""Languages: the built-in ones, and a person's own words on top of one of them.

A file of words is YAML: phrases in groups, each with its placeholders in braces. A file of one's
own says ``based-on: de``, may say ``lang:``, and holds only the phrases that it has otherwise. Its
text is plain text, and is escaped wherever it goes.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any

from derive.errors import InputError
from derive.examples import inside
from derive.files import exists
from derive.publish.context import speaking
from derive.text_yaml import load_yaml
from derive.visible import breaks_line, quoted

BUILT_IN = ("en", "de", "es", "fr", "zh")
"""The languages whose words come with this package."""

OWN_ENDINGS = (".yaml", ".yml")
"""How the path of a file of one's own words ends."""

OTHER_SCRIPTS = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
"""Languages that share a built-in one's first letters and are written otherwise."""

_BLANKS = re.compile(r"[ \t\r\n\x0b\x0c\x85\u2028\u2029]+")
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_ABOUT = ("name", "lang", "based-on")


@dataclass(frozen=True, eq=False)
class Language:
    """Phrases by their key, ``group.name``; ``tag`` is what HTML's ``lang`` calls the language.

    The phrases of this package are letters and plain punctuation, no markup in any format; where
    some are a person's ``own``, anything may stand in them.
    """

    tag: str
    phrases: Mapping[str, str]
    own: bool = False

    def __getitem__(self, key: str) -> str:
        """Return a phrase as it is written, with its placeholders."""
        return self.phrases[key]

    @property
    def digest(self) -> str:
        """What a piece of a page that was made with these words is told by."""
        return sha256(repr((self.tag, sorted(self.phrases.items()))).encode()).hexdigest()

    def is_of(self, tag: str) -> bool:
        """Tell whether a page of the language ``tag`` is in this one, as far as the tags say."""
        mine, other = (f"{name.lower().replace('_', '-')}-" for name in (self.tag, tag))
        return mine.startswith(other) or other.startswith(mine)


def chosen(language: str, where: str, folder: Path | None = None, key: str = "language") -> str:
    """Check a language that a person names and return it for a ``Context``.

    It is one of ``BUILT_IN``, or the path of a file of words; with ``folder`` it is one from there,
    and must stay inside. Anything else, and a file that is no such file, is an ``InputError``.
    """
    if language in BUILT_IN:
        return language
    if not language.endswith(OWN_ENDINGS):
        known = f"{', '.join(BUILT_IN[:-1])} or {BUILT_IN[-1]}"
        raise InputError(
            where,
            key,
            f"{quoted(language)} is unknown",
            f"write {known}, or the path of a YAML file with words of your own",
        )
    path = Path(language).absolute() if folder is None else inside(language, folder)
    if not exists(path) or not path.is_file():
        raise InputError(where, key, f"there is no file {quoted(language)}", "correct the path")
    try:
        language_of(str(path))
    except InputError as error:
        raise InputError(language, error.key, error.problem, error.remedy) from None
    return str(path)


@contextmanager
def written_in(language: str, where: str, key: str = "--language") -> Generator[None, None, None]:
    """Write fixed words in a language that a person names, as ``chosen``, inside of this block."""
    with speaking(chosen(language, where, key=key)):
        yield


def of_site(tag: str) -> str:
    """Return the built-in language of a site, such as de for de-AT; English where there is none."""
    wanted = tag.lower().replace("_", "-")
    if wanted.startswith(OTHER_SCRIPTS):
        return "en"
    stem = wanted.partition("-")[0]
    return stem if stem in BUILT_IN else "en"


def language_of(name: str) -> Language:
    """Return a language by what a ``Context`` calls it; a file that changes is read again."""
    if name in BUILT_IN:
        return _built_in(name)
    status = Path(name).stat()
    return _own(name, status.st_mtime_ns, status.st_size)


@cache
def _built_in(name: str) -> Language:
    text = (files("derive.publish.words") / f"{name}.yaml").read_text(encoding="utf-8")
    data = load_yaml(text, where=f"{name}.yaml")
    return Language(data["lang"], dict(_phrases(data, f"{name}.yaml")))


@cache
def _own(path: str, _changed: int, _size: int) -> Language:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InputError(path, "", "it cannot be read", "write it as UTF-8 text") from None
    data = load_yaml(text, where=path)
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InputError(path, "", "this is not a mapping", "write keys such as based-on: de")
    base = data.get("based-on")
    if base not in BUILT_IN:
        problem = "it is missing" if base is None else "this language is unknown"
        raise InputError(path, "based-on", problem, f"write one of {', '.join(BUILT_IN)}")
    below = _built_in(base)
    tag = data.get("lang", below.tag)
    if not (isinstance(tag, str) and _TAG.fullmatch(tag)):
        raise InputError(path, "lang", "this is no language tag", "write one such as de or pt-BR")
    own = {key: _checked(key, text, below, path) for key, text in _phrases(data, path)}
    return Language(tag, {**below.phrases, **own}, own=True)


def _phrases(data: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for group, phrases in data.items():
        if group in _ABOUT:
            continue
        if not isinstance(phrases, dict):
            raise InputError(
                where,
                group,
                "this is no group of phrases",
                "the keys are based-on, lang, and groups such as table: {token: word}",
            )
        for name, phrase in phrases.items():
            if not (isinstance(name, str) and isinstance(phrase, str)):
                raise InputError(
                    where, f"{group}.{name}", "this is not a phrase", "write words after the colon"
                )
            yield f"{group}.{name}", phrase


def _checked(key: str, phrase: str, below: Language, where: str) -> str:
    """Return a person's own phrase on one line, if it is one that can stand for the built-in."""
    if key not in below.phrases:
        near = get_close_matches(key, below.phrases, 1, 0.5)
        group = key.partition(".")[0]
        groups = dict.fromkeys(known.partition(".")[0] for known in below.phrases)
        remedy = (
            f"the nearest known is {near[0]}"
            if near
            else f"the groups are {', '.join(groups)}"
            if group not in groups
            else f"see what {group} has in this package's en.yaml"
        )
        raise InputError(where, key, "this key is unknown", remedy)
    phrase = _BLANKS.sub(" ", phrase)
    if any(map(breaks_line, phrase)):
        raise InputError(where, key, "there is a control character in it", "leave it out")
    wanted = placeholders(below[key])
    found = placeholders(phrase)
    if found is None:
        raise InputError(
            where,
            key,
            "a brace in it belongs to no placeholder",
            "write names in braces, as in {token}, and a brace itself twice",
        )
    if found != wanted:
        names = " and ".join(f"{{{name}}}" for name in sorted(wanted or ())) or "none"
        problem = "its placeholders are others than they should be"
        raise InputError(where, key, problem, f"write {names}, wherever the words want it")
    return phrase


def placeholders(phrase: str) -> frozenset[str] | None:
    """Return the names in braces; None where a brace holds something else than a name."""
    names = set()
    try:
        for _, name, form, conversion in Formatter().parse(phrase):
            if name is None:
                continue
            if form or conversion or not name.isidentifier():
                return None
            names.add(name)
    except ValueError:
        return None
    return frozenset(names)
