"""The demo's accounts: made at start by the commands that an operator would type, with passwords drawn just now."""

import io
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import typer

from narthex.commands.db import upgrade
from narthex.config import load

ROLES: Final[Mapping[str, str]] = {"alice": "user", "erin": "engineer", "adam": "admin"}
_FINDING: Final = 1


def settle(template: Path, directory: Path) -> Path:
    """Put a copy of the demo's file, and a secret key for it, beside the shop's data; where they are, they stay."""
    file, key = directory / template.name, directory / "secret.key"
    if not file.exists():
        shutil.copyfile(template, file)
    if not key.exists():
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(secrets.token_hex(32))
    return file


def make(config: Path) -> dict[str, str]:
    """Make the store and the accounts that are not there yet.

    Returns:
        Name to password of those that were made; nothing where the file has not the plugin auth.

    Raises:
        BootError: the file cannot be followed.
    """
    if not any("auth" in (table.use, table.instance) for table in load(config).plugins):
        return {}
    with redirect_stdout(io.StringIO()):
        upgrade(config)
    users = entry_points(group="narthex.commands")["users"].load()
    command: Any = typer.main.get_command(users)
    drawn = {name: _add(command, name, role, config) for name, role in ROLES.items()}
    return {name: password for name, password in drawn.items() if password is not None}


def _add(command: Any, name: str, role: str, config: Path) -> str | None:
    """The password of a new account; None where there is one already."""
    told = io.StringIO()
    arguments = ["add", name, "--role", role, "--generate", "--config", str(config)]
    with redirect_stdout(told), redirect_stderr(io.StringIO()):
        code = command(arguments, standalone_mode=False)
    return None if code == _FINDING else told.getvalue().strip()
