"""A plugin as a command uses it: built from the file, its store open, nothing started, nothing served.

A command is a process of the deployment for a moment. It never makes a store, and never changes its tables.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy.exc import SQLAlchemyError

from narthex.clock import SystemClock
from narthex.commands.reading import read
from narthex.errors import ConfigError, DependencyError, StartError
from narthex.loader import survey
from narthex.store import Store, Tables
from narthex.store.address import parse
from narthex.store.engines import reading
from narthex.store.groups import first_line
from narthex.store.migrations import Behind, current, exists
from narthex.store.migrations.standing import may_run

P = TypeVar("P")
T = TypeVar("T")

Instance = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="The plugin's table, where the file has several.")
]


def visit(config: Path, instance: str, plugin: type[P], tables: Tables, work: Callable[[P], Awaitable[T]]) -> T:
    """Do something with a plugin of the file.

    Args:
        config: the file.
        instance: the plugin's table; "" where there is only one.
        plugin: its class.
        tables: its own, which have to be there as this release needs them.
        work: is given the instance, on an event loop; it opens the store, and closes it.

    Raises:
        ConfigError: the file cannot be followed, the plugin is not in it, or there is no store.
        StartError: the store does not answer.
    """
    loaded = read(config)
    _must_stand(Store(parse(loaded.settings.store.reveal(), loaded.directory), SystemClock()), tables)
    built = survey(loaded)
    found = {guest.name: guest.plugin for guest in built.guests if isinstance(guest.plugin, plugin)}
    chosen = _chosen(found, instance, tables.name)
    try:
        return asyncio.run(_run(work, chosen))
    except DependencyError as error:
        raise StartError(f"the store does not answer: {error}") from error


def who() -> str:
    """Who runs the command, as a history names them."""
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return "command"


async def _run(work: Callable[[P], Awaitable[T]], plugin: P) -> T:
    return await work(plugin)


def _chosen(found: dict[str, P], instance: str, name: str) -> P:
    if not found:
        raise ConfigError(f"the plugin {name} is not in the file", hint=f"[plugins.{name}] switches it on")
    if instance and instance not in found:
        hint = f"there is {', '.join(found)}"
        raise ConfigError(f"no table of the plugin {name} is called {instance!r}", hint=hint)
    if not instance and len(found) > 1:
        names = ", ".join(found)
        raise ConfigError(f"the plugin {name} is in the file as {names}", hint="choose one with --instance")
    return found[instance] if instance else next(iter(found.values()))


def _must_stand(store: Store, tables: Tables) -> None:
    """See that the store is there, with the plugin's tables as this release needs them; nothing is made.

    Raises:
        ConfigError: it is not.
        StartError: a later release has changed it, or it does not answer.
    """
    address = store.address
    if address.kind == "memory":
        hint = "name another in [narthex] store"
        raise ConfigError('the store is "memory", which is gone with its process', hint=hint)
    if address.file is not None and not address.file.is_file():
        raise _no_store(store)
    engine = reading(address)
    try:
        if not exists(engine):
            raise _no_store(store)
        with engine.connect() as connection:
            standing = next(one for known, _, one in current(connection, [tables]) if known.name == tables.name)
    except SQLAlchemyError as error:
        raise StartError(f"the store {address} does not answer: {first_line(error)}") from error
    finally:
        engine.dispose()
    if isinstance(standing, Behind):
        raise ConfigError(
            f"the store {address} has not all tables of the plugin {tables.name}",
            hint="start the server once, or run narthex db upgrade",
        )
    may_run(tables.name, standing)


def _no_store(store: Store) -> ConfigError:
    hint = "narthex db upgrade makes one, as does starting the server"
    return ConfigError(f"there is no store at {store.address}", hint=hint)
