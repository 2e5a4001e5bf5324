"""``derive assets``: styles and scripts for a site that no plugin puts them into."""

from __future__ import annotations

from pathlib import Path

import click

from derive.errors import InputError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write into a folder that has something in it.")
def assets(folder: Path, force: bool) -> None:
    """Write the styles, fonts and scripts that pages need, and say how a site names them.

    MkDocs needs none of this, as its plugin does it. Zensical takes the fence, but no plugins.

    Example: derive assets docs/assets/attention
    """
    from derive.publish.katex_package import KatexError

    try:
        from derive.publish.assets_folder import SCRIPTS, STYLES, write_assets
    except ModuleNotFoundError as error:
        remedy = "pip install 'attention-derived[mkdocs]'"
        raise InputError("derive assets", "", f"{error.name} is not installed", remedy) from None
    if folder.is_file():
        raise InputError(str(folder), "", "it is a file", "give the path of a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise InputError(str(folder), "", "it has something in it", "give another, or add --force")
    try:
        count = write_assets(folder)
    except KatexError as error:
        raise InputError("derive assets", "", str(error), "then try again") from None
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise InputError(str(folder), "", reason, "give another path") from None
    within = folder.as_posix().removeprefix("docs/")
    click.echo(f"{count} files are in {folder}; name them in the site's configuration:\n")
    click.echo("extra_css:")
    for name in STYLES:
        click.echo(f"  - {within}/{name}")
    click.echo("extra_javascript:")
    for name in SCRIPTS:
        click.echo(f"  - {within}/{name}")
