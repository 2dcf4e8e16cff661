"""Whole HTTP/1.1 replies as bytes, and the same bytes without what no two replies can share."""

import re
import socket
from collections.abc import Iterator, Sequence
from typing import Final

Blank = tuple[re.Pattern[bytes], bytes]
"""What to look for, and what to put there."""

OWN_LINES: Final = re.compile(rb"^(date|x-request-id): [^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
"""The two header fields that are a reply's own: the clock, and the id that Narthex was asked to send."""
_INTERIM: Final = re.compile(rb"(HTTP/1\.1 1\d\d[^\r\n]*\r\n([^\r\n]+\r\n)*\r\n)*")
_LENGTH: Final = re.compile(rb"^content-length: (\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED: Final = re.compile(rb"^transfer-encoding: chunked", re.IGNORECASE | re.MULTILINE)


def ask(port: int, request: bytes) -> bytes:
    """Send bytes, and give all that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def status(reply: bytes) -> int:
    """Status code of a reply."""
    return int(reply.removeprefix(_interim(reply))[9:12])


def body(reply: bytes) -> bytes:
    """Body of a reply, without its framing."""
    return b"".join(_pieces(*_halves(reply)))


def settled(reply: bytes, blanks: Sequence[Blank]) -> bytes:
    """Take a reply's own lines out of the head, and fill the blanks in head and body.

    All else stays as it came: status line, order, repeats and spelling of the fields, sizes of the chunks. Only where
    a blank was filled is the size written anew, after the one that was sent has been checked.
    """
    head, rest = _halves(reply)
    pieces = [_filled(piece, blanks) for piece in _pieces(head, rest)]
    head = _filled(head, blanks)
    if _CHUNKED.search(head):
        rest = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    elif pieces != [rest]:
        head = _LENGTH.sub(b"content-length: %d" % len(pieces[0]), head)
        rest = pieces[0]
    return OWN_LINES.sub(b"", head) + rest


def difference(one: bytes, other: bytes) -> str:
    """Say where two replies part, or "" where they do not; short also for replies of megabytes."""
    if one == other:
        return ""
    shorter = min(len(one), len(other))
    at = next((index for index in range(shorter) if one[index] != other[index]), shorter)
    around = slice(max(0, at - 60), at + 60)
    return f"at byte {at}:\n{one[around]!r}\n{other[around]!r}"


def _halves(reply: bytes) -> tuple[bytes, bytes]:
    at = reply.index(b"\r\n\r\n", len(_interim(reply))) + 4
    return reply[:at], reply[at:]


def _interim(reply: bytes) -> bytes:
    """What the server sent before the reply proper: "100 Continue"."""
    found = _INTERIM.match(reply)
    return found[0] if found else b""


def _pieces(head: bytes, rest: bytes) -> Iterator[bytes]:
    """The chunks, the empty last one too; or the body as the one piece it is."""
    if not _CHUNKED.search(head):
        length = _LENGTH.search(head)
        assert not rest or length is None or len(rest) == int(length[1]), "the body is not as long as announced"
        yield rest
        return
    at = 0
    while at < len(rest):  # empty after HEAD
        begin = rest.index(b"\r\n", at) + 2
        end = begin + int(rest[at:begin], 16)
        assert rest[end : end + 2] == b"\r\n", "a chunk is not as long as announced"
        yield rest[begin:end]
        at = end + 2


def _filled(piece: bytes, blanks: Sequence[Blank]) -> bytes:
    for pattern, filling in blanks:
        piece = pattern.sub(filling, piece)
    return piece
