"""The plugin as a command uses it: built from the file, its store open, nothing started, nothing served.

A command is a process of the deployment for a moment: what it revokes is refused by everybody when it returns, as for a
call over the wire. It goes by no list, so nobody waits for it.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from narthex.clock import SystemClock
from narthex.commands.reading import read
from narthex.errors import ConfigError, DependencyError, StartError
from narthex.loader import survey
from narthex.store import Store
from narthex.store.address import parse
from narthex.store.engines import reading
from narthex.store.migrations import Behind, current, exists
from narthex.store.migrations.standing import may_run
from narthex_plugins.revocation.plugin import Revocation
from narthex_plugins.revocation.revoking import Revoker
from narthex_plugins.revocation.tables import tables

T = TypeVar("T")

Instance = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="The plugin's table, where the file has several.")
]


def visit(config: Path, instance: str, work: Callable[[Revoker], Awaitable[T]]) -> T:
    """Do something with the plugin's store open.

    Args:
        config: the file.
        instance: the plugin's table; "" where there is only one.
        work: is given what revokes, with `sessions` set where auth is on.

    Raises:
        ConfigError: the file cannot be followed, the plugin is not in it, or there is no store.
        StartError: the store does not answer.
    """
    loaded = read(config)
    _must_stand(Store(parse(loaded.settings.store.reveal(), loaded.directory), SystemClock()))
    built = survey(loaded)
    found = {guest.name: guest.plugin for guest in built.guests if isinstance(guest.plugin, Revocation)}
    return asyncio.run(_visit(_chosen(found, instance), work))


def who() -> str:
    """Who runs the command, as the history names them."""
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return "command"


async def _visit(plugin: Revocation, work: Callable[[Revoker], Awaitable[T]]) -> T:
    try:
        async with plugin.visited() as revoker:
            return await work(revoker)
    except DependencyError as error:
        raise StartError(f"the store does not answer: {error}") from error


def _chosen(found: dict[str, Revocation], instance: str) -> Revocation:
    if not found:
        raise ConfigError("the plugin revocation is not in the file", hint="[plugins.revocation] switches it on")
    if instance and instance not in found:
        hint = f"there is {', '.join(found)}"
        raise ConfigError(f"no table of the plugin revocation is called {instance!r}", hint=hint)
    if not instance and len(found) > 1:
        names = ", ".join(found)
        raise ConfigError(f"the plugin revocation is in the file as {names}", hint="choose one with --instance")
    return found[instance] if instance else next(iter(found.values()))


def _must_stand(store: Store) -> None:
    """See that the store is there, with the plugin's tables as this release needs them; nothing is made.

    Raises:
        ConfigError: it is not.
        StartError: a later release has changed it.
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
    finally:
        engine.dispose()
    if isinstance(standing, Behind):
        raise ConfigError(
            f"the store {address} has not all tables of the plugin revocation",
            hint="start the server once, or run narthex db upgrade",
        )
    may_run(tables.name, standing)


def _no_store(store: Store) -> ConfigError:
    hint = "narthex db upgrade makes one, as does starting the server"
    return ConfigError(f"there is no store at {store.address}", hint=hint)
