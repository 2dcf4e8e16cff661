"""Telling a process of what was revoked: events for those who subscribe, and the end of what is still open."""

import logging
from collections.abc import Sequence
from typing import assert_never

from narthex import House, Identity
from narthex_plugins.revocation.entries import Entries, Revocation
from narthex_plugins.revocation.events import IssuerRevoked, Revoked, SessionRevoked, SubjectRevoked, TokenRevoked

_shadow_log = logging.getLogger("narthex.shadow")


class Teller:
    """Called with what a look has found, when the list holds it."""

    def __init__(self, house: House, entries: Entries) -> None:
        self._house = house
        self._entries = entries

    def tell(self, rows: Sequence[Revocation]) -> None:
        """Close what is covered now, and publish. Cost: one look at every exchange under way, for all rows."""
        if self._house.shadow:
            self._would_close()
        else:
            self._house.live.close_where(self._is_covered)
        for row in rows:
            self._house.events.publish(event(self._house.instance, row))

    def _is_covered(self, identity: Identity) -> bool:
        return self._entries.find(identity) is not None

    def _would_close(self) -> None:
        identities = [exchange.identity for exchange in self._house.live]
        meant = sum(identity is not None and self._is_covered(identity) for identity in identities)
        if meant:
            _shadow_log.info("%s would have ended %d exchanges under way", self._house.instance, meant)


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
