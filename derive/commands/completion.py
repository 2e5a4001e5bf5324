"""``derive completion``: the script that lets a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")
SENTENCES = ("jim-john", "journey")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes derive's commands in a shell.

    \b
    Examples: eval "$(derive completion bash)"            in ~/.bashrc
              eval "$(derive completion zsh)"             in ~/.zshrc
              derive completion fish > ~/.config/fish/completions/derive.fish
    """  # noqa: D301 - click reads the character that \b stands for
    found = get_completion_class(shell)
    root = click.get_current_context().find_root()
    if found is None:
        raise click.UsageError(f"this click has no completion for {shell}")
    click.echo(found(root.command, {}, "derive", "_DERIVE_COMPLETE").source())


def sentences(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a sentence: a built-in one, or a file."""
    names = [CompletionItem(name) for name in SENTENCES if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def mechanisms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a key of the atlas, read off the names of its files: importing them takes long."""
    from importlib.resources import files

    others = {"__init__.py", "variant.py", "inputs.py", "given.py"}
    names = (
        item.name.removesuffix(".py").replace("_", "-")
        for item in (files("derive") / "variants").iterdir()
        if item.name.endswith(".py") and item.name not in others
    )
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def either(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a sentence or a mechanism."""
    return [*mechanisms(ctx, param, incomplete), *sentences(ctx, param, incomplete)]
