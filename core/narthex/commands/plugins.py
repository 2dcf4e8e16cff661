import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import typer

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.terminal import paint
from narthex.config import load
from narthex.entrypoints import installed


def plugins(config: ConfigPath = DEFAULT) -> None:
    """List the installed plugins.

    Each with what it does, the package it comes from, and the tables that switch it on in the file, if there is one.
    """
    points = installed()
    tables = _tables(config)
    rows = [_row(name, points[name], tables) for name in sorted(points)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for name, package, state, about in rows:
        padded = state.ljust(widths[2])
        shown = paint(padded, "green") if state not in ("off", "") else padded
        typer.echo(f"{name:<{widths[0]}}  {package:<{widths[1]}}  {shown}  {about}".rstrip())
    if not rows:
        typer.echo("no plugin is installed", err=True)


def _tables(config: Path) -> Mapping[str, Sequence[str]] | None:
    """The instances of each plugin in the file, or None without a file: the list is of use before there is one."""
    if config == DEFAULT and not config.exists():
        return None
    found: dict[str, list[str]] = {}
    for table in load(config).plugins:
        found.setdefault(table.use, []).append(table.instance)
    return found


def _row(name: str, point: EntryPoint, tables: Mapping[str, Sequence[str]] | None) -> tuple[str, str, str, str]:
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""
    if tables is None:
        state = ""
    elif name not in tables:
        state = "off"
    else:
        state = "on" if tables[name] == [name] else f"on as {', '.join(tables[name])}"
    return name, package, state, _about(point)


def _about(point: EntryPoint) -> str:
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001  one broken plugin must not hide the others
        return f"cannot be imported: {error}"
    return (inspect.getdoc(found) or "").partition("\n")[0]
