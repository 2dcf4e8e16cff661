"""Telling a process of what was revoked: events for those who subscribe, and the end of what is still open."""

from collections.abc import Sequence
from typing import assert_never

from narthex.events import EventBus
from narthex.live import LiveExchanges
from narthex_plugins.revocation.entries import Entries, Revocation
from narthex_plugins.revocation.events import IssuerRevoked, Revoked, SessionRevoked, SubjectRevoked, TokenRevoked


class Teller:
    """Called with what a look has found, when the list holds it."""

    def __init__(self, instance: str, events: EventBus, live: LiveExchanges, entries: Entries) -> None:
        self._instance = instance
        self._events = events
        self._live = live
        self._entries = entries

    def tell(self, rows: Sequence[Revocation]) -> None:
        """Close what is covered now, and publish. Cost: a look at every exchange under way, once for all rows."""
        for exchange in self._live:
            identity = exchange.identity
            if identity is not None and self._entries.find(identity) is not None:
                self._live.close(
                    token_id=identity.token_id,
                    session_id=identity.session_id,
                    subject=identity.subject,
                    issuer=identity.issuer,
                    reason="revoked",
                )
        for row in rows:
            self._events.publish(event(self._instance, row))


def event(instance: str, row: Revocation) -> Revoked:
    """The event for one entry of the log."""
    facts = {"instance": instance, "version": row.version, "at": row.at}
    said = {"issuer": row.issuer, "by": row.by, "reason": row.reason}
    cut = row.at if row.cut is None else row.cut
    match row.kind:
        case "token":
            return TokenRevoked(**facts, **said, token_id=row.name)  # type: ignore[arg-type]
        case "session":
            return SessionRevoked(**facts, **said, session_id=row.name)  # type: ignore[arg-type]
        case "subject":
            return SubjectRevoked(**facts, **said, subject=row.name, cut=cut)  # type: ignore[arg-type]
        case "issuer":
            return IssuerRevoked(**facts, **said, cut=cut)  # type: ignore[arg-type]
    assert_never(row.kind)
