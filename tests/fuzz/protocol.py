"""A judge of ASGI message sequences, written from the specification and from nothing of Narthex.

    http:       waiting --start--> body --last chunk, pathsend--> [trailers -->] done
    websocket:  connecting --accept--> open --close--> closed
                    |--close--> closed
                    `--denial start--> denying --last chunk--> closed

A message that is not legal leaves the state as it is: what becomes of it is for the server to say.
Source: ASGI 3.0, HTTP & WebSocket 2.5, and its extensions.
"""

from collections.abc import Collection, Mapping
from typing import Any

_EXTENSION_OF = {
    "http.response.push": "http.response.push",
    "http.response.early_hint": "http.response.early_hint",
    "http.response.debug": "http.response.debug",
    "http.response.pathsend": "http.response.pathsend",
    "http.response.zerocopysend": "http.response.zerocopysend",
    "http.response.trailers": "http.response.trailers",
    "websocket.http.response.start": "websocket.http.response",
    "websocket.http.response.body": "websocket.http.response",
}


class Judge:
    """Follows one connection.

    Args:
        kind: "http" or "websocket".
        extensions: the names that the server offers.

    Attributes:
        state: as in the module's picture.
        status: of the first legal start; 101 for an accepted websocket.
    """

    __slots__ = ("_extensions", "_trailers", "kind", "state", "status")

    def __init__(self, kind: str, extensions: Collection[str]) -> None:
        self.kind = kind
        self.state = "waiting" if kind == "http" else "connecting"
        self.status: int | None = None
        self._extensions = extensions
        self._trailers = False

    @property
    def over(self) -> bool:
        """Whether nothing more may come."""
        return self.state in {"done", "closed"}

    @property
    def begun(self) -> bool:
        """Whether a start, an accept or a close has come."""
        return self.state not in {"waiting", "connecting"}

    def step(self, message: Mapping[str, Any]) -> str | None:
        """Take the message; say what is wrong with it, or None."""
        kind = message.get("type")
        if not isinstance(kind, str):
            return "no type"
        needed = _EXTENSION_OF.get(kind)
        if needed is not None and needed not in self._extensions:
            return f"{kind}: not offered by the server"
        wrong = self._http(kind, message) if self.kind == "http" else self._websocket(kind, message)
        return None if wrong is None else f"{kind} in state {self.state}: {wrong}"

    def _http(self, kind: str, message: Mapping[str, Any]) -> str | None:
        state = self.state
        if kind == "http.response.start" and state == "waiting":
            return self._start(message, "body")
        if state == "body" and kind in {"http.response.body", "http.response.pathsend", "http.response.zerocopysend"}:
            wrong = _malformed_body(kind, message)
            if wrong is None and not message.get("more_body", False):
                self.state = "trailers" if self._trailers else "done"
            return wrong
        if kind == "http.response.trailers" and state == "trailers":
            if not message.get("more_trailers", False):
                self.state = "done"
            return _malformed_headers(message)
        if kind in {"http.response.early_hint", "http.response.debug"} and state == "waiting":
            return None
        if kind == "http.response.push" and state in {"waiting", "body"}:
            return None
        return "not now"

    def _websocket(self, kind: str, message: Mapping[str, Any]) -> str | None:  # noqa: PLR0911  a table of states
        state = self.state
        if state == "connecting":
            if kind == "websocket.accept":
                self.state, self.status = "open", 101
                return _malformed_headers(message)
            if kind == "websocket.http.response.start":
                return self._start(message, "denying")
        if kind == "websocket.close" and state in {"connecting", "open"}:
            code, reason = message.get("code", 1000), message.get("reason")
            if not isinstance(code, int) or not isinstance(reason, str | None) or _too_long(reason):
                return "malformed close"
            self.state = "closed"
            return None
        if kind == "websocket.send" and state == "open":
            data, text = message.get("bytes"), message.get("text")
            sound = isinstance(data, bytes) != isinstance(text, str) and isinstance(data, bytes | None)
            return None if sound and isinstance(text, str | None) else "neither bytes nor text, or both"
        if kind == "websocket.http.response.body" and state == "denying":
            wrong = _malformed_body(kind, message)
            if wrong is None and not message.get("more_body", False):
                self.state = "closed"
            return wrong
        return "not now"

    def _start(self, message: Mapping[str, Any], then: str) -> str | None:
        status = message.get("status")
        if type(status) is not int or not 100 <= status <= 599:
            return f"status {status!r}"
        wrong = _malformed_headers(message)
        if wrong is None:
            self.state, self.status = then, status
            self._trailers = bool(message.get("trailers", False)) and "http.response.trailers" in self._extensions
        return wrong


def _too_long(reason: str | None) -> bool:
    try:
        return len((reason or "").encode()) > 123  # RFC 6455 §5.5
    except UnicodeEncodeError:
        return True


def _malformed_body(kind: str, message: Mapping[str, Any]) -> str | None:
    if kind.endswith(".body"):
        return None if isinstance(message.get("body", b""), bytes) else "a body that is not bytes"
    return None


def _malformed_headers(message: Mapping[str, Any]) -> str | None:
    fields = message.get("headers", ())
    if not isinstance(fields, list | tuple):
        return "headers that are no list"
    for field in fields:
        if len(field) != 2 or not isinstance(field[0], bytes) or not isinstance(field[1], bytes):
            return "headers that are no pairs of bytes"
    return None
