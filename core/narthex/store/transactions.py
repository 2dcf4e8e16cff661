"""The writer's connection, and on it one transaction after the other.

What SQLAlchemy does round a BEGIN and a COMMIT takes a fifth of the time of a sync, and a record that is written alone
pays all of it. So SQLAlchemy is told of one transaction, which it takes to be open for as long as the connection is,
and the driver ends each real one and begins the next underneath:

    SQLAlchemy  begin ------------------------------------------------------------------ rollback, when it is closed
    driver      BEGIN  jobs  COMMIT    BEGIN  jobs  COMMIT    BEGIN  jobs  COMMIT  ...

Jobs see a connection in a transaction, which it is. Where anything is not as it should be (an error, a savepoint left
open) SQLAlchemy ends the transaction itself, and the next one is begun through it again.
"""

import logging

from sqlalchemy import Connection, Engine, RootTransaction

from narthex.errors import ContractError
from narthex.store.engines import begin, driver_connection, leave_begin_to_us, must_be_intact, translated

_log = logging.getLogger("narthex.store")


class Transactions:
    """One at a time, all in one thread.

    Args:
        engine: the writer's.

    Attributes:
        proven: the connection has carried a transaction to its end.
        committing: the last one came as far as its COMMIT: nobody but the disk knows what became of it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._broken: list[Connection] = []  # SQLite's, open until a new one has healed the log
        self._transaction: RootTransaction | None = None
        self.proven = False
        self.committing = False

    def begin(self) -> Connection:
        """Begin one, connecting first where there is no connection.

        Raises:
            SQLAlchemyError: the store does not let us.
        """
        self.committing = False
        connection = self._connection
        if connection is None:
            self.proven = False
            connection = self._connection = self._engine.connect()
            leave_begin_to_us(connection)
            self._give_up_broken()
        if self._transaction is None:
            self._transaction = connection.begin()
        else:
            begin(connection)
        return connection

    def commit(self) -> None:
        """Have what was written on the disk.

        Raises:
            ContractError: a job has ended the transaction, or hidden an error that undid what others wrote.
            SQLAlchemyError: it may be there or not.
        """
        connection, transaction = self._connection, self._transaction
        if connection is None or transaction is None or connection.get_transaction() is not transaction:
            raise ContractError("a job of the store ended the transaction that it shares with others")
        must_be_intact(connection)
        self.committing = True
        if connection.in_nested_transaction():
            self._transaction = None
            transaction.commit()
        else:
            _commit(connection)
        self.proven = True

    def rollback(self) -> None:
        """Undo what was written; a connection that cannot is given up, which undoes it too."""
        self._transaction = None
        if self._connection is not None:
            try:
                self._connection.rollback()
            except Exception as error:  # noqa: BLE001  what led here is the error to tell of
                _log.debug("a transaction could not be undone: %s", error)
                _invalidate(self._connection)  # it may hold the lock
                self._connection = None

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection, self._transaction = self._connection, None, None
        if connection is not None:
            connection.close()
            self._give_up_broken()

    def disconnect(self) -> None:
        """Give the connection up: whatever it carried is over, and the next transaction has a new one."""
        self.rollback()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.dialect.name == "sqlite" and not (connection.closed or connection.invalidated):
            connection.detach()
            self._broken.append(connection)
        else:
            _invalidate(connection)

    def _give_up_broken(self) -> None:
        while self._broken:
            _invalidate(self._broken.pop())


def _invalidate(connection: Connection) -> None:
    try:
        connection.invalidate()
        connection.close()
    except Exception as error:  # noqa: BLE001  it is broken, that is why it goes
        _log.debug("a broken connection: %s", error)


def _commit(connection: Connection) -> None:
    try:
        driver_connection(connection).commit()
    except Exception as error:
        raise translated(error, connection, "COMMIT") from error
