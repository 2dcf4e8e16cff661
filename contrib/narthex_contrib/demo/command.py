"""`narthex demo`: the order desk behind Narthex, with a tour of what to try.

Everything for people goes to standard error; standard output is the access log's.
"""

import importlib.util
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from narthex import serve
from narthex_contrib.demo import accounts, tour

CONFIG = Path(__file__).with_name("narthex.toml")

NEEDED = (
    "argon2",
    "cachetools",
    "fastapi",
    "jwt",
    "msgspec",
    "prometheus_client",
    "python_multipart",
    "pythonjsonlogger",
    "rfc8785",
    "standardwebhooks",
    "uvicorn",
)
"""Modules that the extra "demo" brings."""


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    config: Annotated[
        Path, typer.Option(show_default="the demo's own", help="Another configuration file, such as a changed copy.")
    ] = CONFIG,
) -> None:
    """Serve a small FastAPI shop behind Narthex and say what to try."""
    missing = [module for module in NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        typer.echo(f"the demo needs {', '.join(missing)}: pip install 'narthex[demo]'", err=True)
        raise typer.Exit(2)
    with shop_data() as data:
        # The embedded store beside the shop's own book, unless somebody has chosen another.
        os.environ.setdefault("NARTHEX_STORE", f"sqlite:///{Path(data).absolute() / 'narthex.db'}")
        if config == CONFIG:
            config = accounts.settle(CONFIG, Path(data).absolute())
        passwords = accounts.make(config)
        welcome(f"http://{reachable(host)}:{port}", config, data, passwords)
        code = serve.run("narthex_contrib.demo.shop.main:app", config, host=host, port=port)
    raise typer.Exit(code)


def welcome(address: str, config: Path, data: str, passwords: Mapping[str, str]) -> None:
    """Print the tour on standard error, in colour if a person reads it."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    shown = tour.groups(address, Path(sys.executable).parent, config, passwords)
    typer.echo("An order desk that knows nothing of Narthex, behind Narthex.\n", err=True)
    typer.echo("\n".join(tour.lines(shown, colour=colour)), err=True, color=colour)
    for name, password in passwords.items():
        typer.echo(f"\n  {name}, {accounts.ROLES[name]}: {password}", err=True, nl=False)
    typer.echo("\n" * bool(passwords), err=True, nl=False)
    typer.echo(f"\nIts book is in {data}. Ctrl-C ends it. Each request is a line of JSON below.\n", err=True)


def reachable(host: str) -> str:
    """The host as it is written in an address: a server on all interfaces is tried on the loopback one."""
    if host in {"", "0.0.0.0"}:
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


@contextmanager
def shop_data() -> Generator[str]:
    """Give the shop's data directory: what SHOP_DATA names, else one that is gone afterwards."""
    chosen = os.environ.get("SHOP_DATA")
    if chosen:
        Path(chosen).mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    with TemporaryDirectory(prefix="narthex-demo-") as directory:
        os.environ["SHOP_DATA"] = directory  # where the app looks, in this process and in its workers
        try:
            yield directory
        finally:
            del os.environ["SHOP_DATA"]
