"""What policies said to requests of the past, for `narthex access replay`: core's service `Decisions`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from narthex import Identity
from narthex.services import Decision
from narthex_plugins.audit.querying import Query, Reader, Row
from narthex_plugins.audit.record import INTENT


class Past:
    """Reads decisions out of records."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def decisions(self, since: float | None, until: float | None) -> AsyncIterator[Sequence[Decision]]:
        """As `narthex.services.Decisions` has it: the outcome counts, not the intent before it."""
        async for rows in self._reader.all(Query(since=since, until=until)):
            yield [one for row in rows if (one := _decision(row)) is not None]


def _decision(row: Row) -> Decision | None:
    facts = row.facts
    details: Mapping[str, Any] = facts["details"]
    said = details.get("decision")
    method, path = details.get("method"), facts["resource"]
    of_request = isinstance(method, str) and isinstance(path, str) and facts["request_id"] is not None
    if not of_request or said not in ("allow", "deny") or facts["outcome"] == INTENT:
        return None
    return Decision(
        facts["id"],
        _seconds(facts["time"]),
        str(method),
        str(path),
        _identity(facts["actor"], details),
        frozenset(details.get("claims_kept", ())),
        allowed=said == "allow",
        code="" if said == "allow" else details.get("code", ""),
    )


def _identity(actor: str | None, details: Mapping[str, Any]) -> Identity | None:
    if "roles" not in details:
        return None
    return Identity(
        subject=actor or "unknown",
        issuer=details.get("issuer", ""),
        roles=frozenset(details["roles"]),
        permissions=frozenset(details.get("permissions", ())),
        claims=details.get("claims", {}),
        via="audit",
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
