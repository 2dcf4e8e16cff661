"""What must hold of a store after anything: it opens clean, lacks nothing acknowledged, has nothing refused."""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from narthex.clock import SystemClock
from narthex.store import Store
from narthex.store.address import parse
from tests.fault.victim import Outcome
from tests.fault.workload import body, log, metadata, notes, records


@dataclass(slots=True)
class Promises:
    """What was told of all runs on one database, and what it promises.

    Attributes:
        acknowledged: record number to version.
        refused: numbers of which nothing may be there.
    """

    acknowledged: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)

    def add(self, outcome: Outcome) -> "Promises":
        """These and those of one more run."""
        refused = {int(line[1]) for line in outcome.of("refused")}
        return Promises(self.acknowledged | outcome.acknowledged, self.refused | refused)

    def until(self, number: int) -> "Promises":
        """Those of the first `number` acknowledgements."""
        return Promises(dict(list(self.acknowledged.items())[:number]), self.refused)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in a store.

    Attributes:
        lost: acknowledged records that are not there as they were acknowledged.
        faults: everything else that must not be, in words.
    """

    lost: Sequence[int]
    faults: Sequence[str]

    def __bool__(self) -> bool:
        return not self.lost and not self.faults


def judge(database: Path, promises: Promises) -> Verdict:
    """Open the store as a service does, look at everything, and write one record more."""
    return asyncio.run(_judge(database, promises))


async def _judge(database: Path, promises: Promises) -> Verdict:
    store = Store(parse(f"sqlite:///{database}", Path("/")), SystemClock())
    try:
        await store.start()
        await store.write(metadata.create_all)
        integrity = await store.read(_integrity)
        rows = await store.read(_rows)
        noted = await store.read(_noted)
        number = 1 << 30
        version = await store.write(log.appending({"id": number, "body": body(number)}))
        await store.stop()
    except Exception as error:  # noqa: BLE001  whatever it is, the store does not open as it should
        await store.stop()
        return Verdict(list(promises.acknowledged), [f"the store does not open: {type(error).__name__}: {error}"])
    faults = [] if integrity == "ok" else [f"integrity_check: {integrity}"]
    if version != len(rows) + 1:
        faults.append(f"the next record got version {version} after {len(rows)} rows")
    return compare(rows, noted, promises, faults)


def judge_bytes(database: Path, promises: Promises) -> Verdict:
    """As `judge`, with nothing but SQLite, for the many states of a power cut. Consumes the files."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # what is looked at is thrown away
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows, noted = list[tuple[int, int, str]](), set[int]()
        if {"fault_records", "fault_notes"} <= tables:
            rows = connection.execute("SELECT version, id, body FROM fault_records ORDER BY version").fetchall()
            noted = {number for (number,) in connection.execute("SELECT id FROM fault_notes")}
    except sqlite3.Error as error:
        return Verdict(list(promises.acknowledged), [f"SQLite does not read it: {error}"])
    finally:
        connection.close()
    faults = [] if integrity == "ok" else [f"integrity_check: {integrity}"]
    return compare(rows, noted, promises, faults)


def compare(
    rows: Sequence[tuple[int, int, str]], noted: set[int], promises: Promises, faults: Sequence[str] = ()
) -> Verdict:
    """Compare rows (version, number, body) in order of version, and notes, with what was promised."""
    found = list(faults)
    versions = {number: version for version, number, _ in rows}
    lost = [number for number, version in promises.acknowledged.items() if versions.get(number) != version]
    if [version for version, _, _ in rows] != list(range(1, len(rows) + 1)):
        found.append(f"versions are not gapless: {[version for version, _, _ in rows]}")
    if len(versions) != len(rows):
        found.append("a record is there twice")
    if back := promises.refused & (versions.keys() | noted):
        found.append(f"records whose job failed are there: {sorted(back)}")
    if torn := [number for _, number, text in rows if text != body(number)]:
        found.append(f"records are not as they were written: {torn}")
    if half := {number for number in versions if number % 3 == 1} ^ noted - promises.refused:
        found.append(f"jobs of two rows are there by half: {sorted(half)}")
    return Verdict(lost, found)


def _integrity(connection: Connection) -> str:
    return str(connection.exec_driver_sql("PRAGMA integrity_check").scalar_one())


def _rows(connection: Connection) -> list[tuple[int, int, str]]:
    query = select(records.c.version, records.c.id, records.c.body).order_by(records.c.version)
    return [(version, number, text) for version, number, text in connection.execute(query)]


def _noted(connection: Connection) -> set[int]:
    return set(connection.execute(select(notes.c.id)).scalars())
