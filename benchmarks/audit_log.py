"""The audit log, large: how fast it is verified beside what hashing alone takes, and how soon a page of it is there.

Verifying is compared with SHA-256 over the same records' bytes, in a loop that does nothing else: both in turns of a
few tenths of a second, the ratio taken within each round, and the middle one given. A page is looked for a hundred
times with each filter; given are the middle and the slowest. Everything lies in an SQLite file of its own.
"""

import asyncio
import hashlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from narthex.clock import SystemClock
from narthex.config import Secret
from narthex.sealing import Sealer
from narthex.store import Store
from narthex.store.address import parse
from narthex_plugins.audit.checkpoints import BEFORE_ALL, Checkpoint
from narthex_plugins.audit.growing import Growth, look
from narthex_plugins.audit.keys import LogKeys
from narthex_plugins.audit.querying import Query, Reader
from narthex_plugins.audit.reading import verify_store
from narthex_plugins.audit.record import Record, make, timestamp
from narthex_plugins.audit.tables import checkpoints, tables
from narthex_plugins.audit.trail import Trail
from narthex_plugins.audit.verifying import Verifier

NAME: Final = "audit log"
"""What `--only` calls this part of the run."""
RECORDS: Final = int(os.environ.get("AUDIT_RECORDS", "1000000"))
"""Records of the log; `--quick` makes a twentieth."""
AT_LEAST: Final = 0.12
"""Times as many records a second as hashing alone."""
GOAL_MS: Final = 50.0
"""Milliseconds in which a filtered page is to be there."""
_BATCH, _EVERY, _SEED = 500, 5000, 20
Document = dict[str, Any]


