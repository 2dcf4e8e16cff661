"""What an app records itself: `record`, in plain and async code alike.

It may be called whether the plugin is on or not: without it nothing happens.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from narthex.context import current_exchange
from narthex.exchange import Exchange
from narthex_plugins.audit.record import DETAILS, RecordError, canonical
from narthex_plugins.audit.recording import Words


class Scribe(Protocol):
    """An instance of the plugin that runs."""

    def serves(self, exchange: Exchange) -> bool:
        """Whether the exchange is one of its house's."""
        ...

    def say(self, exchange: Exchange | None, words: Words) -> None:
        """Take down what the app says."""
        ...


SCRIBES: Final[list[Scribe]] = []
"""The instances of this process."""


def record(
    action: str,
    resource: str | None = None,
    *,
    outcome: str = "success",
    reason: str = "",
    actor: str | None = None,
    before: object = None,
    after: object = None,
    **details: Any,
) -> None:
    """Record that something was done, in every instance of the plugin that runs.

        audit.record("order.cancelled", f"order {order.id}", before=old, after=order.as_dict(), lines=3)

    Who asks, from where and in which request is known from the current exchange. With `durability = "strict"` the
    record is on disk before the answer to that request leaves. Safe from any thread.

    Args:
        action: what was done, words joined by dots.
        resource: to what.
        outcome: "success", "refused", "failed", or a word of your own; not "intent".
        reason: why, for people.
        actor: who did it, where that is not the caller of the current request.
        before: what it was: JSON, text or bytes, of which the SHA-256 is kept and nothing else.
        after: what it is now; the same.
        details: JSON, at most 16 KiB; no secrets: they are kept as they are given.

    Raises:
        RecordError: a word is empty, or details cannot be written as JSON. Nothing was recorded.
        DependencyError: the queue is full, and `full = "refuse"`.

    Cost: some 10 µs; 0.1 without the plugin.
    """
    if not SCRIBES:
        return
    if not action or not outcome or outcome == "intent":
        raise RecordError("a record needs an action, and an outcome that is not `intent`")
    told = _copied(details) if details else {}
    words = Words(action, resource, outcome, reason, actor, _digest(before), _digest(after), told)
    exchange = current_exchange()
    for scribe in tuple(SCRIBES):
        if exchange is None or scribe.serves(exchange):
            scribe.say(exchange, words)


def _copied(details: Mapping[str, Any]) -> dict[str, Any]:
    """Details as they are now, whatever the app does with them later."""
    text = canonical(details)
    if len(text) > DETAILS:
        raise RecordError(f"details are {len(text)} bytes as JSON, and at most {DETAILS} are kept")
    copied: dict[str, Any] = json.loads(text)
    return copied


def _digest(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        data = value
    else:
        data = canonical(value)  # type: ignore[arg-type]  # it takes whatever JSON can say
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
