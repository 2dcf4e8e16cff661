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


_RETURNED = Known("What the app returns is not passed on; uvicorn complains of an app that returns a value.")
_MALFORMED = Known(
    "With observers on, a message that no ASGI app may send is stumbled over by Narthex, before the server does."
)
_HELD = Known(
    "With observers on, an exception is held in a reference cycle with its exchange, and granian hangs up on a refused "
    "websocket only when that is collected.",
    frozenset({"granian"}),
)
_ADDED = Known("granian refuses a start without header fields; the request id is one.", frozenset({"granian"}))
KNOWN: Final[Mapping[str, Known]] = {
    "an app that returns a value": _RETURNED,
    "a message without a type": _MALFORMED,
    "no message at all": _MALFORMED,
    "a start without a status": _MALFORMED,
    "a body that is a number": _MALFORMED,
    "websocket: a text that is a number": _MALFORMED,
    "websocket: a denial response": _HELD,
    "websocket: an exception before accept": _HELD,
    "a start without header fields": _ADDED,
}
"""Case to the difference. Whoever mends one takes its line out."""


def known(site: str, server: str, case: str) -> Known | None:
    """The difference that is expected of a case in a cell, if any."""
    found = KNOWN.get(case)
    return found if found and site == "raw" and server in (found.servers or {server}) else None
