"""SQLAlchemy engines as a durable store needs them: one for the writer, one for readers."""

import errno
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from narthex.errors import ContractError
from narthex.store.address import Address
from narthex.store.healing import healing
from narthex.store.whereabouts import Whereabouts

BUSY: Final = 10.0
"""Seconds SQLite waits for a lock; between our own writers the turnstile is fair, this is for everybody else's."""
READERS: Final = 4
"""Connections for readers, and threads that use them."""

_LOG_LIMIT: Final = 64 << 20
"""Bytes that SQLite's log keeps on the disk once it begins anew; a reader that takes its time lets it grow further."""

# SQLite's primary result codes that tell of the world and not of the statement: busy, locked, out of memory,
# read-only, interrupted, I/O, corrupt, full, cannot open, protocol, not a database.
_WORLD: Final = frozenset({5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26})
# SQLSTATE classes: connection, transaction undone (a deadlock), insufficient resources, operator intervention, system
# error; and a read-only server, such as the standby that one is still connected to after a failover.
_WORLD_STATES: Final = ("08", "40", "53", "57", "58", "25006")
_BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
# The same on PostgreSQL: one group at a time in a schema. Groups that took the rows of several logs, each in its own
# order, would wait for one another until the server ended one of them.
_TAKE_TURNS: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('narthex writer:' || coalesce(current_schema(), ''), 0))"
)
_PROMPT: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A PostgreSQL that went without a word is noticed in about ten seconds; the kernel would take up to two hours."""
# Name, value that is not good enough, value instead. A writer asks nothing of the server for as long as a job takes in
# Python; one that says nothing for a minute was stopped, and every other writer waits for the lock that it holds.
_SETTINGS: Final = (
    ("synchronous_commit", "off", "on"),
    ("idle_in_transaction_session_timeout", "0", "60s"),
)
_IN_TRANSACTION: Final = 2  # libpq's PQTRANS_INTRANS; 0 is idle and 3 is failed


def make_file(address: Address) -> None:
    """Make SQLite's file where there is none, for its owner alone; SQLite itself would let others read it.

    Raises:
        FileNotFoundError: its directory does not exist.
        PermissionError: its directory cannot be written.
    """
    file = address.file
    if file is not None:
        if not file.parent.is_dir():
            raise FileNotFoundError(f"its directory {file.parent} does not exist")
        if not os.access(file.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            why = f"its directory {file.parent} cannot be written, and SQLite keeps its log there"
            raise PermissionError(errno.EACCES, why)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def writing(address: Address, whereabouts: Whereabouts | None = None) -> Engine:
    """The writer's engine: every transaction takes the write lock at once, and a commit is an fsync.

    Args:
        address: of a store that is there, or can be made.
        whereabouts: of SQLite's files; it never connects to others.
    """
    if address.kind == "postgresql":
        engine = create_engine(address.url, pool_size=1, max_overflow=2, connect_args=_PROMPT)
        event.listen(engine, "connect", _set_unless_chosen)
        event.listen(engine, "begin", begin)
        return engine
    engine = _sqlite(address, ("PRAGMA foreign_keys = ON",), size=1)
    if address.file is not None:
        event.listen(engine, "connect", healing(address.file))
    if whereabouts is not None:
        whereabouts.watch(engine)
    event.listen(engine, "begin", begin)
    return engine


def reading(address: Address, whereabouts: Whereabouts | None = None) -> Engine:
    """The readers' engine; each transaction begins with a look at the whereabouts of SQLite's files."""
    if address.kind == "postgresql":
        return create_engine(address.url, pool_size=READERS, pool_pre_ping=True, connect_args=_PROMPT)
    engine = _sqlite(address, ("PRAGMA query_only = ON",), size=READERS)
    event.listen(engine, "begin", _begin_reading)
    if whereabouts is not None:
        whereabouts.watch(engine)
        event.listen(engine, "begin", partial(_look, whereabouts))
    return engine


def leave_begin_to_us(connection: Connection) -> None:
    """Keep psycopg from sending a BEGIN of its own, a round trip; on SQLite it is ours anyway. Before it has begun."""
    raw = driver_connection(connection)
    if not isinstance(raw, sqlite3.Connection):
        raw.autocommit = True


def begin(connection: Connection) -> None:
    """Begin a writer's transaction by the driver: with the write lock, waiting for it where somebody has it.

    Raises:
        DBAPIError: as SQLAlchemy would have raised it.
    """
    raw = driver_connection(connection)
    statement = _BEGIN_WRITING
    try:
        if isinstance(raw, sqlite3.Connection):
            raw.execute(statement).close()
        else:
            statement = f"BEGIN; {_TAKE_TURNS}" if raw.autocommit else _TAKE_TURNS
            raw.execute(statement, prepare=False).close()
    except Exception as error:
        raise translated(error, connection, statement) from error


def _begin_reading(connection: Connection) -> None:
    try:
        driver_connection(connection).execute("BEGIN").close()
    except Exception as error:
        raise translated(error, connection, "BEGIN") from error


def _look(whereabouts: Whereabouts, connection: Connection) -> None:
    try:
        whereabouts.check()
    except sqlite3.Error as error:
        raise translated(error, connection, "BEGIN") from error


def is_world(error: BaseException) -> bool:
    """Whether the error tells of the world (disk, network, server) and not of the statement that met it.

    Args:
        error: SQLAlchemy's, or the driver's own.
    """
    origin: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, sqlite3.Error):
        return getattr(origin, "sqlite_errorcode", 0) & 0xFF in _WORLD
    if not type(origin).__module__.startswith("psycopg"):
        return isinstance(error, PoolTimeout)
    state: str | None = origin.sqlstate
    if state is None:  # the server said nothing any more
        return type(origin).__name__ in ("OperationalError", "InterfaceError")
    return state.startswith(_WORLD_STATES)


def translated(error: Exception, connection: Connection, statement: str) -> Exception:
    """As SQLAlchemy would have raised what the driver did where it was used directly; anything else as it is.

    The driver is used directly for the few statements that every group runs: SQLAlchemy's 30 to 50 µs for each are
    what a record costs that is alone.
    """
    dialect: Any = connection.dialect
    driver = dialect.loaded_dbapi
    if not isinstance(error, driver.Error):
        return error
    lost = dialect.is_disconnect(error, driver_connection(connection), None)
    found: Exception = DBAPIError.instance(
        statement, None, error, driver.Error, connection_invalidated=lost, dialect=dialect
    )
    return found


def driver_connection(connection: Connection) -> Any:
    """The driver's own, in the same transaction."""
    return connection.connection.driver_connection


