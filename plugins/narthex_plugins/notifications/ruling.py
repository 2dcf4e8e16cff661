"""Which events of the house become notifications.

What every process of a deployment tells of (`told_by`) becomes one notification, and so does what is told again
while it lasts: their dedup_key is made of what they tell. An event is no promise: what cannot be queued is counted.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, cast

from narthex.events import AlertFired, AlertResolved, Event
from narthex_plugins.notifications.app import NotifyError, Words
from narthex_plugins.notifications.settings import RuleSettings

_FIELD: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_TYPED: Final = frozenset({("auth.login_failed", "name")})
"""What people typed, passwords into the wrong field among it: not told unless a template asks for it by name."""


class Ruling:
    """Goes through the rules for each event.

    Args:
        rules: of the settings.
        now: seconds since the epoch.
        put: queues one without waiting; False where it cannot be.
        lose: counts one that could not.
    """

    def __init__(
        self,
        rules: Sequence[RuleSettings],
        now: Callable[[], float],
        put: Callable[[Words], bool],
        lose: Callable[[Event, str], None],
    ) -> None:
        self._rules = [(number, rule, matcher(rule.event)) for number, rule in enumerate(rules, 1)]
        self._now = now
        self._put = put
        self._lose = lose

    def hear(self, event: Event) -> None:
        """Queue what the rules make of an event. Called by the bus, on whichever thread published it."""
        for number, rule, matches in self._rules:
            if matches(event.topic) and self._fits(rule, event):
                self._tell(number, rule, event)

    def _fits(self, rule: RuleSettings, event: Event) -> bool:
        if event.topic.startswith("notifications.") and getattr(event, "channel", "") == rule.channel:
            return False  # that a channel is dead is not told by that channel
        return all(_plain(getattr(event, name, None)) == value for name, value in rule.where.items())

    def _tell(self, number: int, rule: RuleSettings, event: Event) -> None:
        facts = told(event)
        to = [receiver(one, facts) for one in rule.to] or None
        if to is not None and not all(to):
            self._lose(event, f"rule {number} sends to a field that the event does not have")
            return
        try:
            words = Words(rule.channel, rule.template, facts, to, self._key(number, rule, event))
        except NotifyError as error:
            self._lose(event, str(error))
            return
        if not self._put(words):
            self._lose(event, "the store takes nothing")

    def _key(self, number: int, rule: RuleSettings, event: Event) -> str | None:
        if rule.every is not None:
            return f"rule {number} {event.topic} {int(self._now() // rule.every)}"
        by = event.told_by or (("key",) if isinstance(event, AlertFired | AlertResolved) else ())
        if not by:
            return None
        said = json.dumps([_plain(getattr(event, name)) for name in by])
        return f"rule {number} {event.topic} {said}"[:200]


def told(event: Event) -> dict[str, Any]:
    """An event as a template has it: its fields by their names, all of them in `fields`, and its topic."""
    known = {
        one.name: _plain(getattr(event, one.name)) for one in fields(event) if (event.topic, one.name) not in _TYPED
    }
    return {**known, "topic": event.topic, "fields": known}


def receiver(text: str, facts: Mapping[str, Any]) -> str:
    """An address, or what the event's field holds that is named in braces; "" where it has none."""
    named = _FIELD.fullmatch(text)
    if named is None:
        return text
    found = facts.get(named[1])
    return found if isinstance(found, str) else ""


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a topic fits: `*` is one word, `>` at the end one or more."""
    parts = [
        r"[^.]+(?:\.[^.]+)*" if part == ">" else r"[^.]+" if part == "*" else re.escape(part)
        for part in pattern.split(".")
    ]
    compiled = re.compile(r"\.".join(parts))
    return lambda topic: compiled.fullmatch(topic) is not None


def _plain(value: object) -> Any:
    """JSON of a field: what is no plain value is told as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124  NaN
        case datetime():
            return value.isoformat()
        case Mapping():
            known = cast("Mapping[object, object]", value)
            return {str(key): _plain(one) for key, one in known.items()}
        case tuple() | list() | set() | frozenset():
            return [_plain(one) for one in cast("Iterable[object]", value)]
        case _:
            return str(value)
