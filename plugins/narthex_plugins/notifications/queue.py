r"""The queue: jobs for a SQLAlchemy connection, and nothing but SQL in them, so that they may be run twice.

    queued --claim--> sending --finish--> sent
      ^                  |  \--finish--> failed --claim--> sending ...      a pause, then the next attempt
      |                  |   \-finish--> dead                               no attempt left, or none worth it
      |                  \--lease over--> claimed by the next worker; its attempt is lost
    retry <-- dead, failed, cancelled        cancel --> cancelled <-- queued, failed, dead

A lease is a time in `due` and a random word in `lease`: whoever finishes has to show the word, so that a worker which
was thought dead and comes back changes nothing. On PostgreSQL rows are taken with SKIP LOCKED, on SQLite in a
transaction that has the write lock.
"""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from narthex.clock import Clock
from narthex_plugins.notifications.pacing import Gate, Pace, after_taking, room
from narthex_plugins.notifications.tables import attempts, gates, queue

STATUSES: Final = ("queued", "sending", "sent", "failed", "dead", "cancelled")
SWEPT: Final = 1000
"""Rows that one sweep takes away at most."""
_RETRIABLE: Final = ("dead", "failed", "cancelled")
_CANCELLABLE: Final = ("queued", "failed", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A notification to be.

    Attributes:
        data: JSON text.
        recipients: JSON text of a list, or None.
        due: seconds since the epoch, not before which it goes.
        allowed: attempts at most.
    """

    id: str
    channel: str
    template: str
    data: str
    created: float
    due: float
    allowed: int
    recipients: str | None = None
    dedup_key: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A notification that this worker has the lease of.

    Attributes:
        lease: the word that proves it.
        attempt: the number of the one that has begun.
        allowed: the number of the last one.
    """

    id: str
    channel: str
    template: str
    data: str
    recipients: str | None
    request_id: str | None
    created: float
    attempt: int
    allowed: int
    lease: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim came to.

    Attributes:
        jobs: to be sent.
        dead: channel and id of those whose worker died for the last time that was allowed.
        wait: seconds after which a brake lets more go; 0 where none holds.
    """

    jobs: Sequence[Job]
    dead: Sequence[tuple[str, str]] = ()
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is written of an attempt that is over.

    Attributes:
        status: sent, failed or dead.
        pause: seconds until the next attempt, where it failed.
        recipients: JSON text of those who are still to have it; None for no change.
    """

    status: str
    duration: float
    code: int | None = None
    answer: str = ""
    error: str = ""
    pause: float = 0.0
    recipients: str | None = None


def new_id(now: float) -> str:
    """32 hex digits: the millisecond, then 80 random bits."""
    return f"{int(now * 1000):012x}{secrets.token_hex(10)}"


def now_at(connection: Connection, clock: Clock) -> float:
    """Seconds since the epoch on the clock that all workers share: PostgreSQL's own, or the host's."""
    if connection.dialect.name == "sqlite":
        return clock.now()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


class Queue:
    """The notifications of one instance of the plugin.

    Args:
        instance: its name.
        clock: the host's, for SQLite.
        paces: of the channels that are there.
        lease: seconds.
    """

    def __init__(self, instance: str, clock: Clock, paces: Mapping[str, Pace], lease: float) -> None:
        self.instance = instance
        self._clock = clock
        self._paces = paces
        self._lease = lease
        self._mine = queue.c.instance == instance

    def add(self, connection: Connection, new: New) -> str:
        """Put one in; the id, which is that of an earlier one where the same key was given for the channel."""
        row = {
            "instance": self.instance,
            "id": new.id,
            "channel": new.channel,
            "template": new.template,
            "data": new.data,
            "recipients": new.recipients,
            "dedup_key": new.dedup_key,
            "request_id": new.request_id,
            "status": "queued",
            "created": new.created,
            "due": new.due,
            "attempts": 0,
            "allowed": new.allowed,
            "error": "",
        }
        if new.dedup_key is None:
            connection.execute(insert(queue).values(row))
            return new.id
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        put = dialect.insert(queue).values(row)
        put = put.on_conflict_do_nothing(index_elements=["instance", "channel", "dedup_key"])
        if connection.execute(put.returning(queue.c.id)).scalar_one_or_none() is not None:
            return new.id
        same = self._mine & (queue.c.channel == new.channel) & (queue.c.dedup_key == new.dedup_key)
        return str(connection.execute(select(queue.c.id).where(same)).scalar_one())

    def next_due(self, connection: Connection) -> float | None:
        """Seconds until something is due, at most 0 where something is; None where nothing waits. A reader's job."""
        found = [
            connection.execute(
                select(func.min(queue.c.due)).where(self._mine, queue.c.channel == name, queue.c.due.is_not(None))
            ).scalar_one()
            for name in self._paces
        ]
        times = [float(due) for due in found if due is not None]
        return min(times) - now_at(connection, self._clock) if times else None

    def claim(self, connection: Connection, wanted: int, only: str | None = None) -> Taken:
        """Take up to `wanted` that are due, each with a lease and the beginning of an attempt.

        Args:
            connection: the writer's, in a transaction.
            wanted: at most.
            only: the id of one that is taken whatever the brakes say, or none; None for whatever is due.
        """
        now = now_at(connection, self._clock)
        jobs, dead, wait = list[Job](), list[tuple[str, str]](), 0.0
        for name, pace in self._shuffled():
            if len(jobs) >= wanted:
                break
            rows = self._due(connection, name, now, wanted - len(jobs), only)
            if not rows:
                continue
            gate = self.gate(connection, name)
            granted = room(pace, gate, len(rows), self._under_way(connection, name, now), now)
            wait = min(wait, granted.wait) if wait and granted.wait else wait or granted.wait
            rows = rows if only else rows[: granted.count]
            if not rows:
                continue
            self.set_gate(connection, name, gate, after_taking(pace, gate, len(rows), now))
            over = [row for row in rows if row["status"] == "sending" and row["attempts"] >= row["allowed"]]
            dead += [(name, row["id"]) for row in over]
            self._bury(connection, [row["id"] for row in over], now)
            jobs += self._take(connection, [row for row in rows if row not in over], now)
        return Taken(jobs, dead, wait)

    def _shuffled(self) -> Sequence[tuple[str, Pace]]:
        """The channels, beginning anywhere: one with much to do starves no other."""
        every = list(self._paces.items())
        start = secrets.randbelow(len(every)) if every else 0
        return [*every[start:], *every[:start]]

    def _due(
        self, connection: Connection, channel: str, now: float, limit: int, only: str | None
    ) -> Sequence[Mapping[str, Any]]:
        which = queue.c.due <= now
        if only is not None:
            which = (queue.c.id == only) & (which | (queue.c.status != "sending")) & queue.c.due.is_not(None)
        found = select(queue).where(self._mine, queue.c.channel == channel, which)
        found = found.order_by(queue.c.due).limit(limit).with_for_update(skip_locked=True)
        return [dict(row) for row in connection.execute(found).mappings()]

    def _under_way(self, connection: Connection, channel: str, now: float) -> int:
        sending = (queue.c.channel == channel) & (queue.c.status == "sending") & (queue.c.due > now)
        return int(connection.execute(select(func.count()).where(self._mine, sending)).scalar_one())

    def _take(self, connection: Connection, rows: Sequence[Mapping[str, Any]], now: float) -> Sequence[Job]:
        if not rows:
            return []
        lease, worker = secrets.token_hex(16), f"{socket.gethostname()}:{os.getpid()}"[-100:]
        ids = [row["id"] for row in rows]
        self._lose(connection, [row["id"] for row in rows if row["status"] == "sending"])
        connection.execute(
            update(queue)
            .where(self._mine, queue.c.id.in_(ids))
            .values(status="sending", lease=lease, due=now + self._lease, attempts=queue.c.attempts + 1)
        )
        begun = [
            {
                "instance": self.instance,
                "notification": row["id"],
                "number": row["attempts"] + 1,
                "started": now,
                "answer": "",
                "error": "",
                "worker": worker,
            }
            for row in rows
        ]
        connection.execute(insert(attempts), begun)
        kept = ("id", "channel", "template", "data", "recipients", "request_id", "created", "allowed")
        return [Job(**{key: row[key] for key in kept}, attempt=row["attempts"] + 1, lease=lease) for row in rows]

    def _lose(self, connection: Connection, ids: Sequence[str]) -> None:
        """Say of attempts that nobody ended that they are lost."""
        if ids:
            mine = (attempts.c.instance == self.instance) & attempts.c.notification.in_(ids)
            said = "its worker did not come back; it may have arrived"
            connection.execute(
                update(attempts).where(mine, attempts.c.outcome.is_(None)).values(outcome="lost", error=said)
            )

    def _bury(self, connection: Connection, ids: Sequence[str], now: float) -> None:
        if ids:
            self._lose(connection, ids)
            over = {"status": "dead", "lease": None, "due": None, "ended": now, "error": "its workers died"}
            connection.execute(update(queue).where(self._mine, queue.c.id.in_(ids)).values(over))

    def finish(self, connection: Connection, job: Job, ending: Ending) -> bool:
        """Write down what came of an attempt. False where the lease was lost: then only the attempt is told of."""
        now = now_at(connection, self._clock)
        which = (
            (attempts.c.instance == self.instance)
            & (attempts.c.notification == job.id)
            & (attempts.c.number == job.attempt)
        )
        told = {"duration": ending.duration, "code": ending.code, "answer": ending.answer, "error": ending.error}
        outcome = "sent" if ending.status == "sent" else "failed"
        connection.execute(update(attempts).where(which).values(outcome=outcome, **told))
        values: dict[str, Any] = {"status": ending.status, "lease": None, "error": ending.error}
        values |= {"due": now + ending.pause} if ending.status == "failed" else {"due": None, "ended": now}
        if ending.status == "sent":
            values["data"] = "{}"  # nobody needs it any more
        if ending.recipients is not None:
            values["recipients"] = ending.recipients
        held = self._mine & (queue.c.id == job.id) & (queue.c.lease == job.lease)
        return bool(connection.execute(update(queue).where(held).values(values)).rowcount)

    def release(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Give back what was taken and not begun, or cut off, so that another worker takes it at once."""
        now = now_at(connection, self._clock)
        for job in jobs:
            held = self._mine & (queue.c.id == job.id) & (queue.c.lease == job.lease)
            given = connection.execute(update(queue).where(held).values(status="failed", lease=None, due=now))
            if given.rowcount:
                self._lose(connection, [job.id])

    def retry(self, connection: Connection, id_: str) -> bool:
        """Have it sent again, now, with as many attempts as a new one has; False where it cannot be."""
        more = {name: pace.attempts for name, pace in self._paces.items()}
        grant = case(more, value=queue.c.channel, else_=1) if more else 1
        values = {
            "status": "queued",
            "due": now_at(connection, self._clock),
            "ended": None,
            "allowed": queue.c.attempts + grant,
        }
        which = self._mine & (queue.c.id == id_) & queue.c.status.in_(_RETRIABLE)
        return bool(connection.execute(update(queue).where(which).values(values)).rowcount)

    def cancel(self, connection: Connection, id_: str) -> bool:
        """Have it not sent; False where it is being sent, or over."""
        which = self._mine & (queue.c.id == id_) & queue.c.status.in_(_CANCELLABLE)
        values = {"status": "cancelled", "due": None, "ended": now_at(connection, self._clock)}
        return bool(connection.execute(update(queue).where(which).values(values)).rowcount)

    def sweep(self, connection: Connection, keep: float, keep_dead: float) -> int:
        """Take away what ended so many seconds ago, or was given up; at most `SWEPT`, and how many there were."""
        now = now_at(connection, self._clock)
        old = or_(
            queue.c.status.in_(("sent", "cancelled")) & (queue.c.ended < now - keep),
            (queue.c.status == "dead") & (queue.c.ended < now - keep_dead),
        )
        ids = connection.execute(select(queue.c.id).where(self._mine, old).limit(SWEPT)).scalars().all()
        if ids:
            theirs = (attempts.c.instance == self.instance) & attempts.c.notification.in_(ids)
            connection.execute(delete(attempts).where(theirs))
            connection.execute(delete(queue).where(self._mine, queue.c.id.in_(ids)))
        return len(ids)

    def gate(self, connection: Connection, channel: str) -> Gate:
        """The channel's gate, with its row locked where it has one."""
        which = (gates.c.instance == self.instance) & (gates.c.channel == channel)
        found = select(gates.c.arrival, gates.c.failures, gates.c.closed_until).where(which).with_for_update()
        row = connection.execute(found).one_or_none()
        return Gate() if row is None else Gate(*row)

    def set_gate(self, connection: Connection, channel: str, before: Gate, now: Gate) -> None:
        """Keep a gate that has changed."""
        if now == before:
            return
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        values = {"arrival": now.arrival, "failures": now.failures, "closed_until": now.closed_until}
        put = dialect.insert(gates).values(instance=self.instance, channel=channel, **values)
        connection.execute(put.on_conflict_do_update(index_elements=["instance", "channel"], set_=values))
