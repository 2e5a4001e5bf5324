"""``derive new``: a sentence file to start from, with every key explained."""

from __future__ import annotations

from pathlib import Path

import click

from derive.errors import InputError

MOST_WORDS = 16


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tokens", default="the cat sat", show_default=True, help="The words, in order.")
@click.option("--dim", type=click.IntRange(1, 16), default=3, show_default=True)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def new(file: Path, tokens: str, dim: int, force: bool) -> None:
    """Write a sentence file to start from; each of its lines says what it is for.

    \b
    Examples: derive new my-sentence.yaml
              derive new breakfast.yaml --tokens "the cat drinks milk" --dim 2
    """  # noqa: D301 - click reads the character that \b stands for
    from derive.files import write_new
    from derive.sentence_file import LONGEST_TOKEN, check_text
    from derive.sentence_start import sentence_start
    from derive.visible import visible

    words = tokens.split()
    for word in words:
        check_text(word, "derive new", "--tokens")
    if not 1 <= len(words) <= MOST_WORDS:
        raise InputError(
            "derive new",
            "--tokens",
            f"these are {len(words)} words",
            f"give 1 to {MOST_WORDS}, with blanks between them",
        )
    if max(map(len, words)) > LONGEST_TOKEN:
        remedy = f"give words of at most {LONGEST_TOKEN:,} characters"
        raise InputError("derive new", "--tokens", "one of these words is too long", remedy)
    write_new(file, sentence_start(words, dim), force=force)
    named = visible(str(file))
    click.echo(f"{named} is written; see it with: derive show {named}")
