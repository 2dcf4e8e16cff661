"""The client of one case on one server: raw sockets, and a transcript of all that was said to it.

Reads go by what is awaited (a whole reply, a marker, a frame, the end), never by what a packet happens to hold, so that
two dialogues with the same bytes have the same transcript.
"""

import re
import socket
import struct
from contextlib import suppress
from typing import Final

from tests.wire.differential.records import Records

PATIENCE: Final = 4.0
"""Seconds after which a silent server counts as having said nothing."""
KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
_LENGTH: Final = re.compile(rb"(?im)^content-length: *(\d+)\r$")
_CHUNKED: Final = re.compile(rb"(?im)^transfer-encoding: *chunked\r$")
_MASK: Final = b"mask"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Dialogue:
    """One case's connections to one server, one at a time.

    Args:
        port: of the server, on loopback.
        tag: the case, sent as `x-case`.
        records: what the served process writes down; there the gates are too.
    """

    def __init__(self, port: int, tag: str, records: Records) -> None:
        self.tag = tag
        self.said: list[tuple[str, bytes]] = []
        self._port = port
        self._records = records
        self._socket: socket.socket | None = None
        self._rest = b""
        self._over = False

    # -- what the client does

    def send(self, data: bytes) -> None:
        """Send bytes on the connection, made at need; a server that hung up already is seen at the next read."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._rest, self._over = b"", False
        with suppress(OSError):
            self._socket.sendall(data)

    def ask(self, path: str, method: str = "GET", *fields: str, body: bytes = b"", version: str = "1.1") -> None:
        """Send a request with the case's tag."""
        self.send(self.request(path, method, *fields, body=body, version=version))

    def request(self, path: str, method: str = "GET", *fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
        """The bytes of a request; its length is told where it has a body."""
        lines = [f"{method} {path} HTTP/{version}", "Host: h", f"X-Case: {self.tag}", *fields]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body

    def close(self) -> None:
        """Hang up in good order."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def abort(self) -> None:
        """Hang up with a reset, as a client that died."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def open(self, gate: str = "gate") -> None:
        """Let the app go on where it waits."""
        (self._records.place / f"{self.tag}.{gate}").touch()

    def told(self, text: str) -> None:
        """Wait until the app has noted a text."""
        if not self._records.noted(self.tag, text, PATIENCE):
            self.said.append(("the app never noted", text.encode()))

    # -- what the client hears

    def reply(self, method: str = "GET", *, head: bytes = b"") -> bytes:
        """Read one whole reply, informational ones before it included; or the rest of one whose head has been read."""
        head = head or self._until(b"\r\n\r\n")
        while re.match(rb"HTTP/1\.1 1(?!01)\d\d", head):
            self._say("interim", head)
            head = self._until(b"\r\n\r\n")
        body = b""
        length = _LENGTH.search(head)
        if method == "HEAD" or re.match(rb"HTTP/1\.1 (101|204|304)", head) or not head:
            pass
        elif _CHUNKED.search(head):
            body = self._chunks()
        elif length:
            body = self._take(int(length[1]))
        else:
            body = self._to_end()
        self._say("reply", head + body)
        return head + body

    def head(self) -> bytes:
        """Read the next head only: that of a reply, or of an informational response."""
        head = self._until(b"\r\n\r\n")
        self._say("head", head)
        return head

    def until(self, marker: bytes) -> None:
        """Read until something has been said, and not a byte further."""
        self._say("so far", self._until(marker))

    def end(self) -> None:
        """Read what is left until the server hangs up."""
        rest = self._to_end()
        self._say("rest", rest)
        self.said.append(("closed", b"") if self._over else ("still open", b""))
        self.close()

    def leave(self) -> None:
        """Say that no more will come, and read what is left until the server hangs up."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        self.end()

    def last(self) -> None:
        """Ask once more on the same connection, which tells whether it is still in use and in step; read to the end."""
        self.ask("/plain", "GET", "Connection: close")
        self.end()

    def some(self) -> bytes:
        """Whatever came, at least one byte until the end; for those who do their own framing."""
        if not self._rest:
            self._more()
        return self._split(len(self._rest))

    # -- websockets

    def upgrade(self, path: str, *fields: str) -> bool:
        """Ask for a websocket; where it is refused read the whole reply, and what becomes of the connection."""
        wanted = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        self.ask(path, "GET", *wanted, f"Sec-WebSocket-Key: {KEY.decode()}", *fields)
        head = self._until(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 101"):
            self._say("upgraded", head)
            return True
        self.reply(head=head)
        self.last()
        return False

    def frame(self, opcode: int, payload: bytes = b"", *, last: bool = True) -> None:
        """Send one masked frame."""
        masked = bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))
        size = len(payload)
        if size < 126:
            length = bytes([128 | size])
        else:
            length = b"\xfe" + struct.pack("!H", size) if size < 65536 else b"\xff" + struct.pack("!Q", size)
        self.send(bytes([(128 if last else 0) | opcode]) + length + _MASK + masked)

    def hear(self) -> bytes:
        """Read one frame of the server; give its payload."""
        head = self._take(2)
        size = head[1] & 127 if len(head) == 2 else 0
        more = self._take({126: 2, 127: 8}.get(size, 0))
        payload = self._take(int.from_bytes(more, "big") if more else size)
        self._say("frame", head + more + payload)
        return payload

    # -- reading

    def _say(self, what: str, data: bytes) -> None:
        self.said.append((what, data))

    def _more(self) -> bool:
        if self._socket is None or self._over:
            return False
        try:
            data = self._socket.recv(262_144)
        except TimeoutError:
            self.said.append(("silence", b""))
            self._socket.settimeout(0.1)  # once is enough
            return False
        except OSError:
            data = b""  # a reset comes in the place of an end where bytes of ours were left unread: a matter of timing
        self._over = not data
        self._rest += data
        return bool(data)

    def _until(self, marker: bytes) -> bytes:
        at = self._rest.find(marker)
        while at < 0 and self._more():
            at = self._rest.find(marker)
        return self._split(at + len(marker) if at >= 0 else len(self._rest))

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size and self._more():
            pass
        return self._split(size)

    def _to_end(self) -> bytes:
        while self._more():
            pass
        return self._split(len(self._rest))

    def _chunks(self) -> bytes:
        found = b""
        while line := self._until(b"\r\n"):
            found += line
            size = int(line.partition(b";")[0].strip() or b"0", 16)
            if size == 0:
                break
            found += self._take(size + 2)
        while (line := self._until(b"\r\n")) not in (b"", b"\r\n"):
            found += line  # trailers
        return found + line

    def _split(self, at: int) -> bytes:
        taken, self._rest = self._rest[:at], self._rest[at:]
        return taken
