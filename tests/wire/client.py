"""A client that sends just the bytes it was given: the usual ones tidy a path up before it leaves."""

import socket
from contextlib import suppress

from tests.wire.targets import Probe

_UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
PATIENCE = 5.0
"""Seconds until a silent server counts as having said nothing."""


class RawClient:
    """One request after the other, on one connection for as long as the server leaves it open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, probe: Probe, cell: str) -> bytes:
        """Send one request to a cell; give all that comes back, up to its end or a silence."""
        head = b"%b %b %b\r\nHost: h\r\nX-Cell: %b\r\n" % (probe.method, probe.target, probe.version, cell.encode())
        head += probe.headers + b"\r\n" if probe.headers else b""
        head += _UPGRADE if probe.websocket else b""
        connection = self._socket or socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        self._socket = None
        answer = b""
        with suppress(OSError):
            connection.sendall(head + b"\r\n")
            while chunk := connection.recv(65536):
                answer += chunk
                if _complete(answer, probe):
                    break
        if answer.startswith(b"HTTP/1.1 ") and _reusable(answer, probe):
            self._socket = connection
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._socket:
            self._socket.close()


def _complete(answer: bytes, probe: Probe) -> bool:
    """Say whether nothing more is to come."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 101"):
        return b"\x88" in body  # the close frame
    length = _length(head)
    if not end or length is None:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= length or probe.method == b"HEAD"


def _reusable(answer: bytes, probe: Probe) -> bool:
    """Say whether the connection holds nothing but the next answer; when in doubt a new one is cheap."""
    head, _, body = answer.partition(b"\r\n\r\n")
    simple = probe.method == b"GET" and not probe.websocket and probe.version == b"HTTP/1.1"
    return simple and b"\nconnection: close" not in head.lower() and len(body) == _length(head)


def _length(head: bytes) -> int | None:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    value = rest.partition(b"\r\n")[0].strip()
    return int(value) if found and value.isdigit() else None
