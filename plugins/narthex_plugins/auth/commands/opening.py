"""The store of a file, as a command uses it: never made, never migrated, and left at once.

A command is no member of the deployment. What it changes is on the disk when it returns, and the processes that serve
are told by the link.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from narthex.clock import SystemClock
from narthex.commands.reading import read
from narthex.config import Config, PluginTable, plugin_settings
from narthex.entrypoints import plugin_class
from narthex.errors import ConfigError, DependencyError, StartError
from narthex.guests import no_psycopg
from narthex.link import Link
from narthex.store import Store
from narthex.store.address import Address, parse
from narthex.store.engines import reading, writing
from narthex.store.migrations import Behind, current, exists
from narthex.store.migrations.standing import may_run
from narthex.store.turnstile import Turnstile
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.tables import tables

T = TypeVar("T")

Instance = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="The plugin's table, where the file has several.")
]


@dataclass(frozen=True, slots=True)
class Opened:
    """What the file says of the plugin, and its store.

    Attributes:
        config: the whole file.
        instance: the plugin's table.
        link: for `announce` within a job.
    """

    config: Config
    instance: str
    settings: AuthSettings
    address: Address
    link: Link

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run the job on a connection that cannot write.

        Raises:
            StartError: the store does not answer.
        """
        with self._engine(reading) as engine, engine.connect() as connection:
            return job(connection)

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run the job in a transaction of its own; its result once that is durable, and the others are told.

        Raises:
            StartError: the store does not answer.
            Exception: what the job raised; nothing was written.
        """
        return asyncio.run(self._write(job))

    async def _write(self, job: Callable[[Connection], T]) -> T:
        on_a_file = self.address.file is not None
        if on_a_file:
            await self.link.start()
        try:
            with self._engine(writing) as engine, self._turn(), engine.begin() as connection:
                result = job(connection)
            self.link.committed()
            return result
        finally:
            if on_a_file:
                await self.link.stop()

    @contextmanager
    def _engine(self, make: Callable[[Address], Engine]) -> Generator[Engine]:
        engine = make(self.address)
        try:
            yield engine
        except (SQLAlchemyError, DependencyError) as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise StartError(f"the store {self.address} does not answer: {reason}") from error
        finally:
            engine.dispose()

    @contextmanager
    def _turn(self) -> Generator[None]:
        """The fair lock between the processes of this host."""
        turnstile = None if self.address.file is None else Turnstile(self.address.file)
        turn: AbstractContextManager[None] = nullcontext() if turnstile is None else turnstile.passing()
        try:
            with turn:
                yield
        finally:
            if turnstile is not None:
                turnstile.close()

    def must_stand(self) -> None:
        """See that the store is there, with the plugin's tables as this release needs them.

        Raises:
            ConfigError: there is no store, or a table is missing; nothing is made.
            StartError: the store does not answer, or a later release has changed it.
        """
        if self.address.kind == "memory":
            hint = "name another in [narthex] store"
            raise ConfigError('the store is "memory", which is gone with its process', hint=hint)
        file = self.address.file
        if file is not None and not file.is_file():
            raise self._no_store()
        with self._engine(reading) as engine:
            if not exists(engine):
                raise self._no_store()
            with engine.connect() as connection:
                standing = next(one for known, _, one in current(connection, [tables]) if known.name == tables.name)
        if isinstance(standing, Behind):
            missing = ", ".join(one.id for one in standing.missing)
            raise ConfigError(
                f"the store {self.address} has not all tables of the plugin auth: {missing} is missing",
                hint="start the server once, or run narthex db upgrade",
            )
        may_run(tables.name, standing)

    def _no_store(self) -> ConfigError:
        hint = "narthex db upgrade makes one, as does starting the server"
        return ConfigError(f"there is no store at {self.address}", hint=hint)


def open_plugin(config: Path, instance: str) -> Opened:
    """Read the file and look at its store.

    Args:
        config: the file.
        instance: the plugin's table; "" where there is only one.

    Raises:
        ConfigError: the file cannot be followed, the plugin is not in it, or there is no store.
        StartError: the store does not answer.
    """
    loaded = read(config)
    table = _table(loaded, instance)
    settings = plugin_settings(loaded, table, AuthSettings)
    address = parse(loaded.settings.store.reveal(), loaded.directory)
    if address.kind == "postgresql" and find_spec("psycopg") is None:
        raise no_psycopg(loaded)
    opened = Opened(loaded, table.instance, settings, address, Store(address, SystemClock()).link)
    opened.must_stand()
    return opened


def _table(loaded: Config, instance: str) -> PluginTable:
    """The plugin's table in the file."""
    found = {table.instance: table for table in loaded.plugins if plugin_class(table).name == tables.name}
    if not found:
        raise ConfigError("the plugin auth is not in the file", hint="[plugins.auth] switches it on")
    if instance and instance not in found:
        raise ConfigError(f"no table of the plugin auth is called {instance!r}", hint=f"there is {', '.join(found)}")
    if not instance and len(found) > 1:
        raise ConfigError(f"the plugin auth is in the file as {', '.join(found)}", hint="choose one with --instance")
    return found[instance] if instance else next(iter(found.values()))
