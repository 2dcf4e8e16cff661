"""The secret key that was: for commands that seal anew what rests under it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from narthex.config import Secret
from narthex.errors import ConfigError

OldEnv = Annotated[str, typer.Option(metavar="NAME", help="Environment variable with the former secret key.")]
OldFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File with the former secret key.")]


def former(old_env: str, old_file: Path | None) -> Secret:
    """The former secret key.

    Raises:
        ConfigError: nobody said where it is, or it cannot be read.
    """
    if bool(old_env) == (old_file is not None):
        raise ConfigError("say where the former secret key is", hint="--old-env NAME or --old-file FILE")
    if old_file is None:
        text = os.environ.get(old_env, "")
    else:
        try:
            text = old_file.read_text().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{old_file} cannot be read: {error}") from None
    if not text:
        raise ConfigError("the former secret key is empty")
    return Secret(text)
