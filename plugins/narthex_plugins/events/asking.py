"""What a client asks for: topics, a key, fields of the data, and where it left off."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from narthex_plugins.events.event import Published
from narthex_plugins.events.topics import Pattern

_MOST: Final = 16
_LONGEST: Final = 200


class Unreadable(ValueError):
    """A request that cannot be followed; its text is for the caller."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A field of the data and what it has to be, compared as text: `paid`, `42`, `true`."""

    path: tuple[str, ...]
    value: str

    def passes(self, event: Published) -> bool:
        """Whether the event's field is that."""
        found = event.field(self.path)
        if found is None or isinstance(found, dict | list):
            return False
        return (found if isinstance(found, str) else json.dumps(found)) == self.value


@dataclass(frozen=True, slots=True)
class Interest:
    """What somebody wants to read. Equal ones are looked at once for all who have them."""

    patterns: tuple[Pattern, ...]
    filters: tuple[Filter, ...] = ()

    def means(self, topic: str) -> bool:
        """Whether the topic is wanted."""
        words = tuple(topic.split("."))
        return any(pattern.matches(words) for pattern in self.patterns)

    def wants(self, event: Published) -> bool:
        """Whether an event of such a topic is."""
        return all(one.passes(event) for one in self.filters)


def interest(topics: Sequence[str], key: str | None, where: Sequence[str]) -> Interest:
    """What the query says.

    Args:
        topics: patterns; none for every topic.
        key: only events with this key, or None.
        where: `field:value` each, the field's path joined by dots; all of them hold.

    Raises:
        Unreadable: it cannot be followed.
    """
    if len(topics) > _MOST or len(where) > _MOST:
        raise Unreadable(f"at most {_MOST} topics and {_MOST} filters")
    try:
        patterns = sorted({Pattern.read(text) for text in topics or (">",)}, key=str)
    except ValueError as error:
        raise Unreadable(f"topic: {error}") from None
    filters = {_filter(text) for text in where}
    if key is not None:
        filters.add(Filter(("", "key"), key[: _LONGEST + 1]))
    return Interest(tuple(patterns), tuple(sorted(filters, key=repr)))


def _filter(text: str) -> Filter:
    field, colon, value = text.partition(":")
    path = tuple(field.split("."))
    if not colon or not all(path) or len(text) > _LONGEST:
        raise Unreadable(f"where: write field:value, at most {_LONGEST} characters")
    return Filter(path, value)
