"""The MkDocs plugin: it adds the fence, the style and the fonts, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from mkdocs.config import config_options
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import BasePlugin, get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.inlinehilite import InlineHiliteException
from pymdownx.superfences import SuperFencesException

from derive.atlas_evidence import AtlasEvidence
from derive.errors import InputError
from derive.evidence import Evidence, EvidenceError
from derive.examples import BUILT_IN
from derive.properties import STATED
from derive.publish import atlas_pages, katex
from derive.publish.assets_folder import SCRIPTS, STYLES, katex_files, own_files
from derive.publish.context import Maths
from derive.publish.fence import Fences
from derive.publish.kept import Kept
from derive.publish.words import chosen, of_site
from derive.rounding_evidence import OURS, RoundingEvidence

log = get_plugin_logger("attention")

ASSETS = "assets/attention"


class AttentionConfig(Config):
    """Files in the project's folder: ``derive check`` wrote ``evidence``, ``measure`` ``rounding``.

    ``derive atlas`` wrote ``atlas``. A site without parts that show them needs none of the three.
    In the folder ``kept`` pieces of pages stay from one build to the next; ``none`` keeps none.
    ``maths`` is ``katex`` (set while the site is built), ``arithmatex`` (left to the script that
    the site has) or ``auto``: arithmatex where the site uses that extension. ``language`` is that
    of the fixed words: a built-in one, or a file of words; by default that of the theme.
    """

    evidence = config_options.Optional(config_options.Type(str))
    rounding = config_options.Optional(config_options.Type(str))
    atlas = config_options.Optional(config_options.Type(str))
    kept = config_options.Type(str, default=".cache/attention")
    maths = config_options.Choice(("auto", "katex", "arithmatex"), default="auto")
    language = config_options.Optional(config_options.Type(str))


class FenceError(SuperFencesException, PluginError):
    """A mistake in a fence: pymdownx lets it through, and MkDocs shows its one line alone."""


class NumberError(InlineHiliteException, PluginError):
    """A mistake in an inline number or formula, shown in the same way."""


class AttentionPlugin(BasePlugin[AttentionConfig]):
    """Adds ```` ```attention ```` fences to a site."""

    def __init__(self) -> None:
        self.fences = Fences()
        self.atlas: str | None = None
        self.kept: Kept | None = None
        self.folder = Path()
        self.server: LiveReloadServer | None = None
        self.watched: set[Path] = set()

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Register the fence, the inline forms, the style and the script."""
        folder = Path(config.config_file_path or ".").parent
        checked = _checked(folder / self.config.evidence) if self.config.evidence else None
        measured = _measured(folder / self.config.rounding) if self.config.rounding else None
        atlas = _atlas(folder / self.config.atlas) if self.config.atlas else None
        self.kept = None if self.config.kept == "none" else Kept(folder / self.config.kept)
        self.folder = folder
        self.fences = Fences(
            checked,
            FenceError,
            NumberError,
            measured,
            atlas,
            self.kept,
            folder,
            self._typeset(config),
            self._language(config, folder),
            _language_of(config),
        )
        _extend(config, "pymdownx.superfences", "custom_fences", self.fences.custom_fences())
        _extend(config, "pymdownx.inlinehilite", "custom_inline", self.fences.custom_inline())
        if config.nav is not None:
            config.nav, self.atlas = atlas_pages.expanded(config.nav)
        own = self.fences.typeset == "katex"
        styles = [style for style in STYLES if own or not style.startswith("katex/")]
        config.extra_css[:0] = [f"{ASSETS}/{style}" for style in styles]
        config.extra_javascript += [f"{ASSETS}/{script}" for script in SCRIPTS]
        return config

    def on_files(self, files: Files, *, config: MkDocsConfig) -> Files:
        """Add the style, the script and KaTeX's style and fonts to the site."""
        for name, content in own_files().items():
            files.append(File.generated(config, f"{ASSETS}/{name}", content=content))
        if self.fences.typeset == "katex":
            self._add_katex(files, config)
        if self.atlas is not None:
            pages = atlas_pages.pages(self.atlas, _sources(files))
            if self.config.atlas is not None:
                pages[f"{self.atlas}/atlas.json"] = self.fences.atlas_json()
            for target, content in pages.items():
                files.append(File.generated(config, target, content=content))
        return files

    def on_page_markdown(self, markdown: str, *, page: Page, **kwargs: Any) -> str:
        """Remember which page is being made, so that a mistake names it; let theorems be linked."""
        path = Path(page.file.abs_src_path or page.file.src_uri)
        within = path.is_absolute() and path.is_relative_to(self.folder.resolve())
        named = path.relative_to(self.folder.resolve()) if within else Path(page.file.src_uri)
        self.fences.page, self.fences.page_source = named.as_posix(), page.file.content_string
        return atlas_pages.with_anchors(markdown)

    def on_serve(self, server: LiveReloadServer, **kwargs: Any) -> LiveReloadServer:
        """Watch the sentence files that fences name: a change of one shows at once."""
        self.server = server
        self._watch()
        return server

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Forget the page, and what is kept of pages that are no more."""
        self.fences.page = self.fences.page_source = ""
        self._watch()
        if self.kept is not None:
            self.kept.forget_unused()

    def _watch(self) -> None:
        if self.server is None:
            return
        for path in self.fences.files_read - self.watched:
            self.server.watch(str(path))
            self.watched.add(path)

    def _typeset(self, config: MkDocsConfig) -> Maths:
        if self.config.maths != "auto":
            return cast("Maths", self.config.maths)
        theirs = "pymdownx.arithmatex" in config.markdown_extensions
        return "arithmatex" if theirs else "katex"

    def _language(self, config: MkDocsConfig, folder: Path) -> str:
        if self.config.language is None:
            return of_site(_language_of(config))
        try:
            return chosen(self.config.language, "mkdocs.yml: attention", folder)
        except InputError as error:
            raise PluginError(str(error)) from None

    def _add_katex(self, files: Files, config: MkDocsConfig) -> None:
        try:
            found = katex_files()
        except katex.KatexMissing as error:
            told = f"{error} Or leave maths to your site's script: maths: arithmatex"
            raise PluginError(told) from None
        for name, path in found.items():
            target = f"{ASSETS}/{name}"
            files.append(File.generated(config, target, abs_src_path=str(path)))


def _language_of(config: MkDocsConfig) -> str:
    """Return the tag of the language that the theme says its pages are in."""
    return str(config.theme.get("language") or config.theme.get("locale") or "en").replace("_", "-")


def _checked(path: Path) -> Callable[[], Evidence]:
    """Return what reads the evidence, once, and refuses it unless it is whole and passed."""

    @cache
    def read() -> Evidence:
        evidence = Evidence.read(path)
        evidence.check_current()
        _check_complete(evidence)
        if not evidence.passed:
            raise EvidenceError(f"the checks did not pass; run '{evidence.command}' and see why")
        return evidence

    return read


def _measured(path: Path) -> Callable[[], RoundingEvidence]:
    """Return what reads the figures about rounding, in the same way."""

    @cache
    def read() -> RoundingEvidence:
        found = RoundingEvidence.read(path)
        found.check_current()
        _check_measured(found)
        if not found.passed:
            raise EvidenceError(
                f"{path}: a program is misjudged; run '{found.command}' and see which"
            )
        return found

    return read


def _atlas(path: Path) -> Callable[[], AtlasEvidence]:
    """Return what reads the evidence about the atlas, in the same way."""

    @cache
    def read() -> AtlasEvidence:
        found = AtlasEvidence.read(path)
        found.check_current()
        if not found.passed:
            raise EvidenceError(f"{path}: not all is as stated; run '{found.command}' and see what")
        return found

    return read


def _sources(files: Files) -> dict[str, str]:
    """Return the Markdown of every page by its path."""
    return {file.src_uri: file.content_string for file in files.documentation_pages()}


def _check_measured(found: RoundingEvidence) -> None:
    """Refuse figures that lack a kind of program, or that not every rule judged."""
    rules = {tuple(name for name, _ in trial.verdicts) for trial in found.trials}
    kinds = {"wrong programs": found.wrong, "correct programs": found.correct}
    lacking = [kind for kind, rows in {**kinds, "tightness": found.tightness}.items() if not rows]
    if any(OURS not in names for names in rules) or len(rules) > 1:
        lacking.append("the verdict of a rule")
    if lacking:
        raise EvidenceError(f"{lacking[0]}: missing from it; run '{found.command}' again")


def _check_complete(evidence: Evidence) -> None:
    """Refuse evidence that lacks a built-in sentence, or a property that is stated."""
    stated = {(claim.name, key) for claim, keys in STATED.items() for key in keys}
    lacking = [name for name, _ in stated - {(p.name, p.mechanism) for p in evidence.properties}]
    for rows in (evidence.comparisons, evidence.reproductions):
        lacking += sorted(set(BUILT_IN) - {row.example for row in rows})
    if lacking:
        raise EvidenceError(f"{lacking[0]} is missing from it; run 'derive check --all' again")


def _extend(
    config: MkDocsConfig, extension: str, option: str, entries: list[dict[str, Any]]
) -> None:
    if extension not in config.markdown_extensions:
        config.markdown_extensions.append(extension)
    options = config.mdx_configs.setdefault(extension, {})
    options[option] = [*options.get(option, []), *entries]