def run(directory: Path, *, quick: bool) -> Document:
    """Fill a log, verify it, look into it; everything, for machines."""
    return asyncio.run(_run(directory.absolute(), RECORDS // 20 if quick else RECORDS))


async def _run(directory: Path, count: int) -> Document:
    with tempfile.TemporaryDirectory(dir=directory) as place:
        store = Store(parse(f"sqlite:///{place}/log.db", directory), SystemClock())
        await store.start([tables])
        try:
            trail = Trail(store, "audit", SystemClock(), Sealer(Secret("k" * 40)))
            await trail.start()
            filling = await _fill(store, trail, count)
            document: Document = {"records": count, "written_per_second": round(count / filling)}
            document |= await store.read(lambda connection: _verify(connection, trail.keys, min(count, 100_000)))
            document["pages"] = await _pages(Reader(store, "audit"))
        finally:
            await store.stop()
    return document


def _records(count: int) -> Iterator[Record]:
    draw = random.Random(_SEED)
    methods, outcomes = ("POST", "POST", "POST", "PUT", "DELETE"), ("success",) * 19 + ("refused",)
    began = time.time() - 86_400 * 30
    for number in range(count):
        subject = int(draw.paretovariate(0.6)) % 20_000
        yield make(
            began + number * 86_400 * 30 / count,
            f"http.{draw.choice(methods)}",
            draw.choice(outcomes),
            actor=f"user-{subject}",
            session=f"session-{subject}-{draw.randrange(5)}",
            address=f"203.0.{subject % 250}.{draw.randrange(8)}",
            resource=f"/orders/{draw.randrange(200_000)}",
            request_id=f"{draw.getrandbits(128):032x}",
            trace_id=f"{draw.getrandbits(128):032x}",
            details={"method": "POST", "status": 201, "roles": ["user"]},
        )


async def _fill(store: Store, trail: Trail, count: int) -> float:
    """Seconds that writing took, without making the records."""
    spent, batch = 0.0, list[Record]()
    for number, record in enumerate(_records(count), 1):
        batch.append(record)
        if len(batch) == _BATCH or number == count:
            begun = time.perf_counter()
            await trail.keep(batch)
            spent += time.perf_counter() - begun
            batch = []
        if number % _EVERY == 0:
            await store.write(lambda connection: _sign(connection, trail))
    return spent


def _sign(connection: Connection, trail: Trail) -> None:
    """Put down a checkpoint, as `signing` does when a minute has passed."""
    standing = look(connection, trail.instance)
    growth = Growth(standing, trail.keys.marking)
    growth.take(connection, standing.segments)
    tree, last = growth.end(), standing.last
    made = Checkpoint(
        log=trail.log,
        number=1 if last is None else last.number + 1,
        size=tree.size,
        root=tree.root().hex(),
        first=0,
        time=timestamp(time.time()),
        previous=BEFORE_ALL if last is None else last.digest(),
        key="",
    ).signed(trail.keys.signing)
    row = {"instance": trail.instance, "number": made.number, "size": made.size, "document": made.document().decode()}
    connection.execute(checkpoints.insert().values(**row, frontier=b"".join(tree.frontier)))


def _verify(connection: Connection, keys: LogKeys, sample: int, rounds: int = 9) -> Document:
    query = "SELECT record FROM audit_records_1 ORDER BY position LIMIT ?"
    raw = [row[0].encode() for row in connection.exec_driver_sql(query, (sample,))]
    total = int(connection.exec_driver_sql("SELECT max(position) + 1 FROM audit_records_1").scalar_one())
    ratios, rates = list[float](), list[float]()
    for _ in range(rounds if total <= sample * 2 else 3):
        hashing = _timed(lambda: _hash(raw)) / len(raw)
        verifying = _timed(lambda: _check(connection, keys, total)) / total
        ratios.append(hashing / verifying)
        rates.append(1 / verifying)
    return {
        "verified_per_second": round(statistics.median(rates)),
        "bytes_each": round(sum(map(len, raw)) / len(raw)),
        "verify_to_hashlib": round(statistics.median(ratios), 3),
    }


def _hash(raw: list[bytes]) -> None:
    sha256 = hashlib.sha256
    for one in raw:
        sha256(one).digest()


def _check(connection: Connection, keys: LogKeys, total: int) -> None:
    report = verify_store(connection, "audit", Verifier([keys.public], (), keys.marking))
    assert report.finding is None
    assert report.records == total


def _timed(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


async def _pages(reader: Reader) -> Document:
    day = 86_400.0
    last = time.time()
    queries = {
        "no filter": Query(),
        "one of the busiest": Query(actor="user-1"),
        "somebody seldom": Query(actor="user-19999"),
        "actor and action": Query(actor="user-2", action="http.DELETE"),
        "refusals": Query(outcome="refused"),
        "refusals of one": Query(actor="user-1", outcome="refused"),
        "a resource": Query(resource="/orders/77"),
        "an address": Query(address="203.0.1.3"),
        "one day": Query(since=last - 10 * day, until=last - 9 * day),
        "one day of one": Query(actor="user-1", since=last - 10 * day, until=last - 9 * day),
        "nobody": Query(actor="nobody"),
    }
    found: Document = {}
    for name, query in queries.items():
        times = list[float]()
        for _ in range(100):
            begun = time.perf_counter()
            await reader.page(query, 100)
            times.append((time.perf_counter() - begun) * 1000)
        found[name] = {"p50_ms": round(statistics.median(times), 2), "slowest_ms": round(max(times), 2)}
    return found


def table(document: Document) -> str:
    """For people."""
    lines = [
        f"audit log of {document['records']:,} records of {document['bytes_each']} bytes",
        f"  written               {document['written_per_second']:>10,} a second, one writer",
        f"  verified              {document['verified_per_second']:>10,} a second",
        f"  verified / hashlib    {document['verify_to_hashlib']:>10} (at least {AT_LEAST})",
        "  a page of 100         middle ms  slowest ms",
    ]
    for name, one in document["pages"].items():
        lines.append(f"    {name:<20} {one['p50_ms']:>8} {one['slowest_ms']:>11}")
    return "\n".join(lines)


def missed(document: Document) -> list[str]:
    """The bars that were not kept."""
    found: list[str] = []
    if document["verify_to_hashlib"] < AT_LEAST:
        found.append(f"verify runs at {document['verify_to_hashlib']} of hashlib's rate, and {AT_LEAST} is the least")
    for name, one in document["pages"].items():
        if one["p50_ms"] > GOAL_MS:
            found.append(f"a page ({name}) takes {one['p50_ms']} ms, and {GOAL_MS} is the goal")
    return found