def must_be_intact(connection: Connection) -> None:
    """Make sure that a commit would keep all that was written. No I/O.

    A job may hide an error that has undone what others wrote before it, and a commit says nothing: PostgreSQL turns
    that of a failed transaction into a rollback, and Python's SQLite driver does nothing where there is no transaction.

    Raises:
        ContractError: it would not.
    """
    raw = driver_connection(connection)
    sqlite = isinstance(raw, sqlite3.Connection)
    intact = raw.in_transaction if sqlite else raw.pgconn.transaction_status == _IN_TRANSACTION
    if not intact:
        raise ContractError("a job of the store hid an error, or ended the transaction that it shares with others")


def _sqlite(address: Address, pragmas: tuple[str, ...], size: int) -> Engine:
    engine = create_engine(
        address.url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=2,
        connect_args={"timeout": BUSY, "check_same_thread": False, "isolation_level": None},
    )
    if address.kind == "sqlite":
        event.listen(engine, "connect", _keep_a_log)
    event.listen(engine, "connect", _preparing(pragmas))
    return engine


def _keep_a_log(connection: sqlite3.Connection, _record: object) -> None:
    """Have commits written ahead and synced. SQLite keeps the old way, and says so, where a file system cannot."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        error = sqlite3.OperationalError(f"its file system lets SQLite keep no write-ahead log (journal_mode {mode})")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error
    for pragma in ("PRAGMA synchronous = FULL", f"PRAGMA journal_size_limit = {_LOG_LIMIT}"):
        connection.execute(pragma).close()


def _set_unless_chosen(connection: Any, _record: object) -> None:
    """Have a commit wait for the disk, and a process that was stopped lose its lock; other settings are theirs."""
    with connection.cursor() as cursor:
        for name, unsafe, safe in _SETTINGS:
            cursor.execute(f"SELECT set_config('{name}', '{safe}', false) WHERE current_setting('{name}') = '{unsafe}'")
    connection.commit()


def _preparing(pragmas: tuple[str, ...]) -> Callable[[sqlite3.Connection, object], None]:
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma).close()

    return prepare
