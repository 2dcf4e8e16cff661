import shlex
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer
from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError

from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.reading import read
from narthex.commands.terminal import paint
from narthex.errors import ConfigError, StartError
from narthex.guests import no_psycopg
from narthex.house import Estate
from narthex.loader import build
from narthex.serve.exits import Exit
from narthex.store import migrations
from narthex.store.address import Address, parse
from narthex.store.backup import Damaged
from narthex.store.backup import backup as copy
from narthex.store.engines import make_file, reading, writing
from narthex.store.migrations import Ahead, Behind, Standing, Stranger, UpToDate, WouldLose
from narthex.store.migrations.lock import Turn
from narthex.store.turnstile import Turnstile

db = typer.Typer(
    name="db",
    help="Make, migrate, inspect and back up the store.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True, slots=True)
class _Place:
    """The store of a configuration, and what the plugins that are on keep in it."""

    address: Address
    tables: Sequence[Any]

    def must_exist(self) -> None:
        """Refuse to go on without a store; looking for one must not make one."""
        file = self.address.file
        if file is None or file.is_file():
            with self.engine(reading) as engine:
                if migrations.exists(engine):
                    return
        raise ConfigError(f"there is no store at {self.address}", hint="narthex db upgrade makes one")

    @contextmanager
    def engine(self, make: Callable[[Address], Engine] = writing) -> Generator[Engine]:
        """An engine, and what goes wrong with it in our words."""
        engine = make(self.address)
        try:
            yield engine
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise StartError(f"the store {self.address} does not answer: {reason}") from error
        finally:
            engine.dispose()

    @contextmanager
    def turn(self) -> Generator[Turn]:
        """The fair lock between the processes of this host."""
        if self.address.file is None:
            yield nullcontext
            return
        turnstile = Turnstile(self.address.file)
        try:
            yield turnstile.passing
        finally:
            turnstile.close()


@db.command()
def upgrade(config: ConfigPath = DEFAULT) -> None:
    """Bring all tables up to date; make the store.

    A server does the same when it starts. All or nothing, and safe while servers run, if the release they are of can
    run on the new tables.
    """
    place = _place(config)
    try:
        make_file(place.address)
    except FileNotFoundError as error:
        raise ConfigError(f"the store {place.address} cannot be made: {error}") from error
    except OSError as error:
        raise StartError(f"the store {place.address} cannot be made: {error.strerror}") from error
    with place.engine() as engine, place.turn() as turn:
        done = migrations.upgrade(engine, place.tables, turn)
    for one in done:
        typer.echo(f"{one.plugin}: {one.before or 'nothing'} -> {one.after}")
    typer.echo(f"{place.address}: {paint('up to date', 'green')}")


@db.command(context_settings={"ignore_unknown_options": True})  # "-1" is an argument
def downgrade(
    plugin: Annotated[str, typer.Argument(metavar="PLUGIN", help='A name that "narthex db current" prints.')],
    revision: Annotated[str, typer.Argument(metavar="REVISION", help='A revision, "-1" for one step, or "base".')],
    config: ConfigPath = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Do it even if data goes.")] = False,
) -> None:
    """Take one plugin's tables back to an earlier revision.

    Refuses, exit code 1, when data would go, and says which. Stop the servers first: the next one of this release that
    starts migrates up again.
    """
    place = _place(config)
    place.must_exist()
    try:
        with place.engine() as engine, place.turn() as turn:
            done = migrations.downgrade(engine, place.tables, plugin, revision, turn, lose=yes)
    except WouldLose as refused:
        for loss in refused.losses:
            typer.echo(f"{paint('would be gone', 'red')}: {loss}")
        typer.echo("nothing was changed; narthex db backup keeps a copy, --yes does it all the same", err=True)
        raise typer.Exit(Exit.FINDING) from None
    typer.echo(f"{done.plugin}: {done.before} -> {done.after or 'nothing'}")


@db.command()
def current(config: ConfigPath = DEFAULT) -> None:
    """Print where each plugin's tables stand.

    The revision in the database, the last one this release knows, and how the two compare. Exit code 1 where this
    release cannot run on what it finds.
    """
    place = _place(config)
    if not place.tables and place.address.file is not None and not place.address.file.exists():
        typer.echo("no plugin of this file keeps anything", err=True)
        return
    place.must_exist()
    with place.engine(reading) as engine, engine.connect() as connection:
        found = migrations.current(connection, place.tables)
        off = set(migrations.noted_plugins(connection)) - {known.name for known, _, _ in found}
    rows = [("plugin", "database", "release", "")]
    rows += [(known.name, applied or "none", known.head, _words(standing)) for known, applied, standing in found]
    rows += [(name, "", "", "off; its tables are left alone") for name in sorted(off)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        typer.echo("  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])).rstrip())
    if any(_unfit(standing) for _, _, standing in found):
        raise typer.Exit(Exit.FINDING)


@db.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy to make; never one that is already there.")],
    config: ConfigPath = DEFAULT,
) -> None:
    """Copy a SQLite store that may be in use.

    The copy is of one moment, checked, and on the disk before it has its name. For PostgreSQL it prints the command
    of pg_dump, and copies nothing.
    """
    place = _place(config)
    if place.address.file is None:
        raise ConfigError("PostgreSQL has a tool of its own for this", hint=_pg_dump(place.address.url, file))
    place.must_exist()
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"the directory {file.absolute().parent} does not exist")
    try:
        size = copy(place.address.file, file)
    except FileExistsError as error:
        raise ConfigError(str(error), hint="a backup never takes the place of another file") from error
    except (OSError, sqlite3.Error, Damaged) as error:
        raise StartError(f"{place.address} could not be copied to {file}: {error}") from error
    typer.echo(f"{file}: {paint('checked', 'green')}, {size} bytes")


def _place(config: Path) -> _Place:
    loaded = read(config)
    address = parse(loaded.settings.store.reveal(), loaded.directory)
    if address.kind == "memory":
        raise ConfigError(
            'the store is "memory", which is gone with its process', hint="name another in [narthex] store"
        )
    estate = Estate(loaded.settings, loaded.directory)
    built = build(loaded, estate)
    if address.kind == "postgresql" and find_spec("psycopg") is None:
        raise no_psycopg(loaded)
    return _Place(address, built.tenancy.tables())


def _words(standing: Standing) -> str:
    match standing:
        case UpToDate():
            return "up to date"
        case Behind(missing):
            return f"to apply: {', '.join(one.id for one in missing)}"
        case Ahead() if standing.blocking:
            return f"made by a later release; this one cannot run on {standing.blocking[0].id}"
        case Ahead():
            return "made by a later release; this one can run on it"
        case Stranger():
            return "unknown to this release"
        case _:
            assert_never(standing)


def _unfit(standing: Standing) -> bool:
    return isinstance(standing, Stranger) or (isinstance(standing, Ahead) and bool(standing.blocking))


def _pg_dump(url: URL, file: Path) -> str:
    """The command that makes a backup, without the password: pg_dump finds it in PGPASSWORD or ~/.pgpass."""
    query = {key: value for key, value in url.query.items() if "password" not in key}
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    text = shown.render_as_string(hide_password=False)
    return shlex.join(("pg_dump", "--format=custom", f"--file={file}", f"--dbname={text}"))
