"""The trail: where records are put at the end of the log, each in a job of the store's writer.

Position, sequence and links are given inside the writing transaction, from what the store says is there. So a group
that was undone, run twice, or of which nobody could say whether it reached the disk leaves no hole and no fork: the
next one begins with what is really there. Writers take turns, on SQLite and on PostgreSQL, so positions rise in the
order of commits.
"""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from narthex.clock import Clock
from narthex.errors import DependencyError, StartError
from narthex.sealing import SealBroken, Sealer
from narthex.storage import Store
from narthex.store.engines import driver_connection, translated
from narthex.store.rows import Rows
from narthex_plugins.audit.chain import Chain, Link, mark, origin
from narthex_plugins.audit.keys import LogKeys, draw, last_keys, open_keys, put_keys
from narthex_plugins.audit.pseudonyms import Pseudonyms
from narthex_plugins.audit.record import Record, canonical, timestamp
from narthex_plugins.audit.segments import create, record_table
from narthex_plugins.audit.tables import chains, logs, segments

_LEADING: Final = ("position", "chain", "sequence", "hash", "mark")
_KEYS: Final = ("record",)


class Trail:
    """Puts the records of one instance into the store.

    Args:
        store: the house's.
        instance: the plugin's.
        clock: tells when the log and its segments were begun.
        sealer: of the house's secret key; what opens the log's keys.
        pseudonyms: stand in for what identifies people; None: it is kept as it is.

    Attributes:
        log: 32 hex digits that name the log; "" before `start`.
        pseudonyms: as given.
        sealer: as given.
    """

    def __init__(
        self, store: Store, instance: str, clock: Clock, sealer: Sealer, pseudonyms: Pseudonyms | None = None
    ) -> None:
        self.instance = instance
        self._store = store
        self._clock = clock
        self.pseudonyms = pseudonyms
        self._chains: dict[int, str] = {}
        self._shapes: dict[tuple[str, int], Rows] = {}
        self.sealer = sealer
        self._keys: LogKeys | None = None
        self.log = ""

    @property
    def keys(self) -> LogKeys:
        """The log's keys.

        Raises:
            DependencyError: it has not been started.
        """
        if self._keys is None:
            raise DependencyError("the log is not open in this process")
        return self._keys

    async def start(self) -> None:
        """Begin the log where there is none, and a chain of this process. From the plugin's `start`.

        Raises:
            StartError: its keys were sealed under another secret key, or are damaged.
            DependencyError: the store does not take it.
        """
        self._chains = {}
        new, now = draw(), timestamp(self._clock.now())
        self.log, sealed = await self._store.write(lambda connection: self._begin(connection, new, now))
        self._keys = self._open(sealed)
        if self.pseudonyms is not None:
            self.pseudonyms.searching = self._keys.searching

    async def look(self) -> LogKeys | None:
        """The log's keys, for a command; None where the log has not begun. Nothing is made.

        Raises:
            StartError: they were sealed under another secret key, or are damaged.
            DependencyError: the store does not answer.
        """
        row = await self._store.read(lambda connection: last_keys(connection, self.instance))
        if row is None:
            return None
        found = self._open(bytes(row["sealed"]))
        if self.pseudonyms is not None:
            self.pseudonyms.searching = found.searching
        return found

    async def keep(self, records: Sequence[Record]) -> Sequence[Link]:
        """Keep records, in this order; they are on disk when it returns.

        Raises:
            DependencyError: the store does not take them.
            RecordError: one of them cannot be written; none was.
        """
        return await self._store.write(self.job(records))

    def keep_blocking(self, records: Sequence[Record]) -> Sequence[Link]:
        """As `keep`, from a thread other than the event loop's."""
        return self._store.write_blocking(self.job(records))

    def post(self, records: Sequence[Record]) -> bool:
        """Have records kept soon; False, and counted by the store, where there is no room.

        Raises:
            RecordError: one of them cannot be written; none will be.
        """
        return self._store.post(self.job(records))

    def job(self, records: Sequence[Record]) -> "Put":
        """A job for the store's writer that keeps records and gives their links; many are one statement.

        Raises:
            RecordError: one of them cannot be written.
        """
        if self.pseudonyms is not None:
            return Put(self, tuple(records), None)
        return Put(self, (), [row_of(record) for record in records])

    def _open(self, sealed: bytes) -> LogKeys:
        try:
            return open_keys(self.sealer, self.instance, sealed)
        except SealBroken as error:
            raise StartError(f"the keys of the log of {self.instance} cannot be opened: {error}") from error

    # -- in the writer's thread

    def put(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[Link]:
        """Put rows at the end of the log. Cost: three small reads, then 2 µs of hashing and an insertion for each."""
        relation, position, chain = self._place(connection)
        links = [chain.append(row["record"].encode(), position + offset) for offset, row in enumerate(rows)]
        # One mark vouches for all that went before it in this chain: a link holds those.
        marks = [*[None] * (len(links) - 1), mark(self.keys.marking, links[-1].hash)]
        pairs = zip(links, marks, strict=True)
        leading = [(one.position, one.chain, one.sequence, one.hash, marked) for one, marked in pairs]
        self._shape(connection, relation).put(connection, rows, leading)
        return links

    def run_all(self, connection: Connection, jobs: "Sequence[Put]") -> Sequence[Sequence[Link]]:
        """Run jobs of this trail together."""
        given = [job.rows_in(connection) for job in jobs]
        links = iter(self.put(connection, [row for rows in given for row in rows]) if any(given) else ())
        return [[next(links) for _ in rows] for rows in given]

    def pseudonymous(self, connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
        """The records as they are kept."""
        return records if self.pseudonyms is None else self.pseudonyms.stand_in(connection, records)

    def _begin(self, connection: Connection, new: bytes, now: str) -> tuple[str, bytes]:
        sealed = put_keys(connection, self.instance, self.sealer, new, now)
        found = connection.execute(select(logs.c.log).where(logs.c.instance == self.instance)).scalar()
        if found is not None:
            return str(found), sealed
        log = secrets.token_hex(16)
        connection.execute(insert(logs).values(instance=self.instance, log=log, started=now))
        open_segment(connection, self.instance, 0, b"", now)
        return log, sealed

    def _place(self, connection: Connection) -> tuple[int, int, Chain]:
        """The last segment's table, the next position, and this process's chain as far as it is on disk."""
        number, relation, first = _run(connection, _LAST_SEGMENT, self.instance)
        table = f"audit_records_{relation}"
        chain = self._chains.get(number)
        if chain is None:
            chain = self._chains[number] = secrets.token_hex(16)
        last, sequence, head, marked = _run(connection, _END.format(table=table), chain)
        position = first if last is None else last + 1
        if sequence is not None and marked == mark(self.keys.marking, head):
            return relation, position, Chain(chain, head, sequence)
        if sequence is not None:  # somebody else has put a record at our chain's end, for which we do not vouch
            chain = self._chains[number] = secrets.token_hex(16)
        return relation, position, Chain(chain, self._origin(connection, number, chain))

    def _origin(self, connection: Connection, number: int, chain: str) -> bytes:
        """Begin a chain, which the first of its records does."""
        description = {
            "chain": chain,
            "log": self.log,
            "node": socket.gethostname(),
            "pid": os.getpid(),
            "segment": number,
            "started": timestamp(self._clock.now()),
        }
        row = {"instance": self.instance, "chain": chain, "segment": number}
        connection.execute(insert(chains).values(**row, description=canonical(description).decode()))
        return origin(description)

    def _shape(self, connection: Connection, relation: int) -> Rows:
        dialect = connection.dialect
        shape = self._shapes.get((dialect.name, relation))
        if shape is None:
            shape = self._shapes[dialect.name, relation] = Rows(record_table(relation), _LEADING, _KEYS, dialect)
        return shape


class Put:
    """Records on their way into the store: a job of the writer."""

    __slots__ = ("_records", "_rows", "kind")

    def __init__(self, trail: Trail, records: Sequence[Record], rows: Sequence[Mapping[str, Any]] | None) -> None:
        self.kind = trail  # what follows one another into one trail is one statement
        self._records = records
        self._rows = rows

    def rows_in(self, connection: Connection) -> Sequence[Mapping[str, Any]]:
        """The rows to put; pseudonyms are looked up where they are wanted."""
        if self._rows is not None:
            return self._rows
        return [row_of(record) for record in self.kind.pseudonymous(connection, self._records)]

    def run_all(self, connection: Connection, jobs: "Sequence[Put]") -> Sequence[Sequence[Link]]:
        """Run many of them."""
        return self.kind.run_all(connection, jobs)

    def __call__(self, connection: Connection) -> Sequence[Link]:
        """Run it alone."""
        return self.kind.run_all(connection, (self,))[0]


def row_of(record: Record) -> dict[str, Any]:
    """A record as it lies in a segment's table."""
    return {"record": record.canonical().decode()}


def open_segment(connection: Connection, instance: str, first: int, frontier: bytes, now: str) -> int:
    """Begin another segment, within a writer's job; gives its number."""
    own = segments.c.instance == instance
    number = int(connection.execute(select(func.coalesce(func.max(segments.c.number), 0)).where(own)).scalar_one()) + 1
    relation = int(connection.execute(select(func.coalesce(func.max(segments.c.relation), 0))).scalar_one()) + 1
    create(connection, relation)
    row = {"instance": instance, "number": number, "relation": relation, "first": first}
    connection.execute(insert(segments).values(**row, frontier=frontier, opened=now))
    return number


_LAST_SEGMENT: Final = (
    "SELECT number, relation, first FROM audit_segments WHERE instance = ? ORDER BY number DESC LIMIT 1"
)
_END: Final = (
    "SELECT ends.last, mine.sequence, mine.hash, mine.mark"
    " FROM (SELECT max(position) AS last FROM {table}) AS ends LEFT JOIN"
    " (SELECT sequence, hash, mark FROM {table} WHERE chain = ? ORDER BY sequence DESC LIMIT 1) AS mine ON 1 = 1"
)


def _run(connection: Connection, statement: str, value: str) -> Any:
    """One row by the driver itself: SQLAlchemy's 30 µs a statement are most of what a lone record costs."""
    if connection.dialect.name != "sqlite":
        statement = statement.replace("?", "%s")
    try:
        return driver_connection(connection).execute(statement, (value,)).fetchone()
    except Exception as error:
        raise translated(error, connection, statement) from error
