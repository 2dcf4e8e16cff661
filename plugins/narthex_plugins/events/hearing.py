"""What plugins tell on the house's bus, published under its topic, without what is secret."""

from collections.abc import Callable
from dataclasses import fields
from typing import Final, cast

from narthex.context import current_exchange
from narthex.detectors import Redactor
from narthex.events import Event
from narthex_plugins.events.event import EventError
from narthex_plugins.events.publishing import Publisher

_LEFT_OUT: Final = {
    "auth.login_failed": frozenset({"name"}),  # people type passwords into the wrong field
    "narthex.hook_failed": frozenset({"error"}),  # an exception's text holds whatever it holds
}
"""Fields that may be secret and cannot be told from what is not."""
_LONGEST: Final = 500
"""Characters of a text that are published."""


class Hearing:
    """Publishes events of the bus.

    Args:
        publisher: takes them.
        now: seconds, of a clock that is never set.
        rate: events a second at most.
    """

    def __init__(self, publisher: Publisher, now: Callable[[], float], rate: float) -> None:
        self._publisher = publisher
        self._now = now
        self._rate = rate
        self._room = rate
        self._at = now()
        self._redact = Redactor().text

    def hear(self, event: Event) -> None:
        """Publish one. Called by the bus, on whichever thread it was told."""
        if not self._has_room():
            self._publisher.lose()
            return
        exchange = current_exchange()
        request: object = getattr(event, "exchange_id", None) or (None if exchange is None else exchange.id)
        left_out = _LEFT_OUT.get(event.topic, frozenset())
        data = {one.name: self._shown(getattr(event, one.name)) for one in fields(event) if one.name not in left_out}
        fact = ""
        if event.told_by:
            told = ":".join(str(getattr(event, name)) for name in event.told_by)
            fact = f"{event.topic}:{told}"[:300]
        key: object = getattr(event, "key", None)
        given = key[:200] if isinstance(key, str) and key else None
        try:
            made = self._publisher.made(event.topic, data, given, None if request is None else str(request))
        except EventError:
            self._publisher.lose()
            return
        self._publisher.post(made, fact)

    def _has_room(self) -> bool:
        now = self._now()
        self._room = min(self._rate, self._room + (now - self._at) * self._rate)
        self._at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def _shown(self, value: object) -> object:
        """A field as it is published: what JSON knows, texts without secrets, and no more than one level deep."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, tuple | list | frozenset | set):
            some = list(cast("tuple[object, ...]", value))[:100]
            return [one if isinstance(one, bool | int | float) else self._text(one) for one in some]
        return self._text(value)

    def _text(self, value: object) -> str:
        text = str(value).replace("\0", "")[: 2 * _LONGEST]
        return self._redact(text)[:_LONGEST].encode(errors="replace").decode()
