"""The fixed words of a page: every language whole, nothing English left, own words escaped."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from markupsafe import Markup
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from derive.cli import main
from derive.composition import NORMALISERS, Composition, Projections
from derive.errors import InputError
from derive.examples import load
from derive.gradients import vector_jacobian_product
from derive.publish import fence
from derive.publish.context import Context, current, speaking, using
from derive.publish.document.of_sentence import sentence_document
from derive.publish.document.to_latex import to_latex
from derive.publish.document.to_markdown import to_markdown
from derive.publish.fence import IN_ENGLISH, PARTS, Fences
from derive.publish.kept import Kept
from derive.publish.markdown import show_latex, show_markdown
from derive.publish.notation import GREEK, Latex, Phrase, Speech
from derive.publish.telling import tell
from derive.publish.words import (
    BUILT_IN,
    Language,
    chosen,
    in_english,
    language_of,
    of_site,
    said,
    say,
    title,
    title_said,
)
from derive.publish.words.language import placeholders
from derive.settings import ROOT
from derive.variants import ATLAS

OTHERS = [name for name in BUILT_IN if name != "en"]
ENGLISH = language_of("en").phrases
MARKUP = set('<>&*_`[]\\#$~^|"')

# Tokens that are words of no language here, and numbers that need a sign and a power of ten.
SENTENCE = "tokens: [Kax, Rux, Mox]\nvectors: [[0.5, -2], [1e-9, 1], [3, 0.25]]\nquery: Rux\n"
BODIES = (
    *(f"{SENTENCE}mechanism: {name}\nshow: [numbers, heatmap]" for name in ("shifted", "sum")),
    f"{SENTENCE}show: [vectors, lengths]",
    f"{SENTENCE}projections: small\nmask: causal\nscale: 1/sqrt(d)\n"
    "show: [matrices, numbers, heatmap, formula, shapes, gradient, step-through]",
    "mechanism: softmax\nshow: [formula, matrix, written-out, code]",
    *(
        f"mechanism: {name}\nshow: [changes, shapes, cost, inputs, gradient, torch-code]"
        for name in ("causal", "raw-scores", "pooling")
    ),
    "mechanism: multi-head\nexample: journey\nshow: [weights]",
    "mechanism: scaled-dot-product\nexample: journey\nshow: [weights]",
    "queries: {Kax: [1]}\nkeys: {Rux: [1], Mox: [2]}\nvalues: {Rux: [1], Mox: [0]}\n"
    "show: [two-shapes]",
    "example: journey\nshow: [yaml]",
)


# The catalogues


@pytest.mark.parametrize("name", OTHERS)
def test_every_language_has_every_phrase_with_its_placeholders(name: str) -> None:
    phrases = language_of(name).phrases
    assert phrases.keys() == ENGLISH.keys()
    for key, phrase in phrases.items():
        assert phrase.strip() == phrase != "", key
        assert placeholders(phrase) == placeholders(ENGLISH[key]), key


@pytest.mark.parametrize("name", BUILT_IN)
def test_phrases_are_letters_and_plain_punctuation(name: str) -> None:
    assert not language_of(name).own
    for key, phrase in language_of(name).phrases.items():
        assert not MARKUP & set(phrase), key
        assert "  " not in phrase, key
        if placeholders(phrase):
            assert placeholders(phrase) == set(re.findall(r"\{([a-z]+)\}", phrase)), key


def test_titles_are_called_by_their_english_words() -> None:
    titles = {key: phrase for key, phrase in ENGLISH.items() if key.startswith("titles.")}
    assert titles
    assert all(key == f"titles.{phrase}" for key, phrase in titles.items())


def test_every_phrase_that_code_names_is_there_and_no_other() -> None:
    _, asked = _page("de")
    with _asking(asked), speaking("de"):
        _spoken_by_all_methods()
        telling = _telling(Composition("softmax", ROOT))
        show_markdown(telling)
        to_markdown(sentence_document(telling))
        title("softmax attention, causal")
        CliRunner().invoke(main, ["page", "journey", "--format", "svg", "--language", "de"])
    unused = {key for key in ENGLISH if not key.startswith("titles.")} - asked
    assert unused == set()


@cache
def _page(name: str) -> tuple[str, set[str]]:
    """Return what a page of all parts says, and the phrases that it asked for."""
    asked: set[str] = set()
    fences = Fences(language=name)
    with _asking(asked):
        return "\n".join(_text(str(fences.render(body))) for body in BODIES), asked


@contextmanager
def _asking(asked: set[str]) -> Iterator[None]:
    """Add to ``asked`` the key of every phrase that is looked up inside of this block."""

    def looked_up(self: Language, key: str) -> str:
        asked.add(key)
        return self.phrases[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Language, "__getitem__", looked_up)
        yield


def _spoken_by_all_methods() -> list[str]:
    speech, x, y = Speech(), Phrase("x"), Phrase("y")
    return [
        *(speech.bracket(x, sign, y).text for sign in ("<", "<=", "=")),
        *(speech.power(x, exponent).text for exponent in (2, 3, 4)),
        *(speech.entry(name, ["i"]).text for name in ("theta", "epsilon", "lambda", "gamma")),
        *(speech.entry(name, ["i"]).text for name in ("beta", "zbar", "Wbar_q")),
        *(f(x).text for f in (speech.tanh, speech.cos, speech.sin, speech.floor, speech.sqrt)),
        speech.remainder(x, y).text,
        speech.largest([x, y]).text,
        speech.largest_over("j", "n", x).text,
    ]


def _compositions() -> Iterator[Composition]:
    small = Projections.small(3)
    for normaliser, scale, causal, projections in itertools.product(
        NORMALISERS, (None, ROOT, Fraction(1, 2)), (False, True), (None, small)
    ):
        yield Composition(normaliser, scale, causal, projections)


@pytest.mark.parametrize("name", OTHERS)
def test_every_composed_title_is_translated(name: str) -> None:
    with speaking(name):
        for composition in _compositions():
            mechanism = composition.mechanism
            for english in (
                mechanism.title,
                *(choice.title for choice in mechanism.choices),
                *(choice.role for choice in mechanism.choices),
            ):
                assert "lang=" not in title_said(english), english
        everything = Composition("softmax", ROOT, True, Projections.small(3)).mechanism
        for choice in vector_jacobian_product(everything).mechanism.choices:
            assert "lang=" not in title_said(choice.title), choice.title
        roles = {c.role for variant in ATLAS.values() for c in variant.mechanism.choices}
        assert [role for role in sorted(roles) if "lang=" in title_said(role)] == []


def test_titles_are_put_together_piece_by_piece() -> None:
    title_of_all = Composition(
        "shifted", Fraction(1, 2), True, Projections.small(2)
    ).mechanism.title
    assert title_of_all == "softmax attention, shifted, scores times 1/2, causal, with projections"
    with speaking("en"):
        assert title(title_of_all) == title_of_all
    with speaking("de"):
        assert title(title_of_all) == (
            "Softmax-Attention, verschoben, Scores mal 1/2, kausal, mit Projektionen"
        )
        assert title("what reaches x back through: weighted sum, score") == (
            "was x rückwärts erreicht, durch: gewichtete Summe, Score"
        )
        assert title_said("a <new> title") == '<span lang="en">a &lt;new&gt; title</span>'
    with speaking("zh"):
        assert title("softmax attention, causal") == "softmax 注意力，因果"  # noqa: RUF001
    assert title_said("a <new> title") == "a &lt;new&gt; title"


# Looking up


def test_phrases_are_filled_with_escaped_values_and_markup() -> None:
    hostile = "<b>{query}</b>"
    assert say("heatmap.attends", token=hostile) == "How &lt;b&gt;{query}&lt;/b&gt; attends"
    assert say("heatmap.attends", token=Markup("<i>x</i>")) == "How <i>x</i> attends"
    assert said("heatmap.attends", token=hostile) == f"How {hostile} attends"
    with pytest.raises(KeyError):
        say("heatmap.nothing")
    with pytest.raises(KeyError):
        say("heatmap.attends", word="x")


def test_the_context_is_left_as_it_was() -> None:
    with using(Context("arithmatex", "fr")):
        with speaking("de"):
            assert current() == Context("arithmatex", "de")
            assert said("table.sum") == "Summe"
        with pytest.raises(KeyError), speaking("de"):
            said("nothing")
        assert said("table.sum") == "somme"
    assert current() == Context()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("fr_CA", "fr"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-TW", "en"),
        ("zh_Hant", "en"),
        ("pt-BR", "en"),
        ("en", "en"),
        ("dedup", "en"),
    ],
)
def test_the_language_of_a_site_is_the_nearest_there_is(tag: str, expected: str) -> None:
    assert of_site(tag) == expected


# Pages


def _text(page: str) -> str:
    """Return what a page says to a reader or a screen reader; code and drawn maths left out."""
    page = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    page = re.sub(r'<span lang="en">.*?</span>', "", page)
    page = re.sub(r'<template class="attn-walk-data">.*?</template>', "", page)
    page = _WORDS.sub(lambda found: "\n".join(_values(json.loads(found[1]))), page)
    page = _DRAWN.sub("", page)
    page = re.sub(r"</(?:div|li|p|td|th|caption)>", "\n", page)
    labels = re.findall(r'(?:aria-label|title|data-copied|data-refused)="([^"]*)"', page)
    return html.unescape("\n".join([re.sub(r"<[^>]+>", "", page), *labels]))


def _values(words: dict[str, Any] | str) -> list[str]:
    if isinstance(words, str):
        return [words]
    return [text for inner in words.values() for text in _values(inner)]


_WORDS = re.compile(r'<template class="attn-walk-words">(.*?)</template>')
_DRAWN = re.compile(r'<span aria-hidden="true">(<span class="katex.*?)</span></(?:var|div)>', re.S)


def _own_words(key: str) -> list[str]:
    """Return the pieces of text of an English phrase that have a word in them.

    The name of a Greek letter is also what a screen reader makes of the letter itself.
    """
    if ENGLISH[key] in GREEK:
        return []
    return [piece for piece in re.split(r"\{[a-z]+\}", ENGLISH[key]) if re.search("[a-z]", piece)]


@pytest.mark.parametrize("name", OTHERS)
def test_a_page_in_another_language_has_no_english_words_left(name: str) -> None:
    words, (page, _) = language_of(name), _page(name)
    theirs = "\n".join(words.phrases.values())
    found = [
        key
        for key in ENGLISH
        if words[key] != ENGLISH[key]
        for piece in _own_words(key)
        if not (said_by := re.compile(rf"\b{re.escape(piece.strip(' .,:;'))}\b")).search(theirs)
        and said_by.search(page)
    ]
    assert found == []


def test_that_test_finds_english_words() -> None:
    page = _text(str(Fences(language="en").render(BODIES[0])))
    assert "each row sums to its last column" in page
    assert "times" in page
    assert "Rux to Kax: " in page
    assert "katex" not in page


def test_formulas_are_set_the_same_in_every_language() -> None:
    body = f"{SENTENCE}show: [formula, numbers, heatmap, lengths]"
    drawn = _DRAWN.findall(str(Fences().render(body)))
    assert len(drawn) > 20
    for name in OTHERS:
        assert _DRAWN.findall(str(Fences(language=name).render(body))) == drawn


def test_the_words_of_the_script_are_the_same_phrases_in_every_language() -> None:
    script = (Path(fence.__file__).parent / "assets" / "step-through.js").read_text("utf-8")
    asked = set(re.findall(r'\bsay\("([A-Za-z.]+)"', script)) - {"steps.projection"}
    assert len(asked) > 25
    for name in BUILT_IN:
        page = str(Fences(language=name).render(f"{SENTENCE}show: [step-through]"))
        found = re.search(r'class="attn-walk-words">(.*?)</template>', page)
        assert found is not None
        words = json.loads(found[1])
        assert asked <= words.keys()
        assert words["sum"] == language_of(name)["table.sum"]
        assert words["remove"] == language_of(name)["walk.remove"]
        spoken = language_of(name)["speech.equals"]
        assert f" {spoken} " in _text(page)


def test_a_page_in_german() -> None:
    fences = Fences(language="de")
    page = _text(str(fences.render("example: journey\nshow: [numbers, heatmap]")))
    for line in (
        "s i j gleich Summe über k von 1 bis d von x i k mal x j k",
        "groß D 2 gleich e hoch 0.9544 plus e hoch 1.4950",
        "a i j gleich e hoch s i j, geteilt durch groß D i",
        "Die Gewichte ergeben zusammen 1.0000.",
        "Kontextvektor von journey: [0.4419, 0.6515, 0.5683]",
        "Jede Zeile ist eine Query, jede Spalte ein Key; die letzte Spalte ist die Summe",
        "journey zu starts: 0.2333",
        "Worauf journey achtet",
    ):
        assert line in page
    told = show_markdown_in("de", Composition("softmax", ROOT, True))
    for line in (
        "Softmax-Attention, skaliert, kausal; die Query ist journey.",
        "## Score: skaliertes Skalarprodukt",
        "## Normieren: Softmax über die Keys, die eine Query sehen darf",
        "## Gewichtete Summe",
        "| | Token | Score | Gewicht |",
    ):
        assert f"\n{line}\n" in told


def _telling(composition: Composition):
    return tell(load("journey"), composition, notation=Latex())


def show_markdown_in(name: str, composition: Composition) -> str:
    with speaking(name):
        return show_markdown(_telling(composition))


# Where it is said what language it is


def _tags(page: str) -> set[str]:
    sections = re.findall(r'<section class="attn[^>]*>', page)
    assert sections
    return {
        found[1] if (found := re.search(r' lang="([^"]*)"', section)) else ""
        for section in sections
    }


@pytest.mark.parametrize(
    ("language", "site", "said_in_fence", "tags", "in_english"),
    [
        ("en", None, None, {""}, {""}),
        ("de", None, None, {""}, {"en"}),
        ("de", "de-AT", None, {""}, {"en"}),
        ("en", "de", None, {"en"}, {"en"}),
        ("en", "en", "fr", {"fr"}, {""}),
        ("de", "de", "fr", {"fr"}, {"en"}),
        ("de", "de", "en", {"en"}, {"en"}),
        ("en", "en", "zh", {"zh-Hans"}, {""}),
    ],
)
def test_sections_say_their_language_where_the_page_is_in_another(
    language: str, site: str | None, said_in_fence: str | None, tags: set[str], in_english: set[str]
) -> None:
    fences = Fences(language=language, site_language=site)
    more = f"language: {said_in_fence}\n" if said_in_fence else ""
    page = fences.render(f"{more}example: journey\nshow: [vectors, heatmap, code, yaml]")
    assert _tags(str(page)) == tags
    proofs = str(fences.render(f"{more}mechanism: softmax\nshow: [properties]"))
    assert _tags(proofs) == in_english
    assert "the sum over" in proofs


def test_what_stays_english_is_a_known_part() -> None:
    assert {"properties", "compare", "rounding-proof", "weight", "summary", "atlas"} <= IN_ENGLISH
    assert {"heatmap", "numbers", "weights", "changes", "step-through"} <= PARTS.keys() - IN_ENGLISH
    assert in_english("<x>") == "&lt;x&gt;"


def test_an_unknown_language_is_one_clear_line() -> None:
    with pytest.raises(InputError) as caught:
        Fences().render("example: journey\nlanguage: xx")
    assert str(caught.value) == (
        "attention fence: language: 'xx' is unknown; write en, de, es, fr or zh, or the path of a "
        "YAML file with words of your own"
    )


def test_what_is_kept_in_one_language_is_not_shown_in_another(tmp_path: Path) -> None:
    body, kept = "example: journey\nshow: [vectors]", tmp_path / "kept"
    own = tmp_path / "words.yaml"
    own.write_text("based-on: de\ntable: {token: Wort}\n", "utf-8")
    pages = [
        str(Fences(kept=Kept(kept), folder=tmp_path, language=name).render(body))
        for name in ("en", "de", str(own), "de", "en")
    ]
    assert len(list(kept.iterdir())) == 3
    assert [">Token<" in page for page in pages] == [False, True, False, True, False]
    own.write_text("based-on: de\ntable: {token: Wörtchen}\n", "utf-8")
    page = str(Fences(kept=Kept(kept), folder=tmp_path, language=str(own)).render(body))
    assert ">Wörtchen<" in page


# One's own words

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</section>",
    "**bold** `code` $x$ | <b>",
    r"\input{{/etc/passwd}} \end{{document}}",
    "{{ 7 * 7 }} {{% raw %}}",
)


def _own(folder: Path, text: str) -> str:
    (folder / "words.yaml").write_text(text, encoding="utf-8")
    return chosen("words.yaml", "test", folder)


def test_ones_own_words_stand_on_those_of_a_language(tmp_path: Path) -> None:
    own = _own(
        tmp_path,
        "based-on: de\nlang: de-CH\ntable:\n  token: Wort\n"
        "heatmap:\n  attends: Wohin {token} schaut\ntitles:\n  causal: nur rückwärts\n",
    )
    with speaking(own):
        assert said("table.token") == "Wort"
        assert said("table.sum") == "Summe"
        assert title("softmax attention, causal") == "Softmax-Attention, nur rückwärts"
    fences = Fences(folder=tmp_path)
    page = str(fences.render("example: journey\nlanguage: words.yaml\nshow: [heatmap]"))
    assert _tags(page) == {"de-CH"}
    assert "Wohin journey schaut" in _text(page)
    assert fences.files_read == {tmp_path / "words.yaml"}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_ones_own_words_are_text_wherever_they_go(tmp_path: Path, hostile: str) -> None:
    phrases = {
        key: hostile + "".join(re.findall(r"\{[a-z]+\}", phrase)) for key, phrase in ENGLISH.items()
    }
    groups: dict[str, dict[str, str]] = {}
    for key, phrase in phrases.items():
        group, _, name = key.partition(".")
        groups.setdefault(group, {})[name] = phrase
    own = _own(tmp_path, json.dumps({"based-on": "en", **groups}))
    fences = Fences(folder=tmp_path, language=own, site_language="en")
    # Nothing that a phrase says becomes a tag: the page has the tags that it has in English.
    for body in (
        f"{SENTENCE}show: [vectors, normalise, heatmap]",
        "mechanism: softmax\nd: 1\nshow: [formula, written-out, shapes]",
        "mechanism: causal\nshow: [changes, cost, inputs]",
    ):
        page, usual = str(fences.render(body)), str(Fences().render(body))
        page = re.sub(r' data-(?:copied|refused)="[^"]*"', "", page)
        names = re.compile(r"<(/?[a-z]+)")
        assert names.findall(page) == names.findall(usual)
    with speaking(own):
        telling = _telling(Composition())
        for markdown in (show_markdown(telling), to_markdown(sentence_document(telling))):
            assert "<" not in markdown
            assert "**bold" not in markdown
            assert "`code" not in markdown
        for latex in (show_latex(telling), to_latex(sentence_document(telling))):
            body = "\n".join(line for line in latex.splitlines() if not line.startswith("%"))
            assert "\\input{/" not in body
            assert body.count("\\end{document}") == latex.count("\\begin{document}")


def test_ones_own_words_cannot_end_the_data_of_the_script(tmp_path: Path) -> None:
    own = _own(tmp_path, "based-on: en\nwalk: {reset: '</script><b>x</b>'}\n")
    page = str(Fences(language=own).render(f"{SENTENCE}show: [step-through]"))
    assert "</script><b>" not in page
    found = _WORDS.search(page)
    assert found is not None
    assert json.loads(found[1])["reset"] == "</script><b>x</b>"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- x", ["not a mapping"]),
        ("a: [", ["not YAML"]),
        ("table: {token: x}", ["based-on", "missing", "en, de"]),
        ("based-on: xx", ["based-on", "unknown"]),
        ("based-on: [en]", ["based-on", "unknown"]),
        ("based-on: de\nlang: 'de\" x=\"'", ["lang", "no language tag"]),
        (
            "based-on: de\ntable: {tokn: x}",
            ["table.tokn", "unknown", "nearest known is table.token"],
        ),
        ("based-on: de\ntabel: {token: x}", ["tabel.token", "nearest known is table.token"]),
        ("based-on: de\nzzz: {q: x}", ["zzz.q", "unknown", "the groups are table"]),
        ("based-on: de\nspeech: {qqqqqqqqqqqqqqqq: x}", ["unknown", "en.yaml"]),
        ("based-on: de\nbase: de", ["base", "no group", "based-on, lang"]),
        ("based-on: de\ntable: {token: [x]}", ["table.token", "not a phrase"]),
        ("based-on: de\nheatmap: {attends: x}", ["heatmap.attends", "placeholders", "{token}"]),
        ("based-on: de\nheatmap: {attends: '{word}'}", ["heatmap.attends", "write {token}"]),
        ("based-on: de\ntable: {token: '{token}'}", ["table.token", "write none"]),
        ("based-on: de\nheatmap: {attends: '{token.__class__}'}", ["no placeholder", "twice"]),
        ("based-on: de\nheatmap: {attends: '{token!r}'}", ["no placeholder"]),
        ("based-on: de\nheatmap: {attends: '{token:>99999999}'}", ["no placeholder"]),
        ("based-on: de\nheatmap: {attends: '{} {token}'}", ["no placeholder"]),
        ("based-on: de\nheatmap: {attends: '{token} }'}", ["no placeholder"]),
        ('based-on: de\ntable: {token: "a\\eb"}', ["control character"]),
    ],
)
def test_a_mistake_in_ones_own_words_is_one_line(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        _own(tmp_path, text)
    message = str(caught.value)
    assert message.startswith("words.yaml")
    assert "\n" not in message
    for part in told:
        assert part in message


def test_files_of_words_are_looked_for_in_the_sites_folder(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "words.yaml").write_text("based-on: de\n", "utf-8")
    with pytest.raises(InputError, match="outside"):
        chosen("../words.yaml", "test", tmp_path / "site")
    with pytest.raises(InputError, match="there is no file"):
        chosen("other.yaml", "test", tmp_path / "site")
    (tmp_path / "words.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        chosen("words.yaml", "test", tmp_path)


# Sites and commands


def _built(folder: Path, theme: str, option: str = "") -> str:
    (folder / "docs").mkdir()
    page = "# Seite\n\n```attention\nexample: journey\nshow: [vectors, score, properties]\n```\n"
    (folder / "docs" / "index.md").write_text(page, "utf-8")
    (folder / "words.yaml").write_text("based-on: es\ntable: {token: palabra}\n", "utf-8")
    (folder / "mkdocs.yml").write_text(
        f"site_name: Seite\ntheme: {theme}\nplugins:\n  - attention:\n      kept: none\n{option}",
        "utf-8",
    )
    config = load_config(str(folder / "mkdocs.yml"), strict=True, site_dir=str(folder / "site"))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return (folder / "site" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("theme", "option", "word", "tag"),
    [
        ("{name: mkdocs, locale: de}", "", ">Stelle<", ""),
        ("{name: material, language: de, font: false}", "", ">Stelle<", ""),
        ("{name: mkdocs, locale: pt_BR}", "", ">position<", "en"),
        ("mkdocs", "      language: fr\n", ">requête<|Le vecteur", "fr"),
        ("mkdocs", "      language: words.yaml\n", ">palabra<", "es"),
    ],
)
def test_a_site_speaks_the_language_of_its_theme_or_of_the_option(
    tmp_path: Path, theme: str, option: str, word: str, tag: str
) -> None:
    page = _built(tmp_path, theme, option)
    assert re.search(word, page)
    proofs = page.index("attn-property")
    own, english = page[:proofs], page[page.rindex("<section", 0, proofs) :]
    sections = re.findall(r'<section class="attn[^>]*>', own)[:2]
    assert all(
        (f' lang="{tag}"' in section) if tag else (" lang=" not in section) for section in sections
    )
    is_english_site = theme == "mkdocs"
    assert ('lang="en"' in english[: english.index(">")]) != is_english_site


def test_an_unknown_language_stops_the_build(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Abort):
        _built(tmp_path, "mkdocs", "      language: klingon\n")
    assert "attention: language: 'klingon' is unknown; write en, de" in caplog.text


def test_commands_take_a_language() -> None:
    run = CliRunner()
    shown = run.invoke(main, ["show", "journey", "--format", "markdown", "--language", "es"])
    assert "Atención softmax; la consulta es journey." in shown.output
    page = run.invoke(main, ["page", "journey", "--language", "fr"])
    assert "## Les nombres de la requête" in page.output
    svg = run.invoke(main, ["page", "journey", "--format", "svg", "--language", "zh"])
    assert "注意力权重</title>" in svg.output
    assert current().language == "en"
    for arguments in (
        ["show", "journey", "--language", "de"],
        ["show", "journey", "--format", "json", "--language", "de"],
        ["page", "journey", "--format", "json", "--language", "de"],
        ["page", "x.py:attention", "--language", "de"],
        ["show", "journey", "--format", "markdown", "--language", "xx"],
    ):
        refused = run.invoke(main, arguments)
        assert refused.exit_code != 0
        assert "--language" in str(refused.exception or "") + refused.output
