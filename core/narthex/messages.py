"""What the messages of an app look like to the house, which passes on what it does not understand."""

from collections.abc import MutableMapping, Sequence
from typing import Any, Final, Literal, cast

from narthex.asgi import Message

STARTS: Final[dict[str, Literal[101] | None]] = {
    "http.response.start": None,
    "websocket.http.response.start": None,
    "websocket.accept": 101,
}
_MESSAGES: Final = (dict, MutableMapping)  # the usual one first: to ask the ABC costs 0.4 µs
PAYLOADS: Final = frozenset(
    {
        "http.response.body",
        "http.response.pathsend",
        "http.response.zerocopysend",
        "websocket.http.response.body",
        "websocket.send",
    }
)


def kind_of(message: object) -> str | None:
    """The type of a message; None for what is none, which the server, and not we, must stumble over."""
    if not isinstance(message, _MESSAGES):
        return None
    kind: object = cast("Message", message).get("type")
    return kind if isinstance(kind, str) else None


def is_event_stream(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether these are the header fields of server-sent events."""
    for name, value in headers:  # where somebody is known every start is looked at: a generator would cost 0.3 µs more
        if len(name) == 12 and name.lower() == b"content-type":
            return value[:17].lower() == b"text/event-stream"
    return False


def is_sound(status: object, headers: Sequence[object]) -> bool:
    """Whether these can start a response: a status of three digits, and fields of two byte strings each."""
    if not isinstance(status, int) or not 100 <= status <= 999:
        return False
    for field in headers:
        match field:
            case (bytes(), bytes()) | [bytes(), bytes()]:
                pass
            case _:
                return False
    return True


def payload(message: Message) -> int:
    """Bytes that a websocket message carries; text counted as it travels, in UTF-8."""
    data = message.get("bytes")
    if data is not None:
        return size(data)
    words = message.get("text")
    if not isinstance(words, str):
        return 0
    return len(words) if words.isascii() else len(words.encode(errors="replace"))


def size(data: Any) -> int:
    """Bytes of a payload; what is none, the server judges."""
    if isinstance(data, bytes):  # alone first: it costs half as much as to ask for either
        return len(data)
    if isinstance(data, bytearray):
        return len(data)
    return data.nbytes if isinstance(data, memoryview) else 0
