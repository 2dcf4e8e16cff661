"""What the database says of itself: each plugin's revision, and what was ever applied to come there.

`narthex_revisions` has no migrations: it must be readable by every release, older ones too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    inspect,
    select,
)

from narthex.store.migrations.history import History, Revision

_metadata: Final = MetaData()

revisions: Final = Table(
    "narthex_revisions",
    _metadata,
    Column("plugin", String(40), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False, comment="1 for the plugin's first revision"),
    Column("revision", String(32), nullable=False),
    Column("down_revision", String(32), comment="the one before it"),
    Column("compatible", Boolean, nullable=False, comment="whether the release before it can run on it"),
    Column("applied_at", String(32), nullable=False, comment="UTC, RFC 3339"),
    UniqueConstraint("plugin", "revision", name="narthex_revisions_once"),
)


@dataclass(frozen=True, slots=True)
class Noted:
    """A revision that the database has, whether or not this release knows it."""

    ordinal: int
    id: str
    compatible: bool


def exists(engine: Engine) -> bool:
    """Whether Narthex ever made its tables there. Connecting to a SQLite file that is not there would make one."""
    return inspect(engine).has_table(revisions.name)


def prepare(connection: Connection) -> None:
    """Make the ledger where there is none yet."""
    _metadata.create_all(connection)


def applied(connection: Connection, history: History) -> str | None:
    """The revision the plugin's tables are at, None before the first."""
    name = history.tables.version_table
    if not inspect(connection).has_table(name):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {name}").scalar_one_or_none()  # noqa: S608  our own name
    return None if found is None else str(found)


def noted(connection: Connection, plugin: str) -> Sequence[Noted]:
    """Everything noted of a plugin, in order."""
    query = select(revisions).where(revisions.c.plugin == plugin).order_by(revisions.c.ordinal)
    return [Noted(row["ordinal"], row["revision"], row["compatible"]) for row in connection.execute(query).mappings()]


def noted_plugins(connection: Connection) -> Sequence[str]:
    """The names of all plugins that have something noted."""
    return connection.execute(select(revisions.c.plugin).distinct().order_by(revisions.c.plugin)).scalars().all()


def note(connection: Connection, plugin: str, ordinal: int, revision: Revision) -> None:
    """Note that a revision was applied."""
    row = {
        "plugin": plugin,
        "ordinal": ordinal,
        "revision": revision.id,
        "down_revision": revision.down,
        "compatible": revision.compatible,
        "applied_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    connection.execute(insert(revisions).values(row))


def strike(connection: Connection, plugin: str, revision: str) -> None:
    """Note that a revision is no longer there."""
    connection.execute(delete(revisions).where(revisions.c.plugin == plugin, revisions.c.revision == revision))
