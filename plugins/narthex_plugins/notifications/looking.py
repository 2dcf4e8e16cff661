"""What admins and figures see of the queue: pages newest first, one with its attempts, and how deep it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from narthex.clock import Clock
from narthex.detectors import Redactor
from narthex_plugins.notifications.queue import Queue, now_at
from narthex_plugins.notifications.tables import attempts, gates, queue

_UNDONE: Final = ("queued", "sending", "failed", "dead")
_SHOWN: Final = (
    "id", "channel", "template", "status", "created", "due", "attempts", "allowed", "ended", "error", "dedup_key",
    "request_id", "recipients",
)  # fmt: skip
_redactor: Final = Redactor()


@dataclass(frozen=True, slots=True)
class Found:
    """A page: rows, newest first, and the cursor of the next page or None."""

    rows: Sequence[Mapping[str, Any]]
    following: str | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep the queue is.

    Attributes:
        counts: channel and status to how many, of those that are not over but for the dead.
        late: seconds since the oldest was due that is due; 0 where none is.
        closed: channels whose circuit is open.
    """

    counts: Mapping[tuple[str, str], int]
    late: float
    closed: frozenset[str]


def page_of(instance: str, status: str, channel: str, before: str, limit: int) -> "Select[Any]":
    """What asks for a page and one row more; "" for no condition."""
    found = select(*(queue.c[name] for name in _SHOWN)).where(queue.c.instance == instance)
    if status:
        found = found.where(queue.c.status == status)
    if channel:
        found = found.where(queue.c.channel == channel)
    if before:
        found = found.where(queue.c.id < before)
    return found.order_by(queue.c.id.desc()).limit(limit + 1)


def page(connection: Connection, instance: str, status: str, channel: str, before: str, limit: int) -> Found:
    """A page. Cost: one look into an index, whatever the queue's size."""
    rows = [dict(row) for row in connection.execute(page_of(instance, status, channel, before, limit)).mappings()]
    more = len(rows) > limit
    return Found([document(row) for row in rows[:limit]], rows[limit - 1]["id"] if more else None)


def one(connection: Connection, instance: str, id_: str) -> Mapping[str, Any] | None:
    """A notification with its data, secrets taken out, and every attempt; None where there is none."""
    which = (queue.c.instance == instance) & (queue.c.id == id_)
    row = connection.execute(select(queue).where(which)).mappings().one_or_none()
    if row is None:
        return None
    theirs = (attempts.c.instance == instance) & (attempts.c.notification == id_)
    made = connection.execute(select(attempts).where(theirs).order_by(attempts.c.number)).mappings()
    tried = [
        {
            "number": attempt["number"],
            "started": stamp(attempt["started"]),
            "duration_ms": None if attempt["duration"] is None else round(1000 * attempt["duration"], 1),
            "outcome": attempt["outcome"],
            "code": attempt["code"],
            "answer": _redactor.text(attempt["answer"]),
            "error": attempt["error"],
            "worker": attempt["worker"],
        }
        for attempt in made
    ]
    return {**document(dict(row)), "data": json.loads(_redacted(row["data"])), "tries": tried}


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is shown: times as RFC 3339."""
    shown = {name: row[name] for name in _SHOWN}
    for name in ("created", "due", "ended"):
        shown[name] = None if row[name] is None else stamp(row[name])
    shown["recipients"] = None if row["recipients"] is None else json.loads(row["recipients"])
    return shown


def depth(connection: Connection, queued: Queue, clock: Clock) -> Depth:
    """How deep the queue is; a reader's job. What was sent long ago costs nothing."""
    instance = queued.instance
    mine = queue.c.instance == instance
    counted = select(queue.c.channel, queue.c.status, func.count()).where(mine, queue.c.status.in_(_UNDONE))
    rows = connection.execute(counted.group_by(queue.c.channel, queue.c.status)).all()
    soonest = queued.next_due(connection)
    now = now_at(connection, clock)
    closed = (gates.c.instance == instance) & (gates.c.closed_until > now)
    names = connection.execute(select(gates.c.channel).where(closed)).scalars().all()
    late = 0.0 if soonest is None else max(0.0, -soonest)
    return Depth({(row[0], row[1]): int(row[2]) for row in rows}, late, frozenset(names))


def stamp(seconds: float) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _redacted(text: str) -> str:
    """JSON without secrets; a text of its own where taking them out has broken it."""
    clean = _redactor.text(text)
    try:
        json.loads(clean)
    except ValueError:
        return json.dumps(clean)
    return clean
