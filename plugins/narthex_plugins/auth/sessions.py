"""Sessions: a login from its beginning to its end, kept in the store, one row each.

A session is known by three things that must not be confused: its id, which stands in tokens and lists and is no secret;
its cookie, a secret of which only the digest is kept; its refresh tokens, see `refresh`. That a session was ended is
appended to a rising log in the same transaction, so that every process can forget what it remembers of it; see `ended`.
"""

import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cachetools import LRUCache
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from narthex.clock import Clock
from narthex.link import Link
from narthex.services import Session
from narthex.storage import Store
from narthex.store import RisingLog
from narthex_plugins.auth.tables import ended, refresh_tokens, sessions

SEEN_EVERY: Final = 60.0
"""Seconds between two writes of `last_seen`."""
PAGE: Final = 500
"""Rows that one sweep takes away."""
_AGENT: Final = 200
_ADDRESS: Final = 64
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def new_secret() -> str:
    """256 random bits, as text: 43 characters."""
    return secrets.token_urlsafe(32)


def new_id() -> str:
    """128 random bits, as text: 22 characters."""
    return urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def digest(secret: str) -> bytes:
    """What is kept of a secret of ours. A plain hash will do: nobody guesses 256 random bits (RFC 9700 §4.14.2)."""
    return sha256(secret.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class Client:
    """Where a session is used from.

    Attributes:
        address: as the trusted proxies tell it.
        agent: the field `User-Agent`.
    """

    address: str | None = None
    agent: str | None = None

    def columns(self) -> dict[str, str | None]:
        """As it is kept, whatever the client sends: bounded, without what steers a terminal or PostgreSQL refuses."""
        return {"address": _shown(self.address, _ADDRESS), "agent": _shown(self.agent, _AGENT)}


class SessionRows:
    """The sessions of one instance as rows; what is done to them, each as a job of the store.

    Args:
        instance: the plugin's.
        link: tells every process of ends.
        idle: seconds without use after which a session is over; 0 for never.
    """

    def __init__(self, instance: str, link: Link, idle: float) -> None:
        self.instance = instance
        self.log = RisingLog(f"auth:ended:{instance}", ended)
        self._link = link
        self._idle = idle
        self._ours = sessions.c.instance == instance

    def open(self, connection: Connection, session: Session, cookie: bytes | None) -> None:
        """Put a new session into the table."""
        row = {
            "instance": self.instance,
            "id": session.id,
            "subject": session.subject,
            "created": session.created,
            "expires": session.expires,
            "last_seen": session.last_seen,
            "methods": json.dumps(session.methods),
            "cookie": cookie,
            **Client(session.address, session.agent).columns(),
        }
        connection.execute(insert(sessions), row)

    def of(self, connection: Connection, session_id: str) -> Session | None:
        """By its id."""
        return _first(connection, self._ours & (sessions.c.id == session_id))

    def by_cookie(self, connection: Connection, cookie: bytes) -> Session | None:
        """By the digest of its cookie."""
        return _first(connection, self._ours & (sessions.c.cookie == cookie))

    def of_subject(self, connection: Connection, subject: str) -> Sequence[Session]:
        """A subject's, the latest first."""
        found = select(sessions).where(self._ours, sessions.c.subject == subject).order_by(sessions.c.created.desc())
        return [_session(row) for row in connection.execute(found).mappings()]

    def is_over(self, session: Session, now: float) -> bool:
        """Whether it is no longer good: ended, too old, or idle for too long."""
        idle = self._idle > 0 and now >= session.last_seen + self._idle
        return session.ended is not None or now >= session.expires or idle

    def end(self, connection: Connection, ids: Sequence[str], reason: str, now: float) -> Sequence[str]:
        """End those of these sessions that are not over; which they were."""
        live = self._ours & sessions.c.id.in_(ids) & sessions.c.ended.is_(None) & (sessions.c.expires > now)
        done = update(sessions).where(live).values(ended=now, reason=reason[:100]).returning(sessions.c.id)
        found = [str(one) for one in connection.execute(done).scalars()]
        if found:
            self.log.append_in(connection, [{"session": one, "at": now} for one in found])
            self._link.announce(connection, self.log.name)
        return found

    def end_all(
        self, connection: Connection, subject: str, reason: str, now: float, begun: float | None = None
    ) -> Sequence[str]:
        """End every session of a subject, or those that began by then; which they were."""
        theirs = select(sessions.c.id).where(self._ours, sessions.c.subject == subject, sessions.c.ended.is_(None))
        if begun is not None:
            theirs = theirs.where(sessions.c.created <= begun)
        return self.end(connection, [str(one) for one in connection.execute(theirs).scalars()], reason, now)

    def touch(self, connection: Connection, session_id: str, client: Client, now: float) -> None:
        """Note a use, unless another process has within the last minute."""
        stale = self._ours & (sessions.c.id == session_id) & (sessions.c.last_seen <= now - SEEN_EVERY)
        connection.execute(
            update(sessions).where(stale, sessions.c.ended.is_(None)).values(last_seen=now, **client.columns())
        )

    def sweep(self, connection: Connection, now: float, history: float, lifetime: float) -> int:
        """Take away what says nothing any more, `PAGE` rows of each table at most; how many rows there were."""
        tokens = refresh_tokens.c
        old_tokens = select(tokens.digest).where(tokens.instance == self.instance, tokens.expires <= now).limit(PAGE)
        old_sessions = select(sessions.c.id).where(self._ours, sessions.c.expires <= now - history).limit(PAGE)
        old_ends = select(ended.c.version).where(ended.c.log == self.log.name, ended.c.at <= now - lifetime).limit(PAGE)
        gone = (
            delete(refresh_tokens).where(tokens.instance == self.instance, tokens.digest.in_(old_tokens)),
            delete(sessions).where(self._ours, sessions.c.id.in_(old_sessions)),
            delete(ended).where(ended.c.log == self.log.name, ended.c.version.in_(old_ends)),
        )
        return sum(connection.execute(one).rowcount for one in gone)


class StoredSessions:
    """The service `Sessions`.

    Args:
        issuer: of the tokens that carry the ids.
        outdated: called after this process has ended a session, before anybody is told so.
    """

    def __init__(
        self, issuer: str, store: Store, clock: Clock, rows: SessionRows, outdated: Callable[[], None]
    ) -> None:
        self.issuer = issuer
        self._store = store
        self._clock = clock
        self._rows = rows
        self.outdated = outdated
        self._seen: LRUCache[str, float] = LRUCache(100_000)

    async def list(self, subject: str) -> Sequence[Session]:
        """The subject's sessions, the latest first."""
        return await self._store.read(lambda connection: self._rows.of_subject(connection, subject))

    async def end(self, session_id: str, reason: str) -> bool:
        """End a session; False where it was over already."""
        now = self._clock.now()
        found = await self._store.write(lambda connection: self._rows.end(connection, [session_id], reason, now))
        self.outdated()
        return bool(found)

    async def end_all(self, subject: str, reason: str, *, begun: float | None = None) -> int:
        """End every session of a subject, or those that began by then; how many there were."""
        now = self._clock.now()
        found = await self._store.write(lambda connection: self._rows.end_all(connection, subject, reason, now, begun))
        self.outdated()
        return len(found)

    def touch(self, session_id: str, address: str | None, agent: str | None) -> None:
        """Note that a session is in use: at most one write a minute."""
        now = self._clock.now()
        if now < self._seen.get(session_id, 0.0) + SEEN_EVERY:
            return
        self._seen[session_id] = now
        client = Client(address, agent)
        self._store.post(lambda connection: self._rows.touch(connection, session_id, client, now))


def _shown(text: str | None, most: int) -> str | None:
    return None if text is None else _CONTROL.sub("\ufffd", text[:most])


def _first(connection: Connection, which: object) -> Session | None:
    row = connection.execute(select(sessions).where(which)).mappings().first()  # type: ignore[arg-type]
    return None if row is None else _session(row)


def _session(row: RowMapping) -> Session:
    return Session(
        id=row["id"],
        subject=row["subject"],
        created=row["created"],
        expires=row["expires"],
        last_seen=row["last_seen"],
        address=row["address"],
        agent=row["agent"],
        methods=tuple(json.loads(row["methods"])),
        ended=row["ended"],
        reason=row["reason"] or "",
    )
