"""Membership: which processes serve, how far each has seen, and which are gone.

Beats are taken from one clock for all: on SQLite the host's clock since boot, which counts sleep and never jumps; on
PostgreSQL the server's. A member that has not beaten for `ttl` seconds is gone, and is swept away by the next beat.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from narthex.clock import Clock
from narthex.store.schema import members

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Member:
    """A process that serves.

    Attributes:
        id: made anew at each start.
        node: its host.
        pid: on that host.
        boot: names the host's boot.
        digest: of the chain it serves.
        seen: log name to the version it has seen.
        age: seconds since its last beat.
    """

    id: str
    node: str
    pid: int
    boot: str
    digest: str
    seen: Mapping[str, int]
    age: float


class Membership:
    """This process among the members.

    Args:
        clock: for SQLite's beats.
        ttl: seconds without a beat after which a member is gone.
    """

    def __init__(self, clock: Clock, ttl: float) -> None:
        self.id = uuid4().hex
        self.ttl = ttl
        self.digest = ""
        self.seen: dict[str, int] = {}
        self._clock = clock
        self._node = socket.gethostname()
        self._boot = _boot()

    def begin(self) -> None:
        """Be a new member: another start, or another worker that was forked from the same parent."""
        self.id = uuid4().hex

    def beat(self, connection: Connection) -> None:
        """Keep this process alive among the members and sweep away who is gone; a job for the writer."""
        now = self._now(connection)
        row: dict[str, Any] = {
            "id": self.id,
            "node": self._node,
            "pid": os.getpid(),
            "boot": self._boot,
            "digest": self.digest,
            "seen": json.dumps(self.seen),
            "beat": now,
        }
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(
            dialect.insert(members).values(row).on_conflict_do_update(index_elements=[members.c.id], set_=row)
        )
        gone = (members.c.beat < now - self.ttl) | (members.c.boot != self._boot if _same_host(connection) else False)
        connection.execute(delete(members).where(gone))

    def leave(self, connection: Connection) -> None:
        """Take this process from the members; a job for the writer."""
        connection.execute(delete(members).where(members.c.id == self.id))

    def living(self, connection: Connection) -> Sequence[Member]:
        """Every member that has beaten within `ttl`, this one too."""
        now = self._now(connection)
        found = connection.execute(select(members).where(members.c.beat >= now - self.ttl).order_by(members.c.id))
        return [
            Member(
                row["id"],
                row["node"],
                row["pid"],
                row["boot"],
                row["digest"],
                json.loads(row["seen"]),
                max(0.0, now - row["beat"]),
            )
            for row in found.mappings()
            if not (_same_host(connection) and row["boot"] != self._boot)
        ]

    def _now(self, connection: Connection) -> float:
        if _same_host(connection):
            return self._clock.boottime()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def _same_host(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
