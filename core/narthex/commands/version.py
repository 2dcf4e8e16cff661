import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Final

import typer

SERVERS: Final = ("uvicorn", "hypercorn", "granian")


def version() -> None:
    """Print the versions of narthex, Python and the servers."""
    typer.echo(f"narthex {version_of('narthex')}")
    typer.echo(f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}")
    for name in SERVERS:
        typer.echo(f"{name} {_installed(name) or 'is not installed'}")


def _installed(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None
