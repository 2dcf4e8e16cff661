"""One published event: made once, encoded once for each way it is sent, whoever reads it.

    {"id":"17-5f3a91c2","topic":"orders.paid","key":"order-42","at":1763812345.123,"request":"...","data":{...}}

`id` stands only on events of durable topics: the version in the log and a mark drawn at random, by which a log that was
put back to an earlier state is told from the one that a client has read.
"""

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

from narthex_plugins.events.topics import is_topic

_KEY: Final = 200
_ID: Final = re.compile(r"([0-9]{1,18})-([0-9a-f]{1,8})", re.ASCII)
Id = tuple[int, str]
"""Version and mark."""


class EventError(ValueError):
    """What was to be published is no event: a topic that cannot be, data that is not JSON, or too much of it."""


class Published:
    """An event on its way to those who read it.

    Attributes:
        topic: words joined by dots.
        body: the JSON object without its id.
        version: its place in the log; 0 where it is not kept.
        mark: see above.
        at: seconds since the epoch, UTC.
    """

    __slots__ = ("_data", "_json", "_sse", "_text", "at", "body", "mark", "topic", "version")

    def __init__(self, topic: str, body: str, at: float, version: int = 0, mark: str = "") -> None:
        self.topic = topic
        self.body = body
        self.at = at
        self.version = version
        self.mark = mark
        self._json: bytes | None = None
        self._sse: bytes | None = None
        self._text: str | None = None
        self._data: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """As clients see it; "" where it is not kept."""
        return written((self.version, self.mark)) if self.version else ""

    @property
    def json(self) -> bytes:
        """The whole object, UTF-8."""
        if self._json is None:
            text = f'{{"id":"{self.id}",{self.body[1:]}' if self.version else self.body
            self._json = text.encode()
        return self._json

    @property
    def sse(self) -> bytes:
        """As server-sent events have it (WHATWG HTML, 9.2)."""
        if self._sse is None:
            head = b"id: %b\n" % self.id.encode() if self.version else b""
            self._sse = b"%bdata: %b\n\n" % (head, self.json)
        return self._sse

    @property
    def text(self) -> str:
        """As a line of a websocket's message."""
        if self._text is None:
            self._text = self.json.decode() + "\n"
        return self._text

    def field(self, path: tuple[str, ...]) -> object:
        """A field of the data, or None; of a path that begins with "" a field of the event itself."""
        if self._data is None:
            self._data = cast("Mapping[str, Any]", json.loads(self.body))
        found: object = self._data if path[0] == "" else self._data.get("data")
        for name in path[1:] if path[0] == "" else path:
            if not isinstance(found, dict):
                return None
            found = cast("dict[str, object]", found).get(name)
        return found


def make(topic: str, data: object, key: str | None, at: float, request: str | None, largest: int) -> Published:
    """An event, checked.

    Args:
        topic: see `is_topic`.
        data: whatever JSON can say.
        key: what it is about, 1 to 200 characters, or None.
        at: seconds since the epoch, UTC.
        request: id of the request that it happened in, or None.
        largest: bytes it may have.

    Raises:
        EventError: it cannot be published; says why.
    """
    if not is_topic(topic):
        raise EventError(f"{topic[:80]!r} is no topic: words of letters, digits, _ and - joined by dots")
    if key is not None and not 1 <= len(key) <= _KEY:
        raise EventError(f"a key has 1 to {_KEY} characters")
    envelope: dict[str, object] = {"topic": topic}
    if key is not None:
        envelope["key"] = key
    envelope["at"] = round(at, 3)
    if request:
        envelope["request"] = request
    envelope["data"] = data
    try:
        body = json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(body.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"the data of {topic} cannot be written as JSON: {error}") from None
    if "\0" in body or "\\u0000" in body:
        raise EventError(f"the data of {topic} has a NUL in it, which not every store keeps")
    if size > largest:
        raise EventError(f"an event of {size} bytes, and at most {largest} are let through")
    return Published(topic, body, at)


def new_mark() -> str:
    """A mark for an event that will be kept."""
    return secrets.token_hex(4)


def written(place: Id) -> str:
    """An id as clients see it."""
    return f"{place[0]}-{place[1]}"


def read_id(text: str) -> Id | None:
    """An id as a client gave it; None for what is none of ours."""
    found = _ID.fullmatch(text)
    return None if found is None else (int(found[1]), found[2])


def told(kind: str, facts: Mapping[str, object]) -> tuple[bytes, str]:
    """What the house itself says in a stream, as server-sent event and as a line: `{"gap": {...}}`."""
    text = json.dumps({kind: facts}, separators=(",", ":"))
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), text.encode()), f"{text}\n"
