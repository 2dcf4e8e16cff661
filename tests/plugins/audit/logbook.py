"""A log of its own for a test: an open store, its trail and what signs it, without a house round them.

A tape is what verifying reads from a log, in order; a test changes it and plays it again, without a store.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ParamSpec, cast

from sqlalchemy import Connection, create_engine

from narthex import House
from narthex.config import Secret
from narthex.metrics import Metrics
from narthex.sealing import Sealer
from narthex.store import Store
from narthex.store.address import parse
from narthex.testing import FixedClock
from narthex_plugins.audit.checkpoint_settings import CheckpointSettings, PublishSettings, RetentionSettings
from narthex_plugins.audit.checkpoints import Checkpoint
from narthex_plugins.audit.keys import LogKeys
from narthex_plugins.audit.pseudonyms import Pseudonyms
from narthex_plugins.audit.reading import verify_store
from narthex_plugins.audit.record import Record, make
from narthex_plugins.audit.signing import Checkpointer
from narthex_plugins.audit.tables import tables
from narthex_plugins.audit.trail import Trail
from narthex_plugins.audit.verifying import Bad, Report, Row, Verifier

P = ParamSpec("P")
SEALER = Sealer(Secret("k" * 40))
QUIET = PublishSettings(log=False)


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that awaits."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@dataclass
class Book:
    """A log that is open.

    Attributes:
        trail: of this "process".
        other: of another one.
    """

    store: Store
    clock: FixedClock
    directory: Path
    trail: Trail
    other: Trail
    signer: Checkpointer
    count: int = 0

    @property
    def keys(self) -> LogKeys:
        return self.trail.keys

    def record(self, **fields: Any) -> Record:
        """The next record; no two are alike."""
        self.count += 1
        self.clock.advance(0.01)
        number = self.count
        given = {
            "actor": f"user{number % 7}",
            "session": f"session{number % 11}",
            "address": f"203.0.113.{number % 250}",
            "resource": f"/orders/{number}",
            "reason": "because",
            "request_id": f"{number:032x}",
            "trace_id": f"{number:032x}",
            "before": "sha256:00",
            "after": "sha256:01",
            "details": {"status": 200 + number % 3},
        }
        wanted = {"action": "http.POST", "outcome": "success"} | given | fields
        return make(self.clock.now(), wanted.pop("action"), wanted.pop("outcome"), **wanted)

    async def fill(self, count: int, *, each: int = 4) -> None:
        """Keep so many records, by two processes in turn, some of them together."""
        for at in range(0, count, each):
            trail = self.trail if (at // each) % 3 else self.other
            await trail.keep([self.record() for _ in range(min(each, count - at))])

    async def sign(self) -> Checkpoint:
        made = await self.signer.turn(force=True)
        assert made is not None
        return made

    async def verify(self, published: Sequence[Checkpoint] = (), keys: Sequence[str] | None = None) -> Report:
        known = [self.keys.public] if keys is None else keys

        def job(connection: Connection) -> Report:
            return verify_store(connection, "audit", Verifier(known, published, self.keys.marking))

        return await self.store.read(job)


@asynccontextmanager
async def book(url: str, directory: Path, *, pseudonyms: Sequence[str] = (), **options: Any) -> AsyncIterator[Book]:
    """Open a log, in a store that may have one already.

    Args:
        url: of the store.
        directory: where relative paths begin.
        pseudonyms: what is kept as such.
        options: of checkpoints and retention: `publish`, `every`, `keep`, `segment`, `records`.
    """
    clock = FixedClock()
    store = Store(parse(url, directory), clock)
    await store.start([tables])
    try:
        names = Pseudonyms("audit", pseudonyms, SEALER) if pseudonyms else None
        trails = [Trail(store, "audit", clock, SEALER, names) for _ in range(2)]
        for one in trails:
            await one.start()
        yield Book(store, clock, directory, trails[0], trails[1], signer(store, clock, directory, trails[0], **options))
    finally:
        await store.stop()


def signer(store: Store, clock: FixedClock, directory: Path, trail: Trail, **options: Any) -> Checkpointer:
    """What signs a trail."""
    house = SimpleNamespace(
        store=store,
        clock=clock,
        instance="audit",
        directory=directory,
        log=logging.getLogger("narthex.plugins.audit"),
        metrics=Metrics(),
    )
    publish = options.pop("publish", QUIET)
    checkpoints = CheckpointSettings(
        publish=publish, **{name: options.pop(name) for name in ("every",) if name in options}
    )
    retention = {"segment": 10**9, "records": 10**9, **options}
    return Checkpointer(
        cast("House", house), trail, checkpoints, RetentionSettings.model_construct(**{"keep": 0.0, **retention})
    )


Segment = tuple[int, int, tuple[bytes, ...]]


@dataclass(frozen=True)
class Tape:
    """What verifying reads, of a log of one segment."""

    keys: tuple[str, ...]
    marking: bytes
    begins: tuple[bytes, ...]
    rows: tuple[Row, ...]
    checkpoints: tuple[Checkpoint, ...]

    def but(self, **changes: Any) -> "Tape":
        return replace(self, **changes)

    def with_row(self, at: int, row: Row) -> "Tape":
        return replace(self, rows=(*self.rows[:at], row, *self.rows[at + 1 :]))

    def play(self, published: Sequence[Checkpoint] = ()) -> Report:
        """Verify it."""
        verifier: Verifier | None = None
        try:
            verifier = Verifier(self.keys, published, self.marking)
            self._play(verifier)
            return verifier.finish()
        except Bad as bad:
            return (verifier or Verifier(())).report(bad.finding)

    def _play(self, verifier: Verifier) -> None:
        verifier.segment(1, 0, ())
        for one in self.begins:
            verifier.begins(one)
        done = 0
        for mark in self.checkpoints:
            while done < len(self.rows) and verifier.size < mark.size:
                part = self.rows[done : done + mark.size - verifier.size]
                verifier.records(part)
                done += len(part)
            verifier.checkpoint(mark)
        verifier.records(self.rows[done:])


def read_tape(connection: Connection, keys: LogKeys) -> Tape:
    """The tape of a log whose first segment is its only one."""
    found = connection.exec_driver_sql(
        "SELECT position, chain, sequence, hash, mark, record FROM audit_records_1 ORDER BY position"
    ).all()
    rows = tuple((*row[:5], row[5].encode()) for row in found)
    begins = connection.exec_driver_sql("SELECT description FROM audit_chains").scalars().all()
    documents = connection.exec_driver_sql("SELECT document FROM audit_checkpoints ORDER BY number").scalars().all()
    marks = tuple(parse_checkpoint(one) for one in documents)
    return Tape((keys.public,), keys.marking, tuple(one.encode() for one in begins), rows, marks)


def parse_checkpoint(document: str) -> Checkpoint:
    from narthex_plugins.audit.checkpoints import parse as parse_document

    return parse_document(document)


async def tape(directory: Path, count: int, every: int, *, each: int = 1) -> Tape:
    """The tape of a log with so many records, and a checkpoint after every so many of them; it ends with one."""
    async with book("sqlite:///tape.db", directory) as log:
        for _ in range(count // every):
            await log.fill(every, each=each)
            await log.sign()
        return await log.store.read(lambda connection: read_tape(connection, log.keys))


def verify_file(file: Path, keys: LogKeys, published: Sequence[Checkpoint] = ()) -> Report:
    """Verify what is in an SQLite file now."""
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.connect() as connection:
            return verify_store(connection, "audit", Verifier([keys.public], published, keys.marking))
    finally:
        engine.dispose()
