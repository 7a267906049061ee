"""``mcdetect init-config``: a configuration file with every option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import WRONG_USAGE, complain

__all__ = ["init_config"]


def init_config(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="Where to write it; - for the terminal.")
    ] = "mcdetect.toml",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a configuration with every option, its unit, meaning, range and default."""
    from mcdetect.config import Config
    from mcdetect.output.files import write_text

    text = Config().to_toml()
    if file == "-":
        typer.echo(text, nl=False)
        return
    path = Path(file)
    if path.exists() and not force:
        raise complain(f"{path.name} exists; name another file, or give --force", WRONG_USAGE)
    try:
        write_text(path, text)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        message = f"{path.name}: cannot be written ({reason}); name another file"
        raise complain(message, WRONG_USAGE) from error
    typer.echo(f"wrote {path.name}")
