"""One process migrates at a time, in one transaction."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text

from narthex.errors import StartError

Turn = Callable[[], AbstractContextManager[None]]
"""The fair lock between the processes of a host."""

# Held until the transaction ends, however it ends. Of this schema only: several deployments may share a database.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('narthex:' || coalesce(current_schema(), ''), 0))")
# A revision may work in Python for a while, unlike a job of the writer.
_NO_HURRY: Final = text("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")


@contextmanager
def locked(engine: Engine, turn: Turn) -> Generator[Connection]:
    """A transaction in which this process alone migrates; committed at the end, undone by an exception.

    Blocks until it is this process's turn. Whoever waited sees what the others have done.
    """
    with turn(), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with _foreign_keys_off(connection), connection.begin():
                yield connection
        else:
            # With a stricter isolation the wait for the lock would be the moment of the snapshot.
            with connection.execution_options(isolation_level="READ COMMITTED").begin():
                connection.execute(_LOCK)
                connection.execute(_NO_HURRY)
                yield connection


def check_foreign_keys(connection: Connection) -> None:
    """See that no reference leads nowhere, for a transaction in which SQLite did not look.

    Raises:
        StartError: one does. The transaction is to be undone.
    """
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise StartError(f"the migration would leave rows of {broken[0]!r} that refer to missing ones")


@contextmanager
def _foreign_keys_off(connection: Connection) -> Generator[None]:
    """Let tables be made anew: SQLite can change little in place, and dropping the old one would delete by cascade.

    The pragma counts only outside a transaction, hence not by SQLAlchemy. Source: sqlite.org/lang_altertable.html §7.
    """
    driver = connection.connection.driver_connection
    if driver is None:  # only while a pool's connection is being given back
        raise StartError("the store's connection is closed")
    driver.execute("PRAGMA foreign_keys = OFF").close()
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON").close()
