"""Refresh tokens: each good for one use, which gives its successor; a second use ends the session (RFC 9700 §4.14.2).

    issued --first use--> used, successor issued
                            |  a second use within the grace, successor not used yet: the same successor again
                            |  any other second use: somebody else has this token; the session is ended
                            v

The look at the row and what is done to it are one transaction of the writer, and writers take turns, so of any number
of uses at once exactly one is the first. The token is 256 random bits, of which only the SHA-256 is kept. With a grace,
the successor is kept too for as long as that, sealed under a key that only the used token itself gives: the table alone
opens nothing.
"""

import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, RowMapping, insert, select, update

from narthex.services import Session
from narthex_plugins.auth.sessions import SessionRows, digest, new_secret
from narthex_plugins.auth.tables import refresh_tokens

PREFIX: Final = "narthex_rt_"
"""Begins every refresh token, so that a scanner for secrets knows one when it sees it."""
_LENGTH: Final = len(PREFIX) + 43
_NONCE: Final = 12
_FIELDS: Final = refresh_tokens.c


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The token was exchanged.

    Attributes:
        token: the successor.
        again: whether it had been given before, within the grace.
    """

    session: Session
    token: str = field(repr=False)
    again: bool = False


@dataclass(frozen=True, slots=True)
class Reused:
    """The token had been used before: the session was ended, unless it was over already."""

    session: Session
    ended: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody's token, one that has expired, or one of a session that is over."""

    session: Session | None = None


Outcome = Refreshed | Reused | Unknown


def new_token() -> str:
    """A new refresh token."""
    return PREFIX + new_secret()


def is_refresh_token(text: str) -> bool:
    """Whether a text has the form of our refresh tokens."""
    return len(text) == _LENGTH and text.startswith(PREFIX) and text.isascii()


class RefreshRows:
    """The refresh tokens of one instance as rows.

    Args:
        sessions: of the same instance.
        grace: seconds after its use in which a token is answered once more; 0 for never.
    """

    def __init__(self, sessions: SessionRows, grace: float) -> None:
        self._sessions = sessions
        self._grace = grace
        self._ours = _FIELDS.instance == sessions.instance

    def issue(self, connection: Connection, session: Session, token: str) -> None:
        """Keep the first token of a session, or the next one."""
        row = {
            "instance": self._sessions.instance,
            "digest": digest(token),
            "session": session.id,
            "expires": session.expires,
        }
        connection.execute(insert(refresh_tokens), row)

    def find(self, connection: Connection, token: str, now: float) -> Session | None:
        """The session of a token that could be exchanged now, or None. Changes nothing."""
        row = self._row(connection, digest(token))
        session = None if row is None else self._sessions.of(connection, row["session"])
        if row is None or session is None or row["used"] is not None or self._sessions.is_over(session, now):
            return None
        return session

    def owner(self, connection: Connection, token: str) -> Session | None:
        """The session that a token is or was of."""
        row = self._row(connection, digest(token))
        return None if row is None else self._sessions.of(connection, row["session"])

    def exchange(self, connection: Connection, token: str, successor: str, now: float) -> Outcome:
        """Exchange a token for its successor; a job of the writer.

        The successor is a new token, made outside because a job may be run twice.
        """
        row = self._row(connection, digest(token))
        session = None if row is None else self._sessions.of(connection, row["session"])
        if row is None or session is None:
            return Unknown()
        if row["used"] is not None:
            return self._again(connection, row, session, token, now)
        if self._sessions.is_over(session, now):
            return Unknown(session)
        used = {"used": now, "successor": digest(successor)}
        if self._grace > 0:
            used["sealed"] = seal(token, successor)
        connection.execute(update(refresh_tokens).where(self._ours, _FIELDS.digest == row["digest"]).values(**used))
        self.issue(connection, session, successor)
        return Refreshed(session, successor)

    def _again(self, connection: Connection, row: RowMapping, session: Session, token: str, now: float) -> Outcome:
        """A second use: of the token just before the newest, within the grace, or of a stolen one."""
        if not self._sessions.is_over(session, now) and 0 <= now - row["used"] < self._grace:
            successor = self._row(connection, row["successor"])
            known = None if row["sealed"] is None else unseal(token, row["sealed"])
            if successor is not None and successor["used"] is None and known is not None:
                return Refreshed(session, known, again=True)
        done = self._sessions.end(connection, [session.id], "refresh token reused", now)
        return Reused(session, bool(done))

    def _row(self, connection: Connection, digested: bytes) -> RowMapping | None:
        found = select(refresh_tokens).where(self._ours, _FIELDS.digest == digested)
        return connection.execute(found).mappings().first()


def seal(token: str, successor: str) -> bytes:
    """The successor, as only the holder of `token` can read it."""
    nonce = os.urandom(_NONCE)
    return nonce + _under(token).encrypt(nonce, successor.encode(), None)


def unseal(token: str, sealed: bytes) -> str | None:
    """What `seal` was given; None where it was another token."""
    try:
        return _under(token).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
    except (InvalidTag, ValueError):
        return None


def _under(token: str) -> AESGCM:
    # Another hash of the token than the one that is kept; the token has 256 random bits, so a hash is a key.
    return AESGCM(sha256(b"narthex refresh successor\0" + token.encode("utf-8", "replace")).digest())
