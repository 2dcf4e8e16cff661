"""Differences that stand at present, each with its cause. They are compared and shown on the page like the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Known:
    """A difference that is no surprise.

    Attributes:
        why: the cause, as the page tells it.
        servers: where it shows; empty for everywhere.
    """

    why: str
    servers: frozenset[str] = frozenset()


_ADDED = Known("granian refuses a start without header fields; the request id is one.", frozenset({"granian"}))
KNOWN: Final[Mapping[str, Known]] = {
    "a start without header fields": _ADDED,
}
"""Case to the difference. Whoever mends one takes its line out."""


def known(site: str, server: str, case: str) -> Known | None:
    """The difference that is expected of a case in a cell, if any."""
    found = KNOWN.get(case)
    return found if found and site == "raw" and server in (found.servers or {server}) else None
